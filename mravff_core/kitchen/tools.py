"""What hands hold. Drawn from the point where it is gripped, in the attitude that has angle 0."""

from __future__ import annotations

import numpy as np

from mravff_core.kitchen.paint import Canvas, Color, Sprite, arc, darker, hull, lighter, smooth
from mravff_core.kitchen.palette import Palette
from mravff_core.kitchen.vessels import paint_plate

_STEEL: Color = (206, 212, 218)
_CREAM: Color = (250, 244, 232)

JUG_SPOUT = (-63.0, -25.0)
SPOON_TIP = (0.0, 78.0)
KNIFE_EDGE = (-48.0, 12.0)


def paint_tools(palette: Palette) -> dict[str, Sprite]:
    """All tools of a clip by name."""
    return {
        "jug": _jug(palette),
        "spoon": _spoon(palette),
        "knife": _knife(palette),
        "lid-pan": _lid(palette, 46.0),
        "lid-pot": _lid(palette, 40.0),
        "cloth": _cloth(palette),
        "sponge": _sponge(palette),
        "held-plate": paint_plate(palette, shadow=False),
        "held-carrot": _carrot(palette),
        "held-onion": _onion(palette),
        "carrot": _carrot(palette),
        "onion": _onion(palette),
        "slice-carrot": _slice(palette, (244, 150, 62), (252, 186, 96)),
        "slice-onion": _slice(palette, (222, 176, 208), (248, 236, 242)),
        "steam": _steam(),
        "water": _water(),
        "drop": _drop(),
    }


def _jug(palette: Palette) -> Sprite:
    """An opaque jug: what comes out of it cannot be seen."""
    sheet = Canvas((96, 90), (74, 40))
    color = lighter(palette.second, 0.5)
    sheet.stroke(arc((-9, 2), (12, 17)), 5.5, darker(color, 0.18), closed=True)
    outline = [
        (-50, -21),
        (-42, -24),
        (-14, -24),
        (-13, -8),
        (-8, 22),
        (-14, 32),
        (-38, 32),
        (-44, 22),
        (-41, -4),
        (-44, -14),
    ]
    body = Canvas(sheet.size, sheet.anchor)
    body.polygon(smooth(outline, 2), color)
    body.fade((-50, -26), (20, 62), (255, 252, 244), (0.35, 0.0), across=True)
    body.fade((-30, -26), (24, 62), (50, 26, 30), (0.0, 0.28), across=True)
    sheet.pixels[...] = body.pixels + (sheet.pixels * (255 - body.pixels[..., 3:].astype(np.uint16)) // 255).astype(
        np.uint8
    )
    sheet.polygon(smooth([(-48, -20), (-40, -23), (-15, -23), (-17, -19), (-40, -18)], 1), darker(color, 0.3))
    sheet.box((-40, 6), (26, 5), palette.accent, 0, 0.85, inside=True)
    sheet.box((-40, 13), (26, 2.4), palette.accent, 0, 0.85, inside=True)
    return sheet.sprite(palette.light, 1.26)


def _spoon(palette: Palette) -> Sprite:
    sheet = Canvas((30, 130), (15, 34))
    wood = darker(palette.wood, 0.06)
    sheet.polygon(hull((0, -28), (0, 62), (2.6, 3.2)), wood)
    sheet.ellipse((0, 72), (8.5, 12), wood)
    sheet.ellipse((-1, 73), (5.5, 8.5), darker(wood, 0.16))
    sheet.stroke([(-1, -26), (-1, 58)], 1.2, lighter(wood, 0.35), 0.8)
    return sheet.sprite(palette.light)


def _knife(palette: Palette) -> Sprite:
    sheet = Canvas((112, 40), (90, 16))
    sheet.polygon([(-10, -7), (-66, -7), (-84, 0), (-88, 11), (-10, 12)], _STEEL)
    sheet.polygon([(-10, 7), (-87, 7.5), (-88, 11), (-10, 12)], lighter(_STEEL, 0.6))
    sheet.polygon([(-10, -7), (-66, -7), (-70, -5), (-10, -5)], darker(_STEEL, 0.2))
    sheet.polygon(hull((-10, -1), (14, 0), (6, 5)), (64, 50, 46))
    for x in (-4, 4):
        sheet.ellipse((x, -1), (1.3, 1.3), _STEEL)
    return sheet.sprite(palette.light)


def _lid(palette: Palette, radius: float) -> Sprite:
    """A metal lid seen from above and in front; gripped at its knob."""
    sheet = Canvas((108, 62), (54, 20))
    flat = radius * 0.29
    sheet.ellipse((0, 22), (radius, flat), darker(_STEEL, 0.35))
    dome = np.concatenate([arc((0, 20), (radius, 15), (180, 360)), arc((0, 20), (radius, flat), (0, 180))])
    sheet.polygon(dome, darker(_STEEL, 0.08))
    sheet.fade((-radius, 0), (radius, 40), (255, 255, 255), (0.45, 0.0), across=True)
    sheet.fade((0, 0), (radius, 40), (40, 36, 50), (0.0, 0.30), across=True)
    sheet.stroke(arc((0, 20), (radius - 3, flat - 1.5), (10, 170)), 1.2, (255, 255, 255), 0.5)
    sheet.polygon(hull((0, 5), (0, 0), (4, 6)), (60, 56, 62))
    return sheet.sprite(palette.light)


