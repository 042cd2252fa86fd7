"""The paired test of two runs agrees with plain loops, and means what it says where nothing differs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mravff_core.evaluation import paired_bootstrap

TIOU = (0.3, 0.6)
RESAMPLES = 120
Row = tuple[str, float, float, int, float]


def scene(seed: int) -> tuple[list[Row], list[Row], list[Row]]:
    """True segments of three labels in seven clips, one of them empty, and two runs that find some of them."""
    random = np.random.default_rng(seed)
    clips = [f"c{number}" for number in range(7)]
    truth = [
        (clip, start, start + random.uniform(2, 6), int(random.integers(3)), 0.0)
        for clip in clips[:-1]
        for start in (0.0, 10.0, 20.0)
    ]

    def run(skill: float) -> list[Row]:
        found = []
        for clip, start, end, label, _ in truth:
            for _ in range(random.integers(0, 3)):
                moved = random.uniform(-3, 3, 2) * (1 - skill)
                named = label if random.random() < skill else int(random.integers(4))
                found.append((clip, start + moved[0], max(end + moved[1], start + 1), named, float(random.random())))
        return found + [("c6", 1.0, 3.0, int(random.integers(3)), float(random.random())) for _ in range(3)]

    return truth, run(0.8), run(0.5)


def table(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label", "score"])


def overlap(one: Row, other: Row) -> float:
    shared = max(0.0, min(one[2], other[2]) - max(one[1], other[1]))
    return shared / ((one[2] - one[1]) + (other[2] - other[1]) - shared)


def average_precision(truth: list[Row], found: list[Row], label: int, tiou: float) -> float:
    """Of one label, NaN where it has no true segment: precision at each hit, or the best one behind it."""
    wanted = [row for row in truth if row[3] == label]
    if not wanted:
        return math.nan
    free, hits = set(range(len(wanted))), []
    for row in sorted((row for row in found if row[3] == label), key=lambda row: -row[4]):
        near = [(overlap(row, wanted[place]), -place) for place in free if wanted[place][0] == row[0]]
        best = max(near, default=(0.0, 0))
        hits.append(best[0] >= tiou)
        if hits[-1]:
            free.remove(-best[1])
    precision = [sum(hits[: place + 1]) / (place + 1) for place in range(len(hits))]
    return sum(max(precision[place:]) for place, hit in enumerate(hits) if hit) / len(wanted)


def drawn_rows(rows: list[Row], clips: list[str], times: list[int]) -> list[Row]:
    """Rows of each clip as often as it was drawn, as if of that many clips."""
    return [
        (f"{row[0]} {copy}", *row[1:])
        for clip, count in zip(clips, times, strict=True)
        for copy in range(count)
        for row in rows
        if row[0] == clip
    ]


def spread(draws: list[float], value: float, clips: int) -> tuple[float, float, float]:
    """Ends of the expanded middle 95 % of the draws once their mean is the value, and two-sided p."""
    wider, student = math.sqrt(clips / (clips - 1)), stats.t(df=clips - 1)
    tail = stats.norm.cdf(wider * student.ppf(0.025))
    known = [draw for draw in draws if not math.isnan(draw)]
    moved = sorted(draw - sum(known) / len(known) + value for draw in known)
    ends = []
    for share in (tail, 1 - tail):
        place = share * (len(moved) - 1)
        under = math.floor(place)
        ends.append(moved[under] + (place - under) * (moved[min(under + 1, len(moved) - 1)] - moved[under]))
    below, above = sum(draw <= 0 for draw in moved), sum(draw >= 0 for draw in moved)
    beyond = min(0.5, (min(below, above) + 1) / (len(moved) + 1))
    p = 2 * student.cdf(stats.norm.ppf(beyond) / wider)
    if p >= 0.05:
        ends = [min(ends[0], 0), max(ends[1], 0)]
    return ends[0], ends[1], p


def mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_agrees_with_plain_loops(seed: int) -> None:
    truth, a, b = scene(seed)
    clips, labels = [f"c{number}" for number in range(7)], [0, 1, 2]
    draws = np.random.default_rng(5).multinomial(7, [1 / 7] * 7, size=RESAMPLES).tolist()

    def differences(times: list[int]) -> list[list[float]]:
        """[labels][thresholds] of a less b."""
        sides = [[drawn_rows(rows, clips, times) for rows in pair] for pair in ((truth, a), (truth, b))]
        return [
            [average_precision(*sides[0], label, tiou) - average_precision(*sides[1], label, tiou) for tiou in TIOU]
            for label in labels
        ]

    told = len({row[0] for row in truth})  # one clip has no true segment
    whole, drawn = differences([1] * 7), [differences(times) for times in draws]
    result = paired_bootstrap(table(truth), table(a), table(b), TIOU, resamples=RESAMPLES, seed=5)
    for place, tiou in enumerate(TIOU):
        value = mean([row[place] for row in whole])
        expected = value, *spread([mean([row[place] for row in draw]) for draw in drawn], value, told)
        own = result.per_threshold.loc[tiou, ["difference", "low", "high", "p"]].tolist()
        assert own == pytest.approx(expected, abs=1e-6)
    for label in labels:
        value = sum(whole[label]) / len(TIOU)
        holding = len({row[0] for row in truth if row[3] == label})
        expected = value, *spread([sum(draw[label]) / len(TIOU) for draw in drawn], value, holding)
        own = result.per_class.loc[label, ["difference", "low", "high", "p"]].tolist()
        assert own == pytest.approx(expected, abs=1e-6)
    value = sum(mean([row[place] for row in whole]) for place in range(len(TIOU))) / len(TIOU)
    averages = [sum(mean([row[place] for row in draw]) for place in range(len(TIOU))) / len(TIOU) for draw in drawn]
    average = result.average
    assert (average.value, average.low, average.high, average.p) == pytest.approx(
        (value, *spread(averages, value, told)), abs=1e-6
    )


def equals(truth: pd.DataFrame, ease: np.ndarray, random: np.random.Generator) -> list[pd.DataFrame]:
    """Two runs that find each true segment with the same chance, and something else where they miss it."""
    sides = []
    for _ in range(2):
        side = truth.assign(score=random.random(len(truth)))
        side.loc[random.random(len(truth)) > ease, ["start_s", "end_s"]] += 100.0
        sides.append(side)
    return sides


def test_where_nothing_differs_p_is_as_often_small_as_it_says() -> None:
    """Each label is a trial of its own; clips are easy or hard for both runs, which pairing leaves out."""
    random, trials, clips = np.random.default_rng(3), 400, 100
    label, clip = (grid.ravel() for grid in np.mgrid[:trials, :clips])
    truth = pd.DataFrame({"clip_id": clip, "start_s": 0.0, "end_s": 10.0, "label": label})
    ease = random.choice([0.1, 0.9], len(truth))
    found = paired_bootstrap(truth, *equals(truth, ease, random), TIOU, resamples=400).per_class
    distance = np.abs(np.sort(found["p"]) - (np.arange(trials) + 0.5) / trials).max()
    covered = ((found["low"] <= 0) & (found["high"] >= 0)).mean()
    assert distance < 0.085 and 0.92 <= covered <= 0.975


def test_of_few_clips_p_is_hardly_more_often_small_than_it_says() -> None:
    """As above with eight clips of two segments each, where plain percentiles call one in eight differences real."""
    random, trials, clips = np.random.default_rng(8), 1000, 8
    label, clip = (grid.ravel() for grid in np.mgrid[:trials, :clips])
    once = pd.DataFrame({"clip_id": clip, "start_s": 0.0, "end_s": 10.0, "label": label})
    truth = pd.concat([once, once.assign(start_s=20.0, end_s=30.0)], ignore_index=True)
    ease = np.tile(random.choice([0.2, 0.8], len(once)), 2)
    found = paired_bootstrap(truth, *equals(truth, ease, random), TIOU, resamples=400).per_class
    covered = ((found["low"] <= 0) & (found["high"] >= 0)).mean()
    assert 0.03 <= (found["p"] < 0.05).mean() <= 0.08
    assert (found["p"] < 0.2).mean() <= 0.23
    assert 0.92 <= covered <= 0.97
