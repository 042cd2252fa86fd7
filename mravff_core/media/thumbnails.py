"""Still pictures of a video as JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import MediaError
from mravff_core.media.decode import iter_frames
from mravff_core.media.probe import probe


def thumbnail(path: Path | str, time_s: float, *, height: int = 180, quality: int = 85) -> bytes:
    """The picture shown at `time_s` as JPEG bytes, `height` pixels high; the last one beyond the end.

    Raises: ValueError for a height or quality out of range; MediaError if the file cannot
        be read or has no video.
    """
    if height < 1 or not 1 <= quality <= 100:
        raise ValueError(f"height {height} must be above 0 and quality {quality} from 1 to 100")
    return to_jpeg(frame_at(path, time_s, height=height), quality=quality)


def frame_at(path: Path | str, time_s: float, *, height: int | None = None) -> NDArray[np.uint8]:
    """The picture shown at `time_s` as uint8 [height, width, 3]; the last one beyond the end."""
    duration_s = probe(path).duration_s
    # A header may promise more than there is, so look earlier until something is found.
    for start_s in (min(max(0.0, time_s), duration_s), duration_s - 0.5 / _RATE, duration_s - 2.0, 0.0):
        if start_s >= 0:
            for frame in iter_frames(path, frames_per_second=_RATE, height=height, start_s=start_s):
                return frame.rgb
    raise MediaError(f"{path}: no picture could be decoded at {time_s:.2f} s")


def strip(path: Path | str, times_s: Sequence[float], *, height: int = 90) -> list[NDArray[np.uint8]]:
    """Pictures at several times, in the order given."""
    return [frame_at(path, time_s, height=height) for time_s in times_s]


def to_jpeg(rgb: NDArray[np.uint8], *, quality: int = 85) -> bytes:
    """Compress a picture uint8 [height, width, 3]."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise MediaError(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels could not be written as JPEG")
    return data.tobytes()


# Only sets how far a time stamp may be rounded: half of this frame's length.
_RATE = 30.0