def _cloth(palette: Palette) -> Sprite:
    sheet = Canvas((84, 56), (42, 30))
    outline = smooth([(-36, -8), (-18, -20), (6, -16), (30, -20), (37, 2), (28, 18), (4, 15), (-20, 21), (-35, 9)], 2)
    sheet.polygon(np.add(outline, (1, 3)), darker(palette.accent, 0.35), 0.5)
    sheet.polygon(outline, lighter(palette.accent, 0.42))
    for x in (-24, -10, 4, 18):
        sheet.polygon([(x, -24), (x + 4, -24), (x + 8, 24), (x + 4, 24)], palette.accent, 0.5, inside=True)
    for y in (-10, 5):
        sheet.polygon([(-40, y), (40, y - 3), (40, y + 1), (-40, y + 4)], palette.accent, 0.5, inside=True)
    return sheet.sprite(palette.light)


def _sponge(palette: Palette) -> Sprite:
    sheet = Canvas((60, 40), (30, 22))
    sheet.box((-20, -8), (40, 18), (238, 206, 84), 5)
    sheet.box((-20, 4), (40, 7), (90, 150, 110), 3)
    for x, y in ((-12, -3), (-3, 0), (7, -4), (13, 0)):
        sheet.ellipse((x, y), (1.8, 1.4), (214, 178, 62))
    for x, y, radius in ((-18, 10, 5), (-9, 13, 4), (2, 12, 6), (13, 12, 4.5), (19, 8, 4)):
        sheet.ellipse((x, y), (radius, radius * 0.85), (255, 255, 255), 0.85)
    return sheet.sprite(palette.light)


def _carrot(palette: Palette) -> Sprite:
    sheet = Canvas((104, 50), (40, 27))
    for angle in (-0.5, 0.0, 0.5):
        tip = (-36 - 14 * np.cos(angle), -20 * np.sin(angle))
        sheet.limb((-26, 0), tip, (2.6, 1.4), (92, 150, 84))
    body = smooth([(-28, -9), (6, -8), (44, -2), (50, 1), (44, 4), (6, 9), (-28, 10), (-32, 0)], 2)
    sheet.polygon(body, (240, 138, 54))
    sheet.polygon(smooth([(-28, -7), (6, -6), (40, -1), (6, -2), (-28, -3)], 1), (252, 172, 92), inside=True)
    for x in (-16, -2, 14, 27):
        sheet.stroke([(x, -6 + abs(x) * 0.05), (x + 2, 2)], 1.0, (206, 106, 36), 0.8)
    return sheet.sprite(palette.light, 1.12)


def _onion(palette: Palette) -> Sprite:
    sheet = Canvas((64, 56), (32, 34))
    sheet.polygon(smooth([(-4, -27), (4, -27), (8, -18), (-8, -18)], 1), (206, 164, 104))
    sheet.ellipse((0, -4), (21, 17), (178, 86, 132))
    sheet.ellipse((-5, -7), (11, 10), (214, 138, 174), 0.7)
    for bend in (-12, -5, 3, 11):
        sheet.stroke([(0, -21), (bend, -4), (0, 13)], 0.9, (140, 60, 104), 0.5)
    return sheet.sprite(palette.light, 1.2)


def _slice(palette: Palette, rim: Color, flesh: Color) -> Sprite:
    sheet = Canvas((24, 18), (12, 9))
    sheet.ellipse((1, 2), (8, 4.6), (60, 40, 30), 0.25)
    sheet.ellipse((0, 0), (8, 4.8), rim)
    sheet.ellipse((0, -0.4), (5.8, 3.3), flesh)
    return sheet.sprite(palette.light)


def _steam() -> Sprite:
    sheet = Canvas((72, 72), (36, 36), scale=1)
    y, x = np.mgrid[-36:36, -36:36]
    weight = 0.45 * np.exp(-(x * x + y * y) / 300.0)
    sheet.pixels[...] = np.rint(255 * weight)[..., None]
    return sheet.sprite()


def _water() -> Sprite:
    """The stream from the tap."""
    sheet = Canvas((24, 64), (12, 0))
    sheet.box((-4.4, 0), (8.8, 60), (190, 222, 240), 4, 0.72)
    sheet.box((-2.6, 0), (2.2, 58), (255, 255, 255), 1, 0.75)
    sheet.box((1.8, 4), (1.1, 50), (255, 255, 255), 0.5, 0.5)
    return sheet.sprite()


def _drop() -> Sprite:
    sheet = Canvas((10, 10), (5, 5))
    sheet.ellipse((0, 0), (2.4, 2.6), (206, 232, 246), 0.85)
    sheet.ellipse((-0.6, -0.8), (0.8, 0.8), (255, 255, 255), 0.9)
    return sheet.sprite()
