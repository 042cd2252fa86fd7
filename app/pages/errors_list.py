"""The list below the error figures: each row plays; notes, sets and reports of what is listed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.choices import text_of
from app.context import AppContext
from app.error_marks import Mark
from app.marks import note_input, notes_table, set_input
from app.page_state import PageState, prepare_page
from app.pages.report import ReportChoices, ask_for_report
from app.plain_text import plain
from app.segment_table import PICTURE, segment_table
from mravff_core.analysis.errors import ErrorAnalysis
from mravff_core.analysis.side import Side
from mravff_core.segments import ACTION
from mravff_core.workspace import MarkedSegment

# More rows take the browser longer than a person to read.
_MOST_ROWS = 400
_HOW_MANY = {"one": "The chosen one", "ten": "The first 10", "all": "All that are listed"}
_OFF = "Seconds from the true one's, late is positive"
# As wide as fits beside the playing segment on a small screen; the rest is in the table's own menu.
_DETECTION_COLUMNS = {
    "end_s": None,
    "length_s": None,
    "name": st.column_config.TextColumn("Found", width=66),
    "true_name": st.column_config.TextColumn("About", width=66, help="Class of the true segment it overlaps most"),
    "kind": st.column_config.TextColumn("Kind", width=110),
    "score": st.column_config.NumberColumn("Score", format="%.2f", width=50),
    "tiou": st.column_config.NumberColumn("tIoU", format="%.2f", width=48),
    "start_error_s": st.column_config.NumberColumn("Start off", format="%+.2f", width=64, help=_OFF),
    "end_error_s": st.column_config.NumberColumn("End off", format="%+.2f", width=64, help=_OFF),
    "picture": PICTURE,
}
# Of two words each, and as wide in all.
_ACTION_COLUMNS = _DETECTION_COLUMNS | {
    "name": st.column_config.TextColumn("Found", width=128),
    "true_name": st.column_config.TextColumn("About", width=128, help="Class of the true segment it overlaps most"),
    "start_error_s": None,
    "end_error_s": None,
}


@dataclass(frozen=True)
class ErrorChoices:
    """Names are those of the address.

    Attributes:
        run, audio, labels: whose detections of which classes.
        tiou: overlap from which a detection finds a true segment.
        min: least score of the detections that lists, confusions and boundaries show; the bars of
            kinds and bands count every detection and list as many.
        name, clip: class and clip that lists are about; empty for all.
        tab: title of the open tab of figures; empty for that of the mark.
        mark: what is listed, see `Mark`.
        picked: id of the chosen segment.
        many: how many are saved as a set.
    """

    run: str = ""
    audio: str = "on"
    labels: str = ""
    tiou: float = 0.5
    min: float = 0.2
    name: str = ""
    clip: str = ""
    tab: str = ""
    mark: str = ""
    picked: str = ""
    many: str = "ten"


State = PageState[ErrorChoices]


def list_errors(app: AppContext, state: State, analysis: ErrorAnalysis, mark: Mark, rows: pd.DataFrame) -> None:
    """What a mark stands for, with the chosen one beside it. Args: rows: of the mark."""
    head, clear = st.columns([9, 1.4], vertical_alignment="bottom")
    every = rows
    more = f", the first {_MOST_ROWS} are listed" if len(rows) > _MOST_ROWS else ""
    head.markdown(f"**{plain(mark.words)}**: {len(rows):,}{more}")
    if mark.text and clear.button("All errors", icon=":material/close:", width="stretch"):
        state.change(mark="", picked="")
        state.keep()
        st.rerun()
    rows = rows.head(_MOST_ROWS)
    if len(rows) and mark.text and state.choices.picked not in set(rows["segment_id"]):
        state.change("page", picked=rows["segment_id"].iloc[0])
    detection_columns = _ACTION_COLUMNS if analysis.label_set == ACTION else _DETECTION_COLUMNS
    columns = _truth_columns(rows) if mark.of_truth else detection_columns
    side = analysis.side
    row = segment_table(
        app,
        rows,
        state=state,
        field="picked",
        columns=columns,
        run=side.run,
        audio=str(side.audio),
        labels=state.choices.labels,
        name="errors",
        whole=lambda: every,
    )
    if rows.empty:
        return
    many = state.segmented("many", "To save and to note", _HOW_MANY)
    listed = {"one": rows[rows["segment_id"] == state.choices.picked], "ten": rows.head(10), "all": rows}[many]
    segments = [marked(one, analysis) for _, one in listed.iterrows()]
    left, right = st.columns([7, 5])
    with left:
        notes_table(app, segments, name="errors")
    with right:
        if row is None:
            st.caption("Choose a row of the list to put a longer note on it.")
        else:
            note_input(app, marked(row, analysis))
        suggested = mark.words if mark.text else ""
        saved, go = set_input(app, segments, name="errors", suggested=suggested, then="Save and make a report")
        if go:
            _to_report(state, side, saved)
        elif saved:
            _report_link(state, side, saved)


def _report_link(state: State, side: Side, name: str) -> None:
    chosen = state.choices
    query = {"about": str(side), "sets": text_of((name,)), "tiou": text_of(chosen.tiou), "min": text_of(chosen.min)}
    query |= {"labels": chosen.labels} if chosen.labels else {}
    page = st.session_state["pages"]["report"]
    label = f"Report on the set {plain(name)}"
    st.page_link(page, label=label, icon=":material/lab_profile:", query_params=query)


def _to_report(state: State, side: Side, name: str) -> None:
    """Go to a report on a set that was just saved, and have it made."""
    chosen = state.choices
    what = {"about": str(side), "labels": chosen.labels, "sets": (name,), "tiou": chosen.tiou, "min": chosen.min}
    prepare_page("report", ReportChoices, **what)
    ask_for_report()
    st.switch_page(st.session_state["pages"]["report"])


def marked(row: pd.Series, analysis: ErrorAnalysis) -> MarkedSegment:
    """A listed segment as notes and sets know it."""
    where = (row["clip_id"], float(row["start_s"]), float(row["end_s"]), analysis.label_set, row["name"])
    if "score" not in row:
        return MarkedSegment(*where)
    side = analysis.side
    return MarkedSegment(*where, "detection", side.run, str(side.audio), float(row["score"]))


def _truth_columns(rows: pd.DataFrame) -> dict[str, object]:
    traits = [name for name in rows.columns if f"{name}_bucket" in rows.columns and name != "length"]
    numbers = {name: st.column_config.NumberColumn(name.capitalize(), format="%.2f") for name in traits}
    return {"name": st.column_config.TextColumn("Class"), **numbers}
