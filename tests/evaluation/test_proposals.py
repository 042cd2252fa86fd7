"""Proposals with class scores: the published formula, whatever the order of rows."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation import label_proposals

CLASSES = 4
# Few values, so that many are equal.
score = st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0])
proposal = st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(4, 6), score)
proposals = st.lists(proposal, max_size=25)
class_scores = st.fixed_dictionaries({clip: st.lists(score, min_size=CLASSES, max_size=CLASSES) for clip in "abc"})


def table(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "score"]).assign(label=0)


def arrays(scores: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {clip: np.array(values) for clip, values in scores.items()}


def plainly(rows: list[tuple[str, float, float, float]], scores: dict[str, list[float]], k: int, n: int) -> list[tuple]:
    made = []
    for clip in sorted({row[0] for row in rows}):
        best = sorted((row for row in rows if row[0] == clip), key=lambda row: (-row[3], row[1], row[2]))[:n]
        labels = sorted(range(CLASSES), key=lambda label: (-scores[clip][label], label))[:k]
        found = [
            (clip, start, end, label, math.sqrt(scores[clip][label] * worth))
            for _, start, end, worth in best
            for label in labels
        ]
        made += sorted(found, key=lambda row: (-row[4], *row[1:4]))
    return made


@settings(deadline=None)
@given(proposals, class_scores, st.integers(1, 5), st.integers(1, 8), st.randoms(use_true_random=False))
def test_scores_and_choice_are_those_of_a_plain_loop_in_any_order(
    rows: list[tuple[str, float, float, float]], scores: dict[str, list[float]], k: int, n: int, random: object
) -> None:
    wanted = plainly(rows, scores, k, n)
    for _ in range(2):
        found = label_proposals(table(rows), arrays(scores), classes_per_clip=k, proposals_per_clip=n)
        assert list(found.columns) == ["clip_id", "start_s", "end_s", "label", "score"]
        assert list(found.itertuples(index=False, name=None)) == wanted
        random.shuffle(rows)  # type: ignore[attr-defined]


def test_two_classes_and_two_hundred_proposals_are_used_by_default() -> None:
    rows = [("a", float(number), number + 1.0, (number + 1) / 400) for number in range(300)]
    found = label_proposals(table(rows), arrays({"a": [0.1, 0.4, 0.2, 0.3]}))
    assert len(found) == 400 and sorted(set(found["label"])) == [1, 3]
    assert found["start_s"].min() == 100 and found["score"].iloc[0] == pytest.approx(math.sqrt(0.4 * 300 / 400))


def test_what_cannot_be_multiplied_is_refused() -> None:
    rows = table([("a", 0, 1, 0.5), ("b", 0, 1, 0.5)])
    with pytest.raises(AnnotationError, match="1 of 2 clips have no class scores, such as 'b'"):
        label_proposals(rows, arrays({"a": [1.0]}))
    with pytest.raises(AnnotationError, match=r"found the score -0\.5"):
        label_proposals(rows.assign(score=-0.5), arrays({"a": [1.0], "b": [1.0]}))
    for wrong in ({"classes_per_clip": 0}, {"proposals_per_clip": 0}):
        with pytest.raises(ConfigError, match="expected 1 or more"):
            label_proposals(rows, arrays({"a": [1.0], "b": [1.0]}), **wrong)
    for unfit in ([float("nan"), 1.0], [-1.0, 1.0], [1.0], []):
        with pytest.raises(AnnotationError, match="clip 'b' has "):
            label_proposals(rows, arrays({"a": [1.0, 0.5], "b": unfit}))
