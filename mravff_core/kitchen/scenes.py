"""Frames of a clip: the standing kitchen, and over it what moves.

A scene is drawn from gestures alone. It never looks at a segment's verb or noun, so
whatever shares a gesture looks the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mravff_core.kitchen.doors import Doors
from mravff_core.kitchen.hands import paint_hands
from mravff_core.kitchen.layout import Point, layout_of
from mravff_core.kitchen.motions import TURN, Hand, Pose, Prop, added, eased, elbow_angle, pose_at
from mravff_core.kitchen.paint import Pixels, Sprite, place
from mravff_core.kitchen.palette import palette_of
from mravff_core.kitchen.plan import FRAMES_PER_SECOND, ClipPlan, Gesture
from mravff_core.kitchen.room import paint_room
from mravff_core.kitchen.tools import paint_tools
from mravff_core.kitchen.vessels import paint_things

_LEAVE_S, _COME_S = 0.40, 0.44
_RESTS: dict[str, Point] = {"right": (432.0, 352.0), "left": (206.0, 354.0)}
_OUT_Y = 478.0
_SUNK, _RISE_S = 90.0, 0.34
# Far things first, so that near ones cover them.
_LOOSE = ("kettle", "canister", "box", "pot", "bowl", "cup", "pan", "plate")


@dataclass(frozen=True)
class _Act:
    """When a gesture is on."""

    start_s: float
    end_s: float
    gesture: Gesture


class Scene:
    """Everything painted once for a clip, and the drawing of any of its frames."""

    def __init__(self, plan: ClipPlan) -> None:
        palette = palette_of(plan.decor)
        self.frame_count = plan.frame_count
        self._acts = [_Act(segment.start_s, segment.end_s, segment.gesture) for segment in plan.segments]
        self._opened_at_first = frozenset(plan.opened)
        self._spots = layout_of(palette)
        self._room = np.ascontiguousarray(paint_room(palette).sprite(palette.light).pixels[..., :3])
        self._things = paint_things(palette)
        self._tools = paint_tools(palette)
        self._hands = paint_hands(palette)
        self._doors = Doors(palette)
        used = [(act, pose_at(act.gesture, self._spots, 0.0, 1.0).left is not None) for act in self._acts]
        self._busy = {
            side: [(act.start_s - _COME_S, act.end_s + _LEAVE_S) for act, both in used if both or side == "right"]
            for side in _RESTS
        }
        self._standing = lru_cache(maxsize=6)(self._paint_standing)

    def frames(self) -> Iterator[Pixels]:
        """All frames in order, RGB uint8 [360, 640, 3]."""
        for index in range(self.frame_count):
            yield self.frame(index)

    def frame(self, index: int) -> Pixels:
        """One frame; depends on nothing drawn before."""
        # The middle of the time that the frame is shown.
        now_s = (index + 0.5) / FRAMES_PER_SECOND
        number = self._nearest(now_s)
        act = self._acts[number]
        pose = pose_at(act.gesture, self._spots, now_s - act.start_s, act.end_s - act.start_s)
        away = _away(now_s, act)
        door = pose.door[0] if pose.door else None
        frame = self._standing(self._opened(number, door), pose.moved.sprite if pose.moved else None, door).copy()
        if pose.door:
            self._doors.draw(frame, *pose.door)
        if pose.moved:
            self._prop(frame, pose.moved)
        self._draw_hands(frame, pose, act.gesture, away, now_s)
        for side in _RESTS:
            self._wait(frame, side, now_s)
        return frame

    def _draw_hands(self, frame: Pixels, pose: Pose, gesture: Gesture, away: float, now_s: float) -> None:
        right = _carried(pose.right, "right", away, gesture.wobble, now_s)
        left = _carried(pose.left, "left", away, gesture.wobble + 1, now_s) if pose.left else None
        drop = left.at[1] - pose.left.at[1] if left and pose.left else 0.0
        for prop in pose.below:
            self._below(frame, prop, away, drop)
        self._tool(frame, right)
        if pose.inside:
            front = self._things[pose.inside].front
            if front is not None:
                place(frame, front, self._spots[pose.inside].home)
        if left:
            self._hand(frame, left, "left")
        self._hand(frame, right, "right")
        for prop in pose.above:
            self._prop(frame, replace(prop, opacity=prop.opacity * (1 - away) ** 2))

    def _below(self, frame: Pixels, prop: Prop, away: float, drop: float) -> None:
        """Props under the hands: what the left hand brings goes with it, traces fade."""
        if prop.sprite in ("steam", "water") or prop.sprite.startswith("slice"):
            self._prop(frame, replace(prop, opacity=prop.opacity * max(0.0, 1 - 1.6 * away)))
        else:
            self._prop(frame, replace(prop, at=added(prop.at, (0.0, drop))))

    def _wait(self, frame: Pixels, side: str, now_s: float) -> None:
        """A free hand rests at the lower edge; it sinks out of sight before it is needed."""
        free_s = min((max(start - now_s, now_s - end) for start, end in self._busy[side]), default=_RISE_S)
        seen = eased(free_s / _RISE_S)
        if seen > 0.02:
            sway = (2.0 * np.sin(TURN * now_s / 4.3), 2.4 * np.sin(TURN * now_s / 3.1) + _SUNK * (1 - seen))
            self._hand(frame, Hand(added(_RESTS[side], sway), "flat"), side)

    def _hand(self, frame: Pixels, hand: Hand, side: str) -> None:
        place(frame, self._hands[side, hand.pose], hand.at, angle=elbow_angle(hand.at, side))

    def _tool(self, frame: Pixels, hand: Hand) -> None:
        if hand.tool:
            place(frame, self._tools[hand.tool], added(hand.at, hand.tool_at), angle=hand.tool_angle)

    def _prop(self, frame: Pixels, prop: Prop) -> None:
        if prop.opacity <= 0.01:
            return
        place(frame, self._sprite(prop.sprite), prop.at, angle=prop.angle, stretch=prop.stretch, opacity=prop.opacity)

    def _sprite(self, name: str) -> Sprite:
        if name in self._things:
            return self._things[name].whole
        if "@" not in name:
            return self._tools[name]
        kind, share = name.split("@")
        sprite = self._tools[kind]
        return Sprite(np.ascontiguousarray(sprite.pixels[:, : _shown_columns(sprite, float(share))]), sprite.anchor)

    def _nearest(self, now_s: float) -> int:
        """The act that is on, or the one nearer in time: the hands are out of sight half-way between two."""
        for number, act in enumerate(self._acts):
            follows = self._acts[number + 1] if number + 1 < len(self._acts) else None
            if follows is None or now_s < (act.end_s + follows.start_s + _LEAVE_S - _COME_S) / 2:
                return number
        return len(self._acts) - 1

    def _opened(self, number: int, moving: str | None) -> frozenset[str]:
        """Doors that stand open while an act is on, the one it moves left out."""
        opened = set(self._opened_at_first)
        for act in self._acts[:number]:
            if act.gesture.motion == "open":
                opened.add(act.gesture.look)
            elif act.gesture.motion == "close":
                opened.discard(act.gesture.look)
        return frozenset(opened - {moving})

    def _paint_standing(self, opened: frozenset[str], moved: str | None, moving: str | None) -> Pixels:
        """Room and all that stands still during an act."""
        frame = self._room.copy()
        for door in ("cupboard", "drawer"):
            if door != moving:
                self._doors.draw(frame, door, 1.0 if door in opened else 0.0)
        for look in _LOOSE:
            if look != moved:
                place(frame, self._things[look].whole, self._spots[look].home)
        return frame


def _away(now_s: float, act: _Act) -> float:
    """0 while an act is on, 1 when its hands are out of sight."""
    if now_s < act.start_s:
        return eased((act.start_s - now_s) / _COME_S)
    return eased((now_s - act.end_s) / _LEAVE_S)


def _carried(hand: Hand, side: str, away: float, wobble: int, now_s: float) -> Hand:
    """A hand on its way in or out, never quite still."""
    rng_phase = (wobble % 1009) / 1009 * TURN
    calm = 0.9 * np.array([np.sin(TURN * now_s * 0.9 + rng_phase), np.sin(TURN * now_s * 1.3 + 2 * rng_phase)])
    calm += 0.35 * np.array([np.sin(TURN * now_s * 3.7 + 3 * rng_phase), np.cos(TURN * now_s * 4.3 + rng_phase)])
    rest = _RESTS[side][0]
    x = hand.at[0] + (rest - hand.at[0]) * 0.55 * away + calm[0]
    y = hand.at[1] + (_OUT_Y - hand.at[1]) * away + calm[1]
    return replace(hand, at=(float(x), float(y)))


def _shown_columns(sprite: Sprite, share: float) -> int:
    """How many columns of a cut vegetable are left, its own width being counted from its leaves."""
    painted = np.flatnonzero(sprite.pixels[..., 3].any(axis=0))
    leaves = 14 if sprite.anchor[0] > 35 else 0
    first = painted[0] + leaves
    return int(first + (painted[-1] - first) * share) + 1
