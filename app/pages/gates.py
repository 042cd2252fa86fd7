"""The Gates page: how much each class listens, level by level, and what sound is worth to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import sidebar
from app.charts import chart, theme
from app.context import AppContext, context
from app.detecting import detecting, say_not_detected
from app.differences import with_signs
from app.jobs import Job
from app.kept import kept
from app.no_runs import say_no_runs
from app.pacing import first_figures_first
from app.page_state import PageState, open_page
from app.pages.gates_class import show_class, show_pairs
from app.plain_text import NOTHING
from app.run_choice import choose_shared_run
from app.says_errors import says_errors
from app.view import clips_in_order, preferred
from app.work import offer, show_progress
from mravff_core.analysis import gates
from mravff_core.analysis.gates import EFFECT_COLUMNS
from mravff_core.analysis.segment_gates import SegmentSource, level_columns, segment_gates
from mravff_core.plots.gates import NO_PROOF, gate_against_effect, gate_matrix
from mravff_core.plots.words import signed
from mravff_core.workspace import RunInfo

_KINDS = {"true": "True", "detected": "Detected", "correct": "Correctly detected"}
_ROWS = {30: "30 classes", 60: "60 classes", 0: "All classes"}
_LONGEST_S, _MATRIX_PX = 60.0, 560
# More rows take the browser seconds to draw; only actions are so many.
_MOST_ROWS = 300


@dataclass(frozen=True)
class GatesChoices:
    """What is chosen on the page.

    Attributes:
        run, labels, audio: whose gates, of which classes, under which sound.
        kind, tiou: which segments, as of `SegmentSource`.
        min: least score of detections.
        length, heard, clips, least: filters: seconds, audibility, clip ids, segments a class.
        search: part of a class's name.
        sort, up: order of classes; `up` for smallest first.
        unhelped: only classes of which it is not shown that sound helps.
        rows: classes shown; 0 for all.
        name: the class that is looked at.
        end: which of its segments: `most` or `least` gated.
        level: whose gates are compared with the effect and order segments; `gate` for the mean.
        picked: id of the chosen segment.
        table: the classes as a table rather than as a picture.
        pairs: whether the matrix of verbs and nouns is shown.
        pair: two class names of the chosen pair.
    """

    run: str = ""
    labels: str = ""
    audio: str = "on"
    kind: str = "true"
    tiou: float = 0.5
    min: float = 0.2
    length: tuple[float, float] = (0.0, _LONGEST_S)
    heard: tuple[float, float] = (0.0, 1.0)
    clips: tuple[str, ...] = ()
    least: int = 1
    search: str = ""
    sort: str = "gate"
    up: bool = False
    unhelped: bool = False
    rows: int = 30
    name: str = ""
    end: str = "most"
    level: str = "gate"
    picked: str = ""
    table: bool = False
    pairs: bool = False
    pair: tuple[str, ...] = ()


State = PageState[GatesChoices]


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    state = open_page("gates", GatesChoices)
    with st.sidebar:
        sidebar.about(app)
    infos = [info for info in preferred(app.workspace.readable_runs()[0]) if info.fusion == "mrav"]
    if not infos:
        say_no_runs(app.workspace, "No run with gates yet", "Gates come from detectors with MRAV-FF fusion.")
        return
    with st.sidebar:
        info = _choose_source(app, state, infos)
    state.keep()
    if not app.workspace.run(info.run).stored_files(state.choices.audio):
        say_not_detected(app, info, state.choices.audio)
        return
    segments, steps = _segments(app, state)
    with st.sidebar:
        _choose_filters(app, state, segments)
    state.keep()
    _show(app, state, info, segments, steps)
    state.keep()


def _choose_source(app: AppContext, state: State, infos: list[RunInfo]) -> RunInfo:
    """Whose gates, in which segments."""
    by_name = {info.run: info for info in infos}
    info = by_name[choose_shared_run(app, state, "run", infos)]
    if len(info.label_sets) > 1:
        state.select("labels", "Classes", list(info.label_sets))
    elif state.choices.labels:
        state.change(labels="")
    sounds = [condition for condition in info.conditions if condition != "off"] or ["on"]
    if len(sounds) > 1 or state.choices.audio not in sounds:
        state.select("audio", "Sound", sidebar.sound_titles(sounds), help="What the detector heard.")
    state.select("kind", "Segments", _KINDS, help="In which segments the gates are averaged.")
    if state.choices.kind == "correct":
        state.slider("tiou", "Overlap of a correct detection (tIoU)", 0.05, 0.95, 0.05)
    return info


def _segments(app: AppContext, state: State) -> tuple[pd.DataFrame, list[str]]:
    """Segments with their gates, and names of levels with their steps."""
    choices = state.choices
    tiou = choices.tiou if choices.kind == "correct" else GatesChoices.tiou
    source = SegmentSource(choices.run, choices.labels, choices.audio, choices.kind, tiou)  # type: ignore[arg-type]
    segments = segment_gates(app.workspace, source)
    steps_s = gates.level_steps_s(app.workspace, choices.run, choices.audio)
    return segments, [f"L{level} · {step_s:.2g} s" for level, step_s in enumerate(steps_s)]


def _choose_filters(app: AppContext, state: State, segments: pd.DataFrame) -> None:
    with st.expander("Filters", icon=":material/filter_alt:", expanded=True):
        if state.choices.kind != "true":
            state.slider("min", "Score at least", 0.0, 1.0, 0.01)
        state.slider("length", "Length (s)", 0.0, _LONGEST_S, 0.5, help="At the right end: any length.")
        if segments["audibility"].notna().any():
            state.slider(
                "heard", "Audibility", 0.0, 1.0, 0.05, help="How much of a segment its own sound can be heard."
            )
        state.slider("least", "Segments of a class, at least", 1, 50, 1)
        state.multiselect("clips", "Clips", clips_in_order(app.workspace), placeholder="All clips")


def _filtered(state: State, segments: pd.DataFrame) -> pd.DataFrame:
    choices = state.choices
    longest_s = choices.length[1] if choices.length[1] < _LONGEST_S else math.inf
    keep = gates.SegmentFilter(
        min_score=choices.min, length_s=(choices.length[0], longest_s), audibility=choices.heard, clips=choices.clips
    )
    return keep(segments)


def _show(app: AppContext, state: State, info: RunInfo, segments: pd.DataFrame, level_names: list[str]) -> None:
    label_set = state.choices.labels or info.label_set
    names = app.workspace.class_names(label_set)
    if segments.empty:
        _no_segments(app, state, info, label_set)
        return
    counted = _filtered(state, segments)
    if counted.empty:
        st.info("No segment passes the filters; widen them at the left.", icon=":material/filter_alt_off:")
        return
    classes = kept(gates.class_gates, counted[_counted_columns(counted)], names, min_count=state.choices.least)
    above = st.container()
    effect = _known_effect(app, state, info, label_set)
    table = gates.with_effect(classes, effect)
    _show_classes(state, table, level_names, has_effect=effect is not None)
    first_figures_first("gates")
    if effect is None:
        with above:
            _seek_effect(app, state, info, label_set)
    if state.choices.name in set(table["name"]):
        row = table[table["name"] == state.choices.name].iloc[0]
        show_class(app, state, row, counted[counted["label"] == row["label"]], level_names)
    show_pairs(app, state, info)


def _counted_columns(segments: pd.DataFrame) -> list[str]:
    """What the means of classes rest on."""
    return ["clip_id", "label", "gate", *level_columns(segments)]


def _no_segments(app: AppContext, state: State, info: RunInfo, label_set: str) -> None:
    """Say why there is no segment at all, which no filter can help."""
    words = {
        "true": f"No clip that `{info.run}` was run on has true {label_set} segments. Choose detected segments at the "
        f"left, or import true ones with `{app.workspace.command('import --annotations FILE')}`.",
        "detected": f"`{info.run}` found nothing in any clip. Choose true segments at the left.",
        "correct": f"No detection of `{info.run}` is correct at tIoU {state.choices.tiou:g}. Lower it, or choose "
        "another kind of segments at the left.",
    }
    st.subheader("No segments", anchor=False)
    st.write(words[state.choices.kind])


def _show_classes(state: State, table: pd.DataFrame, level_names: list[str], *, has_effect: bool) -> None:
    shown = _choose_classes(state, table, level_names, has_effect=has_effect)
    left, right = st.columns([7, 5])
    with left:
        if state.choices.table:
            _table(shown, level_names)
        elif shown.empty:
            st.caption("No class fits.")
        else:
            with st.container(height=_MATRIX_PX, border=False):
                if len(shown) > _MOST_ROWS:
                    st.caption(f"The first {_MOST_ROWS} of {len(shown):,} in this order; the table has all.")
                figure = kept(gate_matrix, shown.head(_MOST_ROWS), level_names, theme(), chosen=state.choices.name)
                chart(figure, name="gates by class and level", state=state, field="name")
    with right:
        if has_effect:
            _correlation(state, table, level_names)
            figure = kept(gate_against_effect, table, theme(), column=state.choices.level, chosen=state.choices.name)
            chart(figure, name="gate against effect of audio", state=state, field="name")


def _table(shown: pd.DataFrame, level_names: list[str]) -> None:
    """The same classes with all intervals, to sort, search and download as CSV."""
    gate: dict[str, Any] = {"min_value": 0.0, "max_value": 1.0, "format": "%.3f"}
    columns: dict[str, Any] = {
        "name": st.column_config.TextColumn("Class", pinned=True),
        "count": "Segments",
        "clips": "Clips",
        "gate": st.column_config.ProgressColumn("Mean gate", width=110, **gate),
        "spread": st.column_config.NumberColumn("Spread", format="%.3f"),
        "ap_on": st.column_config.NumberColumn("AP with sound (%)", format="%.1f"),
        "ap_off": st.column_config.NumberColumn("AP without (%)", format="%.1f"),
        "effect": st.column_config.NumberColumn("Difference (points)"),
        "effect_low": st.column_config.NumberColumn("from", help="Lower end of the 95 % interval, points"),
        "effect_high": st.column_config.NumberColumn("to", help="Upper end of the 95 % interval, points"),
        "effect_clear": st.column_config.CheckboxColumn("Clear", help="The interval excludes 0."),
    }
    for level, name in zip(level_columns(shown), level_names, strict=True):
        columns[level] = st.column_config.ProgressColumn(name, width=110, **gate)
    for column in shown.columns.difference([*columns, "label"]):
        columns[column] = st.column_config.NumberColumn(column.replace("_", " "), format="%.3f")
    first = ["name", "count", "clips", "gate", *EFFECT_COLUMNS[2:], *level_columns(shown), "spread"]
    order = [*first, *(column for column in shown.columns if column not in first and column != "label")]
    differences = list(EFFECT_COLUMNS[2:5])
    # What is downloaded holds one unit for all precisions.
    points = shown[order].assign(**{name: 100 * shown[name] for name in EFFECT_COLUMNS[:5]})
    st.dataframe(
        with_signs(points, differences),
        width="stretch",
        height=_MATRIX_PX,
        hide_index=True,
        placeholder=NOTHING,
        column_config=columns,
        key="class table",
    )


def _choose_classes(state: State, table: pd.DataFrame, level_names: list[str], *, has_effect: bool) -> pd.DataFrame:
    """The line above the matrix: order and search. Returns: the classes to show, in order."""
    levels = dict(zip(level_columns(table), level_names, strict=True))
    orders = {"gate": "Mean gate", **levels, "spread": "Spread between levels", "count": "Segments"}
    if has_effect:
        orders["effect"] = "Effect of audio"
    search, order, way, only, rows, form = st.columns([1.9, 2.0, 1.8, 3.0, 1.8, 1.1], vertical_alignment="bottom")
    with search:
        words = state.text("search", "Search", placeholder="Class …", icon=":material/search:")
    with order:
        state.select("sort", "Sort by", orders)
    with way:
        state.toggle("up", "Reverse", help="Smallest first.")
    with only:
        if has_effect:
            state.toggle(
                "unhelped",
                "Sound not shown to help",
                help="Only classes where the interval of what sound is worth does not lie above 0.",
            )
    with rows:
        state.select("rows", "Show", _ROWS)
    with form:
        state.toggle("table", "Table")
    choices = state.choices
    shown = table[table["name"].str.contains(words, case=False, regex=False)] if words else table
    if has_effect and choices.unhelped:
        shown = shown[~(shown["effect_clear"] & (shown["effect"] > 0))]
    shown = shown.sort_values([choices.sort, "label"], ascending=[choices.up, True], na_position="last")
    return shown.head(choices.rows) if choices.rows else shown


def _correlation(state: State, table: pd.DataFrame, level_names: list[str]) -> None:
    columns = {
        "gate": "Mean",
        **dict(zip(level_columns(table), [name.split(" ")[0] for name in level_names], strict=True)),
    }
    state.segmented("level", "Gates of", columns)
    column = state.choices.level
    found = kept(gates.gate_effect_correlation, table[[column, "effect"]], column=column)
    if math.isnan(found.value):
        st.markdown(f"{NO_PROOF} There are too few classes for a correlation.")
        return
    ends = f" (95 % {signed(found.low, 2)} to {signed(found.high, 2)})" if math.isfinite(found.low) else ""
    st.markdown(
        f"{NO_PROOF} Over {found.classes} classes, rank correlation of the two: **{signed(found.value, 2)}**{ends}."
    )


def _known_effect(app: AppContext, state: State, info: RunInfo, label_set: str) -> pd.DataFrame | None:
    """What audio does to each class; None where that is to be worked out, or detections are missing."""
    where = _asked(state, label_set)
    if _lacks_off(app, state, info) or not gates.has_audio_effect(app.workspace, info.run, **where):
        return None
    return gates.audio_effect(app.workspace, info.run, **where)


def _asked(state: State, label_set: str) -> dict[str, Any]:
    """Arguments of `audio_effect`, over the clips whose gates are shown."""
    return {"label_set": label_set, "audio": state.choices.audio, "clip_ids": state.choices.clips or None}


def _lacks_off(app: AppContext, state: State, info: RunInfo) -> bool:
    """Whether clips are still to be detected in with audio off."""
    run = app.workspace.run(info.run)
    heard = run.predicted_clips(state.choices.audio) & set(app.workspace.clip_ids())
    predicting = app.jobs.find(f"predict {info.run} off")
    return bool(heard - run.predicted_clips("off")) or (predicting is not None and not predicting.ended)


def _seek_effect(app: AppContext, state: State, info: RunInfo, label_set: str) -> None:
    """Have worked out what audio does, or offer to detect what that needs; it takes turns with what is drawn."""
    if _lacks_off(app, state, info):
        st.info(
            "What sound is worth is not known yet: detections with audio off are missing.", icon=":material/volume_off:"
        )
        name = f"predict {info.run} off"
        offer(
            app,
            "predict",
            name,
            f"Detecting with {info.run}, audio off",
            "Detect with audio off",
            detecting(app, info.run, "off"),
        )
        return
    where = _asked(state, label_set)

    def work(_job: Job) -> None:
        gates.audio_effect(app.workspace, info.run, **where)

    name = f"effect {info.run} {' '.join([label_set, state.choices.audio, *state.choices.clips])}"
    job = app.jobs.find(name)
    if job is None or job.state == "done":
        job = app.jobs.submit("analysis", name, "Working out what sound is worth, with intervals", work)
    show_progress(app, job)
