"""How sure average precisions and their differences are: clips drawn again with replacement.

A clip is drawn with all its true segments and detections; one drawn twice counts as two clips.
Detections are matched once, as clips never share true segments, and each draw only weighs them
anew. A label of which no true segment was drawn does not count in that draw's mean, as it would
not if that draw were the data set.

Intervals and p are of the draws moved by their bias (see `spread`). Of five clips or fewer, intervals
of precisions end where their draws do, and hold the truth less often. Where all true segments lie in
one clip, be it those of a label or all there are, there is no interval and no p (NaN).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import ConfigError
from mravff_core.evaluation.average_precision import AveragePrecision
from mravff_core.evaluation.matching import match, precisions
from mravff_core.evaluation.spread import (
    difference_spread,
    draw_clips,
    false_discovery,
    mean_without_nan,
    moved,
    spread,
)
from mravff_core.evaluation.tables import (
    Scene,
    checked_detections,
    checked_thresholds,
    checked_truth,
    clip_index,
    scene,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Samples = NDArray[np.floating]
_DRAWS_AT_ONCE = 64


@dataclass(frozen=True)
class Interval:
    """A value and the interval it lies in; NaN for its ends where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Average precisions in [0, 1] with intervals.

    Attributes:
        scores: of the clips as they are.
        average: mean over labels and thresholds.
        per_threshold: `value, low, high` by threshold.
        per_class: `value, low, high, clips` by label, mean over thresholds; `clips` counts the clips
            with true segments of the label.
        per_class_threshold: the same by label and threshold.
        draws: [resamples] average of each draw, moved by their bias; NaN where no true segment was drawn.
        level: how often such intervals hold the truth.
    """

    scores: AveragePrecision
    average: Interval
    per_threshold: pd.DataFrame
    per_class: pd.DataFrame
    per_class_threshold: pd.DataFrame
    draws: Floats
    level: float


@dataclass(frozen=True)
class Difference:
    """A difference with its interval, and how likely draws leave its sign open.

    `p` is two-sided: twice the share of draws on the far side of 0, at least 2 / (resamples + 1), and
    larger the fewer the clips.
    """

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PairedDifferences:
    """Average precisions of `a` less those of `b` over the same draws of clips.

    Attributes:
        a, b: scores of the clips as they are.
        average_a, average_b: mean over labels and thresholds of either side.
        average: its difference.
        per_threshold: `a, b, difference, low, high, p` by threshold.
        per_class: `a, b, difference, low, high, p, q, clips` by label, mean over thresholds; `q` is
            `p` adjusted for looking at all labels (false discovery rate), `clips` as in `Intervals`.
        draws: [resamples] average difference of each draw, moved by their bias; NaN as in `Intervals`.
        level: how often such intervals hold the truth.
    """

    a: AveragePrecision
    b: AveragePrecision
    average_a: Interval
    average_b: Interval
    average: Difference
    per_threshold: pd.DataFrame
    per_class: pd.DataFrame
    draws: Floats
    level: float


def bootstrap(
    ground_truth: pd.DataFrame,
    detections: pd.DataFrame,
    tiou_thresholds: Sequence[float],
    *,
    protocol: str = "epic",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Average precision with confidence intervals over clips.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`.
        detections: the same and `score`.
        tiou_thresholds: in (0, 1].
        protocol: as for `mean_average_precision`.
        resamples: how often to draw as many clips as there are.
        level: how often intervals are to hold the truth, in (0, 1).
        seed: equal seeds give equal draws.
    Raises: as `mean_average_precision`; ConfigError for impossible `resamples` or `level`.
    """
    thresholds = _checked(tiou_thresholds, resamples, level)
    scored = scene(ground_truth, detections, protocol)
    weights = draw_clips(len(scored.clips), resamples, seed)
    table, samples = _all_precisions(scored, thresholds, weights)
    clips, of_class = _clips_with_truth(scored), _clips_by_class(scored)
    of_both = np.repeat(of_class, len(thresholds))
    labels, tiou = pd.Index(scored.labels, name="label"), pd.Index(thresholds, name="tiou")
    both = pd.MultiIndex.from_product([labels, tiou])
    average, per_threshold = _average(table, samples, level, clips)
    draws = per_threshold.mean(axis=1)
    per_class = _interval_table(table.mean(axis=1), samples.mean(axis=2), level, labels, of_class)
    per_both = _interval_table(table.ravel(), samples.reshape(len(samples), -1), level, both, of_both)
    return Intervals(
        scores=AveragePrecision.of(scored, table, thresholds),
        average=average,
        per_threshold=_interval_table(table.mean(axis=0), per_threshold, level, tiou, clips),
        per_class=per_class.assign(clips=of_class),
        per_class_threshold=per_both.assign(clips=of_both),
        draws=moved(draws, average.value),
        level=level,
    )


