"""How hands and things move: one function a motion, from a gesture and a time to a pose.

No function here is told the verb or the noun. Times count from the start of the
segment; before and after it, `scenes` brings the hands in and takes them away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mravff_core.kitchen.doors import handle_of
from mravff_core.kitchen.hands import FINGERS, INDEX_TIP, KNUCKLES
from mravff_core.kitchen.layout import BOARD, WASHING, Point, Spot
from mravff_core.kitchen.plan import Gesture
from mravff_core.kitchen.tools import JUG_SPOUT, KNIFE_EDGE, SPOON_TIP

TURN = 2 * np.pi


@dataclass(frozen=True)
class Hand:
    """One hand: where its palm is and what it holds (`tool_angle` in radians, clockwise)."""

    at: Point
    pose: str
    tool: str | None = None
    tool_angle: float = 0.0
    tool_at: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Prop:
    """A sprite drawn for this frame only."""

    sprite: str
    at: Point
    angle: float = 0.0
    stretch: Point = (1.0, 1.0)
    opacity: float = 1.0


@dataclass(frozen=True)
class Pose:
    """All that differs from the standing kitchen in one frame.

    Attributes:
        right, left: hands; None is at rest.
        moved: look of the thing that left its home, and where it is now.
        inside: look of the vessel that hides the tip of the tool.
        door: which door and how far open.
        below, above: props under and over the hands.
    """

    right: Hand
    left: Hand | None = None
    moved: Prop | None = None
    inside: str | None = None
    door: tuple[str, float] | None = None
    below: tuple[Prop, ...] = ()
    above: tuple[Prop, ...] = ()


@dataclass(frozen=True)
class Moment:
    """What a motion may look at: the gesture, the place, seconds since its start, its share done."""

    gesture: Gesture
    spots: Mapping[str, Spot]
    time_s: float
    share: float

    @property
    def spot(self) -> Spot:
        """Place of what is handled."""
        return self.spots[self.gesture.look]

    @property
    def cycle(self) -> float:
        """Strokes done, counted with the phase."""
        return self.time_s / self.gesture.period_s + self.gesture.phase

    def held(self, rise: float = 0.15, fall: float = 0.15) -> float:
        """0 at both ends, 1 between."""
        return eased(self.share / rise) * eased((1 - self.share) / fall)


def pose_at(gesture: Gesture, spots: Mapping[str, Spot], time_s: float, duration_s: float) -> Pose:
    """The pose `time_s` after the start of a segment; held still before its start and after its end."""
    time_s = min(max(time_s, 0.0), duration_s)
    return _MOTIONS[gesture.motion](Moment(gesture, spots, time_s, time_s / duration_s))


def eased(share: float) -> float:
    """Smooth step from 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def turned(point: Point, angle: float) -> Point:
    """A point turned clockwise (on screen) about the origin."""
    cos, sin = np.cos(angle), np.sin(angle)
    return float(cos * point[0] - sin * point[1]), float(sin * point[0] + cos * point[1])


def added(*points: Point) -> Point:
    """Sum of points."""
    return float(sum(point[0] for point in points)), float(sum(point[1] for point in points))


def less(point: Point, other: Point) -> Point:
    """One point as seen from another."""
    return added(point, (-other[0], -other[1]))


def elbow_angle(at: Point, side: str) -> float:
    """How far a hand leans, its elbow being below the picture and a little outwards."""
    home = 650.0 if side == "right" else -10.0
    elbow_x = 0.4 * at[0] + 0.6 * home
    elbow_y = max(470.0, at[1] + 170.0)
    return float(np.arctan2(at[0] - elbow_x, elbow_y - at[1]))


def touching(point: Point, part: Point, side: str = "right") -> Point:
    """Where the palm has to be for a part of the hand, such as a finger tip, to be at `point`."""
    at = point
    for _ in range(3):
        at = less(point, turned(part, elbow_angle(at, side)))
    return at


def _steadied(spot: Spot) -> Hand:
    """The left hand holding a vessel by its rim."""
    x, y = spot.at_top()
    return Hand((x - spot.half_width - 19, y + 34), "flat")


