"""Pictures depend on gestures alone, and on nothing but the plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mravff_core.kitchen.motions import pose_at
from mravff_core.kitchen.plan import ClipPlan
from mravff_core.kitchen.scenes import Scene
from mravff_core.kitchen.script import NOUNS, VERBS, plan_clip
from mravff_core.kitchen.vocabulary import MOTIONS, look_alike_nouns, look_alike_verbs

PLAN = plan_clip(0, "validation", 3)
SOME_FRAMES = tuple(range(0, PLAN.frame_count, 97))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(PLAN)


def renamed(plan: ClipPlan) -> ClipPlan:
    """The plan with every look-alike verb and noun swapped for its twin, and no sound at all."""
    twin = {name: group[1 - group.index(name)] for group in look_alike_verbs() + look_alike_nouns() for name in group}
    segments = tuple(
        replace(segment, verb=twin.get(segment.verb, segment.verb), noun=twin.get(segment.noun, segment.noun))
        for segment in plan.segments
    )
    assert segments != plan.segments
    return replace(plan, segments=segments, sounds=())


def test_frames_are_pictures_of_the_stated_size(scene: Scene) -> None:
    frame = scene.frame(100)
    assert frame.shape == (360, 640, 3) and frame.dtype == np.uint8
    assert scene.frame_count == PLAN.frame_count
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 500


def test_look_alikes_have_the_very_same_pictures(scene: Scene) -> None:
    other = Scene(renamed(PLAN))
    for index in SOME_FRAMES:
        np.testing.assert_array_equal(scene.frame(index), other.frame(index))


def test_the_same_plan_gives_the_same_pictures_in_any_order(scene: Scene) -> None:
    again = Scene(plan_clip(0, "validation", 3))
    for index in reversed(SOME_FRAMES):
        np.testing.assert_array_equal(scene.frame(index), again.frame(index))


def test_hands_move_during_every_segment(scene: Scene) -> None:
    for segment in PLAN.segments:
        first, last = (
            round(30 * (segment.start_s + share * (segment.end_s - segment.start_s))) for share in (0.1, 0.55)
        )
        changed = np.abs(scene.frame(first).astype(int) - scene.frame(last)).max(axis=2) > 25
        assert changed.sum() > 60, segment.verb


def test_nothing_jumps_between_frames(scene: Scene) -> None:
    """Only hands on their way change much of the picture from one frame to the next."""
    previous = scene.frame(0).astype(int)
    for index in range(1, 240):
        frame = scene.frame(index).astype(int)
        changed = (np.abs(frame - previous).max(axis=2) > 40).mean()
        assert changed < 0.12, f"frame {index}"
        previous = frame


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_starts_where_it_is_entered_and_ends_where_it_is_left(motion: str) -> None:
    segment = next(s for i in range(8) for s in plan_clip(0, "train", i).segments if s.gesture.motion == motion)
    spots, length_s = Scene(PLAN)._spots, segment.end_s - segment.start_s
    before, after = (
        pose_at(segment.gesture, spots, -3.0, length_s),
        pose_at(segment.gesture, spots, length_s + 3, length_s),
    )
    assert before == pose_at(segment.gesture, spots, 0.0, length_s)
    assert after == pose_at(segment.gesture, spots, length_s, length_s)
    for share in np.linspace(0, 1, 25):
        pose = pose_at(segment.gesture, spots, share * length_s, length_s)
        # A palm at an open drawer may sink a few pixels below the edge; its fingers stay in sight.
        assert 0 <= pose.right.at[0] <= 640 and 0 <= pose.right.at[1] <= 370


def test_every_class_occurs() -> None:
    segments = [segment for index in range(16) for segment in plan_clip(0, "validation", index).segments]
    assert {segment.verb for segment in segments} == set(VERBS)
    assert {segment.noun for segment in segments} == set(NOUNS)
