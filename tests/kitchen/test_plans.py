"""What every script of the kitchen promises, whatever its seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.errors import ConfigError
from mravff_core.kitchen.distractors import LOUDER
from mravff_core.kitchen.plan import ClipPlan, Segment
from mravff_core.kitchen.script import NOUNS, VERBS, plan_clip
from mravff_core.kitchen.vocabulary import MOTIONS, NOUN_TABLE, VERB_TABLE, look_alike_nouns, look_alike_verbs

SPLITS = {"validation": 16, "train": 48}
any_plan = st.builds(plan_clip, st.integers(0, 10_000), st.sampled_from(list(SPLITS)), st.integers(0, 60))


@pytest.fixture(scope="module", params=list(SPLITS))
def plans(request: pytest.FixtureRequest) -> list[ClipPlan]:
    return [plan_clip(0, request.param, index) for index in range(SPLITS[request.param])]


def union_s(spans: list[tuple[float, float]]) -> float:
    total, reached = 0.0, 0.0
    for start_s, end_s in sorted(spans):
        total += max(0.0, end_s - max(start_s, reached))
        reached = max(reached, end_s)
    return total


def test_the_vocabulary_has_what_the_demonstration_needs() -> None:
    assert len(VERBS) >= 12 and len(NOUNS) >= 12
    assert len(look_alike_verbs()) >= 3 and len(look_alike_nouns()) >= 2
    assert sum(entry.sound is None for entry in VERB_TABLE.values()) >= 2
    assert sum(MOTIONS[entry.motion].duration_s[1] < 0.5 for entry in VERB_TABLE.values()) >= 2
    assert sum(MOTIONS[entry.motion].duration_s[0] > 5.0 for entry in VERB_TABLE.values()) >= 2


def test_look_alikes_differ_in_sound_and_in_nothing_else() -> None:
    for group in look_alike_verbs():
        entries = [VERB_TABLE[verb] for verb in group]
        assert len({entry.motion for entry in entries}) == 1
        assert len({entry.nouns for entry in entries}) == 1
        assert len({entry.sound for entry in entries}) == len(group)
    for group in look_alike_nouns():
        assert len({NOUN_TABLE[noun].material for noun in group}) == len(group)


@given(any_plan)
@settings(max_examples=40, deadline=None)
def test_segments_lie_in_order_inside_the_clip(plan: ClipPlan) -> None:
    assert 40.0 <= plan.duration_s <= 60.0
    assert 8 <= len(plan.segments) <= 14
    edges = [
        0.0,
        *(time_s for segment in plan.segments for time_s in (segment.start_s, segment.end_s)),
        plan.duration_s,
    ]
    assert edges == sorted(edges)
    gaps = [after.start_s - before.end_s for before, after in zip(plan.segments[:-1], plan.segments[1:], strict=True)]
    assert min(gaps) > 0.84, "hands need this long to leave and come again unseen"
    for segment in plan.segments:
        low, high = MOTIONS[segment.gesture.motion].duration_s
        assert low - 0.002 <= segment.end_s - segment.start_s <= high + 0.002
        assert segment.noun in VERB_TABLE[segment.verb].nouns
        assert segment.gesture.look == NOUN_TABLE[segment.noun].look


@given(any_plan)
@settings(max_examples=40, deadline=None)
def test_sounds_keep_their_promises(plan: ClipPlan) -> None:
    by_id = {segment.segment_id: segment for segment in plan.segments}
    for event in plan.sounds:
        assert 0 <= event.start_s < event.end_s <= plan.duration_s
        if event.segment_id is not None:
            segment = by_id[event.segment_id]
            assert segment.start_s < event.start_s and event.end_s <= segment.end_s + 1e-9
            assert event.sound == VERB_TABLE[segment.verb].sound
    owners = Counter(event.segment_id for event in plan.sounds if event.on_screen)
    assert set(owners.values()) == {1}
    assert owners.keys() == {s.segment_id for s in plan.segments if VERB_TABLE[s.verb].sound is not None}
    off_screen = [(event.start_s, event.end_s) for event in plan.sounds if not event.on_screen]
    assert union_s(off_screen) >= 0.2 * plan.duration_s
    assert {event.sound for event in plan.sounds} <= {entry.sound for entry in VERB_TABLE.values()}


@given(any_plan)
@settings(max_examples=40, deadline=None)
def test_a_sound_from_elsewhere_never_makes_an_action_undecidable(plan: ClipPlan) -> None:
    levels = {event.segment_id: event.level for event in plan.sounds if event.on_screen}
    for segment in plan.segments:
        twins = {VERB_TABLE[v].sound for group in look_alike_verbs() if segment.verb in group for v in group}
        over = [e for e in plan.sounds if not e.on_screen and e.start_s < segment.end_s and segment.start_s < e.end_s]
        assert not any(LOUDER * e.level > levels[segment.segment_id] for e in over if e.sound in twins)


@given(any_plan)
@settings(max_examples=40, deadline=None)
def test_doors_are_opened_when_closed_and_closed_when_open(plan: ClipPlan) -> None:
    opened = set(plan.opened)
    for segment in plan.segments:
        if segment.verb == "open":
            assert segment.noun not in opened
            opened.add(segment.noun)
        elif segment.verb == "close":
            assert segment.noun in opened
            opened.remove(segment.noun)


def test_classes_are_balanced(plans: list[ClipPlan]) -> None:
    verbs = Counter(segment.verb for plan in plans for segment in plan.segments)
    nouns = Counter(segment.noun for plan in plans for segment in plan.segments)
    least = 8 if len(plans) == 16 else 24
    assert min(verbs[verb] for verb in VERBS) >= least
    assert max(verbs.values()) - min(verbs.values()) <= 1, "decks keep all verbs equally frequent"
    assert min(nouns[noun] for noun in NOUNS) >= least * 0.75


def test_look_alike_verbs_have_gestures_of_one_distribution(plans: list[ClipPlan]) -> None:
    """Mean duration, reach and phase of the two agree within what chance allows."""
    for group in look_alike_verbs():
        first, second = ([s for p in plans for s in p.segments if s.verb == verb] for verb in group)
        for measure in (share_of_length, lambda s: s.gesture.reach, lambda s: s.gesture.phase):
            a, b = [measure(s) for s in first], [measure(s) for s in second]
            spread = max(max(a + b) - min(a + b), 1e-9)
            gap = abs(sum(a) / len(a) - sum(b) / len(b)) / spread
            # Uniform values have a spread of 0.29 of their range; four standard errors of a difference.
            assert gap < 4 * 0.29 * (1 / len(a) + 1 / len(b)) ** 0.5


def share_of_length(segment: Segment) -> float:
    low, high = MOTIONS[segment.gesture.motion].duration_s
    return (segment.end_s - segment.start_s - low) / (high - low)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan_clip(3, "train", 5) == plan_clip(3, "train", 5)
    prints = {plan_clip(seed, split, index).fingerprint() for seed in (0, 1) for split in SPLITS for index in range(5)}
    assert len(prints) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, "test", 0), "split 'test' is not known"), ((-1, "train", 0), "must not be negative"),
     ((0, "train", -2), "must not be negative")],
)  # fmt: skip
def test_impossible_clips_are_refused(arguments: tuple[int, str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_clip(*arguments)
