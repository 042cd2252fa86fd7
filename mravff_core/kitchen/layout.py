"""Where things are: homes, rims, handles and buttons, in pixels of the 640 x 360 frame."""

from __future__ import annotations

from dataclasses import dataclass

from mravff_core.kitchen.palette import Palette

WIDTH, HEIGHT = 640, 360
COUNTER_BACK, COUNTER_FRONT = 138.0, 292.0
Point = tuple[float, float]

SINK = (540.0, 220.0)
BOARD = (316.0, 256.0)
WASHING = (540.0, 216.0)


@dataclass(frozen=True)
class Spot:
    """A thing's place.

    Attributes:
        home: middle of its foot.
        top: middle of its rim, lid or upper side, seen from `home`.
        half_width: half the width of its rim.
        touch: button or handle, seen from `home`.
    """

    home: Point
    top: Point
    half_width: float
    touch: Point = (0.0, 0.0)

    def at_top(self) -> Point:
        """The rim's or lid's middle in the frame."""
        return self.home[0] + self.top[0], self.home[1] + self.top[1]

    def at_touch(self) -> Point:
        """Button or handle in the frame."""
        return self.home[0] + self.touch[0], self.home[1] + self.touch[1]


_SPOTS = {
    "pan": Spot((84.0, 236.0), (0.0, -17.0), 44.0, (86.0, 12.0)),
    "pot": Spot((172.0, 206.0), (0.0, -46.0), 38.0, (48.0, -34.0)),
    "bowl": Spot((322.0, 208.0), (0.0, -32.0), 33.0),
    "cup": Spot((430.0, 214.0), (0.0, -31.0), 17.0),
    "plate": Spot((432.0, 262.0), (0.0, -2.0), 38.0),
    "kettle": Spot((262.0, 186.0), (0.0, -60.0), 24.0, (18.0, -16.0)),
    "hob": Spot((130.0, 256.0), (0.0, -28.0), 80.0, (88.0, -12.0)),
    "oven": Spot((392.0, 318.0), (0.0, -12.0), 70.0, (-32.0, 0.0)),
    "canister": Spot((376.0, 182.0), (0.0, -57.0), 19.0),
    "box": Spot((462.0, 180.0), (0.0, -64.0), 21.0),
    "drawer": Spot((174.0, 304.0), (0.0, 0.0), 80.0, (0.0, 21.0)),
    "cupboard": Spot((578.0, 98.0), (0.0, -92.0), 54.0, (-44.0, -34.0)),
    "carrot": Spot(BOARD, (0.0, -8.0), 34.0),
    "onion": Spot(BOARD, (0.0, -12.0), 18.0),
}
_FIXED = ("hob", "oven", "drawer", "cupboard", "carrot", "onion")


def layout_of(palette: Palette) -> dict[str, Spot]:
    """Spots of all looks in one clip; what is loose stands a little elsewhere each time."""
    spots = {}
    for number, (look, spot) in enumerate(_SPOTS.items()):
        dx, dy = palette.jitter[(2 * number) % 24], palette.jitter[(2 * number + 1) % 24]
        loose = look not in _FIXED
        home = (spot.home[0] + 7 * dx, spot.home[1] + 3.5 * dy) if loose else spot.home
        spots[look] = Spot(home, spot.top, spot.half_width, spot.touch)
    return spots