def paired_bootstrap(
    ground_truth: pd.DataFrame,
    a: pd.DataFrame,
    b: pd.DataFrame,
    tiou_thresholds: Sequence[float],
    *,
    protocol: str = "epic",
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedDifferences:
    """How much better `a` is than `b`, both scored on the same draws of clips.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`.
        a, b: detections of two runs, or of one under two audio conditions: the same and `score`.
        tiou_thresholds, protocol, resamples, level, seed: as for `bootstrap`.
    Raises: as `bootstrap`.
    """
    thresholds = _checked(tiou_thresholds, resamples, level)
    every = clip_index(checked_truth(ground_truth), checked_detections(a), checked_detections(b))
    weights = draw_clips(len(every), resamples, seed)
    scenes = [scene(ground_truth, table, protocol, every) for table in (a, b)]
    clips, of_class = _clips_with_truth(scenes[0]), _clips_by_class(scenes[0])
    (one, one_samples), (two, two_samples) = (_all_precisions(each, thresholds, weights) for each in scenes)
    own = [_average(*side, level, clips)[0] for side in ((one, one_samples), (two, two_samples))]
    samples = one_samples
    samples -= two_samples
    per_threshold = mean_without_nan(samples, 1)
    average, draws = float(one.mean() - two.mean()), per_threshold.mean(axis=1)
    low, high, p = difference_spread(average, draws, level, clips)
    labels, tiou = pd.Index(scenes[0].labels, name="label"), pd.Index(thresholds, name="tiou")
    per_class = _difference_table(one.mean(axis=1), two.mean(axis=1), samples.mean(axis=2), level, labels, of_class)
    per_class = per_class.assign(q=false_discovery(per_class["p"].to_numpy()), clips=of_class)
    return PairedDifferences(
        a=AveragePrecision.of(scenes[0], one, thresholds),
        b=AveragePrecision.of(scenes[1], two, thresholds),
        average_a=own[0],
        average_b=own[1],
        average=Difference(average, float(low), float(high), float(p)),
        per_threshold=_difference_table(one.mean(axis=0), two.mean(axis=0), per_threshold, level, tiou, clips),
        per_class=per_class,
        draws=moved(draws, average),
        level=level,
    )


def _checked(tiou_thresholds: Sequence[float], resamples: int, level: float) -> Floats:
    if resamples < 1:
        raise ConfigError(f"resamples is {resamples}, expected 1 or more")
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}, expected more than 0 and less than 1, such as 0.95")
    return checked_thresholds(tiou_thresholds)


def _all_precisions(scored: Scene, thresholds: Floats, weights: Integers) -> tuple[Floats, Samples]:
    """Average precision of the clips as they are [classes, thresholds] and of each draw, NaN where a label lacks."""
    matched = match(scored, thresholds)
    table = precisions(scored, matched)[0]
    # Thousands of labels would fill the memory in double precision.
    samples = np.empty((len(weights), *table.shape), dtype=np.float32)
    for first in range(0, len(weights), _DRAWS_AT_ONCE):
        some = slice(first, first + _DRAWS_AT_ONCE)
        samples[some] = precisions(scored, matched, weights[some])
    return table, samples


def _average(table: Floats, samples: Samples, level: float, clips: int) -> tuple[Interval, Floats]:
    """Mean over labels and thresholds with its interval; means over labels of each draw, [draws, thresholds]."""
    per_threshold = mean_without_nan(samples, 1)
    average = float(table.mean())
    low, high, _ = spread(average, per_threshold.mean(axis=1), level, clips)
    return Interval(average, *np.clip((low, high), 0, 1).tolist()), per_threshold


def _clips_with_truth(scored: Scene) -> int:
    return len(np.unique(scored.truth_clip))


def _clips_by_class(scored: Scene) -> Integers:
    """[classes] clips that hold true segments of each label."""
    pairs = np.unique(scored.truth_class * len(scored.clips) + scored.truth_clip)
    return np.bincount(pairs // len(scored.clips), minlength=len(scored.labels))


def _interval_table(
    values: Floats, samples: Samples, level: float, index: pd.Index, clips: Integers | int
) -> pd.DataFrame:
    low, high, _ = spread(values, samples, level, clips)
    columns = {"value": values, "low": np.maximum(low, 0), "high": np.minimum(high, 1)}
    return pd.DataFrame(columns, index=index)


def _difference_table(
    a: Floats, b: Floats, samples: Samples, level: float, index: pd.Index, clips: Integers | int
) -> pd.DataFrame:
    low, high, p = difference_spread(a - b, samples, level, clips)
    columns = {"a": a, "b": b, "difference": a - b, "low": low, "high": high, "p": p}
    return pd.DataFrame(columns, index=index)
