"""What is special about each true segment, and the buckets that segments fall into.

    length      seconds
    coverage    share of the clip that the segment covers
    instances   true segments in the same clip
    audible     share of the segment that can be heard
    gate        what the caller measured of a detector's gates over the segment

Buckets are closed on the right and the first one on the left too. Data sets differ too much for
one set of buckets, so without a data set's own they are quantiles of the segments at hand.

Reference: Alwassel et al., Diagnosing error in temporal action detectors, ECCV 2018, for length,
coverage and instances, and for the buckets of THUMOS14 and ActivityNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation.tables import checked_table

CHARACTERISTICS = ("length", "coverage", "instances", "audible", "gate")
_SIZES = ("XS", "S", "M", "L", "XL")
_QUARTERS = ("Q1", "Q2", "Q3", "Q4")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Buckets:
    """Ranges of one characteristic.

    Attributes:
        edges: ascending, one more than names.
        names: of the buckets, in order.
    Raises: ConfigError if they do not fit together.
    """

    edges: tuple[float, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.names) + 1 or not self.names or not (np.diff(self.edges) > 0).all():
            raise ConfigError(
                f"buckets have edges {list(self.edges)} and names {list(self.names)}; "
                "expected ascending edges, one more than names"
            )

    def place(self, values: Floats) -> NDArray[np.int64]:
        """[n] bucket of each value, -1 for those outside all and for NaN."""
        place = np.searchsorted(self.edges, values, side="left") - 1
        place[values == self.edges[0]] = 0
        place[np.isnan(values) | (place >= len(self.names))] = -1
        return place


@dataclass(frozen=True)
class Preset:
    """How a data set is diagnosed: its thresholds of temporal overlap and its own buckets."""

    thresholds: tuple[float, ...]
    buckets: Mapping[str, Buckets]


_AUDIBLE = Buckets((0.0, 0.1, 1.0), ("silent", "audible"))
_INF = float("inf")
PRESETS = {
    "thumos14": Preset(
        (0.5,),
        {
            "length": Buckets((0, 3, 6, 12, 18, _INF), _SIZES),
            "coverage": Buckets((0, 0.02, 0.04, 0.06, 0.08, 1), _SIZES),
            "instances": Buckets((-1, 1, 40, 80, _INF), _SIZES[:4]),
        },
    ),
    "activitynet": Preset(
        tuple(np.linspace(0.5, 0.95, 10).round(2).tolist()),
        {
            "length": Buckets((0, 30, 60, 120, 180, _INF), _SIZES),
            "coverage": Buckets((0, 0.2, 0.4, 0.6, 0.8, 1), _SIZES),
            "instances": Buckets((-1, 1, 4, 8, _INF), _SIZES[:4]),
        },
    ),
    "epic": Preset(
        (0.1, 0.2, 0.3, 0.4, 0.5),
        {
            "length": Buckets((0, 1, 2, 4, 8, _INF), _SIZES),
            "coverage": Buckets((0, 0.001, 0.0025, 0.005, 0.01, 1), _SIZES),
            "instances": Buckets((-1, 30, 60, 120, 240, _INF), _SIZES),
        },
    ),
}


def characterize(
    truth: pd.DataFrame,
    *,
    durations_s: Mapping[str, float] | None = None,
    sound_events: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Characteristics of true segments, as far as they are known.

    Args:
        truth: `clip_id`, `start_s`, `end_s`; columns `coverage`, `instances`, `audibility` and `gate`
            are taken as they are where present.
        durations_s: length of each clip, for coverage.
        sound_events: `clip_id`, `start_s`, `end_s` of what can be heard, for audibility; segments in
            clips without any event count as unknown.
    Returns: one column a characteristic, rows as in `truth`; NaN where a segment's is unknown.
    Raises: AnnotationError if `durations_s` lacks a clip or has one that does not last, or a column holds no numbers.
    """
    length = truth["end_s"].to_numpy(np.float64) - truth["start_s"].to_numpy(np.float64)
    values: dict[str, Floats] = {"length": length}
    if "coverage" in truth:
        values["coverage"] = _numbers(truth["coverage"])
    elif durations_s is not None:
        lacking = sorted(set(truth["clip_id"].unique()) - set(durations_s))
        if lacking:
            raise AnnotationError(f"clip {lacking[0]!r} has true segments but no duration ({len(lacking)} such clips)")
        lasts_s = _numbers(truth["clip_id"].map(dict(durations_s)).rename("duration"))
        if not (lasts_s > 0).all():
            row = int(np.argmin(lasts_s > 0))
            raise AnnotationError(
                f"clip {truth['clip_id'].iloc[row]!r} has a duration of {lasts_s[row]} s, expected more than 0"
            )
        values["coverage"] = np.minimum(length / lasts_s, 1.0)
    counted = truth.groupby("clip_id")["start_s"].transform("size")
    values["instances"] = _numbers(truth.get("instances", counted))
    if "audibility" in truth:
        values["audible"] = _numbers(truth["audibility"])
    elif sound_events is not None:
        values["audible"] = heard_share(truth, sound_events)
    if "gate" in truth:
        values["gate"] = _numbers(truth["gate"])
    return pd.DataFrame(values, index=truth.index)


