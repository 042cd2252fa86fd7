"""The script of a clip: what happens when, what is heard when, all from one seed.

A plan is small and complete: the same plan always gives the same frames and samples.
Verbs come from shuffled decks that run on from clip to clip, so every verb is equally
frequent in any split, and any clip can be planned on its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mravff_core.errors import ConfigError
from mravff_core.kitchen.distractors import plan_distractors
from mravff_core.kitchen.plan import FRAMES_PER_SECOND, ClipPlan, Gesture, Segment, SoundEvent
from mravff_core.kitchen.vocabulary import (
    MOTIONS,
    NOUN_TABLE,
    NOUNS,
    NOUNS_NEEDING_SOUND,
    VERB_TABLE,
    VERBS,
    VERBS_NEEDING_SOUND,
)

__all__ = ["NOUNS", "VERBS", "ClipPlan", "Gesture", "Segment", "SoundEvent", "plan_clip"]

SPLITS = {"train": "train", "validation": "val"}
SEGMENTS_PER_CLIP = 11
_SHORTEST_CLIP_S = 40.0
_GAP_S = (0.95, 1.45)
_LEVEL = (0.3, 1.0)
_STREAMS = {"deck": 0, "nouns": 1, "times": 2, "gestures": 3, "sounds": 4, "distractors": 5, "decor": 6, "room": 7}


def plan_clip(seed: int, split: str, index: int) -> ClipPlan:
    """Plan one clip; it depends on nothing but the three arguments.

    Args:
        seed: another seed is another kitchen.
        split: "train" or "validation".
        index: which clip of the split, from 0.
    Raises: ConfigError for an unknown split or a negative number.
    """
    if split not in SPLITS:
        raise ConfigError(f"kitchen split {split!r} is not known; expected one of {', '.join(SPLITS)}")
    if seed < 0 or index < 0:
        raise ConfigError(f"kitchen seed and clip index must not be negative, found {seed} and {index}")
    acts = _acts(seed, split, index)
    nouns, opened = _consistent_doors([verb for verb, _ in acts], [noun for _, noun in acts])
    verbs = [verb for verb, _ in acts]
    segments, duration_s = _segments(seed, split, index, verbs, nouns)
    sounds = _own_sounds(segments, stream(seed, split, index, "sounds"))
    segments = tuple(_with_audibility(segment, sounds) for segment in segments)
    extra = plan_distractors(segments, sounds, duration_s, stream(seed, split, index, "distractors"))
    return ClipPlan(
        clip_id=f"kitchen_{SPLITS[split]}_{index:03d}",
        duration_s=duration_s,
        decor=int(stream(seed, split, index, "decor").integers(2**31)),
        opened=opened,
        segments=segments,
        sounds=tuple(sorted((*sounds, *extra), key=lambda event: event.start_s)),
    )


def stream(seed: int, split: str, index: int, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose in one clip, apart from those of all others."""
    return np.random.default_rng([seed, list(SPLITS).index(split), index, _STREAMS[purpose]])


def _acts(seed: int, split: str, index: int) -> list[tuple[str, str]]:
    """(verb, noun) of one clip: a stretch of the endless row of shuffled decks of verbs."""
    first = index * SEGMENTS_PER_CLIP
    return [_act(seed, split, place) for place in range(first, first + SEGMENTS_PER_CLIP)]


def _act(seed: int, split: str, place: int) -> tuple[str, str]:
    deck, card = divmod(place, len(VERBS))
    verb_number = int(stream(seed, split, deck, "deck").permutation(len(VERBS))[card])
    verb = VERBS[verb_number]
    choices = VERB_TABLE[verb].nouns
    # Nouns have decks of their own, shuffled alike for look-alike verbs' sake: no verb has a favourite.
    round_, turn = divmod(deck, len(choices))
    order = stream(seed, split, round_ * len(VERBS) + verb_number, "nouns").permutation(len(choices))
    return verb, choices[int(order[turn])]


