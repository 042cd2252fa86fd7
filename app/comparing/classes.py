"""Where the difference lies: by class as a chart, by class and by clip as tables that choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import charts
from app.comparing.answers import Happened, drawn
from app.comparing.choices import ANY, CompareChoices
from app.differences import with_signs
from app.page_state import PageState
from app.plain_text import NOTHING
from app.whole_table import offer_whole
from mravff_core.analysis.ap_difference import ApDifference
from mravff_core.plots.compare import class_differences

# Words never change under a person's hands: a browser sends the words back, not the key.
ORDERS = {
    "overall": "Along the overall change",
    "gain": "Largest gain first",
    "loss": "Largest loss first",
    "sure": "Clear ones first",
    "segments": "Most true segments first",
    "name": "By name",
}
_CHART_HEIGHT = 470
# More rows take the browser seconds to draw; only actions are so many.
_MOST_ROWS = 300
State = PageState[CompareChoices]


def by_class(state: State, happened: Happened, scored: ApDifference, *, worse: bool) -> None:
    """Differences of every class with true segments. Args: worse: whether B is the worse side."""
    head, order = st.columns([2, 3], vertical_alignment="bottom")
    head.markdown(
        "**By class**",
        help="Click a row to list its detections below. Without whisker: true segments "
        "in too few clips to say how sure it is.",
    )
    with order:
        sorted_by = state.select("order", "Order of classes", ORDERS, label_visibility="collapsed")
    table = class_table(happened.per_class, scored, sorted_by, worse=worse)
    # Only the open tab is drawn: a hidden table would keep the browser from its first picture.
    chart, listed = state.tabs("classes", ["Chart", "Table"], usual="Chart")
    if chart.open:
        with chart, st.container(height=_CHART_HEIGHT, border=False):
            theme, chosen = charts.theme(), state.choices.name
            key = f"classes {happened.key} {scored.resamples} {sorted_by} {worse} {theme.name} {chosen}"
            figure = drawn(key, lambda: class_differences(table.head(_MOST_ROWS), theme, chosen=chosen))
            if len(table) > _MOST_ROWS:
                st.caption(f"The first {_MOST_ROWS} of {len(table):,} in this order; the table has all.")
            charts.chart(figure, name="AP difference by class", state=state, field="name", value=_toggled(state))
    if listed.open:
        with listed:
            shown = table[[*_CLASS_COLUMNS]].assign(**{name: 100 * table[name] for name in _SHARES})
            _choosing_table(state, "name", shown, "name", _CLASS_COLUMNS, height=_CHART_HEIGHT, signed=_SHARES[2:])


def by_clip(state: State, counts: pd.DataFrame, *, worse: bool) -> None:
    """Events of every clip: most of the chosen kind first, else most lost where B is the worse side, else gained."""
    first = state.choices.kind if state.choices.kind in counts else "lost" if worse else "gained"
    st.markdown("**By clip**", help="Choose a row to list its detections below; a click on a heading sorts.")
    st.caption(f"Most {first} first; a click on a heading sorts.")
    table = counts.sort_values([first, "clip_id"], ascending=[False, True], ignore_index=True)
    names = [name for name in ("clip_id", first, f"{first}_correct") if name in table]
    shown = table[[*names, *(name for name in _CLIP_COLUMNS if name not in names)]]
    # The last is in the table's own menu: it would not fit beside the chart.
    columns = {**_CLIP_COLUMNS, shown.columns[-1]: None}
    _choosing_table(state, "clip", shown, "clip_id", columns, height=_CHART_HEIGHT - 24)
    offer_whole(lambda: counts, "clips")


def class_table(counts: pd.DataFrame, scored: ApDifference, order: str, *, worse: bool) -> pd.DataFrame:
    """Precision and events of the classes with true segments, ordered; see `ORDERS`."""
    table = scored.per_class.merge(counts.drop(columns="name"), on="label")
    table["size"] = table["difference"].abs()
    keys: dict[str, tuple[list[str], list[bool]]] = {
        "overall": (["difference", "name"], [worse, True]),
        "gain": (["difference", "name"], [False, True]),
        "loss": (["difference", "name"], [True, True]),
        "sure": (["clear", "size", "name"], [False, False, True]),
        "segments": (["segments", "name"], [False, True]),
        "name": (["name"], [True]),
    }
    names, ascending = keys[order]
    return table.sort_values(names, ascending=ascending, ignore_index=True)


def _choosing_table(
    state: State,
    field: str,
    shown: pd.DataFrame,
    column: str,
    columns: dict[str, Any],
    *,
    height: int,
    signed: Sequence[str] = (),
) -> None:
    """A table whose chosen row is a field's value. Args: signed: columns of differences."""
    values = shown[column].tolist()
    chosen = getattr(state.choices, field)
    key = f"{state.key(field, f'rows of {field}')} {hash(tuple(values))}"

    def picked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        state.change(f"rows of {field}", **{field: values[cells[0][0]] if cells else ANY})

    st.dataframe(
        with_signs(shown, signed) if signed else shown,
        key=key,
        height=height,
        width="stretch",
        hide_index=True,
        placeholder=NOTHING,
        column_config=columns,
        on_select=picked,
        selection_mode="single-cell",
        selection_default={"selection": {"cells": [(values.index(chosen), column)] if chosen in values else []}},
    )


def _toggled(state: State) -> Callable[[Sequence[str]], str]:
    """A click on the chosen class chooses all again."""
    return lambda data: ANY if data[0] == state.choices.name else data[0]


_SHARES = ("a", "b", "difference", "low", "high")
_CLASS_COLUMNS: dict[str, Any] = {
    "name": st.column_config.TextColumn("Class", pinned=True),
    "segments": st.column_config.NumberColumn("True"),
    "a": st.column_config.NumberColumn("AP of A (%)", format="%.1f"),
    "b": st.column_config.NumberColumn("AP of B (%)", format="%.1f"),
    "difference": st.column_config.NumberColumn("B − A (points)"),
    "low": st.column_config.NumberColumn("from", help="Lower end of the 95 % interval, points"),
    "high": st.column_config.NumberColumn("to", help="Upper end of the 95 % interval, points"),
    "clear": st.column_config.CheckboxColumn("Clear", help="Whether the interval excludes 0"),
    "q": st.column_config.NumberColumn(
        "q", format="%.3f", help="Share of false alarms expected among classes up to this q (Benjamini and Hochberg)"
    ),
    "gained": st.column_config.NumberColumn("Gained"),
    "gained_correct": st.column_config.NumberColumn("Gained correct"),
    "lost": st.column_config.NumberColumn("Lost"),
    "lost_correct": st.column_config.NumberColumn("Lost correct"),
    "moved": st.column_config.NumberColumn("Moved"),
    "renamed_from": st.column_config.NumberColumn("Renamed from"),
    "renamed_to": st.column_config.NumberColumn("Renamed to"),
    "same": st.column_config.NumberColumn("Same"),
}
_RIGHT = "How many of them take a true segment of their class"
_CLIP_COLUMNS: dict[str, Any] = {
    "clip_id": st.column_config.TextColumn("Clip"),
    "lost": st.column_config.NumberColumn("Lost", width=44),
    "lost_correct": st.column_config.NumberColumn("correct", width=56, help=_RIGHT),
    "gained": st.column_config.NumberColumn("Gained", width=56),
    "gained_correct": st.column_config.NumberColumn("correct ", width=56, help=_RIGHT),
    "moved": st.column_config.NumberColumn("Moved", width=52),
    "renamed": st.column_config.NumberColumn("Renamed", width=64),
    "same": st.column_config.NumberColumn("Same", width=52),
}
