"""The head of a comparison: precision of both sides, how sure the difference is, what became of the events."""

from __future__ import annotations

import math

import streamlit as st

from app import charts
from app.comparing.answers import Happened, drawn
from app.comparing.choices import ANY, CompareChoices
from app.context import AppContext
from app.jobs import Job
from app.page_state import PageState
from app.sidebar import plain, side_title
from app.work import show_progress
from mravff_core.analysis.ap_difference import ApDifference
from mravff_core.analysis.compare import Compared
from mravff_core.plots.compare import interval_words, kind_bars


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
        first.metric("mAP of A", f"{100 * overall['a']:.1f}", help=plain(side_title(compared.a)))
        second.metric("mAP of B", f"{100 * overall['b']:.1f}", help=plain(side_title(compared.b)))
        third.metric("B minus A", f"{100 * overall['difference']:+.1f}", help="In points of mAP, tIoU 0.1 to 0.5.")
        st.markdown(_verdict(compared, scored))
        if waiting is not None:
            show_progress(app, waiting)
    with kinds:
        theme, chosen = charts.theme(), state.choices.kind
        key = f"kinds {happened.key} {theme.name} {chosen}"
        figure = drawn(key, lambda: kind_bars(happened.kinds, theme, chosen=chosen))
        charts.chart(figure, name="Detections gained and lost", state=state, field="kind", value=_toggled(state))


def _verdict(compared: Compared, scored: ApDifference) -> str:
    overall, clips = scored.overall, len(compared.clip_ids)
    segments = int(scored.per_class["segments"].sum())
    over = f"over {clips} clip{'s' * (clips != 1)} and {segments:,} true {compared.label_set} segments"
    if not math.isfinite(overall["low"]):
        return f"Average over tIoU 0.1 to 0.5, {over}."
    words = interval_words(overall["difference"], overall["low"], overall["high"])
    says = (
        f"the interval excludes 0: **B is {'better' if overall['difference'] > 0 else 'worse'}**"
        if overall["clear"]
        else "the interval holds 0: **no clear difference**"
    )
    return f"{words} points {over}; {says}. 95 % interval, paired, {scored.resamples:,} resamples of clips."


def _toggled(state: PageState[CompareChoices]):  # type: ignore[no-untyped-def]
    """A click on the chosen kind chooses all again."""
    return lambda data: ANY if data[0] == state.choices.kind else data[0]
