"""Things that stand about: pans, pots, cups, the kettle, boxes. Drawn from the middle of their foot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mravff_core.kitchen.paint import Canvas, Color, Sprite, arc, darker, hull, lighter, mixed, smooth
from mravff_core.kitchen.palette import Palette

_CREAM: Color = (250, 244, 232)
_DARK: Color = (58, 58, 66)


@dataclass(frozen=True)
class Thing:
    """Sprites of one look.

    Attributes:
        whole: with its shadow, as it stands.
        front: the part that hides what is inside it, if anything can be.
    """

    whole: Sprite
    front: Sprite | None = None


def paint_things(palette: Palette) -> dict[str, Thing]:
    """All loose things of a clip by look."""
    return {
        "pan": _pan(palette),
        "pot": _pot(palette),
        "bowl": _bowl(palette),
        "cup": _cup(palette),
        "plate": Thing(paint_plate(palette, shadow=True)),
        "kettle": _kettle(palette),
        "canister": _canister(palette),
        "box": _box(palette),
    }


@dataclass(frozen=True)
class _Shape:
    """A round open vessel seen from a little above: rim and foot radii, height, rim's flatness."""

    rim: float
    foot: float
    height: float
    flat: float = 0.28
    belly: float = 0.5

    def wall(self) -> np.ndarray:
        """Outline of the outside that faces us."""
        share = np.linspace(0, 1, 12)
        side = self.rim + (self.foot - self.rim) * share ** (1 / max(self.belly, 0.1) if self.belly < 0.5 else 1.0)
        if self.belly > 0.5:
            side = self.foot + (self.rim - self.foot) * np.sqrt(np.clip(1 - share**2, 0, 1))
        down = np.stack([side, -self.height * (1 - share)], axis=1)
        rim = arc((0, -self.height), (self.rim, self.rim * self.flat), (180, 0))
        foot = arc((0, -self.foot * self.flat * 0.5), (self.foot, self.foot * self.flat), (20, 160))
        return np.concatenate([rim, down[:-1], foot, (down * (-1, 1))[:-1][::-1]])


def _vessel(size: tuple[int, int], anchor: tuple[float, float], shape: _Shape, color: Color, inside: Color,
            filling: Color | None, handles: str, light: tuple[float, float, float]) -> Thing:  # fmt: skip
    whole, front = Canvas(size, anchor), Canvas(size, anchor)
    whole.shadow((5, 1), (shape.foot + 6, shape.foot * shape.flat + 2), 0.42, 3)
    _handles(whole, shape, color, handles)
    whole.ellipse((0, -shape.height), (shape.rim, shape.rim * shape.flat), inside)
    whole.ellipse((0, -shape.height + 2.5), (shape.rim - 3, shape.rim * shape.flat - 1.5), darker(inside, 0.18))
    if filling is not None:
        whole.ellipse((0, -shape.height + 4.5), (shape.rim - 5, shape.rim * shape.flat - 3.5), filling)
        whole.ellipse((-shape.rim * 0.25, -shape.height + 4), (shape.rim * 0.3, 1.6), lighter(filling, 0.35), 0.8)
    _outside(whole, shape, color)
    _outside(front, shape, color)
    return Thing(whole.sprite(light), front.sprite(light))


def _outside(sheet: Canvas, shape: _Shape, color: Color) -> None:
    """The wall of a vessel, lit from the left, without what lies behind its near rim."""
    body = Canvas(sheet.size, sheet.anchor, sheet.scale)
    rim = arc((0, -shape.height), (shape.rim, shape.rim * shape.flat), (180, 0))
    body.polygon(np.concatenate([rim * (1, 1), shape.wall()[len(rim) :]]), color)
    body.fade(
        (-shape.rim, -shape.height - 14),
        (shape.rim * 0.9, shape.height + 30),
        (255, 252, 240),
        (0.30, 0.0),
        across=True,
    )
    body.fade((0, -shape.height - 14), (shape.rim + 1, shape.height + 30), (40, 22, 30), (0.0, 0.30), across=True)
    near = np.concatenate([arc((0, -shape.height), (shape.rim, shape.rim * shape.flat), (0, 180)),
                           arc((0, -shape.height + 3), (shape.rim, shape.rim * shape.flat), (180, 0))])  # fmt: skip
    body.polygon(near, lighter(color, 0.45))
    _erase_inside(body, shape)
    sheet.lay(body)


def _erase_inside(body: Canvas, shape: _Shape) -> None:
    """Cut the opening out of the wall's drawing."""
    hole = Canvas(body.size, body.anchor, body.scale)
    hole.ellipse((0, -shape.height - 0.8), (shape.rim - 0.6, shape.rim * shape.flat - 0.4), (255, 255, 255))
    body.cut(hole)


def _handles(sheet: Canvas, shape: _Shape, color: Color, kind: str) -> None:
    if kind == "loops":
        for side in (-1, 1):
            sheet.stroke(arc((side * (shape.rim + 2), -shape.height + 12), (9, 6)), 4, darker(color, 0.3), closed=True)
    elif kind == "cup":
        sheet.stroke(arc((shape.rim - 1, -shape.height * 0.52), (8, 8.5)), 3.6, darker(color, 0.12), closed=True)
    elif kind == "pan":
        sheet.limb((shape.rim - 4, -shape.height + 8), (90, 13), (5, 4), _DARK)
        sheet.limb((shape.rim + 14, 0), (88, 11.5), (2.0, 1.4), lighter(_DARK, 0.25))
        sheet.ellipse((87, 12), (1.6, 1.6), (20, 20, 24))


