"""The events of a comparison as a list that filters, sorts and plays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.comparing.choices import ANY, CompareChoices
from app.context import AppContext
from app.page_state import PageState
from app.segment_table import PICTURE, segment_table
from app.tracks.segments import MOST_DETECTIONS
from mravff_core.analysis.changes import KINDS, outcome
from mravff_core.analysis.compare import Compared, named_events
from mravff_core.segments import ACTION

# More rows take the browser longer than a person to read.
MOST_ROWS = 400
_OUTCOMES = {ANY: "All", "correct": "Correct only", "wrong": "Wrong only"}
State = PageState[CompareChoices]


def listed(app: AppContext, state: State, compared: Compared, events: pd.DataFrame) -> None:
    """Draw filters and list; with a class or clip chosen, its first event plays at once."""
    _filters(state, compared)
    chosen = matching(events, compared.labels, state.choices)
    table = rows(chosen.head(MOST_ROWS), compared)
    if len(chosen) > MOST_ROWS:
        st.caption(f"The first {MOST_ROWS} of {len(chosen):,}; choose a class, a clip or a kind for the others.")
    narrowed = state.choices.name != ANY or state.choices.clip != ANY
    if narrowed and len(table) and state.choices.event not in set(table["event_id"]):
        state.change("page", event=table["event_id"].iloc[0])
    if table.empty:
        st.info(_nothing(state.choices), icon=":material/filter_alt_off:")
        return
    segment_table(
        app,
        table,
        state=state,
        field="event",
        row_id="event_id",
        columns=_COLUMNS if compared.label_set != ACTION else _COLUMNS | _WIDE,
        run=compared.a.run,
        audio=str(compared.a.audio),
        labels=compared.label_set,
        second=str(compared.b) if compared.b != compared.a else None,
        name="events",
        whole=lambda: named_events(chosen, compared.labels),
    )


def matching(events: pd.DataFrame, labels: Sequence[str], choices: CompareChoices) -> pd.DataFrame:
    """Events that the choices let through: correct gains and losses first, then by kind and score."""
    keep = np.ones(len(events), dtype=bool)
    if choices.kind in KINDS:
        keep &= (events["kind"] == choices.kind).to_numpy()
    if choices.clip:
        keep &= (events["clip_id"] == choices.clip).to_numpy()
    if choices.name in labels:
        label = list(labels).index(choices.name)
        keep &= ((events["b_label"] == label) & (events["kind"] != "lost")).to_numpy() | (
            (events["a_label"] == label) & events["kind"].isin(["lost", "renamed"])
        ).to_numpy()
    correct = outcome(events).to_numpy()
    if choices.outcome in ("correct", "wrong"):
        keep &= correct == (choices.outcome == "correct")
    table = events[keep]
    kind = np.array([KINDS.index(kind) for kind in table["kind"]])
    best = np.fmax(table["a_score"].to_numpy(), table["b_score"].to_numpy())
    return table.iloc[np.lexsort((-best, ~correct[keep], kind))]


def rows(events: pd.DataFrame, compared: Compared) -> pd.DataFrame:
    """Events as the list shows them; the player has A in its first row, B in the one below."""
    lost = (events["kind"] == "lost").to_numpy()
    names = np.array([*compared.labels, ""], object)
    a_name, b_name = names[events["a_label"]], names[events["b_label"]]
    renamed = (events["kind"] == "renamed").to_numpy()
    place = np.where(lost, events["a_place"], events["b_place"])
    a, b = str(compared.a), str(compared.b)
    return pd.DataFrame(
        {
            "event_id": [
                f"{clip}:{first}:{second}"
                for clip, first, second in zip(events["clip_id"], events["a_place"], events["b_place"], strict=True)
            ],
            "clip_id": events["clip_id"].to_numpy(),
            "start_s": np.where(lost, events["a_start_s"], events["b_start_s"]),
            "end_s": np.where(lost, events["a_end_s"], events["b_end_s"]),
            "change": events["kind"].to_numpy(),
            "class": np.where(renamed, a_name + " → " + b_name, np.where(lost, a_name, b_name)),
            "a_score": events["a_score"].to_numpy(),
            "b_score": events["b_score"].to_numpy(),
            "correct": _verdicts(events),
            "truth_tiou": np.where(lost, events["a_truth_tiou"], events["b_truth_tiou"]),
            "tiou": events["tiou"].to_numpy(),
            "player_segment": [
                f"{row}{number}" if 0 <= number < MOST_DETECTIONS else None
                for row, number in zip(np.where(lost | (a == b), "d", "o1d"), place, strict=True)
            ],
        }
    )


def _verdicts(events: pd.DataFrame) -> list[str]:
    """Whether each side is correct, in a word or two."""
    words = {True: "correct", False: "wrong"}
    verdicts = []
    for kind, a, b in zip(events["kind"], events["a_correct"], events["b_correct"], strict=True):
        if kind in ("gained", "lost"):
            verdicts.append(words[bool(a if kind == "lost" else b)])
        elif a == b:
            verdicts.append(words[bool(b)])
        else:
            verdicts.append(f"{words[bool(a)]} → {words[bool(b)]}")
    return verdicts


def _filters(state: State, compared: Compared) -> None:
    names = [compared.labels[label] for label in compared.classes]
    kind, right, name, clip = st.columns([5, 1.6, 2, 2], vertical_alignment="bottom")
    with kind:
        state.segmented("kind", "Detections", {ANY: "All", **{kind: kind.capitalize() for kind in KINDS}})
    with right:
        state.select("outcome", "Correct?", _OUTCOMES)
    with name:
        state.select("name", "Class", {ANY: "All classes", **{name: name for name in names}})
    with clip:
        state.select("clip", "Clip", {ANY: "All clips", **{clip: clip for clip in compared.clip_ids}})


def _nothing(choices: CompareChoices) -> str:
    if (choices.kind, choices.outcome, choices.name, choices.clip) == (ANY,) * 4:
        return "Neither side has a detection that reaches the score threshold; lower it under “Thresholds”."
    return "No detection fits these filters; choose “All” in one of them."


_RENAMED = "From A to B where it was renamed"
_COLUMNS = {
    "end_s": None,
    "length_s": None,
    "change": st.column_config.TextColumn("Change", width=70),
    "class": st.column_config.TextColumn("Class", width=82, help=_RENAMED),
    "correct": st.column_config.TextColumn(
        "Correct?", width=70, help="Whether it takes a true segment of its class; from A to B where that changed"
    ),
    "a_score": st.column_config.NumberColumn(
        "Score A", format="%.2f", width=58, help="Empty where A has nothing there"
    ),
    "b_score": st.column_config.NumberColumn(
        "Score B", format="%.2f", width=58, help="Empty where B has nothing there"
    ),
    "truth_tiou": st.column_config.NumberColumn("To truth", format="%.2f", width=62, help="tIoU with the true segment"),
    "tiou": st.column_config.NumberColumn("A to B", format="%.2f", width=56, help="tIoU of A's detection and B's"),
    "picture": PICTURE,
}
# Names of actions have two words; what gives way for them is in the table's own menu.
_WIDE = {"class": st.column_config.TextColumn("Class", width=138, help=_RENAMED), "tiou": None}
