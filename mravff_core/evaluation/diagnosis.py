"""Why average precision is not higher: error kinds and what each costs, misses, sensitivity.

Detections are ranked label by label. The best N of a label with N true segments make band 1, the
next N band 2, and so on. Profile, costs and normalized average precision look at the first `bands`
bands only; misses and sensitivity at all detections. A missed true segment is one that no
detection found before its label's normalized precision fell to `min_precision`.

Sensitivity is the normalized average precision over the true segments of one bucket, beside all
wrong detections. A detection that found a segment of another bucket at any threshold counts at none.

Reference: Alwassel et al., Diagnosing error in temporal action detectors, ECCV 2018. Unlike its
code, a detection in a clip without true segments is background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.errors import ConfigError
from mravff_core.evaluation.characteristics import PRESETS, Buckets, Preset, buckets_for, characterize
from mravff_core.evaluation.error_kinds import (
    ERRORS,
    KINDS,
    best_overlaps,
    error_kinds,
    normalized_precisions,
    precise_hits,
)
from mravff_core.evaluation.matching import match
from mravff_core.evaluation.tables import Scene, checked_thresholds, checked_truth, scene

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_USUAL = Preset((0.1, 0.2, 0.3, 0.4, 0.5), {})


@dataclass(frozen=True)
class Diagnosis:
    """Errors of a table of detections, misses and sensitivity; precisions are normalized, in [0, 1].

    Attributes:
        thresholds: of temporal overlap.
        average: mean average precision over labels and thresholds.
        per_class: one row a label, one column a threshold.
        counts: detections of each kind within the bands, by threshold.
        profile: the same by threshold and band (1 is best).
        gains: what removing all detections of a kind would add to the mean average precision, by
            threshold; one column an error kind.
        gains_per_class: the same by label, mean over thresholds.
        missed: `segments, share, missed` by characteristic and bucket: how many, their share of all,
            and which share of them was missed, mean over thresholds.
        sensitivity: `segments, precision, relative` by characteristic and bucket: mean average
            precision over that bucket, mean over thresholds, and its ratio to that of all segments.
        buckets: ranges of each characteristic.
    """

    thresholds: Floats
    average: float
    per_class: pd.DataFrame
    counts: pd.DataFrame
    profile: pd.DataFrame
    gains: pd.DataFrame
    gains_per_class: pd.DataFrame
    missed: pd.DataFrame
    sensitivity: pd.DataFrame
    buckets: Mapping[str, Buckets]
    _rows: _Rows

    def detections(self, tiou: float | None = None) -> pd.DataFrame:
        """Every detection that counts, best first in each label.

        Args:
            tiou: one of the thresholds; None for the one nearest to 0.5.
        Returns: `row` in the table of detections, its columns, `rank` in its label from 1, `band`
            from 1 (0 beyond the last), `kind`, and the true segment it belongs to: `truth_row` in
            the ground truth (-1 for none) and `tiou`. For a true positive that is the segment it
            found, else the one it overlaps most.
        Raises: ConfigError for another threshold.
        """
        level = self._level(tiou)
        rows, scored = self._rows, self._rows.scene
        found = rows.matched[level]
        truth = np.where(found >= 0, found, rows.best)
        return pd.DataFrame(
            {
                "row": scored.row,
                "clip_id": scored.clips.to_numpy()[scored.clip],
                "start_s": scored.found_s[:, 0],
                "end_s": scored.found_s[:, 1],
                "label": scored.labels[scored.found_class],
                "score": scored.score,
                "rank": rows.rank + 1,
                "band": rows.band,
                "kind": pd.Categorical.from_codes(rows.kinds[level], pd.Index(KINDS)),
                "truth_row": np.where(truth >= 0, rows.truth_row[np.maximum(truth, 0)], -1),
                "tiou": np.where(found >= 0, _overlaps(scored, found), rows.overlap),
            }
        )

    def truths(self, tiou: float | None = None) -> pd.DataFrame:
        """Every true segment that counts, in the order of the ground truth.

        Args:
            tiou: one of the thresholds; None for the one nearest to 0.5.
        Returns: `row` in the ground truth, `clip_id, start_s, end_s, label`, each characteristic and
            its `<name>_bucket`, `found`, and `found_by`, the row of the detection that did, -1 if missed.
        Raises: ConfigError for another threshold.
        """
        level = self._level(tiou)
        rows, scored = self._rows, self._rows.scene
        found_by = np.full(len(scored.truth_row), -1)
        hits = np.flatnonzero(rows.precise[level])
        found_by[rows.matched[level][hits]] = scored.row[hits]
        table = pd.DataFrame(
            {
                "row": rows.truth_row,
                "clip_id": scored.clips.to_numpy()[scored.truth_clip],
                "start_s": scored.truth_s[:, 0],
                "end_s": scored.truth_s[:, 1],
                "label": scored.labels[scored.truth_class],
            }
        )
        for name, buckets in self.buckets.items():
            table[name] = rows.characteristics[name].to_numpy()
            table[f"{name}_bucket"] = _in_buckets(rows.places[name], buckets)
        table = table.assign(found=found_by >= 0, found_by=found_by)
        return table.sort_values("row", ignore_index=True)

    def missed_by(self, *names: str) -> pd.DataFrame:
        """Misses by the buckets of one or several characteristics together.

        Returns: `segments, share, missed` as in `missed`; only buckets that hold segments.
        Raises: ConfigError if a characteristic is not known of these segments.
        """
        for name in names:
            if name not in self.buckets:
                raise ConfigError(f"characteristic {name!r} is not known here; known are {', '.join(self.buckets)}")
        return _missed(self._rows, {name: self.buckets[name] for name in names})

    def _level(self, tiou: float | None) -> int:
        wanted = 0.5 if tiou is None else tiou
        level = int(np.argmin(np.abs(self.thresholds - wanted)))
        if tiou is not None and abs(self.thresholds[level] - tiou) > 1e-9:
            known = ", ".join(f"{value:g}" for value in self.thresholds)
            raise ConfigError(f"threshold {tiou:g} was not diagnosed; those are {known}")
        return level


@dataclass(frozen=True)
class _Rows:
    """What is known of single detections and true segments, in the order of the scene."""

    scene: Scene
    truth_row: Integers
    matched: NDArray[np.int32]
    precise: NDArray[np.bool_]
    best: Integers
    overlap: Floats
    kinds: NDArray[np.int8]
    rank: Integers
    band: Integers
    characteristics: pd.DataFrame
    places: Mapping[str, Integers]


def diagnose(
    ground_truth: pd.DataFrame,
    detections: pd.DataFrame,
    *,
    data_set: str | None = None,
    tiou_thresholds: Sequence[float] | None = None,
    min_tiou: float = 0.1,
    bands: int = 10,
    min_precision: float = 0.05,
    durations_s: Mapping[str, float] | None = None,
    sound_events: pd.DataFrame | None = None,
    buckets: Mapping[str, Buckets] | None = None,
) -> Diagnosis:
    """Find out what keeps detections from scoring higher.

    Args:
        ground_truth: `clip_id`, `start_s`, `end_s`, `label`; further columns `coverage`, `instances`,
            `audibility` (0 to 1) and `gate` give characteristics. Segments without length are left out.
        detections: the same four and `score`; those of labels without true segments do not count.
        data_set: `thumos14`, `activitynet` or `epic` for its thresholds and buckets; None for
            thresholds 0.1 to 0.5 and quantiles.
        tiou_thresholds: in (0, 1], in place of the data set's.
        min_tiou: detections that overlap nothing by so much are background; above 0, up to 1.
        bands: how many bands of rank to profile.
        min_precision: normalized precision that a true segment must be found above.
        durations_s: length of each clip, for coverage.
        sound_events: `clip_id`, `start_s`, `end_s` of what can be heard, for audibility where no
            column tells it.
        buckets: ranges by characteristic, in place of the data set's.
    Raises: as `mean_average_precision`; ConfigError for an unknown data set or characteristic,
        AnnotationError if a clip has no duration.
    """
    usual = _preset(data_set)
    thresholds = checked_thresholds(usual.thresholds if tiou_thresholds is None else tiou_thresholds)
    if bands < 1 or not 0 <= min_precision < 1:
        raise ConfigError(f"bands is {bands} and min_precision {min_precision}; expected 1 or more, and 0 to below 1")
    if not 0 < min_tiou <= 1:
        raise ConfigError(f"min_tiou is {min_tiou}, expected a number above 0 and up to 1")
    checked = checked_truth(ground_truth)
    long_enough = np.flatnonzero(checked["end_s"] > checked["start_s"])
    truth = ground_truth.iloc[long_enough].reset_index(drop=True)
    scored = scene(truth, detections, "activitynet")
    values = characterize(truth, durations_s=durations_s, sound_events=sound_events).iloc[scored.truth_row]
    chosen = buckets_for(values, {**usual.buckets, **(buckets or {})})
    matched = match(scored, thresholds)
    best, overlap = best_overlaps(scored)
    rank = np.arange(len(scored.row)) - scored.class_start[scored.found_class]
    band = rank // scored.truth_count[scored.found_class] + 1
    rows = _Rows(
        scene=scored,
        truth_row=long_enough[scored.truth_row],
        matched=matched,
        precise=precise_hits(scored, matched >= 0, min_precision),
        best=best,
        overlap=overlap,
        kinds=error_kinds(scored, matched, best, overlap, thresholds, min_tiou),
        rank=rank,
        band=np.where(band <= bands, band, 0),
        characteristics=values,
        places={name: own.place(values[name].to_numpy(np.float64)) for name, own in chosen.items()},
    )
    return _summary(rows, thresholds, bands, chosen)


def _preset(data_set: str | None) -> Preset:
    if data_set is None:
        return _USUAL
    if data_set not in PRESETS:
        raise ConfigError(f"data set {data_set!r} has no buckets of its own; expected one of {', '.join(PRESETS)}")
    return PRESETS[data_set]


def _summary(rows: _Rows, thresholds: Floats, bands: int, buckets: Mapping[str, Buckets]) -> Diagnosis:
    scored, right = rows.scene, rows.matched >= 0
    tiou, labels = pd.Index(thresholds, name="tiou"), pd.Index(scored.labels, name="label")
    within = np.broadcast_to(rows.band > 0, right.shape)
    base = normalized_precisions(scored, right, within)
    gains = {
        name: normalized_precisions(scored, right, within & (rows.kinds != kind)) - base
        for kind, name in enumerate(KINDS)
        if name in ERRORS
    }
    profile = _profile(rows, bands, thresholds)
    missed = {name: _missed(rows, {name: own}).rename_axis("bucket") for name, own in buckets.items()}
    missed_by_one = pd.concat({name: table.set_axis(table.index.astype(str)) for name, table in missed.items()})
    return Diagnosis(
        thresholds=thresholds,
        average=float(base.mean()),
        per_class=pd.DataFrame(base, index=labels, columns=tiou),
        counts=profile.groupby(level="tiou").sum(),
        profile=profile,
        gains=pd.DataFrame({name: gain.mean(axis=0) for name, gain in gains.items()}, index=tiou),
        gains_per_class=pd.DataFrame({name: gain.mean(axis=1) for name, gain in gains.items()}, index=labels),
        missed=missed_by_one.rename_axis(["characteristic", "bucket"]),
        sensitivity=_sensitivity(rows, buckets),
        buckets=buckets,
        _rows=rows,
    )


def _profile(rows: _Rows, bands: int, thresholds: Floats) -> pd.DataFrame:
    """Detections by threshold and band, one column a kind."""
    within = rows.band > 0
    index = pd.MultiIndex.from_product([thresholds, range(1, bands + 1)], names=["tiou", "band"])
    counts = [
        np.bincount((rows.band[within] - 1) * len(KINDS) + kinds[within], minlength=bands * len(KINDS))
        for kinds in rows.kinds
    ]
    return pd.DataFrame(np.reshape(counts, (-1, len(KINDS))), index=index, columns=list(KINDS))


def _missed(rows: _Rows, buckets: Mapping[str, Buckets]) -> pd.DataFrame:
    """`segments, share, missed` by the buckets of these characteristics together, of those that hold segments."""
    found = np.zeros(len(rows.truth_row))
    for matched, precise in zip(rows.matched, rows.precise, strict=True):
        found[matched[precise]] += 1 / len(rows.matched)
    columns = {name: _in_buckets(rows.places[name], own) for name, own in buckets.items()}
    table = pd.DataFrame(columns | {"missed": 1 - found}).dropna()
    grouped = table.groupby(list(buckets), observed=True)["missed"].agg(["size", "mean"])
    share = grouped["size"] / grouped["size"].sum()
    return pd.DataFrame({"segments": grouped["size"], "share": share, "missed": grouped["mean"]})


def _sensitivity(rows: _Rows, buckets: Mapping[str, Buckets]) -> pd.DataFrame:
    """Normalized mean average precision over the true segments of each bucket."""
    scored, right = rows.scene, rows.matched >= 0
    overall = float(normalized_precisions(scored, right, np.ones_like(right)).mean())
    table = []
    for name, own in buckets.items():
        for place, bucket in enumerate(own.names):
            chosen = rows.places[name] == place
            if not chosen.any():
                continue
            elsewhere = (right & ~chosen[np.maximum(rows.matched, 0)]).any(axis=0)
            kept = np.broadcast_to(~elsewhere, right.shape)
            positives = np.bincount(scored.truth_class[chosen], minlength=len(scored.labels))
            precision = float(np.nanmean(normalized_precisions(scored, right, kept, positives)))
            relative = precision / overall if overall > 0 else float("nan")
            table.append((name, bucket, int(chosen.sum()), precision, relative))
    columns = ["characteristic", "bucket", "segments", "precision", "relative"]
    return pd.DataFrame(table, columns=columns).set_index(["characteristic", "bucket"])


def _in_buckets(places: Integers, buckets: Buckets) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(places, pd.Index(buckets.names), ordered=True)


def _overlaps(scored: Scene, found: NDArray[np.int32]) -> Floats:
    """Temporal intersection over union of each detection with the true segment it found; of no meaning for -1."""
    true = scored.truth_s[np.maximum(found, 0)]
    inter = np.minimum(scored.found_s[:, 1], true[:, 1]) - np.maximum(scored.found_s[:, 0], true[:, 0])
    return inter / (np.diff(scored.found_s)[:, 0] + np.diff(true)[:, 0] - inter)
