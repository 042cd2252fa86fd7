"""Figures of comparisons and stress: what they draw is what the tables say, and told apart without colour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mravff_core.plots import Theme
from mravff_core.plots.compare import class_differences, kind_bars
from mravff_core.plots.stress import MEASURES, stress_curves

THEMES = [Theme.of("light"), Theme.of("dark")]
CLASSES = pd.DataFrame(
    {
        "name": ["pour", "cut", "stir", "rub"],
        "segments": [9, 8, 7, 1],
        "a": [0.2, 0.5, 0.5, 0.1],
        "b": [0.6, 0.52, 0.3, 0.4],
        "difference": [0.4, 0.02, -0.2, 0.3],
        "low": [0.1, -0.1, -0.3, np.nan],
        "high": [0.7, 0.2, -0.1, np.nan],
        "clear": [True, False, True, False],
        "gained": [3, 0, 1, 1],
        "gained_correct": [2, 0, 0, 1],
        "lost": [0, 1, 4, 0],
        "lost_correct": [0, 1, 3, 0],
    }
)


@pytest.mark.parametrize("theme", THEMES)
def test_clear_gains_and_losses_have_marks_of_their_own(theme: Theme) -> None:
    figure = class_differences(CLASSES, theme, chosen="stir")
    marks = {trace.name: trace for trace in figure.data if trace.type == "scatter" and trace.mode == "markers"}
    assert {name: list(trace.y) for name, trace in marks.items()} == {
        "clear gain": ["pour"],
        "clear loss": ["stir"],
        "interval holds 0": ["rub", "cut"],
    }
    assert len({trace.marker.symbol for trace in marks.values()}) == 3
    gain = marks["clear gain"]
    assert (gain.x[0], gain.error_x.array[0], gain.error_x.arrayminus[0]) == pytest.approx((40, 30, 30))
    assert list(figure.layout.yaxis.categoryarray) == ["rub", "stir", "cut", "pour"], "drawn from the bottom up"
    whole_rows = next(trace for trace in figure.data if trace.type == "bar")
    assert [data[0] for data in whole_rows.customdata] == ["rub", "stir", "cut", "pour"]
    least, most = figure.layout.xaxis.range
    assert least < -30 and most > 70 and max(figure.layout.xaxis.tickvals) <= 70


@pytest.mark.parametrize("theme", THEMES)
def test_bars_say_how_many_are_correct(theme: Theme) -> None:
    counts = pd.DataFrame(
        {"kind": ["gained", "gained", "lost", "lost"], "correct": [True, False] * 2, "count": [2, 5, 0, 1]}
    )
    figure = kind_bars(counts, theme)
    bars = {trace.name: list(trace.x) for trace in figure.data if trace.name in ("correct", "wrong")}
    assert bars == {"correct": [2, 0], "wrong": [5, 1]}
    text = next(trace.text for trace in figure.data if trace.type == "scatter")
    assert [words.strip() for words in text] == ["7, 2 correct", "1, 0 correct"]


@pytest.mark.parametrize("measure", MEASURES)
def test_curves_of_runs_differ_in_mark_and_dash(measure: str) -> None:
    rows = [
        {"run": run, "condition": kind, "kind": kind, "value": value, "clips": 3}
        | {f"{name}{end}": 0.5 for name in MEASURES for end in ("", "_low", "_high")}
        for run in ("one", "two")
        for kind, value in [("on", np.nan), ("shift", -1.0), ("shift", 2.0), ("noise", 10.0), ("silence", np.nan)]
    ]
    figure = stress_curves(pd.DataFrame(rows), Theme.of("light"), measure=measure)
    lines = [trace for trace in figure.data if trace.showlegend]
    assert [trace.name for trace in lines] == ["one", "two"]
    assert len({(trace.marker.symbol, trace.line.dash) for trace in lines}) == 2
    assert list(lines[0].x) == [-1, 0, 2], "sound as recorded stands at no shift"
    noise = next(trace for trace in figure.data if trace.xaxis == "x2")
    assert [data[1] for data in noise.customdata] == ["on", "noise"]