def _consistent_doors(verbs: list[str], nouns: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Change which door an act is about where it would open an open one; says which stand open at first.

    A clip holds at most two acts of each verb, so with two doors one always fits.
    """
    opened_at_first: list[str] = []
    state: dict[str, str] = {}
    result = list(nouns)
    for number, verb in enumerate(verbs):
        if verb not in ("open", "close"):
            continue
        doors = VERB_TABLE[verb].nouns
        fitting = [door for door in doors if state.get(door, "fresh") != verb]
        door = nouns[number] if nouns[number] in fitting else fitting[0]
        if door not in state and verb == "close":
            opened_at_first.append(door)
        state[door] = verb
        result[number] = door
    return result, tuple(sorted(opened_at_first))


def _segments(
    seed: int, split: str, index: int, verbs: list[str], nouns: list[str]
) -> tuple[tuple[Segment, ...], float]:
    times = stream(seed, split, index, "times")
    gestures = stream(seed, split, index, "gestures")
    # Every clip draws the same count of numbers in the same order whatever its verbs are.
    shares, gaps = times.uniform(size=len(verbs)), times.uniform(*_GAP_S, size=len(verbs) + 1)
    durations = [
        low + share * (high - low)
        for share, (low, high) in zip(
            shares, (MOTIONS[VERB_TABLE[verb].motion].duration_s for verb in verbs), strict=True
        )
    ]
    missing_s = max(0.0, _SHORTEST_CLIP_S - sum(durations) - gaps.sum())
    gaps = gaps + missing_s / len(gaps)
    duration_s = int(np.ceil((sum(durations) + gaps.sum()) * FRAMES_PER_SECOND)) / FRAMES_PER_SECOND
    segments, now = [], 0.0
    for number, (verb, noun, gap, length) in enumerate(zip(verbs, nouns, gaps, durations, strict=False)):
        start_s = round(now + float(gap), 3)
        now = round(start_s + length, 3)
        segments.append(
            Segment(
                segment_id=number,
                start_s=start_s,
                end_s=now,
                verb=verb,
                noun=noun,
                gesture=_gesture(VERB_TABLE[verb].motion, NOUN_TABLE[noun].look, gestures),
                audibility=0.0,
                needs_sound=verb in VERBS_NEEDING_SOUND,
                noun_needs_sound=noun in NOUNS_NEEDING_SOUND,
            )
        )
    return tuple(segments), duration_s


def _gesture(motion: str, look: str, rng: np.random.Generator) -> Gesture:
    """How a motion is done this time; knows neither verb nor noun."""
    share, reach, phase, lean = (float(value) for value in rng.uniform(size=4))
    low, high = MOTIONS[motion].period_s
    return Gesture(
        motion=motion,
        look=look,
        period_s=round(low + share * (high - low), 4),
        reach=round(0.85 + 0.3 * reach, 4),
        phase=round(phase, 4),
        lean=round(2 * lean - 1, 4),
        wobble=int(rng.integers(2**31)),
    )


def _own_sounds(segments: tuple[Segment, ...], rng: np.random.Generator) -> tuple[SoundEvent, ...]:
    sounds = []
    for segment in segments:
        late, level, seed = rng.uniform(), rng.uniform(*_LEVEL), int(rng.integers(2**31))
        sound = VERB_TABLE[segment.verb].sound
        if sound is None:
            continue
        length = segment.end_s - segment.start_s
        first, last = MOTIONS[segment.gesture.motion].sound_span
        start_s = segment.start_s + first * length + 0.02 + 0.04 * late
        sounds.append(
            SoundEvent(
                start_s=round(start_s, 3),
                end_s=round(segment.start_s + last * length, 3),
                sound=sound,
                material=NOUN_TABLE[segment.noun].material,
                level=round(float(level), 3),
                period_s=segment.gesture.period_s,
                phase=round((segment.gesture.phase + (start_s - segment.start_s) / segment.gesture.period_s) % 1.0, 4),
                seed=seed,
                segment_id=segment.segment_id,
            )
        )
    return tuple(sounds)


def _with_audibility(segment: Segment, sounds: tuple[SoundEvent, ...]) -> Segment:
    heard_s = sum(
        event.level * (min(event.end_s, segment.end_s) - max(event.start_s, segment.start_s))
        for event in sounds
        if event.segment_id == segment.segment_id
    )
    return replace(segment, audibility=round(heard_s / (segment.end_s - segment.start_s), 4))
