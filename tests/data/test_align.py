"""Audio lands on the visual grid where its time stamps say, whatever the two rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mravff_core import TimeGrid
from mravff_core.data.align import to_grid
from mravff_core.errors import FeatureError

HOPS = st.floats(0.5, 40)


@st.composite
def grids(draw: st.DrawFn) -> TimeGrid:
    hop = draw(HOPS)
    return TimeGrid(hop_frames=hop, window_frames=draw(HOPS), frames_per_second=draw(st.floats(10, 60)))


@given(grids(), grids(), st.integers(2, 60))
def test_a_ramp_in_time_stays_that_ramp(source: TimeGrid, target: TimeGrid, steps: int) -> None:
    """Features that equal their own time stamp must equal the target's time stamp afterwards."""
    end_s = float(target.to_seconds(steps)) + 4 * max(source.hop_s, target.hop_s)
    count = int(end_s / source.hop_s) + 4
    features = source.to_seconds(np.arange(count, dtype=np.float64))[None]
    aligned = to_grid(features, source, target, steps)[0]
    wanted = target.to_seconds(np.arange(steps, dtype=np.float64))
    inside = wanted - target.hop_s / 2 > features[0, 0] + source.hop_s
    tolerance = source.hop_s / 2 if target.hop_s > source.hop_s else 1e-3
    np.testing.assert_allclose(aligned[inside], wanted[inside], atol=tolerance + 1e-3)


def test_the_same_grid_changes_nothing() -> None:
    grid = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)
    features = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    np.testing.assert_allclose(to_grid(features, grid, grid, 20), features, atol=1e-6)


def test_coarser_steps_are_means_over_their_time() -> None:
    fine = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=10)
    coarse = TimeGrid(hop_frames=4, window_frames=4, frames_per_second=10)
    features = np.array([[0.0, 4, 0, 4, 8, 8, 8, 8]])
    np.testing.assert_allclose(to_grid(features, fine, coarse, 2), [[2.0, 8.0]])


def test_a_coarse_step_that_ends_in_a_part_of_a_fine_one_is_that_one() -> None:
    fine = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=10)
    coarse = TimeGrid(hop_frames=4, window_frames=4, frames_per_second=10, offset_frames=2.5)
    # The second step stands for 4.5 to 8.5, of which the sound has the half of its last step.
    aligned = to_grid(np.array([[1.0, 1, 1, 1, 9]]), fine, coarse, 3, fill=np.array([-5.0]))
    np.testing.assert_allclose(aligned, [[(3.5 + 4.5) / 4, 9, -5]])


def test_beyond_the_sound_lies_the_fill() -> None:
    grid = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=10)
    features = np.ones((2, 3))
    fill = np.array([-5.0, -7.0])
    np.testing.assert_array_equal(to_grid(features, grid, grid, 5, fill=fill)[:, 3:], np.repeat(fill[:, None], 2, 1))
    np.testing.assert_array_equal(to_grid(features, grid, grid, 5)[:, 3:], 0)


def test_a_coarse_step_of_sound_lasts_as_long_as_itself_on_a_finer_grid() -> None:
    coarse = TimeGrid(hop_frames=4, window_frames=4, frames_per_second=10)
    fine = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=10, offset_frames=-1.5)
    aligned = to_grid(np.ones((1, 2)), coarse, fine, 13, fill=np.array([-5.0]))[0]
    assert aligned.tolist() == [-5] * 2 + [1] * 8 + [-5] * 3


@pytest.mark.parametrize("shape", [(3,), (3, 0)])
def test_shapes_without_time_are_refused(shape: tuple[int, ...]) -> None:
    grid = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=10)
    with pytest.raises(FeatureError, match="expected \\[channels, time\\]"):
        to_grid(np.zeros(shape), grid, grid, 4)
