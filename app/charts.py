"""Plotly figures on a page: one theme, clicks that choose, figures that download."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app.page_state import PageState
from mravff_core.plots import CONFIG, IMAGE_BUTTONS, Theme


def theme() -> Theme:
    """Colours for the browser's theme."""
    return Theme.of(st.context.theme.type)


def chart(
    figure: go.Figure,
    *,
    name: str,
    state: PageState[Any] | None = None,
    field: str = "",
    value: Callable[[Any], Any] | None = None,
) -> None:
    """Show a figure made by `mravff_core.plots`.

    Args:
        name: unlike any other on the page; also the name of a downloaded file.
        state, field: what a click on a mark chooses: the first number or text of its `customdata`.
            Marks must belong to traces that Plotly can select: scatter (square markers for a
            matrix) and bars, not heat maps.
        value: turns `customdata` into the field's value; as it is by default.
    """
    config = {**CONFIG, "toImageButtonOptions": {**CONFIG["toImageButtonOptions"], "filename": _file_name(name)}}
    if state is None:
        st.plotly_chart(figure, theme=None, width="stretch", config=config, key=f"chart {name}")
        return
    if figure.layout.clickmode != "event+select":
        _let_choose(figure)
    key = state.key(field, f"chart {name}")

    def picked() -> None:
        points = st.session_state[key]["selection"]["points"]
        data = points[0].get("customdata") if points else None
        if data is not None:
            first = data[0] if isinstance(data, (list, tuple)) else data
            state.change(f"chart {name}", **{field: value(data) if value else first})

    st.plotly_chart(
        figure, theme=None, width="stretch", config=config, key=key, on_select=picked, selection_mode="points"
    )


def _let_choose(figure: go.Figure) -> None:
    """Let clicks choose. What is chosen is drawn by the figure itself, so a click must not make the rest pale."""
    figure.update_traces(
        {"unselected": {"marker": {"opacity": 1}}, "selected": {"marker": {"opacity": 1}}},
        selector=lambda trace: trace.type in ("scatter", "scattergl", "bar"),
    )
    figure.update_layout(clickmode="event+select", dragmode=figure.layout.dragmode or False)


def add_image_buttons() -> None:
    """Let every chart's own menu save SVG and PNG; once a page."""
    st.html(f"<script>{IMAGE_BUTTONS}</script>", unsafe_allow_javascript=True)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "figure"
