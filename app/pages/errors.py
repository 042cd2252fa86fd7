"""The Errors page: what goes wrong, what it costs and when; every mark lists the segments behind it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import charts, sidebar
from app.context import AppContext, context
from app.detecting import say_not_detected
from app.error_marks import Mark
from app.kept import kept
from app.marks import sets_input
from app.no_runs import say_no_runs
from app.pacing import first_figures_first
from app.page_state import open_page
from app.pages.errors_list import ErrorChoices, State, list_errors
from app.plain_text import plain
from app.run_choice import choose_run
from app.says_errors import says_errors
from app.view import preferred
from mravff_core.analysis.errors import EDGES, ErrorAnalysis, analyse_errors, boundary_errors, confusions
from mravff_core.analysis.side import Side
from mravff_core.analysis.stored import content_key
from mravff_core.audio_condition import AudioCondition
from mravff_core.plots import errors as plots
from mravff_core.workspace import RunInfo, Workspace

_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
# Tabs of charts, and the kinds of marks in them.
_TABS = {
    "Kinds and costs": ("kind", "band"),
    "Misses": ("trait",),
    "Confusions": ("pair",),
    "Boundaries": ("start", "end"),
}


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    state = open_page("errors", ErrorChoices)
    with st.sidebar:
        sidebar.about(app)
    infos = preferred(app.workspace.readable_runs()[0])
    if not infos:
        say_no_runs(app.workspace, "No run to analyse yet", "Errors are those of a run's detections.", detections=True)
        return
    with st.sidebar:
        info = _choose_source(state, infos)
    state.keep()
    chosen = state.choices
    if not app.workspace.run(info.run).predicted_clips(chosen.audio):
        say_not_detected(app, info, chosen.audio)
        return
    analysis = _analysis(app, Side(info.run, AudioCondition.parse(chosen.audio)), chosen.labels)
    with st.sidebar:
        _choose_filters(app, state, analysis)
    state.keep()
    if state.choices.clip:
        analysis = _analysis(app, analysis.side, chosen.labels, state.choices.clip)
    _show(app, state, analysis)
    state.keep()


def _choose_source(state: State, infos: list[RunInfo]) -> RunInfo:
    run = choose_run(state, "run", "Run", infos)
    info = next(info for info in infos if info.run == run)
    if len(info.label_sets) > 1:
        state.select("labels", "Label set", list(info.label_sets))
    elif state.choices.labels not in ("", info.label_set):
        state.change(labels="")
    state.select("audio", "Sound", sidebar.sound_titles(info.conditions or ("on",)), help="What the detector heard.")
    return info


def _choose_filters(app: AppContext, state: State, analysis: ErrorAnalysis) -> None:
    state.select("tiou", "Found from tIoU", list(_TIOUS), help="Least overlap with a true segment.")
    state.slider(
        "min",
        "Score threshold",
        0.0,
        1.0,
        0.01,
        help="For confusions, boundaries and the list of all errors. Bars of kinds count and list every detection.",
    )
    names = app.workspace.classes(analysis.label_set).values()
    state.select("name", "Class", {"": "All classes", **{name: name for name in names}})
    state.select("clip", "Clip", {"": "All clips", **{clip: clip for clip in analysis.clip_ids}})


def _analysis(app: AppContext, side: Side, label_set: str, clip: str = "") -> ErrorAnalysis:
    """Errors in all clips, or in one of them alone."""
    key = content_key(app.workspace, [side], label_set, clip)
    return _cached_analysis(key, app.workspace, side, label_set, [clip] if clip else None)


@st.cache_resource(max_entries=8, show_spinner="Looking at every detection …")
def _cached_analysis(
    key: str, _workspace: Workspace, _side: Side, label_set: str, _clip_ids: list[str] | None
) -> ErrorAnalysis:
    return analyse_errors(_workspace, _side, label_set=label_set, clip_ids=_clip_ids)


@st.cache_resource(max_entries=12, show_spinner=False)
def _tables(key: str, _analysis: ErrorAnalysis, tiou: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    return _analysis.detections(tiou), _analysis.truths(tiou)


def _show(app: AppContext, state: State, analysis: ErrorAnalysis) -> None:
    chosen = state.choices
    key = content_key(app.workspace, [analysis.side], analysis.label_set, chosen.clip)
    detections, truths = _tables(key, analysis, chosen.tiou)
    found, missed = (table[table["name"] == chosen.name] if chosen.name else table for table in (detections, truths))
    shown = found[found["score"] >= chosen.min]
    _headline(analysis, chosen.tiou, truths)
    _say_what_counts(chosen)
    _charts(state, analysis, shown)
    first_figures_first("errors")
    mark = Mark.parse(chosen.mark)
    rows = mark.rows(missed if mark.of_truth else found if mark.any_score else shown)
    list_errors(app, state, analysis, mark, rows)
    sets_input(app)


def _headline(analysis: ErrorAnalysis, tiou: float, truths: pd.DataFrame) -> None:
    precision = float(analysis.diagnosis.per_class[tiou].mean())
    gains = analysis.gains(tiou)
    found = int(truths["found"].sum())
    numbers = (
        ("Normalized mAP", f"{100 * precision:.1f}", f"at tIoU {tiou:g}, over the bands of rank shown below"),
        ("True segments found", f"{found:,} of {len(truths):,}", "by a detection that is not drowned by wrong ones"),
        ("Costliest kind", *_costliest(gains)),
    )
    for column, (label, value, help_) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(label, value, help=help_)


def _costliest(gains: pd.Series[float]) -> tuple[str, str]:
    """The kind of error that costs most, and how much that is."""
    cost = float(gains.max())
    if cost <= 0:
        return "none", "without any one kind of error the mAP would be the same"
    return str(gains.idxmax()), f"without it the mAP would be {100 * cost:.1f} points higher"


def _say_what_counts(chosen: ErrorChoices) -> None:
    """Name what the figures above and below are about where that is not everything."""
    words = [f"All of this is about the clip **{plain(chosen.clip)}** alone."] if chosen.clip else []
    if chosen.name:
        name = plain(chosen.name)
        words.append(f"Lists, confusions and boundaries are those of **{name}**; the rest counts all classes.")
    if words:
        st.markdown(" ".join(words))


def _charts(state: State, analysis: ErrorAnalysis, shown: pd.DataFrame) -> None:
    st.caption("A click on any mark lists the segments behind it below; a second click takes the choice back.")
    # What is drawn in a tab that is not looked at would be waited for all the same.
    tabs = state.tabs("tab", list(_TABS), usual=_tab_of(state.choices.mark))
    for tab, draw in zip(tabs, (_kinds, _misses, _confusions, _boundaries), strict=True):
        if tab.open:
            with tab:
                draw(state, analysis, shown)


def _kinds(state: State, analysis: ErrorAnalysis, _shown: pd.DataFrame) -> None:
    chosen, theme = state.choices, charts.theme()
    left, right = st.columns([6, 5])
    with left:
        profile = analysis.profile(chosen.tiou)
        _chart(state, kept(plots.kinds_by_band, profile, theme, chosen=chosen.mark), "error kinds by band")
    with right:
        gains = analysis.gains(chosen.tiou)
        _chart(state, kept(plots.cost_bars, gains, theme, chosen=chosen.mark), "cost of error kinds")


def _misses(state: State, analysis: ErrorAnalysis, _shown: pd.DataFrame) -> None:
    diagnosis, mark = analysis.diagnosis, state.choices.mark
    figure = kept(plots.trait_bars, diagnosis.missed, diagnosis.sensitivity, charts.theme(), chosen=mark)
    _chart(state, figure, "misses")
    st.caption(_bucket_words(analysis))


def _confusions(state: State, _analysis: ErrorAnalysis, shown: pd.DataFrame) -> None:
    table = confusions(shown)
    if table.empty:
        st.info("No detection of this score stands where another class is true.", icon=":material/check:")
        return
    left, right = st.columns([7, 4])
    with left:
        figure = kept(plots.confusion_matrix, table, charts.theme(), chosen=state.choices.mark)
        _chart(state, figure, "confusions")
    with right:
        _pair_table(state, table)


def _boundaries(state: State, _analysis: ErrorAnalysis, shown: pd.DataFrame) -> None:
    for column, edge in zip(st.columns(2), EDGES, strict=True):
        with column:
            errors_s = boundary_errors(shown, edge)
            figure = kept(plots.boundary_histogram, errors_s, edge, charts.theme(), chosen=state.choices.mark)
            _chart(state, figure, f"{edge} errors")


def _tab_of(mark: str) -> str:
    """The tab that a mark stands in; the first where there is none."""
    return next((tab for tab, kinds in _TABS.items() if mark.partition("=")[0] in kinds), next(iter(_TABS)))


def _chart(state: State, figure: go.Figure, name: str) -> None:
    charts.chart(figure, name=name, state=state, field="mark", value=lambda mark: _toggled(state, mark))


def _toggled(state: State, data: Sequence[str]) -> str:
    """The mark that a point's data begin with; none where it was chosen already."""
    return "" if data[0] == state.choices.mark else data[0]


