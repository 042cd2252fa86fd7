"""Make a video that browsers play, from one that they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from numpy.typing import NDArray

from mravff_core.errors import CancelledError, MediaError
from mravff_core.files import written_aside
from mravff_core.media.container import describe
from mravff_core.media.decode import constant_rate, iter_frames
from mravff_core.media.probe import MediaInfo, probe
from mravff_core.media.sound import iter_channels

_AUDIO_RATE = 48000
# Larger pictures are scaled down to fit: every browser decodes this in hardware.
_WIDEST, _HIGHEST = 1920, 1080
_KEY_FRAME_EVERY_S = 1.0


def to_browser_mp4(
    path: Path | str,
    out: Path | str,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Path:
    """Write `path` again as MP4 with H.264 and AAC, its index in front, on the same time axis.

    The picture is upright, at a constant rate, even-sided and at most 1920 x 1080; sound
    becomes stereo at 48 kHz. `out` appears whole or not at all.

    Args:
        path: any video that can be decoded.
        out: file to write, ending in .mp4.
        progress: told the share done, 0 to 1.
        cancel: asked at every frame; True stops with CancelledError.
    Returns: `out`.
    Raises: MediaError if `path` cannot be read or `out` not written.
    """
    out = Path(out)
    info = probe(path)
    with written_aside(out) as aside:
        try:
            with av.open(str(aside), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _write(container, info, progress, cancel)
        except FFmpegError as error:
            raise MediaError(f"{out}: could not be written ({describe(error)}); is the disk full?") from error
    if progress is not None:
        progress(1.0)
    return out


def _write(
    container: Any,
    info: MediaInfo,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> None:
    rate = _rate(info.frames_per_second)
    width, height = _size(info.width, info.height)
    frames = _turned(info, rate, width, height) if info.rotation else _upright(info, rate, width, height)
    first = next(frames)
    picture = _picture_stream(container, rate, first)
    sound = container.add_stream("aac", rate=_AUDIO_RATE, layout="stereo") if info.has_audio else None
    blocks = _sound(info) if sound is not None else iter(())
    second = max(1, round(rate))
    for number, frame in enumerate(chain([first], frames)):
        if cancel is not None and cancel():
            raise CancelledError(f"stopped while converting {info.path.name}")
        if number % second == 0:
            # Sound and picture go in side by side, or the muxer would hold one of them in memory.
            _put_sound(container, sound, next(blocks, None))
            if progress is not None:
                progress(min(0.99, number / float(rate) / max(info.duration_s, 1e-9)))
        frame.pts, frame.time_base, frame.pict_type = number, 1 / rate, PictureType.NONE
        container.mux(picture.encode(frame))
    container.mux(picture.encode(None))
    if sound is not None:
        for block in blocks:
            if cancel is not None and cancel():
                raise CancelledError(f"stopped while converting {info.path.name}")
            _put_sound(container, sound, block)
        container.mux(sound.encode(None))


def _rate(own: float) -> Fraction:
    """The video's own rate where it is a usual one, else the nearest that plays smoothly."""
    if not 20 <= own <= 60:
        return Fraction(60 if own > 60 else 30)
    return Fraction(own).limit_denominator(1001)


def _size(width: int, height: int) -> tuple[int, int]:
    """Even sides, as 4:2:0 colour needs, within the largest size."""
    scale = min(1.0, _WIDEST / max(width, height), _HIGHEST / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _picture_stream(container: Any, rate: Fraction, first: Any) -> Any:
    """An H.264 stream of the first frame's size and colours."""
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    stream.time_base = 1 / rate
    stream.options = {"preset": "veryfast", "crf": "20", "g": str(max(1, round(rate * Fraction(_KEY_FRAME_EVERY_S))))}
    context = stream.codec_context
    context.thread_type = "FRAME"  # slices would cost quality and leave cores idle
    context.colorspace, context.color_range = first.colorspace, first.color_range
    context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
    return stream


def _upright(info: MediaInfo, rate: Fraction, width: int, height: int) -> Iterator[Any]:
    """Decoder frames in the encoder's format; untouched where they have it already."""
    reformatter = VideoReformatter()
    for _, frame in constant_rate(info.path, frames_per_second=float(rate)):
        if frame.format.name == "yuv420p" and frame.color_range != ColorRange.JPEG:
            yield reformatter.reformat(frame, width, height)
        else:
            yield _converted(reformatter, frame, width, height)


def _turned(info: MediaInfo, rate: Fraction, width: int, height: int) -> Iterator[Any]:
    reformatter = VideoReformatter()
    for frame in iter_frames(info.path, frames_per_second=float(rate), width=width, height=height):
        yield _converted(reformatter, av.VideoFrame.from_ndarray(frame.rgb, format="rgb24"), width, height)


def _converted(reformatter: VideoReformatter, frame: Any, width: int, height: int) -> Any:
    """The frame in 4:2:0 with the colours of BT.709, and labelled so."""
    made = reformatter.reformat(
        frame, width, height, "yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    made.colorspace, made.color_range = Colorspace.ITU709, ColorRange.MPEG
    made.color_primaries, made.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return made


def _sound(info: MediaInfo) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Blocks of one second with the number of their first sample."""
    begin = 0
    for block in iter_channels(info.path, sample_rate=_AUDIO_RATE, layout="stereo", block_s=1.0):
        yield begin, block
        begin += block.shape[1]


def _put_sound(container: Any, stream: Any, numbered: tuple[int, NDArray[np.float32]] | None) -> None:
    if numbered is None:
        return
    begin, samples = numbered
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, begin, Fraction(1, _AUDIO_RATE)
    container.mux(stream.encode(frame))
