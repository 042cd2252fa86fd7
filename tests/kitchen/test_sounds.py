"""Sound lies where the truth says it does, and tells look-alikes apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mravff_core.kitchen.plan import SoundEvent
from mravff_core.kitchen.script import plan_clip
from mravff_core.kitchen.sounds import SAMPLE_RATE, event_samples, soundtrack
from mravff_core.kitchen.timbres import TIMBRES
from mravff_core.kitchen.vocabulary import (
    MOTIONS,
    NOUN_TABLE,
    NOUNS_NEEDING_SOUND,
    VERB_TABLE,
    look_alike_nouns,
    look_alike_verbs,
)

PLAN = plan_clip(0, "validation", 0)


def event_of(verb: str, noun: str, number: int) -> SoundEvent:
    entry, rng = VERB_TABLE[verb], np.random.default_rng([number, 7])
    motion = MOTIONS[entry.motion]
    length_s = rng.uniform(*motion.duration_s) * (motion.sound_span[1] - motion.sound_span[0])
    return SoundEvent(
        start_s=0.0,
        end_s=float(length_s),
        sound=str(entry.sound),
        material=NOUN_TABLE[noun].material,
        level=float(rng.uniform(0.6, 1.0)),
        period_s=float(rng.uniform(*motion.period_s)),
        phase=float(rng.uniform()),
        seed=number,
    )


def spectrum(event: SoundEvent) -> np.ndarray:
    """Mean, spread and peak over time of the log power in 20 bands, for overlapping steps of an eighth of a second."""
    samples, step = event_samples(event), SAMPLE_RATE // 8
    samples = np.resize(samples, max(len(samples), step)) if len(samples) < step else samples
    steps = np.lib.stride_tricks.sliding_window_view(samples, step)[:: step // 4]
    power = np.abs(np.fft.rfft(steps * np.hanning(step))) ** 2
    edges = np.geomspace(8, power.shape[1] - 1, 21).astype(int)
    bands = np.log10(np.add.reduceat(power, edges, axis=1)[:, :-1] + 1e-5)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0), bands.max(axis=0)])


def linear_accuracy(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    """Fit a ridge regression on every second example, judge the others."""
    examples = np.array(first + second)
    wanted = np.repeat([-1.0, 1.0], [len(first), len(second)])
    known = np.arange(len(wanted)) % 2 == 0
    examples = (examples - examples[known].mean(axis=0)) / (examples[known].std(axis=0) + 1e-3)
    fitted = examples[known]
    gram = fitted @ fitted.T + 1.0 * np.eye(len(fitted))
    judged = examples[~known] @ fitted.T @ np.linalg.solve(gram, wanted[known])
    return float(np.mean(np.sign(judged) == wanted[~known]))


@pytest.mark.parametrize("group", look_alike_verbs(), ids="-".join)
def test_look_alike_verbs_can_be_told_apart_by_ear(group: tuple[str, ...]) -> None:
    nouns = VERB_TABLE[group[0]].nouns
    examples = [[spectrum(event_of(verb, nouns[n % len(nouns)], n)) for n in range(12)] for verb in group]
    assert linear_accuracy(*examples) >= 0.9


@pytest.mark.parametrize("group", look_alike_nouns(), ids="-".join)
@pytest.mark.parametrize("verb", ["shake", "tap", "snap"])
def test_look_alike_nouns_can_be_told_apart_by_ear(group: tuple[str, ...], verb: str) -> None:
    examples = [[spectrum(event_of(verb, noun, number)) for number in range(24)] for noun in group]
    assert linear_accuracy(*examples) >= 0.9
    assert all(verb_.sound for verb_ in VERB_TABLE.values() if NOUNS_NEEDING_SOUND & set(verb_.nouns))


@pytest.mark.parametrize("sound", TIMBRES)
def test_every_timbre_is_sound_and_fills_its_span(sound: str) -> None:
    verb = next(verb for verb, entry in VERB_TABLE.items() if entry.sound == sound)
    for noun in VERB_TABLE[verb].nouns:
        event = event_of(verb, noun, 3)
        samples = event_samples(event)
        assert len(samples) == round(event.end_s * SAMPLE_RATE)
        assert np.isfinite(samples).all() and np.abs(samples).max() <= 1
        assert np.abs(samples).max() > 0.05
        assert abs(samples[0]) < 0.02 and abs(samples[-1]) < 0.02
        np.testing.assert_allclose(event_samples(replace(event, level=event.level / 2)), samples / 2, atol=1e-6)


def test_energy_lies_inside_the_events() -> None:
    samples = soundtrack(PLAN)
    assert samples.dtype == np.float32 and len(samples) == round(PLAN.duration_s * SAMPLE_RATE)
    inside = np.zeros(len(samples), bool)
    for event in PLAN.sounds:
        # The room answers for a few hundredths of a second.
        inside[round(event.start_s * SAMPLE_RATE) : round((event.end_s + 0.1) * SAMPLE_RATE)] = True
    assert 0.3 < inside.mean() < 0.99
    assert np.mean(samples[~inside] ** 2) < 0.01 * np.mean(samples[inside] ** 2)
    assert np.sqrt(np.mean(samples[~inside] ** 2)) > 1e-4, "a room is never digitally silent"


def test_silent_verbs_are_silent() -> None:
    silent = [segment for segment in PLAN.segments if VERB_TABLE[segment.verb].sound is None]
    assert silent
    alone = soundtrack(replace(PLAN, sounds=tuple(event for event in PLAN.sounds if event.on_screen)))
    for segment in silent:
        during = alone[round((segment.start_s + 0.15) * SAMPLE_RATE) : round(segment.end_s * SAMPLE_RATE)]
        assert np.sqrt(np.mean(during**2)) < 0.004


def test_the_same_plan_gives_the_same_samples() -> None:
    np.testing.assert_array_equal(soundtrack(PLAN), soundtrack(plan_clip(0, "validation", 0)))
