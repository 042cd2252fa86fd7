"""Suppression equals the published code's and does not depend on the order of its input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.inference.nms import suppress
from mravff_core.segments import temporal_iou

SETTINGS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["soft", "hard"]),
        "sigma": st.sampled_from([0.2, 0.5, 0.9]),
        "iou_threshold": st.sampled_from([0.1, 0.5]),
        "min_score": st.sampled_from([0.0, 0.001, 0.3]),
        "max_segments": st.sampled_from([1, 3, 100]),
        "multiclass": st.booleans(),
        "voting_threshold": st.sampled_from([0.0, 0.75]),
        "vote_weight": st.sampled_from(["score_iou", "score"]),
    }
)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coarse values, so that equal scores and segments without length are common."""
    number = draw(st.integers(0, 25))
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 10), st.integers(0, 2)),
            min_size=number,
            max_size=number,
        )
    )
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return np.stack([table[:, 0], table[:, 0] + table[:, 1]], axis=1), table[:, 2] / 10, table[:, 3].astype(int)


def test_every_stored_configuration(shared: Path) -> None:
    folder = shared / "golden" / "nms"
    configurations = json.loads((folder / "meta.json").read_text())["configs"]
    for path in sorted(folder.glob("*.npz")):
        stored = np.load(path)
        for name, config in configurations.items():
            segments, scores, labels = suppress(
                stored["in_segs"],
                stored["in_scores"],
                stored["in_labels"],
                method="soft" if config["use_soft_nms"] else "hard",
                sigma=config["sigma"],
                iou_threshold=config["iou_threshold"],
                min_score=config["min_score"],
                max_segments=config["max_seg_num"],
                multiclass=config["multiclass"],
                voting_threshold=config["voting_thresh"],
                vote_weight="score" if name.startswith("td_") else "score_iou",
            )
            np.testing.assert_array_equal(labels, stored[f"{name}_labels"], err_msg=f"{path.name} {name}")
            np.testing.assert_allclose(segments, stored[f"{name}_segs"], atol=1e-3, rtol=0)
            np.testing.assert_allclose(scores, stored[f"{name}_scores"], atol=1e-5, rtol=0)


def test_the_published_edge_cases() -> None:
    none = suppress(np.zeros((0, 2)), [], [])
    assert [array.shape for array in none] == [(0, 2), (0,), (0,)]
    kept = suppress([[0, 10]], [0.0005], [0], min_score=0.001)
    assert kept[1] == pytest.approx([0.0005]), "soft suppression never drops the best"
    assert len(suppress([[0, 10]], [0.0005], [0], method="hard")[0]) == 0
    doubled = suppress([[0, 10], [0, 10], [20, 30]], [0.5, 0.4, 0.3], [0, 0, 0], method="hard", iou_threshold=0.5)
    np.testing.assert_array_equal(doubled[0], [[0, 10], [20, 30]])


def test_segments_without_length_stay_numbers_under_voting() -> None:
    segments, scores, _ = suppress([[5, 5], [5, 5], [0, 1]], [0.5, 0.4, 0.3], [0, 0, 0], multiclass=False)
    np.testing.assert_allclose(segments, [[5, 5], [5, 5], [0, 1]])
    np.testing.assert_allclose(scores, [0.5, 0.4, 0.3])


def test_soft_decay_by_hand() -> None:
    # tIoU of [0, 10] and [5, 15] is 1/3.
    _, scores, _ = suppress([[0, 10], [5, 15]], [0.9, 0.8], [0, 0], sigma=0.5, min_score=0)
    assert scores == pytest.approx([0.9, 0.8 * np.exp(-(1 / 9) / 0.5)], rel=1e-5)


def test_voting_by_hand() -> None:
    segments = [[0, 10], [1, 11]]  # tIoU 9/11
    for weight, own, other in (("score_iou", 0.9, 0.6 * 9 / 11), ("score", 0.9, 0.6)):
        kept, _, _ = suppress(
            segments, [0.9, 0.6], [0, 1], method="hard", multiclass=False, voting_threshold=0.75, vote_weight=weight
        )
        assert kept[0, 0] == pytest.approx(other / (own + other), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(candidates(), SETTINGS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_never_matters(given_candidates: Any, config: Any, random: Any) -> None:
    segments, scores, labels = given_candidates
    order = list(range(len(scores)))
    random.shuffle(order)
    for first, second in zip(
        suppress(segments, scores, labels, **config),
        suppress(segments[order], scores[order], labels[order], **config),
        strict=True,
    ):
        np.testing.assert_array_equal(first, second)


@settings(max_examples=60, deadline=None)
@given(candidates(), SETTINGS)
def test_what_is_kept_is_finite_sorted_and_within_limits(given_candidates: Any, config: Any) -> None:
    segments, scores, labels = given_candidates
    kept, kept_scores, kept_labels = suppress(segments, scores, labels, **config)
    assert len(kept) <= min(config["max_segments"], len(scores))
    assert np.isfinite(kept).all() and np.isfinite(kept_scores).all()
    assert (np.diff(kept_scores) <= 0).all()
    assert set(kept_labels) <= set(labels)
    if len(scores) and config["method"] == "soft":
        assert kept_scores[0] == np.float32(scores.max()), "the best is never lowered"


@settings(max_examples=40, deadline=None)
@given(candidates())
def test_hard_suppression_leaves_no_overlap_within_a_class(given_candidates: Any) -> None:
    segments, scores, labels = given_candidates
    kept, _, kept_labels = suppress(segments, scores, labels, method="hard", iou_threshold=0.3, min_score=0)
    for label in set(kept_labels):
        own = kept[kept_labels == label]
        overlap = temporal_iou(own, own)
        np.fill_diagonal(overlap, 0)
        assert (overlap < 0.3 + 1e-5).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "gentle"}, "expected soft or hard"),
        ({"vote_weight": "tiou"}, "score_iou or score"),
        ({"sigma": 0.0}, "both must be above 0"),
        ({"max_segments": 0}, "both must be above 0"),
        ({"scores": [0.5]}, "2 segments, 1 scores"),
        ({"scores": [0.5, np.nan]}, "must be finite"),
        (
            {"segments": [[0, 1, 2], [3, 4, 5]], "scores": [0.5] * 3, "labels": [0] * 3},
            r"segments are \[2, 3\], expected \[n, 2\]",
        ),
    ],
)
def test_bad_arguments_are_told(change: dict[str, Any], message: str) -> None:
    arguments = {"segments": [[0, 1], [2, 3]], "scores": [0.5, 0.4], "labels": [0, 1], **change}
    with pytest.raises(ValueError, match=message):
        suppress(**arguments)


def test_hard_suppression_drops_scores_that_are_not_above_the_least() -> None:
    segments = [[0, 1], [2, 3], [4, 5]]
    kept = suppress(segments, [0.5, 0.25, 0.125], [0, 0, 0], method="hard", min_score=0.25)
    assert kept[1].tolist() == [0.5]
    assert len(suppress(segments, [0.5, 0.25, 0.125], [0, 0, 0], method="hard", min_score=0.0)[1]) == 3
