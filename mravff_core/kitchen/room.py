"""The room behind the action: wall, window, shelf, counter, hob, sink, cabinets."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from mravff_core.kitchen.layout import BOARD, COUNTER_BACK, COUNTER_FRONT, HEIGHT, SINK, WIDTH
from mravff_core.kitchen.paint import Canvas, Color, arc, darker, lighter, mixed, rounded, smooth
from mravff_core.kitchen.palette import Palette

_STEEL: Color = (190, 198, 204)
_BRASS: Color = (214, 178, 108)
_WHITE: Color = (248, 244, 236)


def paint_room(palette: Palette) -> Canvas:
    """The empty kitchen; loose things are placed on it later."""
    sheet = Canvas((WIDTH, HEIGHT), scale=2)
    rng = np.random.default_rng([palette.extras, 2])
    _wall(sheet, palette, rng)
    _window(sheet, palette, rng)
    _shelf(sheet, palette, rng)
    _rail(sheet, palette)
    _counter(sheet, palette, rng)
    _hob(sheet, palette)
    _sink(sheet, palette)
    _board(sheet, palette)
    _cabinets(sheet, palette)
    _light(sheet)
    return sheet


def _wall(sheet: Canvas, palette: Palette, rng: np.random.Generator) -> None:
    wide, high = (22.0, 22.0) if palette.square_tiles else (34.0, 16.0)
    sheet.box((0, 0), (WIDTH, COUNTER_BACK + 4), darker(palette.tile, 0.10))
    for row in range(int(COUNTER_BACK / high) + 1):
        shift = 0.0 if palette.square_tiles or row % 2 else wide / 2
        for column in range(int(WIDTH / wide) + 2):
            corner = (column * wide - shift, row * high - 4)
            tone = mixed(palette.tile, lighter(palette.tile, 0.5), float(rng.uniform(0, 0.5)))
            sheet.box((corner[0] + 0.7, corner[1] + 0.7), (wide - 1.4, high - 1.4), tone, 1.5)
    sheet.fade((0, 0), (WIDTH, 70), (60, 40, 50), (0.16, 0.0))
    sheet.fade((0, COUNTER_BACK - 26), (WIDTH, 30), (60, 36, 30), (0.0, 0.22))


def _window(sheet: Canvas, palette: Palette, rng: np.random.Generator) -> None:
    left, top, wide, high = 232.0, 8.0, 150.0, 104.0
    sheet.shadow((left + wide / 2, top + high / 2 + 6), (wide / 2 + 8, high / 2 + 6), 0.22, 6)
    sheet.box((left - 7, top - 7), (wide + 14, high + 14), _WHITE, 4)
    view = Canvas((int(wide), int(high)), scale=sheet.scale)
    _view(view, palette, rng, wide, high)
    y, x = int(top * sheet.scale), int(left * sheet.scale)
    sheet.pixels[y : y + view.pixels.shape[0], x : x + view.pixels.shape[1]] = view.pixels
    sheet.box((left + wide / 2 - 2.5, top), (5, high), _WHITE)
    sheet.box((left, top + high * 0.42), (wide, 4), _WHITE)
    sheet.fade((left, top), (wide, 6), (70, 60, 60), (0.25, 0.0))
    for side in (-1, 1):
        edge = left - 6 if side < 0 else left + wide + 6
        outline = [
            (edge, top - 9),
            (edge - side * 44, top - 9),
            (edge - side * 30, 46),
            (edge - side * 6, 84),
            (edge, 90),
        ]
        sheet.polygon(smooth(outline, 2), palette.accent)
        for fold in (12.0, 24.0):
            sheet.stroke(
                [(edge - side * fold, top - 6), (edge - side * fold * 0.5, 66)], 1.2, darker(palette.accent, 0.2)
            )
    sheet.box((left - 14, top - 11), (wide + 28, 5), darker(palette.wood, 0.35), 2.5)
    sheet.box((left - 14, top + high + 4), (wide + 28, 8), _WHITE, 2)
    sheet.fade((left - 14, top + high + 12), (wide + 28, 7), (60, 40, 40), (0.20, 0.0))
    _herbs(sheet, palette, (left + wide - 26, top + high + 4), rng)


def _view(view: Canvas, palette: Palette, rng: np.random.Generator, wide: float, high: float) -> None:
    """Sky, sun, hills and a tree or two."""
    view.box((-2, -2), (wide + 4, high + 4), palette.sky_low)
    view.fade((0, 0), (wide, high), palette.sky_top, (1.0, 0.0))
    sun = (wide * palette.sun, 30.0)
    for radius, opacity in ((26, 0.18), (19, 0.3), (12, 1.0)):
        view.ellipse(sun, (radius, radius), (255, 246, 214), opacity)
    for _ in range(3):
        x, y = float(rng.uniform(0, wide)), float(rng.uniform(10, 46))
        for dx, size in ((-11.0, 5.0), (0.0, 7.0), (10.0, 5.5)):
            view.ellipse((x + dx, y), (size * 1.5, size * 0.8), (255, 255, 255), 0.75)
    far, near = mixed((120, 164, 132), palette.sky_low, 0.45), mixed((104, 150, 96), palette.sky_low, 0.12)
    view.ellipse((wide * 0.25, high + 22), (wide * 0.6, 62), far)
    view.ellipse((wide * 0.9, high + 28), (wide * 0.6, 60), near)
    for _ in range(2):
        x = float(rng.uniform(0.55, 0.95)) * wide
        view.box((x - 1.5, high - 34), (3, 16), (112, 82, 62))
        view.ellipse((x, high - 40), (9, 12), darker(near, 0.18))


def _herbs(sheet: Canvas, palette: Palette, foot: tuple[float, float], rng: np.random.Generator) -> None:
    for _ in range(15):
        angle, length = float(rng.uniform(-1.1, 1.1)), float(rng.uniform(13, 25))
        tip = (foot[0] + np.sin(angle) * length, foot[1] - 14 - np.cos(angle) * length)
        tone = mixed((84, 140, 84), (140, 180, 96), float(rng.uniform()))
        sheet.limb((foot[0], foot[1] - 12), tip, (0.8, 0.6), darker(tone, 0.2))
        sheet.ellipse(tip, (4.2, 3.2), tone)
    x, y = foot
    sheet.polygon([(x - 11, y - 16), (x + 11, y - 16), (x + 8, y), (x - 8, y)], palette.second)
    sheet.box((foot[0] - 12.5, foot[1] - 18), (25, 5), darker(palette.second, 0.12), 2)


def _shelf(sheet: Canvas, palette: Palette, rng: np.random.Generator) -> None:
    board = darker(palette.wood, 0.1)
    sheet.fade((18, 70), (184, 12), (50, 34, 40), (0.25, 0.0))
    x = 30.0
    kinds = list(rng.permutation(["plates", "jar", "books", "plant", "cups"]))
    for kind in kinds:
        x += _shelf_item(sheet, palette, str(kind), x, rng)
    sheet.box((14, 64), (190, 7), board, 2)
    sheet.box((14, 64), (190, 2), lighter(board, 0.3), 1)
    for hook, tone in ((48, palette.accent), (84, palette.second), (120, _WHITE)):
        sheet.stroke([(hook, 71), (hook, 77), (hook + 3, 79)], 1.4, _BRASS)
        sheet.stroke(arc((hook - 6, 88), (4.5, 5)), 2.2, darker(tone, 0.15))
        sheet.box((hook - 5, 79), (16, 17), tone, 3.5)
        sheet.box((hook + 6, 79), (5, 17), darker(tone, 0.14), 3.5)


def _shelf_item(sheet: Canvas, palette: Palette, kind: str, x: float, rng: np.random.Generator) -> float:
    """Put one thing on the shelf at `x`; how much room it took."""
    foot = 64.0
    if kind == "plates":
        for number, tone in enumerate((_WHITE, palette.second, _WHITE, palette.accent)):
            sheet.box((x, foot - 4 * (number + 1)), (36, 3.6), tone, 1.6)
        sheet.polygon([(x + 7, foot - 26), (x + 29, foot - 26), (x + 24, foot - 16), (x + 12, foot - 16)], palette.tile)
        return 44.0
    if kind == "jar":
        sheet.box((x, foot - 27), (17, 27), lighter(palette.second, 0.55), 4)
        sheet.box((x + 1.5, foot - 17), (14, 15.5), palette.second, 3)
        sheet.box((x - 0.5, foot - 32), (18, 6), darker(palette.wood, 0.2), 2)
        return 26.0
    if kind == "books":
        for number in range(4):
            high, tone = float(rng.uniform(24, 36)), (palette.cabinet, palette.accent, _WHITE, palette.second)[number]
            sheet.box((x + 7 * number, foot - high), (6.4, high), tone, 1)
            sheet.box(
                (x + 7 * number + 1.2, foot - high + 5), (4, 2), lighter(tone, 0.5) if number != 2 else palette.accent
            )
        return 36.0
    if kind == "plant":
        for angle in np.linspace(-1.2, 1.2, 9):
            length = float(rng.uniform(16, 26))
            tip = (x + 11 + np.sin(angle) * length * 0.8, foot - 14 - np.cos(angle) * length * 0.8)
            sheet.limb(
                (x + 11, foot - 12), tip, (2.2, 0.6), mixed((70, 128, 92), (126, 172, 104), float(rng.uniform()))
            )
        sheet.polygon([(x + 1, foot - 15), (x + 21, foot - 15), (x + 18, foot), (x + 4, foot)], _WHITE)
        return 32.0
    for number, tone in enumerate((palette.accent, _WHITE)):
        sheet.box((x + 4, foot - 13 * (number + 1)), (17, 12.4), tone, 3)
    return 28.0


def _rail(sheet: Canvas, palette: Palette) -> None:
    """Utensils on a rail between window and cupboard."""
    sheet.stroke([(410, 36), (500, 36)], 2.6, _BRASS)
    for number, x in enumerate((424.0, 446.0, 468.0, 489.0)):
        sheet.stroke([(x, 36), (x, 43)], 1.4, darker(_BRASS, 0.3))
        stick = darker(palette.wood, 0.08) if number % 2 else (150, 156, 162)
        sheet.limb((x, 43), (x, 84), (1.6, 1.9), stick)
        if number == 0:
            sheet.ellipse((x, 92), (8.5, 8), stick)
        elif number == 1:
            sheet.box((x - 6.5, 80), (13, 20), stick, 4)
        elif number == 2:
            sheet.stroke(arc((x, 91), (5, 10)), 1.2, stick)
            sheet.stroke(arc((x, 91), (2, 10)), 1.2, stick)
        else:
            sheet.ellipse((x, 91), (5.5, 9), stick)


def _counter(sheet: Canvas, palette: Palette, rng: np.random.Generator) -> None:
    high = COUNTER_FRONT - COUNTER_BACK
    sheet.box((0, COUNTER_BACK), (WIDTH, high), palette.wood)
    edges = COUNTER_BACK + high * np.array([0.0, 0.16, 0.36, 0.6, 1.0])
    for upper, lower in itertools.pairwise(edges.tolist()):
        tone = mixed(palette.wood, lighter(palette.wood, 0.6), float(rng.uniform(-0.0, 0.28)))
        sheet.box((0, upper), (WIDTH, lower - upper), tone)
        sheet.box((0, lower - 0.8), (WIDTH, 0.8), darker(palette.wood, 0.22))
        joint = float(rng.uniform(40, 600))
        sheet.box((joint, upper), (0.8, lower - upper), darker(palette.wood, 0.2))
    _grain(sheet, rng)
    sheet.fade((0, COUNTER_BACK), (WIDTH, 26), (70, 40, 24), (0.30, 0.0))
    sheet.fade((0, COUNTER_FRONT - 60), (WIDTH, 60), (255, 236, 200), (0.0, 0.12))


def _grain(sheet: Canvas, rng: np.random.Generator) -> None:
    """Long soft streaks in the wood."""
    first, last = int(COUNTER_BACK * sheet.scale), int(COUNTER_FRONT * sheet.scale)
    coarse = rng.standard_normal((last - first, 20)).astype(np.float32)
    streaks = cv2.resize(coarse, (WIDTH * sheet.scale, last - first), interpolation=cv2.INTER_CUBIC)
    streaks = cv2.GaussianBlur(streaks, (0, 0), 1.1) * 5.0
    part = sheet.pixels[first:last, :, :3]
    part[...] = np.clip(part + streaks[..., None] * np.array((1.0, 0.9, 0.8), np.float32), 0, 255)


def _hob(sheet: Canvas, palette: Palette) -> None:
    glass: Color = (46, 48, 56)
    sheet.shadow((132, 222), (108, 42), 0.28, 4)
    slab = [(42, 174), (222, 174), (238, 254), (24, 254)]
    sheet.polygon([(x, y + 4) for x, y in slab], (24, 24, 30))
    sheet.polygon(slab, glass)
    sheet.polygon([(60, 174), (128, 174), (96, 254), (40, 254)], (255, 255, 255), 0.05)
    for center, radius in (((84, 232), 46.0), ((172, 202), 39.0), ((92, 190), 22.0)):
        for share in (1.0, 0.72):
            sheet.stroke(arc(center, (radius * share, radius * share * 0.32)), 1.0, (96, 98, 108), closed=True)
    sheet.box((204, 238), (27, 11), (70, 72, 80), 5)
    sheet.ellipse((218, 243.5), (3.6, 3.0), palette.second)


def _sink(sheet: Canvas, palette: Palette) -> None:
    x, y = SINK
    sheet.shadow((x, y + 4), (82, 42), 0.22, 4)
    sheet.box((x - 78, y - 42), (156, 82), lighter(_STEEL, 0.35), 12)
    sheet.box((x - 70, y - 34), (140, 67), darker(_STEEL, 0.28), 10)
    sheet.polygon(rounded((x - 64, y - 22), (128, 51), 9), darker(_STEEL, 0.10))
    sheet.fade((x - 64, y - 22), (128, 30), (50, 56, 66), (0.42, 0.0))
    sheet.ellipse((x, y + 10), (8, 3.6), (86, 92, 100))
    sheet.shadow((x + 4, y - 40), (16, 5), 0.3, 2)
    sheet.stroke([(x, y - 40), (x, y - 86)], 8, darker(_STEEL, 0.14))
    sheet.stroke(arc((x - 0.5, y - 84), (9, 12), (180, 360)), 7, darker(_STEEL, 0.05))
    sheet.box((x - 10, y - 46), (20, 8), darker(_STEEL, 0.2), 3)
    sheet.stroke([(x - 9, y - 84), (x - 9, y - 62)], 7, _STEEL)
    sheet.stroke([(x - 1.5, y - 48), (x - 1.5, y - 84)], 1.6, (255, 255, 255), 0.6)
    sheet.box((x + 26, y - 62), (12, 24), lighter(palette.accent, 0.3), 4)
    sheet.box((x + 29, y - 69), (5, 8), _STEEL, 1)


def _board(sheet: Canvas, palette: Palette) -> None:
    x, y = BOARD
    wood = lighter(palette.wood, 0.38)
    outline = rounded((x - 66, y - 25), (132, 50), 9)
    outline[:, 0] = x + (outline[:, 0] - x) * (1 + 0.003 * (outline[:, 1] - y))  # nearer is wider
    sheet.shadow((x + 2, y + 6), (72, 25), 0.32, 4)
    sheet.polygon(np.add(outline, (0, 5)), darker(wood, 0.28))
    sheet.polygon(outline, wood)
    for offset in (-14, -2, 11):
        sheet.stroke([(x - 56, y + offset), (x + 58, y + offset - 1)], 0.8, darker(wood, 0.1), 0.6)
    sheet.ellipse((x + 52, y - 16), (5, 2.6), darker(wood, 0.35))


def _cabinets(sheet: Canvas, palette: Palette) -> None:
    edge = darker(palette.wood, 0.28)
    sheet.box((0, COUNTER_FRONT), (WIDTH, 9), edge)
    sheet.box((0, COUNTER_FRONT), (WIDTH, 1.6), lighter(palette.wood, 0.35))
    sheet.box((0, COUNTER_FRONT + 9), (WIDTH, 80), darker(palette.cabinet, 0.25))
    for left, wide in ((-10.0, 98.0), (486.0, 76.0), (566.0, 90.0)):
        sheet.box((left, COUNTER_FRONT + 13), (wide, 80), palette.cabinet, 2)
        sheet.box((left + 8, COUNTER_FRONT + 21), (wide - 16, 80), lighter(palette.cabinet, 0.07), 2)
    sheet.ellipse((76, COUNTER_FRONT + 36), (4, 4), _BRASS)
    for x in (552.0, 578.0):
        sheet.ellipse((x, COUNTER_FRONT + 36), (4, 4), _BRASS)
    sheet.box((262, COUNTER_FRONT + 13), (220, 80), (70, 74, 82), 3)
    sheet.box((266, COUNTER_FRONT + 15), (212, 22), (96, 100, 108), 3)
    sheet.box((378, COUNTER_FRONT + 19), (64, 13), (36, 42, 50), 3)
    for dot in range(4):
        sheet.box((386 + 13 * dot, COUNTER_FRONT + 23), (8, 5), mixed(palette.second, (40, 44, 50), 0.35), 1)
    for x in (290.0, 322.0):
        sheet.ellipse((x, COUNTER_FRONT + 26), (7.5, 7.5), (60, 62, 70))
    for x, tone in ((290.0, _STEEL), (322.0, palette.accent), (360.0, palette.second), (460.0, _STEEL)):
        sheet.ellipse((x, COUNTER_FRONT + 26), (5.5, 5.5), tone)
    sheet.box((286, COUNTER_FRONT + 41), (172, 5), _STEEL, 2.5)
    sheet.box((276, COUNTER_FRONT + 51), (192, 40), (34, 34, 42), 6)
    sheet.fade((0, COUNTER_FRONT + 9), (WIDTH, 8), (20, 14, 16), (0.45, 0.0))


def _light(sheet: Canvas) -> None:
    """Sun through the window, and darker corners."""
    sheet.polygon([(240, 118), (376, 118), (470, 292), (250, 292)], (255, 240, 196), 0.10)
    high, wide = sheet.pixels.shape[:2]
    y, x = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j].astype(np.float32)
    shade = 1.0 - 0.16 * np.clip((x * x + 0.8 * y * y) - 0.55, 0, 1)
    sheet.pixels[..., :3] = np.rint(sheet.pixels[..., :3] * shade[..., None])
