"""Make a video that browsers play, from one that they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain, islice
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
from mravff_core.media.container import (
    Clock,
    DecodeReport,
    describe,
    frame_rate,
    opened,
    packets_of,
    time_zero_s,
    video_stream,
)
from mravff_core.media.decode import constant_rate, iter_frames
from mravff_core.media.probe import MediaInfo, probe
from mravff_core.media.sound import iter_channels

_AUDIO_RATE = 48000
# Larger pictures are scaled down to fit: every browser decodes this in hardware.
_LONG_SIDE, _SHORT_SIDE = 1920, 1080
_KEY_FRAME_EVERY_S = 1
# Containers whose packets carry the time stamps that MP4 needs.
_COPIED_FROM = ("matroska", "mp4", "flv")
_REORDERED_AT_MOST = 32

# Pieces to put into the file, with their time in seconds.
_Pieces = Iterator[tuple[Any, float]]


def to_browser_mp4(
    path: Path | str,
    out: Path | str,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Path:
    """Write `path` again as MP4 with H.264 and AAC, its index in front, on the same time axis.

    A picture that is H.264 already, upright and in 4:2:0 colour, is copied as it is, which
    takes seconds for an hour of recording. Any other is decoded and written upright, at a
    constant rate, with even sides that fit 1920 x 1080. Sound becomes stereo at 48 kHz.
    `out` appears whole or not at all.

    Args:
        path: any video that can be decoded.
        out: file to write, ending in .mp4.
        progress: told the share done, 0 to 1.
        cancel: asked all the time; True stops with CancelledError.
    Returns: `out`.
    Raises: MediaError if `path` cannot be read or `out` not written.
    """
    out = Path(out)
    info = probe(path)
    with written_aside(out) as aside, ExitStack() as open_files:
        try:
            container = open_files.enter_context(
                av.open(str(aside), "w", format="mp4", options={"movflags": "+faststart"})
            )
            picture = _copied(container, info, open_files) if _can_be_copied(info) else _encoded(container, info)
            _write(container, info, picture, progress, cancel)
            open_files.close()
        except FFmpegError as error:
            raise MediaError(f"{out}: could not be written ({describe(error)}); is the disk full?") from error
    if progress is not None:
        progress(1.0)
    return out


def _write(
    container: Any,
    info: MediaInfo,
    picture: _Pieces,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> None:
    """Put in picture and sound side by side, or the muxer would hold one of them in memory."""
    sound = container.add_stream("aac", rate=_AUDIO_RATE, layout="stereo") if info.has_audio else None
    blocks = _sound(info) if sound is not None else iter(())

    def check() -> None:
        if cancel is not None and cancel():
            raise CancelledError(f"stopped while converting {info.path.name}")

    due_s = 0.0
    for packets, time_s in picture:
        check()
        while time_s >= due_s:
            due_s += 1.0
            if sound is not None and (block := next(blocks, None)) is not None:
                container.mux(sound.encode(block))
            if progress is not None:
                progress(min(0.99, due_s / max(info.duration_s, 1.0)))
        container.mux(packets)
    if sound is not None:
        for block in blocks:
            check()
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))


def _sound(info: MediaInfo) -> Iterator[Any]:
    """Stereo frames of one second."""
    begin = 0
    for block in iter_channels(info.path, sample_rate=_AUDIO_RATE, layout="stereo", block_s=1.0):
        samples: NDArray[np.float32] = np.ascontiguousarray(block)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = _AUDIO_RATE, begin, Fraction(1, _AUDIO_RATE)
        begin += samples.shape[1]
        yield frame


def _can_be_copied(info: MediaInfo) -> bool:
    """Whether the stored picture is one that browsers play, with time stamps to place it by."""
    if info.video_codec != "h264" or info.rotation:
        return False
    with opened(info.path) as source:
        stream = video_stream(source, info.path)
        if not any(kind in source.format.name for kind in _COPIED_FROM):
            return False
        if stream.codec_context.pix_fmt != "yuv420p":
            return False
        head = list(islice(packets_of(source, [stream], DecodeReport()), _REORDERED_AT_MOST))
        return bool(head and head[0].is_keyframe and head[0].pts is not None) and any(
            packet.dts is not None for packet in head
        )


def _copied(container: Any, info: MediaInfo, open_files: ExitStack) -> _Pieces:
    """The file's own packets, moved to the output's time zero."""
    source = open_files.enter_context(opened(info.path))
    stream = video_stream(source, info.path)
    target = container.add_stream_from_template(stream)
    clock = Clock(time_zero_s(source))
    frame_s = 1 / frame_rate(stream)

    def packets() -> _Pieces:
        last = None
        for packet in _with_decoding_times(source, stream):
            if packet.pts is None:
                continue
            time_s = clock.place(float(packet.pts * stream.time_base), frame_s)
            ahead = packet.pts - packet.dts
            packet.pts = round(time_s / stream.time_base)
            packet.dts = packet.pts - ahead
            if last is not None and packet.dts <= last:
                packet.dts = last + 1
            last, packet.stream = packet.dts, target
            yield packet, time_s

    return packets()


def _with_decoding_times(source: Any, stream: Any) -> Iterator[Any]:
    """Packets of a stream; those at the beginning that Matroska leaves without a decoding time get one."""
    step = max(1, round(1 / (frame_rate(stream) * float(stream.time_base))))
    waiting: list[Any] = []
    for packet in packets_of(source, [stream], DecodeReport()):
        if packet.size == 0:
            continue
        waiting.append(packet)
        if packet.dts is not None:
            for back, earlier in enumerate(reversed(waiting)):
                earlier.dts = packet.dts - back * step
            yield from waiting
            waiting = []


def _encoded(container: Any, info: MediaInfo) -> _Pieces:
    """The picture decoded and encoded anew at a constant rate."""
    rate = _rate(info.frames_per_second)
    width, height = _size(info.width, info.height)
    frames = _turned(info, rate, width, height) if info.rotation else _upright(info, rate, width, height)
    first = next(frames)
    stream = _picture_stream(container, rate, first)

    def packets() -> _Pieces:
        number = 0
        for number, frame in enumerate(chain([first], frames)):
            frame.pts, frame.time_base, frame.pict_type = number, 1 / rate, PictureType.NONE
            yield stream.encode(frame), float(number / rate)
        yield stream.encode(None), float(number / rate)

    return packets()


def _rate(own: float) -> Fraction:
    """The video's own rate where it is a usual one, else the nearest that plays smoothly."""
    if not 20 <= own <= 60:
        return Fraction(60 if own > 60 else 30)
    return Fraction(own).limit_denominator(1001)


def _size(width: int, height: int) -> tuple[int, int]:
    """Even sides, as 4:2:0 colour needs, within the largest size."""
    scale = min(1.0, _LONG_SIDE / max(width, height), _SHORT_SIDE / min(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _picture_stream(container: Any, rate: Fraction, first: Any) -> Any:
    """An H.264 stream of the first frame's size and colours."""
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    stream.time_base = 1 / rate
    stream.options = {"preset": "veryfast", "crf": "20", "g": str(round(rate * _KEY_FRAME_EVERY_S))}
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
