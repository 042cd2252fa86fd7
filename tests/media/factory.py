"""Small real videos for tests, made in milliseconds.

Each frame carries its number as black and white tiles, so that a test can tell which
one it was given; see `stamp` and `read_stamp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = Callable[[int], NDArray[np.uint8]]
_BITS = (3, 4)  # rows, columns of tiles; the first is the lowest bit


def stamp(number: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A picture of `size` (width, height) showing `number` (below 4096) in binary tiles."""
    bits = np.array([number >> k & 1 for k in range(_BITS[0] * _BITS[1])], np.uint8).reshape(_BITS)
    width, height = size
    rows = np.arange(height) * _BITS[0] // height
    columns = np.arange(width) * _BITS[1] // width
    return np.repeat((bits[rows][:, columns] * 200 + 28)[..., None].astype(np.uint8), 3, axis=2)


def read_stamp(rgb: NDArray[np.uint8]) -> int:
    """The number in a stamped picture, whatever its size now."""
    height, width = rgb.shape[:2]
    rows = [int((row + 0.5) * height / _BITS[0]) for row in range(_BITS[0])]
    columns = [int((column + 0.5) * width / _BITS[1]) for column in range(_BITS[1])]
    tiles = [int(rgb[row, column].mean() > 128) for row in rows for column in columns]
    return sum(tile << k for k, tile in enumerate(tiles))


def tone(seconds: float, *, sample_rate: int = 16000, hertz: float = 440.0) -> NDArray[np.float32]:
    """A sine of amplitude 0.3."""
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate)).astype(np.float32)


def click_at(time_s: float, seconds: float, *, sample_rate: int = 16000) -> NDArray[np.float32]:
    """Silence with 20 ms of loud noise from `time_s` on."""
    samples = np.zeros(round(seconds * sample_rate), np.float32)
    begin = round(time_s * sample_rate)
    samples[begin : begin + sample_rate // 50] = 0.8 * np.random.default_rng(0).uniform(-1, 1, sample_rate // 50)
    return samples


def make_video(
    path: Path | str,
    seconds: float = 2.0,
    *,
    frames_per_second: float = 30.0,
    size: tuple[int, int] = (64, 48),
    picture: Picture | None = None,
    times_s: Sequence[float] | None = None,
    audio: NDArray[np.float32] | None = None,
    sample_rate: int = 16000,
    audio_start_s: float = 0.0,
    rotation: int = 0,
    codec: str = "libx264",
    audio_codec: str = "aac",
    pixels: str = "yuv420p",
    format: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video whose frame `k` is `picture(k)`, by default `stamp(k)`.

    Args:
        times_s: time of every frame, for a varying rate; replaces `seconds` and the constant rate.
        audio: mono samples at `sample_rate`; None leaves the file without sound.
        rotation: display rotation stored in the file, degrees counter-clockwise.
        format: container, by default from the suffix.
        options: for the container, such as `{"movflags": "faststart"}`.
    """
    rate = Fraction(frames_per_second).limit_denominator(1001)
    tick = 1 / rate if times_s is None else Fraction(1, 60000)
    count = max(1, round(seconds * frames_per_second))
    stamps = range(count) if times_s is None else [round(time_s / tick) for time_s in times_s]
    draw = picture or (lambda number: stamp(number, size))
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        video = container.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = size[0], size[1], pixels
        video.codec_context.time_base = tick
        video.codec_context.thread_count = 1
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "crf": "18", "bf": "2"}
        if rotation:
            video.set_display_rotation(rotation)
        sound = container.add_stream(audio_codec, rate=sample_rate, layout="mono") if audio is not None else None
        for number, at in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = at, tick
            frame.duration = round(1 / rate / tick)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None and audio is not None and len(audio):
            for begin in range(0, len(audio), sample_rate):
                part = np.ascontiguousarray(audio[None, begin : begin + sample_rate])
                block = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                block.sample_rate, block.time_base = sample_rate, Fraction(1, sample_rate)
                block.pts = begin + round(audio_start_s * sample_rate)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return Path(path)