def _pan(palette: Palette) -> Thing:
    steel = mixed((150, 154, 160), palette.cabinet, 0.18)
    return _vessel((160, 60), (52, 36), _Shape(44, 38, 17, 0.30), steel, darker(steel, 0.25),
                   (206, 156, 84), "pan", palette.light)  # fmt: skip


def _pot(palette: Palette) -> Thing:
    return _vessel((124, 90), (60, 68), _Shape(38, 35, 46, 0.28), palette.accent, lighter(palette.accent, 0.55),
                   (196, 98, 62), "loops", palette.light)  # fmt: skip


def _bowl(palette: Palette) -> Thing:
    return _vessel((90, 64), (42, 48), _Shape(33, 13, 32, 0.28, 0.9), _CREAM, darker(_CREAM, 0.06),
                   (232, 206, 150), "none", palette.light)  # fmt: skip


def _cup(palette: Palette) -> Thing:
    return _vessel((66, 60), (24, 46), _Shape(17, 12.5, 31, 0.30), palette.second, lighter(palette.second, 0.5),
                   (122, 82, 60), "cup", palette.light)  # fmt: skip


def paint_plate(palette: Palette, *, shadow: bool) -> Sprite:
    """A plate lying flat, or held, in cream with a coloured ring."""
    sheet = Canvas((96, 48), (46, 26))
    if shadow:
        sheet.shadow((3, 4), (38, 12), 0.36, 3)
    sheet.ellipse((0, 2.5), (38, 14), darker(_CREAM, 0.18))
    sheet.ellipse((0, 0), (38, 14), _CREAM)
    sheet.stroke(arc((0, 0), (33, 11.6)), 1.6, palette.second, closed=True)
    sheet.ellipse((0, 0.6), (25, 8.6), darker(_CREAM, 0.07))
    sheet.ellipse((0, 1.6), (24, 7.6), lighter(_CREAM, 0.3))
    return sheet.sprite(palette.light)


def _kettle(palette: Palette) -> Thing:
    sheet = Canvas((110, 106), (52, 88))
    color = lighter(palette.cabinet, 0.12)
    sheet.shadow((5, 0), (34, 8), 0.42, 3)
    sheet.stroke(arc((0, -56), (25, 27), (185, 355)), 5, _DARK)
    sheet.polygon(smooth([(-24, -28), (-46, -46), (-40, -50), (-24, -42)], 2), darker(color, 0.12))
    body = Canvas(sheet.size, sheet.anchor)
    body.polygon(smooth([(-18, -58), (18, -58), (33, -30), (32, 0), (22, 5), (-22, 5), (-32, 0), (-33, -30)], 3), color)
    body.fade((-34, -64), (34, 74), (255, 252, 240), (0.34, 0.0), across=True)
    body.fade((0, -64), (34, 74), (30, 16, 26), (0.0, 0.32), across=True)
    sheet.lay(body)
    sheet.ellipse((0, -56), (16, 4.5), lighter(color, 0.2))
    sheet.limb((0, -61), (0, -64), (3.5, 4.2), _DARK)
    sheet.box((10, -23), (16, 14), (40, 44, 52), 4)
    sheet.ellipse((18, -16), (4.2, 4.2), palette.second)
    return Thing(sheet.sprite(palette.light))


def _canister(palette: Palette) -> Thing:
    sheet = Canvas((64, 88), (29, 74))
    color = lighter(palette.accent, 0.25)
    sheet.shadow((5, 0), (20, 6), 0.42, 3)
    body = Canvas(sheet.size, sheet.anchor)
    body.polygon(np.concatenate([arc((0, -50), (18, 5), (180, 360)), arc((0, 0), (18, 5), (0, 180))]), color)
    body.polygon(np.concatenate([arc((0, -34), (18, 5), (0, 180))[::-1], arc((0, -12), (18, 5), (0, 180))]), _CREAM)
    body.fade((-18, -58), (16, 66), (255, 252, 240), (0.32, 0.0), across=True)
    body.fade((-2, -58), (21, 66), (40, 20, 26), (0.0, 0.30), across=True)
    sheet.lay(body)
    for y, radius in ((-22, 4.5), (-15, 2.5)):
        sheet.ellipse((0, y), (radius, radius * 0.9), palette.accent)
    lid = darker(palette.wood, 0.12)
    sheet.polygon(np.concatenate([arc((0, -56), (19, 5.2), (180, 360)), arc((0, -50), (19, 5.2), (0, 180))]), lid)
    sheet.ellipse((0, -56), (19, 5.2), lighter(lid, 0.28))
    return Thing(sheet.sprite(palette.light))


def _box(palette: Palette) -> Thing:
    sheet = Canvas((72, 96), (32, 82))
    color = lighter(palette.second, 0.15)
    sheet.shadow((6, 0), (25, 6), 0.42, 3)
    sheet.polygon([(-20, -58), (14, -58), (14, 4), (-20, 4)], color)
    sheet.polygon([(14, -58), (22, -63), (22, -2), (14, 4)], darker(color, 0.26))
    sheet.polygon([(-20, -58), (-12, -63), (22, -63), (14, -58)], lighter(color, 0.4))
    sheet.box((-20, -44), (34, 24), _CREAM)
    sheet.ellipse((-3, -32), (8, 8), darker(color, 0.12))
    sheet.polygon(hull((-7, -30), (1, -34), (2.2, 2.2)), _CREAM)
    for y in (-14, -9, -4):
        sheet.box((-14, y), (22 if y < -5 else 13, 2), darker(color, 0.22), 1)
    return Thing(sheet.sprite(palette.light))
