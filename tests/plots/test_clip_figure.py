"""The figure of one clip shows every segment where it lies and every gate at its time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mravff_core.plots.clip import clip_figure
from mravff_core.segments import lanes
from mravff_core.workspace import LevelGates

TRUTH = pd.DataFrame({"start_s": [1.0], "end_s": [3.0], "label": [1]})
FOUND = pd.DataFrame(
    {"start_s": [1.5, 2.0, 0.0], "end_s": [3.0, 4.0, 1.0], "label": [1, 0, 0], "score": [0.9, 0.5, 0.1]}
)
BOUNDS = st.tuples(st.floats(0, 50), st.floats(0.01, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(BOUNDS, max_size=20).map(sorted))
def test_no_segment_covers_another_of_its_lane(segments: list[tuple[float, float]]) -> None:
    found = lanes([start for start, _ in segments], [end for _, end in segments])
    for number, lane in enumerate(found):
        for before in range(number):
            if found[before] == lane:
                assert segments[before][1] <= segments[number][0]
    assert set(found) == set(range(max(found, default=-1) + 1))


def test_bars_and_gates_stand_at_their_times() -> None:
    gates = [LevelGates(np.array([0.5, 1.5, 2.5, 3.5]), np.array([0, 1, 0.5, 0.2], np.float32))]
    true, predicted, level = clip_figure(TRUTH, FOUND, gates, ["cut", "<b>stir"], min_score=0.2).data
    assert list(true.base) == [1.0] and list(true.x) == [2.0]
    assert list(true.text) == ["&lt;b&gt;stir"]
    assert sorted(zip(predicted.base, predicted.x, strict=True)) == [(1.5, 1.5), (2.0, 2.0)]
    assert len(set(predicted.y)) == 2
    assert list(level.x) == [0, 1, 2, 3, 4]
    assert (level.zmin, level.zmax) == (0, 1)


def test_a_clip_without_gates_or_segments_has_a_figure_too() -> None:
    figure = clip_figure(TRUTH.iloc[:0], FOUND.iloc[:0], [], ["cut"])
    assert len(figure.data) == 2
