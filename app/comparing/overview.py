"""The head of a comparison: precision of both sides, how sure the difference is, what became of the events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import charts
from app.comparing.answers import Happened, drawn
from app.comparing.choices import ANY, CompareChoices
from app.context import AppContext
from app.jobs import Job
from app.page_state import PageState
from app.plain_text import plain
from app.sidebar import side_title
from app.work import show_progress
from mravff_core.analysis.ap_difference import ApDifference
from mravff_core.analysis.compare import Compared
from mravff_core.analysis.side import Side
from mravff_core.plots.compare import kind_bars
from mravff_core.plots.words import interval_words, points


def overview(
    app: AppContext,
    state: PageState[CompareChoices],
    compared: Compared,
    scored: ApDifference,
    waiting: Job | None,
    happened: Happened,
) -> None:
    """Draw it. Args: waiting: the job that works on the intervals, where there are none yet."""
    numbers, kinds = st.columns([6, 5])
    with numbers:
        overall = scored.overall
        first, second, third = st.columns(3)
        _precision(first, "A", compared.a, overall)
        _precision(second, "B", compared.b, overall)
        _tile(
            third,
            "B minus A, points",
            points(overall["difference"]),
            _ends(points(overall["low"]), points(overall["high"])),
            "Points of mAP, tIoU 0.1 to 0.5; below it the 95 % interval of the paired difference.",
        )
        st.markdown(_verdict(compared, scored))
        if waiting is not None:
            show_progress(app, waiting)
    with kinds:
        theme, chosen = charts.theme(), state.choices.kind
        key = f"kinds {happened.key} {theme.name} {chosen}"
        figure = drawn(key, lambda: kind_bars(happened.kinds, theme, chosen=chosen))
        charts.chart(figure, name="Detections gained and lost", state=state, field="kind", value=_toggled(state))


def _precision(column: Any, name: str, side: Side, overall: pd.Series) -> None:
    """A side's precision with its own interval, which other clips would move more than the difference."""
    low, high = (100 * overall[f"{name.lower()}_{end}"] for end in ("low", "high"))
    help_ = f"{plain(side_title(side))}. Mean over classes and tIoU 0.1 to 0.5; below it the 95 % interval over clips."
    _tile(column, f"mAP of {name}, %", f"{100 * overall[name.lower()]:.1f}", _ends(f"{low:.1f}", f"{high:.1f}"), help_)


def _tile(column: Any, label: str, value: str, ends: str | None, help_: str) -> None:
    column.metric(label, value, ends, delta_color="off", delta_arrow="off", help=help_)


def _ends(low: str, high: str) -> str | None:
    return None if low in ("nan", "–") else f"{low} to {high}"


def _verdict(compared: Compared, scored: ApDifference) -> str:
    overall, clips = scored.overall, len(compared.clip_ids)
    segments = int(scored.per_class["segments"].sum())
    over = f"over {clips:,} clip{'s' * (clips != 1)} and {segments:,} true {compared.label_set} segments"
    if not math.isfinite(overall["low"]):
        return f"Average over tIoU 0.1 to 0.5, {over}."
    words = interval_words(overall["difference"], overall["low"], overall["high"])
    says = (
        f"the interval excludes 0: **B is {'better' if overall['difference'] > 0 else 'worse'}**"
        if overall["clear"]
        else "the interval holds 0: **no clear difference**"
    )
    return f"{words} points {over}; {says}. 95 % interval, paired, {scored.resamples:,} resamples of clips."


def _toggled(state: PageState[CompareChoices]) -> Callable[[Sequence[str]], str]:
    """A click on the chosen kind chooses all again."""
    return lambda data: ANY if data[0] == state.choices.kind else data[0]
