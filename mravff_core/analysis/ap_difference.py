"""Average precision of two sides and how sure their difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.evaluation import mean_average_precision, paired_bootstrap
from mravff_core.segments import TIOU_THRESHOLDS


@dataclass(frozen=True)
class ApDifference:
    """Average precisions in [0, 1], means over thresholds; differences are b minus a.

    Attributes:
        overall: `a`, `b`, `difference`, `low`, `high` (95 % interval over resampled clips, not
            numbers where there are no resamples), `p` (two-sided), `clear`: whether the interval
            excludes 0; `a_low`, `a_high`, `b_low`, `b_high`: intervals of either side.
        per_class: the same but for the sides' own intervals, one row a class with true segments, with
            `label`, `name`, `segments`, and `q`, which is `p` adjusted for looking at all classes at once.
        resamples: how many the intervals rest on; 0 for none.
    """

    overall: pd.Series
    per_class: pd.DataFrame
    resamples: int

    def to_document(self) -> dict[str, Any]:
        """As JSON; what is not a number is null."""
        return {
            "overall": _plain(self.overall.to_frame().T)[0],
            "per_class": _plain(self.per_class),
            "resamples": self.resamples,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ApDifference:
        """Read back what `to_document` gave."""
        overall = _read([document["overall"]], (*_NUMBERS, *_OWN)).iloc[0]
        return cls(overall, _read(document["per_class"], _NUMBERS), document["resamples"])


def ap_difference(
    truth: pd.DataFrame,
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    labels: Sequence[str],
    tiou_thresholds: Sequence[float] = TIOU_THRESHOLDS,
    resamples: int = 1000,
) -> ApDifference:
    """Score two sets of detections against the same true segments.

    Args:
        truth: `clip_id`, `start_s`, `end_s`, `label`.
        a, b: the same and `score`.
        labels: names of the classes.
        tiou_thresholds: averaged over.
        resamples: clips are drawn anew this often, for both sides alike; 0 for no intervals.
    """
    segments = truth["label"].value_counts()
    if resamples:
        # Of its two, the first less the second.
        found = paired_bootstrap(truth, b, a, tiou_thresholds, resamples=resamples)
        table = found.per_class.rename(columns={"a": "b", "b": "a"})
        overall = {"a": found.b.average, "b": found.a.average, "difference": found.average.value}
        overall |= {name: getattr(found.average, name) for name in ("low", "high", "p")}
        own = {"a": found.average_b, "b": found.average_a}
    else:
        scores = [mean_average_precision(truth, side, tiou_thresholds) for side in (a, b)]
        table = pd.DataFrame({name: score.per_class.mean(axis=1) for name, score in zip("ab", scores, strict=True)})
        table["difference"] = table["b"] - table["a"]
        overall = {"a": scores[0].average, "b": scores[1].average}
        overall["difference"] = overall["b"] - overall["a"]
        overall |= dict.fromkeys(("low", "high", "p"), np.nan)
        own = {}
        table[["low", "high", "p", "q"]] = np.nan
    per_class = (
        table.reindex(columns=["a", "b", "difference", "low", "high", "p", "q"]).rename_axis("label").reset_index()
    )
    per_class.insert(1, "name", [labels[label] for label in per_class["label"]])
    per_class.insert(2, "segments", segments.reindex(per_class["label"]).to_numpy())
    per_class["clear"] = (per_class["low"] > 0) | (per_class["high"] < 0)
    for side in "ab":
        overall |= {f"{side}_{end}": getattr(own.get(side), end, np.nan) for end in ("low", "high")}
    overall["clear"] = bool(overall["low"] > 0 or overall["high"] < 0)
    return ApDifference(pd.Series(overall), per_class, resamples)


_NUMBERS = ("a", "b", "difference", "low", "high", "p")
_OWN = ("a_low", "a_high", "b_low", "b_high")


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _read(rows: list[dict[str, Any]], numbers: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float) | {"clear": bool})
