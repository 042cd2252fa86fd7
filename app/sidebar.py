"""The sidebar: what everything on the page is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st

from app.context import AppContext
from app.plain_text import plain
from app.session import widget_key
from app.sides import MOST_OTHERS, Side, offered_sides
from app.view import View, label_sets_of, preferred
from mravff_core.audio_condition import AudioCondition, Kind
from mravff_core.workspace import RunInfo

T = TypeVar("T")

FUSIONS = {
    "mrav": "MRAV-FF",
    "none": "visual only",
    "concat": "concatenation",
    "sum": "sum",
    "cross_attention": "cross-attention",
}
_NEXT_CLIP = "+1"
_SOUNDS: dict[Kind, str] = {
    "on": "As recorded",
    "off": "Off: no fusion",
    "silence": "Digital silence",
    "shift": "Shifted in time",
    "swap": "Another clip's sound",
    "noise": "Noise added",
}


def show(app: AppContext, view: View) -> View:
    """Draw the sidebar. Returns: the view with what was chosen there."""
    with st.sidebar:
        infos = {info.run: info for info in preferred(app.workspace.readable_runs()[0])}
        about(app)
        view = _choose_run(app, view, infos)
        info = infos.get(view.run or "")
        view = _choose_sound(app, view, info)
        view = _choose_beside(view, list(infos.values()))
        view = _choose_shown(app, view)
        device = app.detectors.device_name
        st.caption(f"Detectors run on **{device}**." if device else "PyTorch is being loaded …")
    return view


def about(app: AppContext) -> None:
    """Which workspace this is, and which of its runs cannot be read."""
    infos, damaged = app.workspace.readable_runs()
    clips = len(app.workspace.clips)
    st.markdown(f"**{plain(app.workspace.settings.name)}**", help=f"`{app.workspace.folder}`")
    st.caption(f"{clips:,} clip{'s' * (clips != 1)} · {len(infos)} run{'s' * (len(infos) != 1)}")
    for name, sentence in damaged.items():
        st.warning(f"The run {plain(name)} is left out: {plain(sentence)}", icon=":material/heart_broken:")


def run_title(info: RunInfo) -> str:
    """A run as people read it in lists."""
    if not info.has_detector:
        return f"{info.run} · {info.base}"
    return f"{info.run} · {FUSIONS.get(info.fusion, info.fusion)}"


def _choose_run(app: AppContext, view: View, infos: dict[str, RunInfo]) -> View:
    if not infos:
        st.info(
            "There are no runs yet: the pages Errors and Compare say how to get one. Clips and true segments are "
            "shown without.",
            icon=":material/model_training:",
        )
        names = label_sets_of(None, app.workspace)
        chosen = _select("Label set", names, view.label_set, widget_key("labels")) if names else ""
        return replace(view, run=None, label_set=chosen)
    run = _select("Run", list(infos), view.run, widget_key("run"), lambda name: run_title(infos[name]))
    offered = label_sets_of(infos[run], app.workspace)
    # Another run opens with its own first label set, but one that was chosen stays where it can.
    usual = view.label_set if run == view.run or not view.usual_labels else infos[run].label_set
    chosen = usual if usual in offered else infos[run].label_set
    if len(offered) > 1:
        chosen = _select("Label set", offered, chosen, widget_key(f"labels_{run}"), help="One detector, several tasks.")
    classes = view.classes if chosen == view.label_set else ()
    return replace(view, run=run, label_set=chosen, classes=classes, usual_labels=chosen == infos[run].label_set)


def _choose_sound(app: AppContext, view: View, info: RunInfo | None) -> View:
    if info is None:
        return replace(view, audio=AudioCondition())
    if not info.has_detector and len(info.conditions) > 1:
        help_ = "What the merged runs heard."
        heard = _select("Sound", info.conditions, str(view.audio), widget_key("stored sound"), _title_of, help=help_)
        return replace(view, audio=AudioCondition.parse(heard))
    deaf = not info.listens
    usual = "on" if deaf else view.audio.kind
    help_ = "What the detector gets to hear. The player always plays the clip's own sound."
    kind = _select("Sound", list(_SOUNDS), usual, widget_key("sound"), _SOUNDS.__getitem__, disabled=deaf, help=help_)
    if deaf:
        heard = "This run never listens." if info.has_detector else "Stored detections: no detector to hear more."
        st.caption(heard)
        return replace(view, audio=AudioCondition())
    if kind == "shift":
        usual_s = view.audio.shift_s if view.audio.kind == "shift" else 1.0
        usual_s = max(-5.0, min(5.0, usual_s))
        shift_s = st.slider("Seconds later", -5.0, 5.0, usual_s, step=0.25, key=widget_key("shift"))
        return replace(view, audio=AudioCondition("shift", shift_s=shift_s))
    if kind == "noise":
        usual_db = view.audio.snr_db if view.audio.kind == "noise" else 0.0
        usual_db = max(-20.0, min(30.0, usual_db))
        snr_db = st.slider("Signal to noise (dB)", -20.0, 30.0, usual_db, step=1.0, key=widget_key("noise"))
        return replace(view, audio=AudioCondition("noise", snr_db=snr_db))
    if kind == "swap":
        others = [clip_id for clip_id in app.workspace.clip_ids() if clip_id != view.clip]
        if not others:
            st.caption("There is no other clip.")
            return replace(view, audio=AudioCondition())
        choices = [_NEXT_CLIP, *others]
        if view.audio.swap_step is not None and view.audio.clip_id not in choices:
            choices.insert(1, view.audio.clip_id)
        wanted = view.audio.clip_id if view.audio.clip_id in choices else others[0]
        chosen = _select("Sound of", choices, wanted, widget_key("swap"), _heard_title)
        return replace(view, audio=AudioCondition("swap", clip_id=chosen))
    return replace(view, audio=AudioCondition(kind))


def _title_of(heard: str) -> str:
    return sound_title(AudioCondition.parse(heard))


def _heard_title(clip_id: str) -> str:
    if clip_id == _NEXT_CLIP:
        return "the next clip of its split"
    return f"the clip {clip_id} further on" if clip_id.startswith("+") else clip_id


def _choose_beside(view: View, infos: list[RunInfo]) -> View:
    main = view.main
    offered = {str(side): side for side in offered_sides(infos, view.label_set, main)} if main else {}
    # Sounds that nobody has made yet may come by an address.
    offered |= {str(side): side for side in view.others if side != main and _is_of(infos, side, view.label_set)}
    if not offered:
        return replace(view, others=())
    key = f"{widget_key('beside')}_{view.label_set}"
    kept = st.session_state.get(key, [str(side) for side in view.others])
    st.session_state[key] = [name for name in kept if name in offered]
    chosen = st.multiselect(
        "Beside it",
        list(offered),
        key=key,
        max_selections=MOST_OTHERS,
        placeholder="Other runs or sounds",
        format_func=lambda name: side_title(offered[name]),
        help="Their detections in rows of their own under the first (B: the same without sound).",
    )
    return replace(view, others=tuple(offered[name] for name in chosen))


def _is_of(infos: list[RunInfo], side: Side, label_set: str) -> bool:
    return any(info.run == side.run and label_set in info.label_sets for info in infos)


def side_title(side: Side) -> str:
    """A run with what it hears, as people read it."""
    return side.run if side.audio.kind == "on" else f"{side.run} · {sound_title(side.audio)}"


def sound_title(heard: AudioCondition) -> str:
    """What a run hears, as people read it in lists."""
    return {
        "on": "as recorded",
        "off": "no sound",
        "silence": "silence",
        "shift": f"sound {abs(heard.shift_s):g} s {'late' if heard.shift_s > 0 else 'early'}",
        "swap": f"sound of {_heard_title(heard.clip_id)}",
        "noise": f"noise at {heard.snr_db:g} dB",
    }[heard.kind]


def sound_titles(sounds: Iterable[str]) -> dict[str, str]:
    """Sounds, as text, with what people read in lists."""
    return {sound: sound_title(AudioCondition.parse(sound)) for sound in sounds}


def _choose_shown(app: AppContext, view: View) -> View:
    threshold = st.slider(
        "Score threshold",
        0.0,
        1.0,
        view.threshold,
        step=0.01,
        key=widget_key("threshold"),
        help="Detections of a lower score are hidden.",
    )
    names = list(app.workspace.classes(view.label_set).values()) if view.label_set else []
    classes = st.multiselect(
        "Classes",
        names,
        [name for name in view.classes if name in names],
        key=widget_key(f"classes_{view.label_set}"),
        placeholder=f"All {len(names)} {view.label_set} classes",
    )
    return replace(view, threshold=threshold, classes=tuple(classes))


def _select(
    label: str, options: Sequence[T], usual: T | None, key: str, format_func: Callable[[T], str] = str, **more: Any
) -> T:
    """A select box that starts from `usual` and forgets a choice that is no longer offered."""
    usual = usual if usual is not None and usual in options else options[0]
    if st.session_state.get(key, usual) not in options:
        st.session_state[key] = usual
    return st.selectbox(label, options, index=options.index(usual), key=key, format_func=format_func, **more)
