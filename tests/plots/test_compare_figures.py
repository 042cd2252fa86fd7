"""Figures of comparisons and stress: what they draw is what the tables say, and told apart without colour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mravff_core.audio_condition import AudioCondition
from mravff_core.plots import Theme
from mravff_core.plots.compare import class_differences, kind_bars
from mravff_core.plots.stress import MEASURES, stress_curves
from mravff_core.plots.words import as_text, count_words, interval_words, points

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


def test_no_line_leads_over_a_sound_that_a_run_was_not_asked_about() -> None:
    rows = [
        {
            "run": run,
            "condition": f"noise:{decibels}",
            "kind": "noise",
            "value": float(decibels),
            "clips": 3,
            "map": 0.5,
        }
        for run, heard in (("whole", (20, 10, 0)), ("partial", (20, 0)))
        for decibels in heard
    ]
    table = pd.DataFrame(rows).assign(map_low=0.4, map_high=0.6, clips=3)
    whole, partial = [trace for trace in stress_curves(table, Theme.of("light")).data if trace.xaxis == "x2"]
    assert list(whole.x) == list(partial.x), "each decibel has one place for all runs"
    assert np.isnan(partial.y).tolist() == [True, False, True, False]
    expected = [AudioCondition("noise", snr_db=5.0)]
    *_, wider = [trace for trace in stress_curves(table, Theme.of("light"), expected=expected).data if len(trace.x)]
    assert np.isnan(wider.y).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (interval_words(-0.2, -0.31, 0.004), "−20.0 [−31.0, +0.4]"),
        (interval_words(0.2, np.nan, np.nan), "+20.0"),
        (points(np.nan), "–"),
        (count_words(1, "clip"), "1 clip"),
    ],
)
def test_differences_are_written_in_points_with_a_true_minus(words: str, wanted: str) -> None:
    assert words == wanted


def test_a_long_name_leaves_the_figure_room_and_is_whole_where_it_is_pointed_at() -> None:
    long = "pick up the large frying pan with both hands, carefully <3"
    named = CLASSES.assign(name=[long, "cut", "stir", "rub"])
    figure = class_differences(named, Theme.of("light"))
    words = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert words["cut"] == "cut" and words[as_text(long)] == "pick up the large fryi…arefully &lt;3"
    assert figure.layout.margin.l < 290
    hovers = [trace.hovertext for trace in figure.data if trace.hovertext is not None and len(trace.hovertext)]
    assert sum(as_text(long) in list(texts) for texts in hovers) == 2, "the mark's and the row's"


def test_counts_at_the_right_cover_no_mark_where_names_take_much_room() -> None:
    def share(names: list[str]) -> float:
        figure = class_differences(CLASSES.assign(name=names, high=CLASSES["difference"]), Theme.of("light"))
        least, most = figure.layout.xaxis.range
        return (most - 40) / (most - least)

    assert share(["pour", "cut", "stir", "rub"]) < share([f"a name of many letters {n}" for n in range(4)])


def test_numbers_of_many_letters_fit_beside_their_bars() -> None:
    def share(count: int) -> float:
        counts = pd.DataFrame({"kind": ["same"] * 2, "correct": [True, False], "count": [count] * 2})
        return 2 * count / kind_bars(counts, Theme.of("light")).layout.xaxis.range[1]

    assert 0.24 < share(19_775) < share(5) < 0.56
