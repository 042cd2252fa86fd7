"""Hands with forearms and sleeves, seen from their owner's side. Right hands; left ones are mirrored.

Drawn pointing up from the middle of the palm, the arm going down out of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from mravff_core.kitchen.paint import Canvas, Color, Points, Sprite, arc, darker, hull, lighter, mixed, rounded, smooth
from mravff_core.kitchen.palette import Palette

POSES = ("grip", "index", "flat", "open")
_ZOOM = 0.88
INDEX_TIP = (-11.0 * _ZOOM, -51.0 * _ZOOM)
KNUCKLES = (0.0, -22.0 * _ZOOM)
FINGERS = (0.0, -34.0 * _ZOOM)

_SIZE, _ANCHOR = (140, 540), (66.0, 74.0)

# Fingers of each pose: root, tip, radii; little finger first so that nearer ones lie on top.
_FINGERS: dict[str, tuple[tuple[tuple[float, float], tuple[float, float], tuple[float, float]], ...]] = {
    "open": (
        ((13.0, -12.0), (24.0, -40.0), (5.0, 4.2)),
        ((5.5, -15.0), (10.0, -52.0), (5.4, 4.5)),
        ((-3.0, -16.0), (-4.0, -55.0), (5.5, 4.6)),
        ((-11.5, -13.0), (-18.0, -47.0), (5.3, 4.5)),
    ),
    "flat": (
        ((12.0, -12.0), (13.5, -36.0), (5.0, 4.4)),
        ((4.5, -15.0), (5.0, -45.0), (5.4, 4.7)),
        ((-4.0, -16.0), (-4.5, -48.0), (5.5, 4.8)),
        ((-12.0, -13.0), (-13.5, -42.0), (5.3, 4.6)),
    ),
    "grip": (
        ((12.0, -10.0), (11.5, -14.0), (5.6, 5.2)),
        ((4.5, -12.0), (4.2, -18.0), (6.0, 5.6)),
        ((-4.0, -12.5), (-4.0, -19.5), (6.1, 5.7)),
        ((-12.0, -10.0), (-12.0, -16.5), (5.9, 5.4)),
    ),
    "index": (
        ((12.0, -10.0), (11.5, -13.0), (5.6, 5.2)),
        ((4.5, -12.0), (4.2, -17.0), (6.0, 5.6)),
        ((-3.0, -12.5), (-3.5, -18.0), (6.1, 5.7)),
        ((-11.0, -12.0), (-11.0, -47.0), (5.6, 4.6)),
    ),
}
_THUMBS = {
    "open": ((-15.0, 10.0), (-34.0, -12.0), (6.6, 5.0)),
    "flat": ((-15.0, 10.0), (-24.0, -14.0), (6.6, 5.2)),
    "grip": ((-14.0, 9.0), (-17.0, -9.0), (6.8, 5.6)),
    "index": ((-13.0, 10.0), (-8.0, -7.0), (6.6, 5.2)),
}


def paint_hands(palette: Palette) -> dict[tuple[str, str], Sprite]:
    """Sprites by (side, pose), sides being "right" and "left", each with its soft shadow."""
    made = {}
    for pose in POSES:
        right = _hand(palette, pose)
        flipped = np.ascontiguousarray(right.pixels[:, ::-1])
        made["right", pose] = _shadowed(right)
        made["left", pose] = _shadowed(Sprite(flipped, (flipped.shape[1] - right.anchor[0], right.anchor[1])))
    return made


def _shadowed(hand: Sprite) -> Sprite:
    """Put under a hand the shadow that it casts to the lower right."""
    dark = cv2.GaussianBlur(hand.pixels[..., 3], (0, 0), 4)
    dark = cv2.warpAffine(dark, np.array([[1.0, 0, 8], [0, 1.0, 10]]), dark.shape[::-1])
    left_over = dark.astype(np.float32) * 0.22 * (255 - hand.pixels[..., 3]) / 255
    pixels = hand.pixels + np.rint(left_over[..., None] * (40 / 255, 24 / 255, 24 / 255, 1.0)).astype(np.uint8)
    return Sprite(pixels, hand.anchor)


def _hand(palette: Palette, pose: str) -> Sprite:
    sheet = Canvas(_SIZE, _ANCHOR, scale=3)
    skin = palette.skin
    line = mixed(darker(skin, 0.28), (150, 60, 50), 0.15)
    _outlined(sheet, hull((0, 20), (0, 66), (13.5, 15.5)), skin, line)
    _outlined(sheet, hull(*_THUMBS[pose]), skin, line)
    palm = smooth([(-17, -15), (0, -18), (17, -14), (19, 4), (14, 27), (-14, 27), (-20, 6)], 2)
    for root, tip, radii in _FINGERS[pose]:
        _outlined(sheet, hull(root, tip, radii), skin, line)
        if tip[1] < -30:
            _nail(sheet, root, tip, radii[1], skin)
    sheet.polygon(palm, skin)
    _knuckles(sheet, pose, skin, line)
    sheet.polygon(hull((0, 18), (0, 44), (11.5, 13.0)), skin)
    sheet.polygon(
        smooth([(10, -10), (19, 2), (15, 26), (15, 66), (9, 66), (8, 24), (12, 4)], 2), line, 0.16, inside=True
    )
    if pose in ("grip", "index"):
        _outlined(sheet, hull(*_THUMBS[pose]), skin, line)
        sheet.ellipse((_THUMBS[pose][1][0] - 1, _THUMBS[pose][1][1] - 1), (3.0, 3.4), lighter(skin, 0.35))
        sheet.polygon(hull((-11, 12), (-6, 16), (7, 7)), skin)
    _sleeve(sheet, palette.sleeve)
    return sheet.sprite(palette.light, _ZOOM)


def _outlined(sheet: Canvas, outline: Points, fill: Color, line: Color) -> None:
    sheet.polygon(outline, fill)
    sheet.stroke(outline, 1.1, line, closed=True)


def _nail(sheet: Canvas, root: tuple[float, float], tip: tuple[float, float], radius: float, skin: Color) -> None:
    along = np.subtract(tip, root) / np.hypot(*np.subtract(tip, root))
    middle = np.asarray(tip) + along * radius * 0.15
    sheet.polygon(hull(tuple(middle - along * 1.6), tuple(middle + along * 1.6), (2.5, 2.3)), lighter(skin, 0.42))


def _knuckles(sheet: Canvas, pose: str, skin: Color, line: Color) -> None:
    for root, _, _ in _FINGERS[pose]:
        sheet.stroke(arc((root[0], root[1] + 3.5), (3.4, 2.2), (200, 340)), 0.9, line, 0.7)
        sheet.ellipse((root[0] - 0.5, root[1] + 6.5), (3.2, 2.4), lighter(skin, 0.25), 0.5)


def _sleeve(sheet: Canvas, color: Color) -> None:
    arm = [(-20, 58), (20, 58), (38, 470), (-38, 470)]
    sheet.polygon(arm, color)
    sheet.polygon([(6, 58), (20, 58), (38, 470), (14, 470)], darker(color, 0.5), 0.22, inside=True)
    sheet.polygon([(-20, 58), (-14, 58), (-27, 470), (-38, 470)], (255, 255, 255), 0.18, inside=True)
    for y, bend in ((92, 7), (128, -6), (176, 8)):
        sheet.stroke([(-13, y), (-2, y + bend), (11, y + bend * 0.4)], 1.4, darker(color, 0.28), 0.5)
    sheet.polygon(rounded((-22, 50), (44, 17), 5), lighter(color, 0.22))
    sheet.polygon(rounded((6, 50), (16, 17), 5), darker(color, 0.5), 0.18, inside=True)
    sheet.stroke([(-21, 66.5), (21, 66.5)], 1.1, darker(color, 0.25), 0.7)
