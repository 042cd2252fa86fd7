"""The two things that open: a drawer that comes towards us and a cupboard door that swings."""

from __future__ import annotations

import numpy as np

from mravff_core.kitchen.layout import COUNTER_FRONT, Point
from mravff_core.kitchen.paint import Canvas, Color, Pixels, Sprite, arc, darker, lighter, place
from mravff_core.kitchen.palette import Palette

_BRASS: Color = (214, 178, 108)
_CREAM: Color = (250, 244, 232)
_CUPBOARD = (524.0, 6.0, 108.0, 92.0)
_DRAWER = (94.0, COUNTER_FRONT + 13, 160.0, 50.0)
_TRAVEL = 33.0
_NARROW = 0.24  # width of the open cupboard door as a share of the closed one


def handle_of(door: str, amount: float) -> Point:
    """Where the handle is when a door stands open by `amount`, 0 to 1."""
    if door == "drawer":
        return _DRAWER[0] + _DRAWER[2] / 2, _DRAWER[1] + 20 + _TRAVEL * amount
    return _CUPBOARD[0] + _CUPBOARD[2] - 97 * _stretch(amount), _CUPBOARD[1] + 58


class Doors:
    """Sprites of drawer and cupboard, drawn open by any amount."""

    def __init__(self, palette: Palette) -> None:
        self._inside = _cupboard_inside(palette)
        self._door = _cupboard_door(palette)
        self._tray = _drawer_inside(palette)
        self._front = _drawer_front(palette)

    def draw(self, frame: Pixels, door: str, amount: float) -> None:
        """Draw one door over an RGB frame, open by `amount`, 0 to 1."""
        if door == "drawer":
            if amount > 0:
                place(frame, self._tray, _DRAWER[:2])
            place(frame, self._front, (_DRAWER[0], _DRAWER[1] + _TRAVEL * amount))
            return
        place(frame, self._inside, _CUPBOARD[:2])
        place(frame, self._door, (_CUPBOARD[0] + _CUPBOARD[2], _CUPBOARD[1]), stretch=(_stretch(amount), 1.0))


def _stretch(amount: float) -> float:
    return 1.0 - (1.0 - _NARROW) * amount


def _cupboard_inside(palette: Palette) -> Sprite:
    wide, high = _CUPBOARD[2:]
    sheet = Canvas((int(wide) + 24, int(high) + 24), (12, 12))
    sheet.shadow((wide / 2, high / 2 + 5), (wide / 2 + 1, high / 2 + 1), 0.30, 4)
    sheet.box((0, 0), (wide, high), darker(palette.cabinet, 0.12), 3)
    sheet.box((5, 5), (wide - 10, high - 10), darker(palette.cabinet, 0.5), 2)
    sheet.box((5, 46), (wide - 10, 4), palette.cabinet)
    for number, x in enumerate((24, 48, 72, 92)):
        tone = (palette.accent, _CREAM, palette.second, _CREAM)[number]
        sheet.box((x - 8, 30), (16, 16), darker(tone, 0.12), 3)
    for row in range(4):
        sheet.box((14, 83 - 5 * row), (36, 4), (_CREAM, palette.second)[row % 2], 2)
    sheet.box((64, 62), (14, 25), darker(palette.accent, 0.1), 4)
    sheet.box((82, 68), (15, 19), darker(_CREAM, 0.15), 3)
    sheet.fade((5, 5), (wide - 10, 16), (16, 12, 16), (0.5, 0.0))
    return sheet.sprite(palette.light)


def _cupboard_door(palette: Palette) -> Sprite:
    """Anchored at its hinge, the upper right corner."""
    wide, high = _CUPBOARD[2:]
    sheet = Canvas((int(wide) + 2, int(high) + 2), (wide + 1, 1))
    sheet.box((-wide, 0), (wide, high), palette.cabinet, 3)
    sheet.box((-wide + 11, 11), (wide - 22, high - 22), darker(palette.cabinet, 0.12), 3)
    sheet.box((-wide + 12.5, 12.5), (wide - 25, high - 25), lighter(palette.cabinet, 0.09), 2)
    sheet.fade((-wide, 0), (wide, high), (255, 240, 210), (0.14, 0.0), across=True)
    sheet.box((-wide + 8.5, 48), (5, 20), _BRASS, 2.5)
    sheet.box((-wide + 9.5, 49), (1.6, 18), lighter(_BRASS, 0.6), 1)
    return sheet.sprite(palette.light)


def _drawer_inside(palette: Palette) -> Sprite:
    wide = _DRAWER[2]
    sheet = Canvas((int(wide), int(_TRAVEL) + 10))
    sheet.box((3, 0), (wide - 6, _TRAVEL + 10), darker(palette.wood, 0.55))
    sheet.box((8, 0), (wide - 16, _TRAVEL + 10), darker(palette.wood, 0.35))
    for number, x in enumerate(np.linspace(22, wide - 22, 9)):
        tone = (198, 204, 210) if number % 3 else lighter(palette.wood, 0.2)
        sheet.limb((x, 6), (x + 2, _TRAVEL + 8), (1.5, 1.7), tone)
        if number % 3 == 0:
            sheet.ellipse((x, 9), (4.5, 7), tone)
        elif number % 3 == 1:
            sheet.polygon(arc((x, 8), (3.5, 6)), tone)
    sheet.fade((0, 0), (wide, 26), (14, 8, 10), (0.65, 0.0))
    return sheet.sprite(palette.light)


def _drawer_front(palette: Palette) -> Sprite:
    wide, high = _DRAWER[2:]
    sheet = Canvas((int(wide), int(high) + 6))
    sheet.box((0, 0), (wide, high), palette.cabinet, 2)
    sheet.box((0, 0), (wide, 2), lighter(palette.cabinet, 0.25), 1)
    sheet.box((8, 8), (wide - 16, high - 16), lighter(palette.cabinet, 0.07), 2)
    sheet.box((wide / 2 - 22, 17), (44, 6), darker(palette.cabinet, 0.4), 3)
    sheet.box((wide / 2 - 22, 16), (44, 5), _BRASS, 2.5)
    sheet.box((wide / 2 - 20, 16.6), (40, 1.4), lighter(_BRASS, 0.6), 0.7)
    sheet.box((0, high), (wide, 5), darker(palette.cabinet, 0.5))
    return sheet.sprite(palette.light)
