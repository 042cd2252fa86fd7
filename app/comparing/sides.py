"""Which two sides are compared: questions that are often asked, and two inputs for each side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from app import addresses
from app.comparing.choices import CompareChoices
from app.page_state import PageState
from app.sidebar import run_title, sound_titles
from app.view import preferred
from mravff_core.analysis.side import shared_label_sets
from mravff_core.analysis.stress import CONDITIONS
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError
from mravff_core.workspace import RunInfo

State = PageState[CompareChoices]
Sides = tuple[str, str, str, str]
_FIELDS = ("a", "a_sound", "b", "b_sound")
_SOUNDS = {
    "Sound off → on": ("off", "on"),
    "On → 2 s late": ("on", "shift:+2"),
    "On → silence": ("on", "silence"),
    "On → another clip's": ("on", "swap:+1"),
    "On → noise": ("on", "noise:0"),
}


def choose_sides(state: State, infos: Sequence[RunInfo]) -> None:
    """Draw the questions and the inputs; afterwards both sides are of this workspace."""
    by_name = {info.run: info for info in preferred(list(infos))}
    _mend(state, by_name)
    questions = _questions(_subject(state, by_name), by_name.values())
    shared = shared_label_sets([by_name[state.choices.a], by_name[state.choices.b]])
    often, labels = st.columns([9, 2], vertical_alignment="bottom") if len(shared) > 1 else (st.container(), None)
    with often:
        _ask(state, questions)
    if labels is not None:
        with labels:
            state.select("labels", "Label set", shared)
    elif state.choices.labels:
        state.change("page", labels="")
    left, swap, right = st.columns([10, 0.9, 10], vertical_alignment="bottom")
    with left:
        _choose_side(state, "a", "A · from", by_name)
    with swap:
        st.button(
            "", icon=":material/swap_horiz:", help="Swap A and B", key="swap sides", on_click=_swap, args=(state,)
        )
    with right:
        _choose_side(state, "b", "B · to", by_name)


def _choose_side(state: State, field: str, label: str, infos: dict[str, RunInfo]) -> None:
    run, sound = st.columns([3, 2])
    with run:
        titles = {name: run_title(info) for name, info in infos.items()}
        info = infos[state.select(field, label, titles)]
    with sound:
        choices = sounds_of(info, getattr(state.choices, f"{field}_sound"))
        deaf = len(choices) == 1
        help_ = (
            "This run never listens." if info.has_detector else "Imported detections cannot be made for another sound."
        )
        state.select(
            f"{field}_sound",
            "Sound",
            sound_titles(choices),
            disabled=deaf,
            help=help_ if deaf else "What the detector hears.",
        )


def sounds_of(info: RunInfo, chosen: str) -> list[str]:
    """Audio conditions that a run can be compared under, as text."""
    if not info.has_detector:
        return list(info.conditions) or ["on"]
    if not info.listens:
        return ["on"]
    usual = [str(condition) for condition in CONDITIONS]
    return list(dict.fromkeys([*usual, *info.conditions, chosen]))


def _hears(info: RunInfo) -> bool:
    """Whether its detections are there, or can be made, for more than one sound."""
    return len(sounds_of(info, "on")) > 1


def _subject(state: State, infos: dict[str, RunInfo]) -> RunInfo | None:
    """Whom questions are about: a chosen run that hears, B's first, else the first that does."""
    chosen = (infos[run] for run in (state.choices.b, state.choices.a) if run in infos)
    return next((info for info in (*chosen, *infos.values()) if _hears(info)), None)


def _questions(info: RunInfo | None, infos: Iterable[RunInfo]) -> dict[str, Sides]:
    """Questions often asked about a run, each with its two sides; of stored detections, those they can answer."""
    if info is None:
        return {}
    questions = {
        words: (info.run, a, info.run, b)
        for words, (a, b) in _SOUNDS.items()
        if info.has_detector or {a, b} <= set(info.conditions)
    }
    deaf = (one.run for one in infos if one.has_detector and not one.listens and one.label_set == info.label_set)
    visual = next(deaf, None)
    if visual is not None:
        questions["Visual only → with sound"] = (visual, "on", info.run, "on")
    return questions


def _ask(state: State, questions: dict[str, Sides]) -> None:
    if not questions:
        return
    key = " ".join(state.key(field, "questions") for field in _FIELDS)
    now = tuple(getattr(state.choices, field) for field in _FIELDS)
    asked = next((words for words, sides in questions.items() if sides == now), None)

    def take() -> None:
        words = st.session_state[key]
        if words is not None:
            state.change("questions", **dict(zip(_FIELDS, questions[words], strict=True)), event="")

    st.pills("Often asked", list(questions), default=asked, key=key, on_change=take, wrap=True)


def _mend(state: State, infos: dict[str, RunInfo]) -> None:
    """Put sides that are not there right: what sound adds, or the first two runs."""
    chosen = state.choices
    complaints = [
        f"The address asks for the run {name!r}, which is not in this workspace."
        for name in dict.fromkeys((chosen.a, chosen.b))
        if name and name not in infos
    ]
    if chosen.a not in infos or chosen.b not in infos:
        first_heard = next(filter(_hears, infos.values()), None)
        usual = next(iter(_questions(first_heard, infos.values()).values()), None)
        if usual is None:
            first = next(iter(infos.values()))
            alike = [info.run for info in infos.values() if info.label_set == first.label_set]
            usual = (alike[0], "on", alike[-1], "on")
        state.change("page", **dict(zip(_FIELDS, usual, strict=True)))
    for field in ("a", "b"):
        sound = getattr(state.choices, f"{field}_sound")
        try:
            known = str(AudioCondition.parse(sound))
        except ConfigError as error:
            complaints.append(f"The address asks for a sound that cannot be made: {error}.")
            known = "on"
        state.change("page", **{f"{field}_sound": known})
    addresses.complain(complaints)


def _swap(state: State) -> None:
    now = [getattr(state.choices, field) for field in _FIELDS]
    state.change("swap", **dict(zip(_FIELDS, [*now[2:], *now[:2]], strict=True)), event="")
