"""Colours, light and arrangement of one clip's kitchen, all from its decor seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mravff_core.kitchen.paint import Color

# Wall tiles, cabinets, wood, two accents: combinations that go together.
_THEMES: tuple[tuple[Color, Color, Color, Color, Color], ...] = (
    ((196, 214, 200), (58, 92, 88), (205, 152, 98), (224, 122, 82), (240, 196, 96)),
    ((236, 222, 200), (62, 84, 112), (186, 128, 82), (206, 90, 78), (104, 156, 168)),
    ((188, 208, 220), (84, 72, 96), (214, 166, 112), (236, 170, 84), (216, 102, 100)),
    ((238, 208, 196), (120, 78, 66), (198, 146, 100), (92, 142, 126), (238, 188, 108)),
    ((226, 226, 214), (74, 106, 78), (176, 118, 74), (222, 144, 70), (120, 150, 190)),
    ((206, 200, 222), (66, 78, 122), (208, 158, 110), (228, 132, 116), (248, 206, 120)),
)
_SKIN: tuple[Color, ...] = (
    (255, 219, 190), (241, 194, 156), (224, 172, 128), (198, 138, 98), (150, 98, 68), (108, 70, 50),
)  # fmt: skip
_SLEEVES: tuple[Color, ...] = (
    (214, 88, 76), (66, 116, 152), (236, 182, 82), (104, 146, 98), (134, 92, 142), (238, 236, 226), (72, 80, 96),
)  # fmt: skip
# Sky above and below, and the colour of the light, for morning, noon and evening.
_HOURS: tuple[tuple[Color, Color, tuple[float, float, float]], ...] = (
    ((170, 212, 236), (252, 236, 204), (1.02, 0.995, 0.95)),
    ((132, 194, 236), (222, 240, 246), (1.0, 1.0, 0.985)),
    ((238, 168, 128), (254, 222, 160), (1.03, 0.96, 0.89)),
)


@dataclass(frozen=True)
class Palette:
    """What varies from clip to clip in looks.

    Attributes:
        light: factor for red, green and blue.
        square_tiles, sun, extras, jitter: arrangement; `jitter` holds small shifts in pixels.
    """

    tile: Color
    cabinet: Color
    wood: Color
    accent: Color
    second: Color
    skin: Color
    sleeve: Color
    sky_top: Color
    sky_low: Color
    light: tuple[float, float, float]
    square_tiles: bool
    sun: float
    extras: int
    jitter: tuple[float, ...]


def palette_of(decor: int) -> Palette:
    """The looks of a clip."""
    rng = np.random.default_rng([decor, 0])
    tile, cabinet, wood, accent, second = _THEMES[rng.integers(len(_THEMES))]
    if rng.uniform() < 0.5:
        accent, second = second, accent
    sky_top, sky_low, light = _HOURS[rng.integers(len(_HOURS))]
    brightness = rng.uniform(0.96, 1.02)
    return Palette(
        tile=_varied(tile, rng, 8),
        cabinet=_varied(cabinet, rng, 8),
        wood=_varied(wood, rng, 8),
        accent=accent,
        second=second,
        skin=_SKIN[rng.integers(len(_SKIN))],
        sleeve=_SLEEVES[rng.integers(len(_SLEEVES))],
        sky_top=sky_top,
        sky_low=sky_low,
        light=(light[0] * brightness, light[1] * brightness, light[2] * brightness),
        square_tiles=bool(rng.uniform() < 0.4),
        sun=float(rng.uniform(0.15, 0.85)),
        extras=int(rng.integers(2**31)),
        jitter=tuple(float(value) for value in rng.uniform(-1, 1, 24)),
    )


def _varied(color: Color, rng: np.random.Generator, spread: int) -> Color:
    values = np.clip(np.asarray(color) + rng.integers(-spread, spread + 1, 3), 0, 255)
    return int(values[0]), int(values[1]), int(values[2])
