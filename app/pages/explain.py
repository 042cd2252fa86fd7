"""The Explain page: which sound and which pictures one detection rests on, and how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app import sidebar
from app.charts import chart, theme
from app.context import AppContext, context
from app.detecting import detecting
from app.doubts import doubts
from app.explaining import KIND, NO_LOGIT, begin, job_name, work
from app.no_runs import say_no_runs
from app.page_state import PageState, open_page
from app.pages.explain_checks import show_checks, warn
from app.pages.explain_panels import show_attention, show_frames, show_listening
from app.pages.explain_player import show_player
from app.plain_text import plain
from app.run_choice import choose_shared_run
from app.says_errors import says_errors
from app.segment_table import player_link
from app.view import clips_in_order, preferred
from app.work import offer, result_of
from mravff_core.analysis.attribution.target import DEFAULT_QUANTITY
from mravff_core.analysis.baselines import baseline_words, further_clips
from mravff_core.analysis.explain_run import Explanation, Question
from mravff_core.audio_condition import AudioCondition
from mravff_core.inference.predictor import Predictor
from mravff_core.plots.explanation import level_bars, modality_bars
from mravff_core.plots.words import signed
from mravff_core.segments import ACTION
from mravff_core.workspace import RunInfo

_QUANTITIES = {
    "probability": "Probability",
    "contrast": "This class, not others",
    "logit": "Logit",
    "start": "Start",
    "end": "End",
}
_SOUNDS = {"silence": "Digital silence", "mean": "Mean of the clip"}
_SIGHTS = {"mean": "Mean of the clip", "frozen": "A still picture"}
_MOST_LISTED = 50
_OTHER_CLIPS = 4


@dataclass(frozen=True)
class ExplainChoices:
    """Names are those of the address.

    Attributes:
        run, audio, labels, clip, n: which detection; `n` is its number in the clip, 0 the best.
        what: quantity that is explained.
        sound, sight: baselines.
        level, head: whose attention is shown; -1 for the point's level and the mean over heads.
    """

    run: str = ""
    audio: str = "on"
    labels: str = ""
    clip: str = ""
    n: int = 0
    what: str = DEFAULT_QUANTITY
    sound: str = "silence"
    sight: str = "mean"
    level: int = -1
    head: int = -1


State = PageState[ExplainChoices]


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    state = open_page("explain", ExplainChoices)
    with st.sidebar:
        sidebar.about(app)
    infos = [info for info in preferred(app.workspace.readable_runs()[0]) if info.has_detector]
    clips = clips_in_order(app.workspace)
    if not infos:
        need = "Explanations ask a detector why; detections of another tool come without one."
        say_no_runs(app.workspace, "Nothing to explain yet", need)
        return
    if not clips:
        st.subheader("Nothing to explain yet", anchor=False)
        st.write("There are no clips; the page Add takes videos.")
        return
    with st.sidebar:
        info = _choose_source(app, state, infos, clips)
    state.keep()
    choose_clip, choose, way = st.columns([3, 6.5, 2.5], vertical_alignment="center")
    with choose_clip:
        _choose_clip(app, state, clips)
    detections = _detections(app, state, info)
    state.keep()
    if detections is None:
        return
    with choose:
        _choose_detection(state, info, app, detections)
    with way:
        _way_to_player(state, detections)
    state.keep()
    question = _question(state, info)
    # Begun before the player asks for it.
    if app.jobs.find(job_name(app, question)) is None:
        begin(app, question)
    answer = st.empty()
    answer.markdown("Working out what it rests on …")
    show_player(app, state, info, detections)
    explanation = result_of(app, KIND, job_name(app, question), "Explaining", work(app, question))
    if explanation is not None:
        doubted = doubts(app, explanation)
        answer.markdown(_answer(explanation, len(doubted)))
        _show(app, state, explanation, doubted)
    show_checks(app, info)
    state.keep()


def _choose_source(app: AppContext, state: State, infos: list[RunInfo], clips: list[str]) -> RunInfo:
    by_name = {info.run: info for info in infos}
    info = by_name[choose_shared_run(app, state, "run", infos)]
    own = [name for name in info.label_sets if name != ACTION]
    if len(own) > 1:
        state.select("labels", "Classes", own)
        if ACTION in info.label_sets:
            st.caption(NO_LOGIT)
    elif state.choices.labels:
        state.change(labels="")
    state.select("audio", "Sound", sidebar.sound_titles(info.conditions or ("on",)), help="What the detector heard.")
    state.select(
        "what",
        "Explain",
        _QUANTITIES,
        help="Which number of the detection. A class's own score also rises with what any action looks and "
        "sounds like; *this class, not others* leaves that out.",
    )
    others = _other_clips(app, state, info, clips)
    state.select("sound", "Compare sound with", _SOUNDS | others)
    state.select("sight", "Compare sight with", _SIGHTS | others)
    return info


def _other_clips(app: AppContext, state: State, info: RunInfo, clips: list[str]) -> dict[str, str]:
    """Clips whose sound or sight this one can be compared with."""
    clip = state.choices.clip if state.choices.clip in clips else clips[0]
    titles = dict(zip(app.workspace.clips["clip_id"], app.workspace.clips["title"], strict=True))
    found = further_clips(app.workspace, clip, Predictor(app.detectors.get(info.run)), most=_OTHER_CLIPS)
    return {f"clip:{other}": f"Another clip: {titles[other]}" for other in found}


def _choose_clip(app: AppContext, state: State, clips: list[str]) -> None:
    titles = dict(zip(app.workspace.clips["clip_id"], app.workspace.clips["title"], strict=True))
    state.select("clip", "Clip", {clip: titles[clip] for clip in clips}, label_visibility="collapsed")


def _detections(app: AppContext, state: State, info: RunInfo) -> pd.DataFrame | None:
    chosen, run = state.choices, app.workspace.run(info.run)
    if not run.has(chosen.audio, chosen.clip):
        name = f"detect {info.run} {chosen.audio} {chosen.clip}"
        offer(
            app,
            "detect",
            name,
            f"Detecting in {chosen.clip}",
            "Detect in this clip",
            detecting(app, info.run, chosen.audio, [chosen.clip]),
        )
        return None
    found = run.detections(chosen.audio, [chosen.clip], label_set=chosen.labels or None)
    if found is None or found.empty:
        st.info("There is no detection in this clip.", icon=":material/search_off:")
        return None
    return found.head(_MOST_LISTED)


def _choose_detection(state: State, info: RunInfo, app: AppContext, detections: pd.DataFrame) -> None:
    names = app.workspace.classes(state.choices.labels or info.label_set)
    words = {}
    for number, row in enumerate(detections.to_dict("records")):
        label = int(row["label"])
        name = names.get(label, str(label))
        words[number] = f"{name} · {row['start_s']:.2f} to {row['end_s']:.2f} s · score {row['score']:.2f}"
    state.select("n", "Detection, best first", words, label_visibility="collapsed")


def _way_to_player(state: State, detections: pd.DataFrame) -> None:
    chosen = state.choices
    start_s = float(detections.iloc[chosen.n]["start_s"])
    where = {"clip_id": chosen.clip, "run": chosen.run, "audio": chosen.audio, "labels": chosen.labels}
    player_link(**where, time_s=start_s, segment=f"d{chosen.n}")


def _question(state: State, info: RunInfo) -> Question:
    chosen = state.choices
    return Question(
        run=chosen.run,
        clip=chosen.clip,
        detection=chosen.n,
        label_set=chosen.labels or info.label_set,
        audio=AudioCondition.parse(chosen.audio),
        quantity=chosen.what,
        audio_baseline=chosen.sound,
        vision_baseline=chosen.sight,
    )


def _show(app: AppContext, state: State, explanation: Explanation, doubted: Sequence[str]) -> None:
    attribution, point = explanation.attribution, explanation.point
    warn(app, explanation, doubted)
    left, right = st.columns([6, 6])
    with left:
        st.markdown(
            "**Sound and sight.** Both together, beyond what each does alone: "
            f"{signed(attribution.share.interaction, 2)}."
        )
        chart(modality_bars(attribution, theme()), name="sound and sight")
    with right:
        exact = "" if point.exact else " (the nearest: suppression moved its segment)"
        origin = f"**Gates of single levels.** The detection comes from level {point.level}{exact}"
        if attribution.levels:
            st.markdown(f"{origin}; shutting another level's gate cannot change its score.")
            chart(level_bars(attribution, theme()), name="gates of single levels")
        else:
            st.markdown(f"{origin}.")
            st.caption("There are no gates to shut: this detector has no fusion, or the clip has no sound.")
    _over_time(explanation)
    show_frames(app, explanation)
    show_listening(app, explanation)
    show_attention(app, state, explanation)


def _answer(explanation: Explanation, doubts_below: int) -> str:
    """What mattered, compared with what, and how sure that is, in one sentence."""
    attribution = explanation.attribution
    share, known = attribution.share.audio_share, attribution.share_range
    if share is None:
        return "**Neither sound nor sight** moves this number away from the baseline."
    sound, sight = (plain(baseline_words(name)) for name in attribution.baseline)
    rather = " rather than any other class" if attribution.quantity == "contrast" else ""
    # Short enough for one line: every further one pushes the tracks out of sight.
    told = f"**{share:.0%} sound, {1 - share:.0%} sight**{rather}, compared with {sound} and {sight}"
    if known is not None:
        told += f"; {known.low:.0%} to {known.high:.0%} over {known.baselines} baselines"
    doubt = "doubt" if doubts_below == 1 else "doubts"
    return f"{told}. ⚠ {doubts_below} {doubt} below." if doubts_below else f"{told}."


def _over_time(explanation: Explanation) -> None:
    attribution = explanation.attribution
    st.markdown(
        "**Over time.** In the player above, filled bars up speak for the detection, hatched bars down against it; "
        "the dotted line is the second opinion, by occlusion. The spectrum is darkened where sound did not matter."
    )
    gap = attribution.gradients.gap
    words = (
        "The score does not differ from the baseline's."
        if gap is None
        else f"The bars miss {gap:.2%} of the score difference"
    )
    agreed = [
        f"{name} {value:.2f}"
        for name, value in (("sound", attribution.agreement.audio), ("sight", attribution.agreement.vision))
        if value is not None
    ]
    told = f" ({attribution.gradients.steps} steps)." if gap is not None else ""
    st.caption(f"{words}{told} Agreement of the two opinions, −1 to 1: {', '.join(agreed) or 'undefined'}.")
