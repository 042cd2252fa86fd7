"""The rows under a film's picture: true and predicted segments, gates, spectrogram, drawn on a time axis.

A row draws any stretch of time; what it draws depends only on where things stand in time, so that
pieces drawn one by one join without a seam.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mravff_core.plots.theme import Theme
from mravff_core.segments import lanes
from mravff_core.workspace import LevelGates

Pixels = NDArray[np.uint8]
LOUDNESS_DB = (-80.0, 10.0)
_BAR, _GAP = 24, 3
_MOST_LANES = 4
# The player's: Okabe and Ito 2008, with a variant for each background.
_CLASS_COLOURS = {
    "light": ("#d98c00", "#3a9fdc", "#009e73", "#d55e00", "#c2649a", "#0072b2", "#b5a300", "#7a7a7a"),
    "dark": ("#f0ae1f", "#7cc8f4", "#1fbf92", "#f07a2b", "#dd93bb", "#4a97dd", "#ede15a", "#a9a9a9"),
}
# Anchors of the published colour maps viridis and magma, evenly spaced from 0 to 1.
_VIRIDIS = ("440154", "472d7b", "3b528b", "2c728e", "21918c", "28ae80", "5ec962", "addc30", "fde725")
_MAGMA = ("000004", "1c1044", "4f127b", "812581", "b5367a", "e55064", "fb8761", "fec287", "fcfdbf")


@dataclass(frozen=True)
class Stretch:
    """A stretch of time drawn `pixels` wide."""

    start_s: float
    pixels: int
    pixels_per_s: float

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.start_s + self.pixels / self.pixels_per_s

    @property
    def times_s(self) -> NDArray[np.float64]:
        """[pixels] time at the middle of each."""
        return self.start_s + (np.arange(self.pixels, dtype=np.float64) + 0.5) / self.pixels_per_s

    def x(self, time_s: float) -> float:
        """Pixels from the left edge."""
        return (time_s - self.start_s) * self.pixels_per_s


class Row(ABC):
    """One row.

    Attributes:
        title: for the margin at its left.
        height: in pixels.
        ticks: words for the margin and the pixel, from the row's top, that each stands at.
    """

    title: str
    height: int
    ticks: tuple[tuple[str, float], ...] = ()

    @abstractmethod
    def draw(self, stretch: Stretch) -> Pixels:
        """uint8 [height, stretch.pixels, 3]."""


class SegmentRow(Row):
    """Segments of known class: outlined where they are true, filled where they are predicted.

    Args:
        title: such as `True`.
        table: `start_s, end_s, label` and, for detections, `score`, which sets how saturated a bar is.
        names: of the classes.
        theme: colours.
    """

    def __init__(self, title: str, table: pd.DataFrame, names: Sequence[str], theme: Theme) -> None:
        self._names, self._theme = names, theme
        ordered = table.sort_values(["start_s", "end_s", "label"], ignore_index=True)
        self._lanes = lanes(ordered["start_s"], ordered["end_s"])
        hidden = sum(lane >= _MOST_LANES for lane in self._lanes)
        self._table = ordered
        self.title = f"{title} +{hidden}" if hidden else title
        needed = 1 + max(self._lanes, default=0)
        self.height = 2 * _GAP + min(needed, _MOST_LANES) * (_BAR + _GAP)

    def draw(self, stretch: Stretch) -> Pixels:
        """See `Row.draw`."""
        image = Image.new("RGB", (stretch.pixels, self.height), self._theme.paper)
        draw = ImageDraw.Draw(image)
        scored = "score" in self._table
        for number, segment in enumerate(self._table.to_dict("records")):
            lane = self._lanes[number]
            if lane < _MOST_LANES and segment["end_s"] >= stretch.start_s and segment["start_s"] <= stretch.end_s:
                self._bar(draw, stretch, segment, lane, float(segment["score"]) if scored else None)
        return np.asarray(image)

    def _bar(self, draw: ImageDraw.ImageDraw, stretch: Stretch, segment: dict, lane: int, score: float | None) -> None:
        colour = class_colour(int(segment["label"]), self._theme)
        left, right = stretch.x(segment["start_s"]), stretch.x(segment["end_s"])
        box = (left, _GAP + lane * (_BAR + _GAP), max(right, left + 3) - 1, _GAP + lane * (_BAR + _GAP) + _BAR)
        paper = rgb(self._theme.paper)
        if score is None:
            fill = _mixed(colour, paper, 0.18)
            draw.rectangle(box, fill=fill, outline=colour, width=2)
        else:
            fill = _mixed(colour, paper, 0.3 + 0.7 * min(1.0, score))
            draw.rounded_rectangle(box, radius=6, fill=fill)
        name = str(self._names[int(segment["label"])])
        font = font_of(14)
        if font.getlength(name) + 10 <= right - left:
            draw.text((left + 6, box[1] + 3), name, font=font, fill=ink_on(fill))


class GateRow(Row):
    """Gates of every level, finest on top, from 0 (dark) to 1 (bright)."""

    _EACH = 14

    def __init__(self, levels: Sequence[LevelGates], theme: Theme) -> None:
        self.title = "Gates"
        self._levels, self._theme = levels, theme
        self.height = len(levels) * self._EACH + 4
        steps = [f"L{n} · {_step(level):.2g} s" for n, level in enumerate(levels)]
        self.ticks = tuple((text, 2 + (n + 0.5) * self._EACH) for n, text in enumerate(steps))

    def draw(self, stretch: Stretch) -> Pixels:
        """See `Row.draw`."""
        picture = np.full((self.height, stretch.pixels, 3), rgb(self._theme.paper), np.uint8)
        for number, level in enumerate(self._levels):
            half = _step(level) / 2
            first, last = level.times_s[0] - half, level.times_s[-1] + half
            place = np.round((stretch.times_s - level.times_s[0]) / _step(level)).astype(int)
            values = level.gates[np.clip(place, 0, len(level.gates) - 1)]
            inside = (stretch.times_s >= first) & (stretch.times_s <= last)
            line = np.where(inside[:, None], coloured(values, _VIRIDIS), rgb(self._theme.paper))
            top = 2 + number * self._EACH
            picture[top : top + self._EACH - 1] = line
        return picture


class SpectrumRow(Row):
    """Log-mel spectrogram, low frequencies at the bottom.

    Args:
        decibels: float [bands, columns].
        hop_s, start_s: seconds between columns, and where the first stands.
        frequencies_hz: [bands] centres.
        theme: colours.
    """

    height = 84

    def __init__(
        self,
        decibels: NDArray[np.float32],
        hop_s: float,
        start_s: float,
        frequencies_hz: NDArray[np.float64],
        theme: Theme,
    ) -> None:
        self.title = "Spectrum"
        low, high = LOUDNESS_DB
        self._shares = np.clip((decibels[::-1] - low) / (high - low), 0, 1)
        self._hop_s, self._start_s, self._theme = hop_s, start_s, theme
        wanted = (("4 kHz", 4000), ("1 kHz", 1000), ("100 Hz", 100))
        self.ticks = tuple((name, self._top_of(frequencies_hz, hertz)) for name, hertz in wanted)

    def draw(self, stretch: Stretch) -> Pixels:
        """See `Row.draw`."""
        bands, columns = self._shares.shape
        place = np.round((stretch.times_s - self._start_s) / self._hop_s).astype(int)
        rows = np.minimum(np.arange(self.height) * bands // self.height, bands - 1)
        values = self._shares[rows][:, np.clip(place, 0, columns - 1)]
        outside = (place < 0) | (place >= columns)
        return np.where(outside[None, :, None], rgb(self._theme.paper), coloured(values, _MAGMA)).astype(np.uint8)

    def _top_of(self, frequencies_hz: NDArray[np.float64], hertz: float) -> float:
        band = float(np.interp(hertz, frequencies_hz, np.arange(len(frequencies_hz))))
        return self.height * (1 - (band + 0.5) / len(frequencies_hz))


class RulerRow(Row):
    """Minutes and seconds."""

    title, height = "", 24

    def __init__(self, theme: Theme) -> None:
        self._theme = theme

    def draw(self, stretch: Stretch) -> Pixels:
        """See `Row.draw`."""
        image = Image.new("RGB", (stretch.pixels, self.height), self._theme.paper)
        draw = ImageDraw.Draw(image)
        every_s = next(s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 3600) if s * stretch.pixels_per_s >= 90)
        for number in range(int(stretch.start_s // every_s), int(stretch.end_s // every_s) + 1):
            x = stretch.x(number * every_s)
            draw.line((x, 16, x, 24), fill=self._theme.faint)
            draw.text((x + 4, 4), clock(number * every_s), font=font_of(13), fill=self._theme.faint)
        return np.asarray(image)


def clock(time_s: float) -> str:
    """Minutes and seconds, hours where there are any."""
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow, at a size in pixels."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def class_colour(label: int, theme: Theme) -> tuple[int, int, int]:
    """A colour per class; after all have been used they return darker, then paler."""
    palette = _CLASS_COLOURS[theme.name]
    base = rgb(palette[label % len(palette)])
    turn = label // len(palette) % 3
    return (base, _mixed(base, (0, 0, 0), 0.72), _mixed(base, (255, 255, 255), 0.66))[turn]


def ink_on(background: tuple[int, int, int]) -> str:
    """Black or white, whichever stands out more."""
    red, green, blue = background
    return "#101418" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "#ffffff"


def coloured(values: NDArray[np.floating], anchors: Sequence[str]) -> NDArray[np.uint8]:
    """Values in [0, 1] as colours [..., 3] of a map given by evenly spaced anchors."""
    table = np.array([rgb(f"#{anchor}") for anchor in anchors], np.float64)
    place = np.clip(values, 0, 1) * (len(table) - 1)
    below = np.minimum(place.astype(int), len(table) - 2)
    share = (place - below)[..., None]
    return np.round(table[below] * (1 - share) + table[below + 1] * share).astype(np.uint8)


def _step(level: LevelGates) -> float:
    return float(level.times_s[1] - level.times_s[0]) if len(level.times_s) > 1 else 1.0


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(over: tuple[int, int, int], under: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(over, under, strict=True))
    return red, green, blue
