"""Frames of a video in order, at a constant rate, by their time stamps.

Sound lives in `mravff_core.media.sound`; its readers are offered here too, so that
one import serves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from mravff_core.errors import MediaError
from mravff_core.media.container import (
    Clock,
    Container,
    DecodeReport,
    Stream,
    decoded,
    frame_rate,
    has_time_stamps,
    opened,
    time_zero_s,
    use_threads,
    video_stream,
)
from mravff_core.media.sound import iter_audio, read_audio

__all__ = ["DecodeReport", "VideoFrame", "iter_audio", "iter_frames", "read_audio"]

# Below this, decoding from the start costs less than finding out where a seek landed.
_WORTH_SEEKING_S = 2.0


@dataclass(frozen=True)
class VideoFrame:
    """One picture.

    Attributes:
        time_s: when it is due on the constant grid.
        rgb: uint8 [height, width, 3], upright.
    """

    time_s: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class _Timed:
    """A decoded frame with the time it is first shown and the time it would be gone."""

    start_s: float
    end_s: float
    frame: Any


def iter_frames(
    path: Path | str,
    *,
    frames_per_second: float,
    width: int | None = None,
    height: int | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    report: DecodeReport | None = None,
) -> Iterator[VideoFrame]:
    """Decode a video at a constant rate, whatever its own.

    Frame `k` is the picture on screen at `start_s + k / frames_per_second`, allowing for
    half a frame of rounding in the file's time stamps; pictures are repeated or left out
    as their time stamps ask. The first picture also stands for any time before it.
    Only a few frames are in memory at once.

    Args:
        path: video file; its display rotation is applied.
        frames_per_second: rate wanted, > 0.
        width, height: size wanted after rotation, scaled while decoding; with only one
            given the other keeps the aspect, with none the size stays.
        start_s, end_s: time range; None reads to the end of the video.
        report: filled with the damage met.
    Raises: ValueError for a rate or range that makes no sense; MediaError if the file
        cannot be opened, has no video, or not one frame of it can be decoded.
    """
    scale = _Scaler(width, height)
    for time_s, frame in constant_rate(
        path, frames_per_second=frames_per_second, start_s=start_s, end_s=end_s, report=report
    ):
        yield VideoFrame(time_s, scale(frame))


def constant_rate(
    path: Path | str,
    *,
    frames_per_second: float,
    start_s: float = 0.0,
    end_s: float | None = None,
    report: DecodeReport | None = None,
) -> Iterator[tuple[float, Any]]:
    """The same as `iter_frames` before scaling and turning: times and decoder frames, repeats being one object."""
    if not (np.isfinite(frames_per_second) and frames_per_second > 0):
        raise ValueError(f"frames_per_second is {frames_per_second}, expected a number above 0")
    if start_s < 0 or (end_s is not None and end_s < start_s):
        raise ValueError(f"time range {start_s} to {end_s} s is not a range from 0 on")
    report = report if report is not None else DecodeReport()
    with opened(path) as container:
        own_rate = frame_rate(video_stream(container, path))
    last_end_s, index = 0.0, 0
    tolerance_s = 0.45 / max(own_rate, frames_per_second)

    def due_s(k: int) -> float:
        return start_s + k / frames_per_second

    current: _Timed | None = None
    for timed in _timed_frames(path, start_s, report):
        if current is not None:
            while due_s(index) < timed.start_s - tolerance_s:
                if end_s is not None and due_s(index) >= end_s:
                    return
                yield due_s(index), current.frame
                index += 1
        current = timed
        last_end_s = timed.end_s
    if current is None:
        raise MediaError(
            f"{path}: not one video frame could be decoded ({report.damaged} damaged pieces); corrupt or truncated?"
        )
    stop_s = last_end_s - 0.25 / frames_per_second
    stop_s = stop_s if end_s is None else min(stop_s, end_s)
    while due_s(index) < stop_s or (index == 0 and start_s == 0):
        yield due_s(index), current.frame
        index += 1


def _timed_frames(path: Path | str, start_s: float, report: DecodeReport) -> Iterator[_Timed]:
    """Frames from the last key frame at or before `start_s`, or from the very first."""
    if start_s > _WORTH_SEEKING_S:
        with opened(path) as container:
            stream = video_stream(container, path)
            if has_time_stamps(container) and _seek(container, stream, start_s):
                trial = DecodeReport()
                frames = _read(container, stream, trial, sought=True)
                first = next(frames, None)
                if first is not None and first.start_s <= start_s:
                    yield first
                    yield from frames
                    _add(report, trial)
                    return
    with opened(path) as container:
        yield from _read(container, video_stream(container, path), report)


def _seek(container: Container, stream: Stream, start_s: float) -> bool:
    try:
        container.seek(round((start_s + time_zero_s(container)) / stream.time_base), stream=stream)
    except FFmpegError:
        return False
    return True


def _add(report: DecodeReport, more: DecodeReport) -> None:
    report.frames += more.frames
    report.damaged += more.damaged
    report.broken_off |= more.broken_off


def _read(container: Container, stream: Stream, report: DecodeReport, *, sought: bool = False) -> Iterator[_Timed]:
    use_threads(stream)
    rate = frame_rate(stream)
    stamped = has_time_stamps(container)
    clock = Clock(time_zero_s(container), sought=sought)
    for frame in decoded(container, stream, report):
        length_s = float(frame.duration * frame.time_base) if stamped and frame.duration and frame.time_base else 0.0
        start_s = clock.place(frame.time if stamped else None, length_s or 1 / rate)
        yield _Timed(start_s, clock.expected_s, frame)


class _Scaler:
    """Turns decoded frames into upright RGB of one size, keeping the last for repeats."""

    def __init__(self, width: int | None, height: int | None) -> None:
        self._size = (width, height)
        self._reformat = VideoReformatter()
        self._last: tuple[Any, NDArray[np.uint8]] | None = None

    def __call__(self, frame: Any) -> NDArray[np.uint8]:
        if self._last is not None and self._last[0] is frame:
            return self._last[1].copy()
        turns = round(frame.rotation / 90) % 4
        upright = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
        width, height = self._fix_size(*upright)
        stored = (height, width) if turns % 2 else (width, height)
        shrinks = stored[0] < frame.width or stored[1] < frame.height
        small = self._reformat.reformat(
            frame,
            *stored,
            "rgb24",
            interpolation=(Interpolation.AREA if shrinks else Interpolation.BILINEAR) | _REPEATABLE,
            threads=1,
        )
        rgb: NDArray[np.uint8] = np.asarray(small.to_ndarray(), dtype=np.uint8)
        if turns:
            rgb = np.ascontiguousarray(np.rot90(rgb, turns))
        self._last = (frame, rgb)
        return rgb

    def _fix_size(self, width: int, height: int) -> tuple[int, int]:
        """Target size; settled by the first frame, since some files change size midway."""
        wanted_width, wanted_height = self._size
        if wanted_width is None and wanted_height is None:
            self._size = (width, height)
        elif wanted_width is None and wanted_height is not None:
            self._size = (max(1, round(width * wanted_height / height)), wanted_height)
        elif wanted_height is None and wanted_width is not None:
            self._size = (wanted_width, max(1, round(height * wanted_width / width)))
        fixed_width, fixed_height = self._size
        assert fixed_width is not None and fixed_height is not None
        return fixed_width, fixed_height


# The same bits on every processor: libswscale's faster paths round differently by instruction set.
_REPEATABLE = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
