"""Sounds from elsewhere: the same kinds as the true ones, while hands do something else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mravff_core.kitchen.plan import Segment, SoundEvent
from mravff_core.kitchen.vocabulary import MOTIONS, NOUN_TABLE, VERB_TABLE, VERBS_NEEDING_SOUND, look_alike_verbs

TARGET_SHARE = 0.34
# An action stays decidable where its own sound is at least this much louder than a misleading one.
LOUDER = 1.6
_LEVEL = (0.15, 1.0)
_LONGEST_S = 4.0


def plan_distractors(
    segments: Sequence[Segment], own: Sequence[SoundEvent], duration_s: float, rng: np.random.Generator
) -> tuple[SoundEvent, ...]:
    """Off-screen sounds that cover about a third of a clip, never two at once.

    Over an action that only its own sound tells from another, a sound that could be taken
    for the other's is clearly the quieter: the truth stays decidable by eye and ear together.
    """
    wanted_s = duration_s * TARGET_SHARE
    events: list[SoundEvent] = []
    audible = [verb for verb, entry in VERB_TABLE.items() if entry.sound]
    covered_s = 0.0
    while covered_s < wanted_s:
        event = _draw(str(rng.choice(audible)), duration_s, rng)
        if _collides(event, events) or _confuses(event, segments, own):
            continue
        events.append(event)
        covered_s += event.end_s - event.start_s
    return tuple(events)


def _draw(verb: str, duration_s: float, rng: np.random.Generator) -> SoundEvent:
    entry = VERB_TABLE[verb]
    motion = MOTIONS[entry.motion]
    length = min(float(rng.uniform(*motion.duration_s)) * (motion.sound_span[1] - motion.sound_span[0]), _LONGEST_S)
    start_s = float(rng.uniform(0.2, duration_s - length - 0.2))
    return SoundEvent(
        start_s=round(start_s, 3),
        end_s=round(start_s + length, 3),
        sound=str(entry.sound),
        material=NOUN_TABLE[str(rng.choice(entry.nouns))].material,
        level=round(float(rng.uniform(*_LEVEL)), 3),
        period_s=round(float(rng.uniform(*motion.period_s)), 4),
        phase=round(float(rng.uniform()), 4),
        seed=int(rng.integers(2**31)),
    )


def _collides(event: SoundEvent, others: Sequence[SoundEvent]) -> bool:
    return any(event.start_s < other.end_s + 0.1 and other.start_s < event.end_s + 0.1 for other in others)


def _confuses(event: SoundEvent, segments: Sequence[Segment], own: Sequence[SoundEvent]) -> bool:
    """Whether a sound would make an action that needs its sound undecidable."""
    levels = {sound.segment_id: sound.level for sound in own}
    for segment in segments:
        if event.start_s >= segment.end_s or segment.start_s >= event.end_s:
            continue
        if LOUDER * event.level <= levels.get(segment.segment_id, 0.0):
            continue
        # A short action is drowned by whatever is over it.
        if segment.gesture.motion in ("strike", "press") or segment.noun_needs_sound:
            return True
        if segment.verb in VERBS_NEEDING_SOUND and event.sound in _sounds_of_its_look(segment.verb):
            return True
    return False


def _sounds_of_its_look(verb: str) -> set[str | None]:
    return {VERB_TABLE[other].sound for group in look_alike_verbs() if verb in group for other in group}
