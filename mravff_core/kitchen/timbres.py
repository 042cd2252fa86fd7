"""How each kind of kitchen sound is made; one function a kind, all of one signature.

Each takes what a sound event says (seconds as samples, what it is made of, the stroke of
the hands) and returns float samples of any loudness; `soundtrack` levels them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mravff_core.kitchen.synthesis import (
    SAMPLE_RATE,
    Floats,
    at_times,
    clock,
    grains,
    noise,
    ring,
    strokes,
    struck,
    wander,
)


@dataclass(frozen=True)
class Cue:
    """What a timbre needs to know: length in samples, material, stroke period and phase."""

    samples: int
    material: str
    period_s: float
    phase: float


Timbre = Callable[[np.random.Generator, Cue], Floats]

# Partials (Hz) and decay (s) of what can be struck.
BODIES: dict[str, tuple[tuple[float, ...], float]] = {
    "iron": ((720.0, 1610.0, 2890.0), 0.05),
    "enamel": ((1180.0, 2480.0, 4310.0), 0.06),
    "ceramic": ((2050.0, 3720.0, 6100.0), 0.045),
    "china": ((2900.0, 5130.0, 7800.0), 0.06),
    "tin": ((1720.0, 3350.0, 5480.0, 8100.0), 0.10),
    "stone": ((640.0, 1130.0), 0.016),
    "glass": ((3300.0, 6900.0), 0.05),
    "wood": ((240.0, 510.0, 930.0), 0.02),
    "cutlery": ((3900.0, 5800.0, 8300.0), 0.03),
    "crisp": ((310.0, 760.0), 0.018),
    "soft": ((190.0, 380.0), 0.022),
    "rice": ((6200.0, 8900.0), 0.0016),
    "pasta": ((1500.0, 2350.0), 0.007),
}


def body(material: str) -> Floats:
    """The ring of a material."""
    partials, decay_s = BODIES[material]
    return ring(partials, decay_s)


def liquid(rng: np.random.Generator, cue: Cue) -> Floats:
    """Pouring: a soft stream and many glugs whose pitch rises as the vessel fills."""
    stream = 0.35 * noise(rng, cue.samples, 250, 1600) * (0.6 + 0.4 * wander(rng, cue.samples, 9))
    filled = np.linspace(0.85, 1.35, 4)
    glugs = np.zeros(cue.samples)
    for number, height in enumerate(filled):
        part = np.clip(1 - np.abs(np.linspace(0, 3, cue.samples) - number), 0, 1)
        for pitch in (340.0, 520.0, 760.0, 1080.0):
            glugs += struck(grains(rng, cue.samples, 9, part), ring((pitch * height,), 0.022, glide=0.5))
    return stream + 1.6 * glugs + 0.15 * body_hit(rng, cue, 3)


def body_hit(rng: np.random.Generator, cue: Cue, per_second: float) -> Floats:
    """Now and then the vessel is touched."""
    return struck(grains(rng, cue.samples, per_second), body(cue.material))


def dry_grains(rng: np.random.Generator, cue: Cue) -> Floats:
    """Sprinkling: bursts of small hard grains, one a flick of the wrist."""
    burst = strokes(cue.samples, cue.period_s, cue.phase, 1.5)
    fall = struck(grains(rng, cue.samples, 1500, 0.25 + 0.75 * burst), ring((5200.0, 7700.0, 10400.0), 0.0012))
    return fall + 0.12 * struck(grains(rng, cue.samples, 60, burst), body(cue.material))


def swish(rng: np.random.Generator, cue: Cue) -> Floats:
    """Stirring: liquid pushed round by a wooden spoon, a dull knock at times."""
    push = 0.3 + 0.7 * strokes(cue.samples, cue.period_s, cue.phase, 1.3)
    wet = noise(rng, cue.samples, 180, 850) * push
    drops = struck(grains(rng, cue.samples, 10), ring((430.0,), 0.02, glide=0.6))
    return wet + 1.0 * drops + 0.5 * struck(grains(rng, cue.samples, 1.5), body("wood"))


def scraping(rng: np.random.Generator, cue: Cue) -> Floats:
    """Scraping: a rough edge drawn over a hard bottom, which rings along."""
    stroke = 0.12 + 0.88 * strokes(cue.samples, cue.period_s, cue.phase, 0.8)
    rough = 0.55 + 0.45 * np.sign(np.sin(2 * np.pi * np.cumsum(38 + 34 * stroke) / SAMPLE_RATE))
    edge = noise(rng, cue.samples, 1900, 7200) * rough * stroke
    partials, _ = BODIES[cue.material]
    return edge + 0.05 * struck(edge, ring((*partials, 4300.0), 0.02))


def ignition(rng: np.random.Generator, cue: Cue) -> Floats:
    """Turning on: quick ticks, then a rush of air that swells and brightens."""
    ticks = at_times(cue.samples, np.arange(4) * 0.085 + 0.004, rng.uniform(0.8, 1.0, 4))
    snap = struck(ticks, ring((4700.0, 7600.0), 0.004)) * 3.0
    time = clock(cue.samples)
    swell = np.clip((time - 0.26) / 0.12, 0, 1)
    low, high = noise(rng, cue.samples, 140, 700), noise(rng, cue.samples, 900, 3800)
    return snap + 0.9 * swell * low + 0.55 * swell * np.clip((time - 0.32) / 0.3, 0, 1) * high


def shut_off(rng: np.random.Generator, cue: Cue) -> Floats:
    """Turning off: one heavy clack, then a hum that sinks and dies."""
    clack = struck(at_times(cue.samples, (0.004, 0.03), (1.0, 0.6)), ring((190.0, 420.0, 1250.0), 0.02))
    time = clock(cue.samples)
    pitch = 130 + 300 * np.exp(-time / 0.22)
    turn = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    hum = (np.sin(turn) + 0.5 * np.sin(2 * turn) + 0.3 * np.sin(3 * turn)) * np.exp(-time / 0.35)
    return 1.6 * clack + 0.55 * hum + 0.02 * noise(rng, cue.samples, 200, 900)


def knock(rng: np.random.Generator, cue: Cue) -> Floats:
    """Tapping with a finger: dull and low, with what the thing answers."""
    hit = struck(at_times(cue.samples, (0.003,), (1.0,)), ring((165.0, 290.0), 0.024))
    return 2.2 * hit + _answer(rng, cue, 0.003)


def click(rng: np.random.Generator, cue: Cue) -> Floats:
    """A lid snapping: two hard bright clicks, with what the thing answers."""
    hits = at_times(cue.samples, (0.003, 0.032), (0.7, 1.0))
    snap = struck(hits, noise(rng, 320, 1800, 9000) * np.exp(-np.arange(320) / 60.0))
    return 1.3 * snap + _answer(rng, cue, 0.032)


def _answer(rng: np.random.Generator, cue: Cue, hit_s: float) -> Floats:
    """What follows a hit: contents jump up and settle, or the wall rings."""
    if cue.material in ("rice", "pasta"):
        settling = np.where(clock(cue.samples) > hit_s, np.exp(-(clock(cue.samples) - hit_s) / 0.07), 0.0)
        rate = 2600 if cue.material == "rice" else 260
        return 0.8 * struck(grains(rng, cue.samples, rate, settling), body(cue.material))
    return 1.1 * struck(at_times(cue.samples, (hit_s,), (1.0,)), body(cue.material))


def sizzle(rng: np.random.Generator, cue: Cue) -> Floats:
    """Frying: a bright hiss with crackles."""
    hiss = noise(rng, cue.samples, 3200, 12500) * (0.55 + 0.45 * wander(rng, cue.samples, 5))
    crackle = struck(grains(rng, cue.samples, 70), ring((4100.0, 6800.0, 9300.0), 0.0022))
    spit = struck(grains(rng, cue.samples, 6), ring((1500.0, 2700.0), 0.006))
    return 0.6 * hiss + 1.5 * crackle + 1.5 * spit


def bubbling(rng: np.random.Generator, cue: Cue) -> Floats:
    """Boiling: low bubbles and a lid that trembles."""
    bubbles = np.zeros(cue.samples)
    for pitch in (130.0, 175.0, 230.0, 300.0, 390.0, 500.0):
        bubbles += struck(grains(rng, cue.samples, 9), ring((pitch,), 0.04, glide=0.7))
    tremble = struck(grains(rng, cue.samples, 14, wander(rng, cue.samples, 4) ** 2), body(cue.material))
    return bubbles + 0.25 * noise(rng, cue.samples, 90, 420) + 0.22 * tremble


def chopping(rng: np.random.Generator, cue: Cue) -> Floats:
    """Chopping: a knock on the board at every stroke, before it the crunch of the cut."""
    count = int(cue.samples / SAMPLE_RATE / cue.period_s) + 2
    # The knife meets the board half-way through each stroke.
    hits_s = ((0.5 - cue.phase) % 1.0 + np.arange(count)) * cue.period_s
    force = rng.uniform(0.75, 1.0, count)
    board = struck(at_times(cue.samples, hits_s, force), ring((205.0, 395.0, 660.0), 0.026))
    length_s, low, high = (0.035, 2200, 9000) if cue.material == "crisp" else (0.06, 700, 3000)
    span = int(length_s * SAMPLE_RATE)
    crunch = noise(rng, span, low, high) * np.hanning(span)
    return 2.0 * board + 0.9 * struck(at_times(cue.samples, hits_s - length_s * 0.7, force), crunch)


def running_water(rng: np.random.Generator, cue: Cue) -> Floats:
    """Washing: water from the tap, splashing with every rub."""
    flow = noise(rng, cue.samples, 600, 8500)
    splash = noise(rng, cue.samples, 1200, 5200) * strokes(cue.samples, cue.period_s, cue.phase, 2.0)
    return flow + 0.8 * splash + 0.35 * body_hit(rng, cue, 4)


def sliding(rng: np.random.Generator, cue: Cue) -> Floats:
    """Opening: a drawer rolls and its cutlery jingles; a cupboard door creaks."""
    path = np.sin(np.pi * np.linspace(0, 1, cue.samples)) ** 0.6
    if cue.material == "cutlery":
        rumble = noise(rng, cue.samples, 110, 520) * path
        return rumble + 0.5 * struck(grains(rng, cue.samples, 55, path), body("cutlery"))
    rate = 55 + 60 * np.sin(np.pi * np.linspace(0, 1.6, cue.samples)) ** 2
    teeth = np.diff(np.floor(np.cumsum(rate) / SAMPLE_RATE), prepend=0.0)
    creak = struck(teeth, ring((640.0, 1290.0, 2150.0), 0.008)) * path
    return creak + 0.05 * noise(rng, cue.samples, 200, 900) * path


def slam(rng: np.random.Generator, cue: Cue) -> Floats:
    """Closing: the way back, quieter, and a thud where it stops."""
    quiet = 0.45 * sliding(rng, cue)
    stop_s = 0.72 * cue.samples / SAMPLE_RATE
    quiet[int(stop_s * SAMPLE_RATE) :] *= 0.05
    thud = struck(at_times(cue.samples, (stop_s,), (1.0,)), ring((92.0, 160.0, 270.0), 0.045))
    after = struck(at_times(cue.samples, stop_s + np.array((0.0, 0.02, 0.05)), (0.6, 0.4, 0.3)), body(cue.material))
    return quiet + 3.0 * thud + 0.6 * after


def rattle(rng: np.random.Generator, cue: Cue) -> Floats:
    """Shaking: the contents hit both ends, twice a period."""
    beat = strokes(cue.samples, cue.period_s / 2, 2 * cue.phase, 3.0)
    if cue.material == "rice":
        return struck(grains(rng, cue.samples, 5000, beat), body("rice"))
    if cue.material == "pasta":
        return struck(grains(rng, cue.samples, 420, beat), body("pasta"))
    inside = 150 if cue.material == "tin" else 240
    return struck(grains(rng, cue.samples, inside, beat), body(cue.material))


TIMBRES: dict[str, Timbre] = {
    "liquid": liquid,
    "grains": dry_grains,
    "swish": swish,
    "scraping": scraping,
    "ignition": ignition,
    "shut-off": shut_off,
    "knock": knock,
    "click": click,
    "sizzle": sizzle,
    "bubbling": bubbling,
    "chopping": chopping,
    "running-water": running_water,
    "sliding": sliding,
    "slam": slam,
    "rattle": rattle,
}
