"""Point predictions become the segments they describe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.inference.decode import decode
from mravff_core.model.outputs import DetectorOutput


def output_of(logits: list[torch.Tensor], offsets: list[torch.Tensor], valid: list[int]) -> DetectorOutput:
    masks = tuple((torch.arange(len(level)) < n)[None, None] for level, n in zip(logits, valid, strict=True))
    return DetectorOutput(tuple(x[None] for x in logits), tuple(x[None] for x in offsets), masks)


def test_one_point_by_hand() -> None:
    logits = [torch.full((8, 3), -20.0), torch.full((4, 3), -20.0)]
    logits[1][3, 2] = 0.0
    offsets = [torch.zeros(8, 1, 2), torch.zeros(4, 1, 2)]
    offsets[1][3, 0] = torch.tensor([1.5, 0.25])
    found = decode(output_of(logits, offsets, [8, 4]), (1, 2), min_score=0.1, top_k=10)
    np.testing.assert_allclose(found.segments_grid, [[3 * 2 - 1.5 * 2, 3 * 2 + 0.25 * 2]])
    assert found.scores == pytest.approx([0.5])
    assert found.labels.tolist() == [2]


def test_what_just_reaches_a_limit_is_not_above_it() -> None:
    output = output_of([torch.zeros(1, 1)], [torch.ones(1, 1, 2)], [1])
    for limits, found in (((0.49, 1.9), 1), ((0.5, 1.9), 0), ((0.49, 2.0), 0)):
        assert len(decode(output, (1,), min_score=limits[0], top_k=1, min_duration_grid=limits[1]).scores) == found


def test_boundaries_per_class_are_those_of_the_point_s_class() -> None:
    logits = [torch.tensor([[0.0, 1.0]])]
    offsets = [torch.tensor([[[1.0, 1.0], [2.0, 3.0]]])]
    found = decode(output_of(logits, offsets, [1]), (1,), min_score=0.1, top_k=10)
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_allclose(found.segments_grid, [[-2, 3], [-1, 1]])


def test_equal_scores_at_the_cut_go_to_the_earlier_step() -> None:
    found = decode(output_of([torch.zeros(5, 2)], [torch.ones(5, 1, 2)], [5]), (1,), min_score=0.1, top_k=3)
    np.testing.assert_allclose(found.segments_grid, [[-1, 1], [-1, 1], [0, 2]])
    assert found.labels.tolist() == [0, 1, 0]


@settings(max_examples=40, deadline=None)
@given(
    steps=st.integers(1, 20),
    real=st.integers(0, 20),
    classes=st.integers(1, 4),
    top_k=st.integers(1, 30),
    min_score=st.sampled_from([0.0, 0.3, 0.6]),
    min_duration=st.sampled_from([0.0, 1.5]),
    seed=st.integers(0, 1000),
)
def test_candidates_are_the_best_real_points(
    steps: int, real: int, classes: int, top_k: int, min_score: float, min_duration: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(steps, classes, generator=generator)
    offsets = torch.rand(steps, 1, 2, generator=generator) * 3
    real = min(real, steps)
    found = decode(
        output_of([logits], [offsets], [real]), (4,), min_score=min_score, top_k=top_k, min_duration_grid=min_duration
    )
    scores = logits[:real].sigmoid().numpy()
    expected = []
    for step in range(real):
        for label in range(classes):
            start, end = step * 4 - offsets[step, 0, 0] * 4, step * 4 + offsets[step, 0, 1] * 4
            if scores[step, label] > min_score:
                expected.append((scores[step, label], float(start), float(end), label))
    expected = sorted(expected, key=lambda row: -row[0])[:top_k]
    expected = [row for row in expected if row[2] - row[1] > min_duration]
    assert found.labels.tolist() == [row[3] for row in expected]
    np.testing.assert_allclose(found.scores, [row[0] for row in expected], rtol=1e-6)
    np.testing.assert_allclose(
        found.segments_grid.reshape(-1, 2), np.reshape([row[1:3] for row in expected], (-1, 2)), rtol=1e-5, atol=1e-5
    )


def test_strides_of_another_detector_are_told() -> None:
    with pytest.raises(ValueError, match="with 2 strides for 1 levels"):
        decode(output_of([torch.zeros(1, 1)], [torch.zeros(1, 1, 2)], [1]), (1, 2), min_score=0.1, top_k=1)


def test_most_of_all_levels_together_are_the_best_of_any() -> None:
    logits = [torch.tensor([[3.0], [1.0]]), torch.tensor([[2.0]]), torch.tensor([[1.0]])]
    output = output_of(logits, [torch.ones(len(level), 1, 2) for level in logits], [2, 1, 1])
    for top_k, expected in ((1, [3.0]), (2, [3.0, 2.0]), (3, [3.0, 1.0, 2.0]), (4, [3.0, 1.0, 2.0, 1.0])):
        found = decode(output, (1, 2, 4), min_score=0.1, top_k=top_k, together=True)
        np.testing.assert_allclose(found.scores, torch.tensor(expected).sigmoid().numpy(), rtol=1e-6)
    # Of two equal ones at the cut, that of the finer level stays.
    assert decode(output, (1, 2, 4), min_score=0.1, top_k=3, together=True).segments_grid[1].tolist() == [0, 2]