def _tilt(now: Moment) -> Pose:
    x, y = now.spot.at_top()
    bob = np.sin(TURN * now.cycle)
    tilt = now.held(0.22, 0.16)
    angle = -(0.98 + 0.12 * now.gesture.lean) * tilt - 0.09 * now.gesture.reach * bob * tilt
    spout = added((x + 3, y - 26 + 24 * tilt), (0.0, 2.2 * now.gesture.reach * bob * tilt))
    grip = less(spout, turned(JUG_SPOUT, angle))
    return Pose(Hand(grip, "grip", "jug", angle), _steadied(now.spot), inside=now.gesture.look)


def _circle(now: Moment) -> Pose:
    x, y = now.spot.at_top()
    angle = TURN * now.cycle
    wide = now.spot.half_width * 0.52 * now.gesture.reach
    tip = (x + wide * np.cos(angle), y + 6 + wide * 0.26 * np.sin(angle))
    lean = 0.82 + 0.14 * now.gesture.lean - 0.10 * np.cos(angle)
    grip = less(tip, turned(SPOON_TIP, lean))
    return Pose(Hand(grip, "grip", "spoon", lean), _steadied(now.spot), inside=now.gesture.look)


def _press(now: Moment) -> Pose:
    depth = eased(now.share / 0.3) * eased((1 - now.share) / 0.4)
    x, y = now.spot.at_touch()
    tip = (
        x + 3 * now.gesture.lean * (1 - depth),
        y - 1 - 15 * now.gesture.reach * (1 - depth) * (1 if now.share < 0.5 else 0.7),
    )
    return Pose(Hand(touching(tip, INDEX_TIP), "index"))


def _strike(now: Moment) -> Pose:
    # Down by three tenths of the time, when it is heard, then up again.
    height = 1 - now.share / 0.3 if now.share < 0.3 else eased((now.share - 0.36) / 0.64)
    x, y = now.spot.at_top()
    point = (x + 3 + 3 * now.gesture.lean, y - 1 - 20 * now.gesture.reach * max(height, 0.0))
    return Pose(Hand(touching(point, KNUCKLES), "grip"))


def _hold(now: Moment) -> Pose:
    spot, calm = now.spot, now.held(0.1, 0.1)
    shift = (5.5 * now.gesture.reach * calm * np.sin(TURN * now.cycle), 1.2 * calm * np.sin(2 * TURN * now.cycle))
    home = added(spot.home, shift)
    lid_at = added(home, spot.top, (0.0, -21 - 9 * (1 - calm) - 0.7 * np.sin(TURN * 3.1 * now.cycle)))
    steam = tuple(_steam(added(home, spot.top), now.time_s, number) for number in range(4)) if calm > 0.2 else ()
    return Pose(
        Hand(added(home, spot.touch), "grip"),
        Hand(added(lid_at, (-9.0, 9.0)), "grip"),
        moved=Prop(now.gesture.look, home),
        below=(Prop(f"lid-{now.gesture.look}", lid_at, 0.05 * now.gesture.lean), *steam),
    )


def _steam(rim: Point, time_s: float, number: int) -> Prop:
    age = (time_s / 1.9 + number / 4) % 1.0
    x = rim[0] + 34 * np.sin(number * 2.1) + 7 * np.sin(TURN * (age + number * 0.3))
    return Prop("steam", (float(x), rim[1] - 14 - 62 * age), opacity=float(np.sin(np.pi * age)))


def _chop(now: Moment) -> Pose:
    look, calm = now.gesture.look, now.held(0.04, 0.08)
    left_end, length = (BOARD[0] - 34, 86.0) if look == "carrot" else (BOARD[0] - 25, 50.0)
    cut = left_end + length * (1 - 0.62 * now.share)
    lift = 0.5 + 0.5 * np.cos(TURN * now.cycle)
    edge = (cut + 1, BOARD[1] + 3 - 15 * now.gesture.reach * lift - 12 * (1 - calm))
    tilt = -0.10 + 0.16 * lift + 0.05 * now.gesture.lean
    grip = less(edge, turned(KNIFE_EDGE, tilt))
    done = int(max(0.0, now.cycle - now.gesture.phase + (now.gesture.phase - 0.5) % 1.0))
    slices = tuple(_slice(look, left_end + length, number) for number in range(min(done, 9)))
    shown = (cut - left_end) / length
    body = Prop(f"{look}@{shown:.3f}", (BOARD[0], BOARD[1] - 2))
    return Pose(Hand(grip, "grip", "knife", tilt), Hand((left_end - 20, BOARD[1] + 24), "flat"), below=(*slices, body))