def _bucket_words(analysis: ErrorAnalysis) -> str:
    """What the buckets of each characteristic are, in numbers."""
    units = {"length": "s", "coverage": "of the clip", "instances": "true segments in the clip"}
    parts = []
    for name, buckets in analysis.diagnosis.buckets.items():
        ranges = ", ".join(
            f"{bucket} {low:.3g} to {high:.3g}"
            for bucket, low, high in zip(buckets.names, buckets.edges[:-1], buckets.edges[1:], strict=True)
        )
        parts.append(f"**{name}**: {ranges} {units.get(name, '')}".strip())
    return " · ".join(parts)


def _pair_table(state: State, pairs: pd.DataFrame) -> None:
    """The commonest confusions; a row chooses like a mark."""
    marks = list(map(plots.pair_mark, pairs["name"], pairs["true_name"]))
    key = state.key("mark", "table pairs")
    place = marks.index(state.choices.mark) if state.choices.mark in marks else None

    def picked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        state.change("table pairs", mark=marks[cells[0][0]] if cells else "")

    st.dataframe(
        pairs,
        key=key,
        width="stretch",
        height=390,
        hide_index=True,
        column_config={
            "name": st.column_config.TextColumn("Found"),
            "true_name": st.column_config.TextColumn("Where true"),
            "count": st.column_config.NumberColumn("Count"),
            "score": st.column_config.NumberColumn("Best score", format="%.2f"),
        },
        on_select=picked,
        selection_mode="single-cell",
        selection_default={"selection": {"cells": [] if place is None else [(place, "name")]}},
    )
