"""Which two sides are compared: questions that are often asked, and two inputs for each side."""

from __future__ import annotations

from collections.abc import Sequence

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
_FIELDS = ("a", "a_sound", "b", "b_sound")


def choose_sides(state: State, infos: Sequence[RunInfo]) -> None:
    """Draw the questions and the inputs; afterwards both sides are of this workspace."""
    by_name = {info.run: info for info in preferred(list(infos))}
    questions = _questions(list(by_name.values()))
    _mend(state, by_name, questions)
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
    if info.fusion == "none":
        return ["on"]
    usual = [str(condition) for condition in CONDITIONS]
    return list(dict.fromkeys([*usual, *info.conditions, chosen]))


def _questions(infos: list[RunInfo]) -> dict[str, tuple[str, str, str, str]]:
    """Questions often asked, each with its two sides: run, sound, run, sound."""
    questions = {}
    listening = [info for info in infos if info.has_detector and info.fusion != "none"]
    if listening:
        run = listening[0].run
        questions = {
            "Sound off → on": (run, "off", run, "on"),
            "On → 2 s late": (run, "on", run, "shift:+2"),
            "On → silence": (run, "on", run, "silence"),
            "On → another clip's": (run, "on", run, "swap:+1"),
            "On → noise": (run, "on", run, "noise:0"),
        }
    for info in listening[:1]:
        for other in infos:
            if other.label_set == info.label_set and other.fusion == "none" and other.has_detector:
                questions["Visual only → with sound"] = (other.run, "on", info.run, "on")
                break
    return questions


def _ask(state: State, questions: dict[str, tuple[str, str, str, str]]) -> None:
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


def _mend(state: State, infos: dict[str, RunInfo], questions: dict[str, tuple[str, str, str, str]]) -> None:
    """Put sides that are not there right: what sound adds, or the first two runs."""
    chosen = state.choices
    complaints = [
        f"The address asks for the run {name!r}, which is not in this workspace."
        for name in dict.fromkeys((chosen.a, chosen.b))
        if name and name not in infos
    ]
    if chosen.a not in infos or chosen.b not in infos:
        usual = next(iter(questions.values()), None)
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