def _numbers(column: pd.Series) -> Floats:
    try:
        return column.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"true segments: {column.name} holds no numbers: {error}") from None


def buckets_for(values: pd.DataFrame, own: Mapping[str, Buckets]) -> dict[str, Buckets]:
    """Buckets of every characteristic that is known of some segment.

    Args:
        values: of `characterize`.
        own: buckets to use where given; the others are quantiles (five, of gates four), and
            audibility is silent (up to 0.1) or audible.
    Raises: ConfigError if `own` names no characteristic.
    """
    unknown = sorted(set(own) - set(CHARACTERISTICS))
    if unknown:
        raise ConfigError(f"characteristic {unknown[0]!r} is not known; expected some of {', '.join(CHARACTERISTICS)}")
    chosen = {}
    for name in values.columns:
        known = values[name].dropna().to_numpy()
        if len(known):
            usual = _AUDIBLE if name == "audible" else quantiles(known, _QUARTERS if name == "gate" else _SIZES)
            chosen[name] = own.get(name, usual)
    return chosen


def quantiles(values: Floats, names: Sequence[str]) -> Buckets:
    """Buckets with about as many values each; fewer than names where many values are equal."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, len(names) + 1)))
    if len(edges) == 1:
        edges = np.array([edges[0], np.nextafter(edges[0], np.inf)])
    return Buckets(tuple(edges.tolist()), tuple(names[: len(edges) - 1]))


def heard_share(truth: pd.DataFrame, sound_events: pd.DataFrame) -> Floats:
    """[segments] share of each segment during which some sound event lasts, NaN in clips without events."""
    shares = np.full(len(truth), np.nan)
    sound_events = checked_table("sound events", sound_events, ("clip_id", "start_s", "end_s"))
    events = sound_events.groupby("clip_id", sort=False).indices
    bounds = sound_events[["start_s", "end_s"]].to_numpy(np.float64)
    segments = truth[["start_s", "end_s"]].to_numpy(np.float64)
    for clip, rows in truth.groupby("clip_id", sort=False).indices.items():
        if clip in events:
            heard = _heard_before(bounds[events[clip]], segments[rows])
            lengths = segments[rows, 1] - segments[rows, 0]
            shares[rows] = np.divide(heard[:, 1] - heard[:, 0], lengths, out=np.zeros(len(rows)), where=lengths > 0)
    return shares


def _heard_before(events_s: Floats, times_s: Floats) -> Floats:
    """Seconds with any event before each time, of the same shape as `times_s`."""
    events_s = events_s[np.argsort(events_s[:, 0], kind="stable")]
    covered_to = np.maximum.accumulate(events_s[:, 1])
    starts = np.maximum(events_s[:, 0], np.append(-np.inf, covered_to[:-1]))
    ends = np.maximum(starts, events_s[:, 1])
    knots = np.stack([starts, ends], axis=1).ravel()
    total = np.repeat(np.cumsum(ends - starts), 2)
    total[0::2] -= ends - starts
    return np.interp(times_s, knots, total)
