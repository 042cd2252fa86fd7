"""Flat drawings with smooth edges: supersampled shapes made once, sprites placed every frame.

Pixels are uint8 RGBA with colour already multiplied by alpha, so that drawing over is one
multiply and one add. Points are in final pixels, x to the right and y down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]
Points = Sequence[tuple[float, float]] | NDArray[np.float64]
Pixels = NDArray[np.uint8]

_SHIFT = 4  # fixed-point bits of OpenCV's drawing calls
_STRIP = 48


@dataclass(frozen=True)
class Sprite:
    """A drawing ready to be placed.

    Attributes:
        pixels: uint8 [height, width, 4], colour multiplied by alpha.
        anchor: the point that placing refers to.
    """

    pixels: Pixels
    anchor: tuple[float, float]


class Canvas:
    """A transparent sheet to draw on, `scale` times finer than the result.

    Args:
        size: width and height of the result.
        anchor: point of the sheet that counts as (0, 0) while drawing and placing.
    """

    def __init__(self, size: tuple[int, int], anchor: tuple[float, float] = (0.0, 0.0), scale: int = 4) -> None:
        self.size, self.anchor, self.scale = size, anchor, scale
        self.pixels: Pixels = np.zeros((size[1] * scale, size[0] * scale, 4), np.uint8)

    def polygon(self, points: Points, color: Color, opacity: float = 1.0, *, inside: bool = False) -> None:
        """Fill a polygon; `inside` colours only what is painted already."""
        fixed = self._fixed(points)
        if opacity >= 1.0 and not inside:
            cv2.fillPoly(self.pixels, [fixed], (*color, 255), cv2.LINE_AA, _SHIFT)
            return
        low = np.maximum((fixed.min(axis=0) >> _SHIFT) - 1, 0)
        high = np.minimum((fixed.max(axis=0) >> _SHIFT) + 2, self.pixels.shape[1::-1])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillPoly(mask, [fixed - (low << _SHIFT).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        self._mix(low, high, mask.astype(np.float32) * (opacity / 255), color, inside)

    def ellipse(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        color: Color,
        opacity: float = 1.0,
        *,
        span: tuple[float, float] = (0.0, 360.0),
        inside: bool = False,
    ) -> None:
        """Fill an ellipse, or the part of it between two angles in degrees (0 right, 90 down)."""
        self.polygon(arc(center, radii, span), color, opacity, inside=inside)

    def box(
        self, corner: tuple[float, float], size: tuple[float, float], color: Color, radius: float = 0.0,
        opacity: float = 1.0, *, inside: bool = False,
    ) -> None:  # fmt: skip
        """Fill a rectangle with round corners."""
        self.polygon(rounded(corner, size, radius), color, opacity, inside=inside)

    def limb(
        self, start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float], color: Color
    ) -> None:
        """Fill the hull of two circles: fingers, handles, sticks."""
        self.polygon(hull(start, end, radii), color)

    def stroke(self, points: Points, width: float, color: Color, opacity: float = 1.0, *, closed: bool = False) -> None:
        """Draw a line of even width with round ends."""
        thick = max(1, round(width * self.scale))
        if opacity >= 1.0:
            cv2.polylines(self.pixels, [self._fixed(points)], closed, (*color, 255), thick, cv2.LINE_AA, _SHIFT)
            return
        fixed, margin = self._fixed(points), thick // 2 + 2
        low = np.maximum((fixed.min(axis=0) >> _SHIFT) - margin, 0)
        high = np.minimum((fixed.max(axis=0) >> _SHIFT) + margin, self.pixels.shape[1::-1])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        moved = fixed - (low << _SHIFT).astype(np.int32)
        cv2.polylines(mask, [moved], closed, 255, thick, cv2.LINE_AA, _SHIFT)
        self._mix(low, high, mask.astype(np.float32) * (opacity / 255), color, False)

    def fade(
        self, corner: tuple[float, float], size: tuple[float, float], color: Color,
        opacities: tuple[float, float], *, across: bool = False, inside: bool = True,
    ) -> None:  # fmt: skip
        """Blend a colour over a rectangle, from one opacity to another, downwards or `across`."""
        low = np.clip(self._pixel(corner), 0, self.pixels.shape[1::-1])
        high = np.clip(self._pixel((corner[0] + size[0], corner[1] + size[1])), 0, self.pixels.shape[1::-1])
        width, height = (high - low).tolist()
        if width <= 0 or height <= 0:
            return
        ramp = np.linspace(*opacities, width if across else height, dtype=np.float32)
        weight = np.broadcast_to(ramp[None, :] if across else ramp[:, None], (height, width))
        self._mix(low, high, weight, color, inside)

    def shadow(self, center: tuple[float, float], radii: tuple[float, float], opacity: float, blur: float) -> None:
        """Soft dark ellipse, as under things that stand on a table."""
        margin = 3 * blur
        low = np.clip(self._pixel((center[0] - radii[0] - margin, center[1] - radii[1] - margin)), 0, None)
        high = np.minimum(
            self._pixel((center[0] + radii[0] + margin, center[1] + radii[1] + margin)), self.pixels.shape[1::-1]
        )
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        fixed = self._fixed(arc(center, radii)) - (low << _SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
        soft = cv2.GaussianBlur(mask, (0, 0), blur * self.scale).astype(np.float32) * (opacity / 255)
        self._mix(low, high, soft, (40, 26, 20), False)

    def sprite(self, tint: tuple[float, float, float] = (1.0, 1.0, 1.0), zoom: float = 1.0) -> Sprite:
        """The finished drawing, `zoom` times as large; `tint` multiplies its colours (light)."""
        size = round(self.size[0] * zoom), round(self.size[1] * zoom)
        small = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        lit = np.minimum(small[..., :3] * np.asarray(tint, np.float32), small[..., 3:])
        anchor = self.anchor[0] * size[0] / self.size[0], self.anchor[1] * size[1] / self.size[1]
        return Sprite(np.dstack([np.rint(lit).astype(np.uint8), small[..., 3]]), anchor)

    def lay(self, other: Canvas) -> None:
        """Lay another sheet of the same size over this one."""
        keep = 255 - other.pixels[..., 3:].astype(np.uint16)
        self.pixels[...] = other.pixels + (self.pixels * keep // 255).astype(np.uint8)

    def cut(self, other: Canvas) -> None:
        """Take away what another sheet of the same size covers."""
        keep = 255 - other.pixels[..., 3:].astype(np.uint16)
        self.pixels[...] = (self.pixels * keep // 255).astype(np.uint8)

    def _mix(
        self, low: NDArray[np.int_], high: NDArray[np.int_], weight: NDArray[np.float32], color: Color, inside: bool
    ) -> None:
        part = self.pixels[low[1] : high[1], low[0] : high[0]]
        old = part.astype(np.float32)
        new = np.empty_like(old)
        new[...] = (*color, 255)
        if inside:
            new *= old[..., 3:] / 255
        part[...] = np.rint(old + (new - old) * weight[..., None])

    def _pixel(self, point: tuple[float, float]) -> NDArray[np.int_]:
        return np.round((np.asarray(point) + self.anchor) * self.scale).astype(int)

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        moved = (np.asarray(points, dtype=np.float64) + self.anchor) * (self.scale << _SHIFT)
        return np.round(moved).astype(np.int32)


def arc(
    center: tuple[float, float], radii: tuple[float, float], span: tuple[float, float] = (0.0, 360.0), count: int = 48
) -> NDArray[np.float64]:
    """Points [count, 2] along an ellipse."""
    angle = np.radians(np.linspace(*span, count))
    return np.stack([center[0] + radii[0] * np.cos(angle), center[1] + radii[1] * np.sin(angle)], axis=1)


def rounded(corner: tuple[float, float], size: tuple[float, float], radius: float) -> NDArray[np.float64]:
    """Outline of a rectangle with round corners."""
    (x, y), (w, h) = corner, size
    r = min(radius, w / 2, h / 2)
    corners = [((x + w - r, y + r), -90), ((x + w - r, y + h - r), 0), ((x + r, y + h - r), 90), ((x + r, y + r), 180)]
    return np.concatenate([arc(center, (r, r), (start, start + 90), 8) for center, start in corners])


def hull(start: tuple[float, float], end: tuple[float, float], radii: tuple[float, float]) -> NDArray[np.float64]:
    """Outline of two circles and what lies between them."""
    circles = np.concatenate([arc(start, (radii[0],) * 2, count=24), arc(end, (radii[1],) * 2, count=24)])
    return cv2.convexHull(circles.astype(np.float32))[:, 0].astype(np.float64)


def smooth(points: Points, rounds: int = 3) -> NDArray[np.float64]:
    """Cut the corners of a closed outline until it is round."""
    line = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        after = np.roll(line, -1, axis=0)
        line = np.stack([0.75 * line + 0.25 * after, 0.25 * line + 0.75 * after], axis=1).reshape(-1, 2)
    return line


def mixed(first: Color, second: Color, share: float) -> Color:
    """A colour between two."""
    values = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return values[0], values[1], values[2]


def darker(color: Color, share: float = 0.2) -> Color:
    """Towards a warm black."""
    return mixed(color, (42, 24, 24), share)


def lighter(color: Color, share: float = 0.2) -> Color:
    """Towards a warm white."""
    return mixed(color, (255, 250, 240), share)


def place(
    frame: Pixels,
    sprite: Sprite,
    at: tuple[float, float],
    *,
    angle: float = 0.0,
    stretch: tuple[float, float] = (1.0, 1.0),
    opacity: float = 1.0,
) -> None:
    """Draw a sprite over an RGB frame, its anchor at `at`, turned clockwise by `angle` radians."""
    height, width = sprite.pixels.shape[:2]
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos * stretch[0], -sin * stretch[1]], [sin * stretch[0], cos * stretch[1]]])
    shift = np.asarray(at) - turn @ np.asarray(sprite.anchor)
    corners = (np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ turn.T + shift).tolist()
    top = max(math.floor(min(y for _, y in corners)) - 1, 0)
    bottom = min(math.ceil(max(y for _, y in corners)) + 1, frame.shape[0])
    # A long leaning sprite fills little of its bounding box: go down in strips.
    step = _STRIP if height > 2 * _STRIP and abs(sin) > 0.1 else max(bottom - top, 1)
    for first in range(top, bottom, step):
        last = min(first + step, bottom)
        left, right = _extent(corners, first - 1, last + 1)
        low, high = max(math.floor(left) - 1, 0), min(math.ceil(right) + 1, frame.shape[1])
        if high <= low:
            continue
        matrix = np.array([[*turn[0], shift[0] - low], [*turn[1], shift[1] - first]])
        moved = cv2.warpAffine(sprite.pixels, matrix, (high - low, last - first), flags=cv2.INTER_LINEAR)
        if opacity < 1.0:
            moved = cv2.convertScaleAbs(moved, alpha=opacity)
        over(frame[first:last, low:high], moved)


def _extent(corners: list[list[float]], top: float, bottom: float) -> tuple[float, float]:
    """Leftmost and rightmost point of a quadrilateral between two heights."""
    found = [x for x, y in corners if top <= y <= bottom]
    x0, y0 = corners[-1]
    for x1, y1 in corners:
        for height in (top, bottom):
            if min(y0, y1) < height < max(y0, y1):
                found.append(x0 + (x1 - x0) * (height - y0) / (y1 - y0))
        x0, y0 = x1, y1
    return (min(found), max(found)) if found else (0.0, 0.0)


def over(part: Pixels, drawing: Pixels) -> None:
    """Lay RGBA (colour multiplied by alpha) over RGB of the same size, in place."""
    seen_through = cv2.bitwise_not(cv2.extractChannel(drawing, 3))
    kept = cv2.multiply(part, cv2.merge([seen_through] * 3), scale=1 / 255)
    part[...] = cv2.add(kept, cv2.cvtColor(drawing, cv2.COLOR_RGBA2RGB))
