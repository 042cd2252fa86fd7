"""What a mark of an error figure stands for: which table it lists, and which of its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from mravff_core.analysis.errors import PLACED
from mravff_core.evaluation.error_kinds import KINDS
from mravff_core.plots.errors import pair_of


@dataclass(frozen=True)
class Mark:
    """One mark, read from its text (see `mravff_core.plots.errors`).

    Attributes:
        text: as in the address; empty for no mark.
        of_truth: whether it lists true segments that were missed rather than detections.
        words: what it lists, for people.
        any_score: whether it lists detections of every score, as bars that count all of them do.
    """

    text: str = ""
    of_truth: bool = False
    words: str = "All errors"
    any_score: bool = False

    @classmethod
    def parse(cls, text: str) -> Mark:
        """Read a mark; one that makes no sense is none."""
        name, _, value = text.partition("=")
        first, _, second = value.partition(":")
        if name == "kind" and value in KINDS:
            return cls(text, words=f"Detections of kind “{value}”", any_score=True)
        if name == "band" and first.isdecimal() and second in KINDS:
            return cls(text, words=f"Detections of kind “{second}” in band {int(first)}", any_score=True)
        if name == "trait" and first and second:
            return cls(text, True, f"Missed true segments with {first} “{second}”")
        if name == "pair" and ">" in value:
            found, true = pair_of(text)
            return cls(text, words=f"“{found}” found where “{true}” is true")
        if name in ("start", "end") and _range(value) is not None:
            low, high = _range(value) or (0.0, 0.0)
            return cls(text, words=f"Detections whose {name} is off by {_range_words(low, high)}")
        return cls()

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows that the mark stands for, of `ErrorAnalysis.detections` or `.truths`."""
        name, _, value = self.text.partition("=")
        first, _, second = value.partition(":")
        if name == "kind":
            return table[table["kind"] == value]
        if name == "band":
            return table[(table["kind"] == second) & (table["band"] == int(first))]
        if name == "trait":
            column = f"{first}_bucket"
            return table[~table["found"] & (table[column].astype(str) == second)] if column in table else table[:0]
        if name == "pair":
            found, true = pair_of(self.text)
            of_pair = (table["name"] == found) & (table["true_name"] == true)
            return table[of_pair & table["kind"].isin(["wrong label", "confusion"])]
        if name in ("start", "end"):
            low, high = _range(value) or (0.0, 0.0)
            off_s = table[f"{name}_error_s"]
            return table[table["kind"].isin(PLACED) & (off_s >= low) & (off_s < high)]
        return table[table["kind"] != "true positive"]


def _range(text: str) -> tuple[float, float] | None:
    low, _, high = text.partition(":")
    try:
        numbers = float(low), float(high)
    except ValueError:
        return None
    return None if any(math.isnan(number) for number in numbers) else numbers


def _range_words(low: float, high: float) -> str:
    if math.isinf(low):
        return f"less than {high:+g} s"
    return f"{low:+g} s or more" if math.isinf(high) else f"{low:+g} to {high:+g} s"
