"""What the Compare page asks of the analysis, kept while its sources stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.context import AppContext
from app.jobs import Job
from mravff_core.analysis.ap_difference import ApDifference, ap_difference
from mravff_core.analysis.changes import MatchSettings, changes, count_by, kind_table
from mravff_core.analysis.compare import (
    Compared,
    class_counts,
    clip_counts,
    found_of,
    precision_of,
    stored_precision,
)
from mravff_core.analysis.found import Found
from mravff_core.analysis.side import Side
from mravff_core.analysis.stored import content_key
from mravff_core.plots import Theme
from mravff_core.plots.compare import class_differences, kind_bars
from mravff_core.workspace import Workspace

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Happened:
    """Every event and how many there are; shared by all sessions and not to be changed.

    Attributes:
        key: changes with all that the events rest on.
        events: see `changes`.
        per_class, per_clip, kinds: counted.
    """

    key: str
    events: pd.DataFrame
    per_class: pd.DataFrame
    per_clip: pd.DataFrame
    kinds: pd.DataFrame


def happened(workspace: Workspace, compared: Compared, settings: MatchSettings) -> Happened:
    """What became of the detections of both sides."""
    keys = [_side_key(workspace, side, compared, settings) for side in (compared.a, compared.b)]
    return _events(f"{keys[0]} {keys[1]} {settings}", workspace, compared, settings, keys)


def precision(app: AppContext, compared: Compared) -> tuple[ApDifference, Job | None]:
    """Average precisions, and the job that works on their intervals as long as there are none."""
    known = stored_precision(app.workspace, compared, resamples=RESAMPLES)
    if known is not None:
        return known, None
    key = content_key(app.workspace, [compared.a, compared.b], compared.label_set, *compared.clip_ids)
    name = f"intervals {compared.a} {compared.b} {key}"
    # Before the job begins, which would take turns with it.
    scored = precision_of(app.workspace, compared, resamples=0)
    job = app.jobs.find(name)
    if job is None or job.state == "done":
        job = app.jobs.submit("intervals", name, "Intervals of the differences", _work(app, compared))
    return scored, job


def warm_up() -> None:
    """Do what takes seconds once in a process: load what compiles and draws, on two detections."""
    truth = pd.DataFrame({"clip_id": ["a", "b"], "start_s": 0.0, "end_s": 1.0, "label": 0, "segment_id": ["s", "t"]})
    found = Found.of(truth.assign(score=0.5), truth, ["a", "b"], correct_tiou=0.5)
    events_ = changes(found, found, MatchSettings())
    scored = ap_difference(truth, truth.assign(score=0.5), truth.assign(score=0.5), labels=["one"], resamples=2)
    theme = Theme.of("light")
    class_differences(scored.per_class.merge(count_by(events_, "label", [0]), on="label"), theme)
    kind_bars(kind_table(events_), theme)


def _work(app: AppContext, compared: Compared) -> Any:
    def work(job: Job) -> None:
        job.report(0.0, "resampling clips")
        precision_of(app.workspace, compared, resamples=RESAMPLES)

    return work


def _side_key(workspace: Workspace, side: Side, compared: Compared, settings: MatchSettings) -> str:
    return content_key(workspace, [side], side, compared.label_set, *compared.clip_ids, settings.correct_tiou)


@st.cache_resource(max_entries=24, show_spinner=False)
def drawn(key: str, _draw: Callable[[], Any]) -> Any:
    """A figure drawn before under the same key; the key names all that it shows."""
    return _draw()


@st.cache_resource(max_entries=12, show_spinner=False)
def _events(
    key: str, _workspace: Workspace, _compared: Compared, _settings: MatchSettings, _keys: list[str]
) -> Happened:
    a, b = (
        _found(key, _workspace, side, _compared, _settings.correct_tiou)
        for key, side in zip(_keys, (_compared.a, _compared.b), strict=True)
    )
    table = changes(a, b, _settings)
    per_class, per_clip = class_counts(_compared, table), clip_counts(_workspace, _compared, table)
    return Happened(key, table, per_class, per_clip, kind_table(table))


@st.cache_resource(max_entries=6, show_spinner=False)
def _found(key: str, _workspace: Workspace, _side: Side, _compared: Compared, _tiou: float) -> Found:
    return found_of(_workspace, _side, _compared, correct_tiou=_tiou)