def _slice(look: str, right_end: float, number: int) -> Prop:
    x = right_end + 4 - 6.0 * number + 5 * np.sin(number * 2.4)
    return Prop(f"slice-{look}", (float(x), BOARD[1] + 8 + 5 * float(np.cos(number * 1.7))))


def _scrub(now: Moment) -> Pose:
    x, y = WASHING
    angle = TURN * now.cycle
    rub = (17 * now.gesture.reach * np.cos(angle), 6.5 * now.gesture.reach * np.sin(angle))
    held = added((x - 4, y), (2.4 * np.sin(0.5 * angle), 1.6 * np.cos(0.5 * angle)))
    drops = tuple(_drop(held, now.time_s, number) for number in range(7))
    stream = Prop("water", (x - 9, y - 63), stretch=(1.0 + 0.08 * float(np.sin(31 * now.time_s)), 0.94))
    return Pose(
        Hand(added(held, rub, (12.0, 12.0)), "flat", "sponge", 0.25 * np.sin(angle), (-6.0, -31.0)),
        Hand(added(held, (-44.0, 16.0)), "grip"),
        below=(stream, Prop(f"held-{now.gesture.look}", held, 0.07 * float(np.sin(angle)))),
        above=drops,
    )


def _drop(held: Point, time_s: float, number: int) -> Prop:
    age = (time_s * 1.9 + number * 0.37) % 1.0
    out = 30 * np.sin(number * 2.7 + int(time_s * 1.9 + number * 0.37) * 1.3)
    return Prop(
        "drop", (float(held[0] + out * age), float(held[1] - 6 - 34 * age + 62 * age * age)), opacity=1.0 - 0.6 * age
    )


def _open(now: Moment) -> Pose:
    return _at_door(now, eased((now.share - 0.08) / 0.8))


def _close(now: Moment) -> Pose:
    # Ever faster until it meets its frame, at three quarters of the time.
    return _at_door(now, 1.0 - min(1.0, max(0.0, (now.share - 0.08) / 0.66)) ** 1.7)


def _at_door(now: Moment, amount: float) -> Pose:
    door = now.gesture.look
    return Pose(Hand(touching(handle_of(door, amount), (-2.0, -16.0)), "grip"), door=(door, amount))


def _shake(now: Moment) -> Pose:
    spot, lifted = now.spot, now.held(0.16, 0.14)
    swing = np.cos(TURN * now.cycle)
    way = lifted * 10 * now.gesture.reach * swing
    lean = 0.35 + 0.15 * now.gesture.lean
    home = added(
        spot.home, ((395.0 - spot.home[0]) * 0.5 * lifted, 8 * lifted), (way * np.sin(lean), -way * np.cos(lean))
    )
    angle = lifted * (0.16 * now.gesture.lean + 0.07 * swing)
    grip = added(home, turned((21.0, spot.top[1] * 0.40), angle))
    return Pose(Hand(grip, "grip"), moved=Prop(now.gesture.look, home, angle))


def _wipe(now: Moment) -> Pose:
    x, y = now.spot.at_top()
    angle = TURN * now.cycle
    wide = min(now.spot.half_width, 58.0) * 0.66 * now.gesture.reach
    at = (x + wide * np.sin(angle), y + 9 + 6.5 * now.gesture.reach * np.sin(2 * angle))
    return Pose(Hand(added(at, (0.0, 14.0)), "flat", "cloth", 0.12 * np.sin(angle), (0.0, -16.0)))


def _hover(now: Moment) -> Pose:
    x, y = now.spot.at_top()
    angle = TURN * now.cycle
    point = (x + 9 * now.gesture.reach * np.sin(angle), y - 6 + 3.5 * np.cos(angle) + 9 * (1 - now.held(0.25, 0.25)))
    return Pose(Hand(touching(point, FINGERS), "open"))


_MOTIONS: dict[str, Callable[[Moment], Pose]] = {
    "tilt": _tilt,
    "circle": _circle,
    "press": _press,
    "strike": _strike,
    "hold": _hold,
    "chop": _chop,
    "scrub": _scrub,
    "open": _open,
    "close": _close,
    "shake": _shake,
    "wipe": _wipe,
    "hover": _hover,
}
