"""Open a media file safely and read its packets past damage.

Files come from anyone. Only demuxers of real audio and video containers are
allowed (text, pictures and playlists that name other files or hosts are not), and
nothing but the file itself is ever opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from mravff_core.errors import MediaError

_FORMATS = (
    "mov,mp4,matroska,webm,avi,flv,live_flv,asf,mpegts,mpeg,vob,mpegvideo,h264,hevc,m4v,av1,obu,ivf,vvc,vc1,ogg,gif,"
    "rm,dv,mxf,nut,yuv4mpegpipe,3gp,wav,w64,mp3,flac,aac,ac3,aiff,au,caf"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
# Elementary streams carry no time stamps of their own: frames are counted at the stated rate.
_WITHOUT_TIME_STAMPS = {"h264", "hevc", "m4v", "mpegvideo", "obu", "vvc", "vc1"}
# Frame threads each hold a few frames, so their number bounds memory on many-core machines.
_MOST_THREADS = 4
# Some formats state their clock (1000, 90000) where the frame rate belongs.
_FASTEST = 480
_BEGIN_AT_ZERO = ("mp4", "matroska", "avi")
_CUT_OUT_S = 10.0
# Reading on after this many failures in a row is hopeless.
_MOST_FAILURES = 8
_LEAP_AHEAD_S, _LEAP_BACK_S = 600.0, 10.0

Stream = Any
Container = Any


@dataclass
class DecodeReport:
    """What went wrong while decoding one stream; pass one in to find out.

    Attributes:
        frames: frames decoded.
        damaged: packets that could not be decoded, and frames the decoder marked as corrupt.
        broken_off: reading stopped before the end of the file.
    """

    frames: int = 0
    damaged: int = 0
    broken_off: bool = False

    def warnings(self, path: Path | str) -> tuple[str, ...]:
        """Sentences for a person; empty if all was well."""
        found = []
        if self.damaged:
            found.append(
                f"{path}: {self.damaged} of {self.frames + self.damaged} pieces of the stream are damaged; "
                "the picture before them was held or the sound left silent"
            )
        if self.broken_off:
            found.append(f"{path}: reading broke off before the end; the file is probably truncated")
        return tuple(found)


@contextmanager
def opened(path: Path | str) -> Iterator[Container]:
    """Open a media file for reading.

    Raises: MediaError if the file is missing, a folder, empty, unreadable or no media file.
    """
    container = _open(Path(path))
    try:
        yield container
    finally:
        container.close()


def _open(path: Path) -> Container:
    if not path.exists():
        raise MediaError(f"{path}: no such file; is the path spelt right?")
    if not path.is_file():
        raise MediaError(f"{path}: is a folder or device, expected a video file")
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path}: the file is empty (0 bytes); did a copy or download fail?")
        # An absolute path keeps a leading dash, or a colon, from being read as an option or a protocol.
        return av.open(os.path.abspath(path), options=dict(_OPTIONS), metadata_errors="replace")  # noqa: PTH100
    except PermissionError as error:
        raise MediaError(f"{path}: may not be read by this user; check its permissions") from error
    except FFmpegError as error:
        raise MediaError(f"{path}: not readable as video ({describe(error)}); {_likely_cause(path)}") from error


def _likely_cause(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"\x89PNG") or head.startswith(b"\xff\xd8\xff") or head.startswith(b"BM"):
        return "it is a picture, expected a video"
    if head.startswith(b"PK\x03\x04"):
        return "it is a ZIP archive; unpack it first"
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"free", b"wide"):
        return "it looks like an MP4 or MOV whose index is missing, as after an interrupted recording or download"
    if head.isascii() and not any(byte < 9 for byte in head):
        return "it looks like text, expected a video such as .mp4, .webm or .mkv"
    return "expected a video such as .mp4, .webm or .mkv; damaged or renamed?"


def describe(error: Exception) -> str:
    """The reason in an error of the media libraries, without path and numbers."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:120]


def video_stream(container: Container, path: Path | str) -> Stream:
    """The first real video stream, cover pictures left out.

    Raises: MediaError if there is none.
    """
    stream = find_video(container)
    if stream is None:
        found = "only sound" if container.streams.audio else "no stream that can be decoded"
        raise MediaError(f"{path}: has no video track ({found} inside); expected a video file")
    return stream


def find_video(container: Container) -> Stream | None:
    """The first real video stream, or None."""
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def find_audio(container: Container) -> Stream | None:
    """The first audio stream that a decoder exists for, or None."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    return None


def use_threads(stream: Stream) -> None:
    """Let a decoder use the cores there are, within the bound that keeps memory flat."""
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, _MOST_THREADS)


def has_time_stamps(container: Container) -> bool:
    """False for bare elementary streams."""
    return container.format.name not in _WITHOUT_TIME_STAMPS


def time_zero_s(container: Container) -> float:
    """Container time that counts as 0 s.

    MP4, Matroska and AVI have a time line that begins at 0, as browsers show it; what lies
    before (encoder delay) is trimmed. Broadcast streams, and cuts of live ones in any
    container, start anywhere: there the earliest stream's start counts as 0.
    """
    start_s = (container.start_time or 0) / av.time_base
    begins_at_zero = any(kind in container.format.name for kind in _BEGIN_AT_ZERO)
    return 0.0 if start_s < (_CUT_OUT_S if begins_at_zero else 0.0) else start_s


class Clock:
    """Time since time zero of one stream, kept from leaping where time stamps are damaged or start anew.

    A picture or silence may well last long, so leaps ahead count as damage only from ten
    minutes on; joined recordings start again at 0, so leaps back of more than ten seconds
    go on where the stream was.
    """

    def __init__(self, zero_s: float, *, sought: bool = False) -> None:
        """`sought`: reading starts somewhere inside, so the first time stamp is believed."""
        self._offset_s = -zero_s
        self._anywhere = sought
        self.expected_s = 0.0

    def place(self, stamp_s: float | None, length_s: float) -> float:
        """Time of a frame or packet with time stamp `stamp_s` (None if it has none) that lasts `length_s`."""
        time_s = self.expected_s if stamp_s is None else stamp_s + self._offset_s
        if not self._anywhere and not -_LEAP_BACK_S <= time_s - self.expected_s <= _LEAP_AHEAD_S:
            self._offset_s += self.expected_s - time_s
            time_s = self.expected_s
        self._anywhere = False
        self.expected_s = time_s + length_s
        return time_s


def frame_rate(stream: Stream) -> float:
    """Frames per second as the file states it, 25 where it does not or cannot be meant."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.001 <= float(rate) <= _FASTEST:
            return float(rate)
    return 25.0


def packets_of(container: Container, streams: list[Stream], report: DecodeReport) -> Iterator[Any]:
    """Packets in stored order, going on behind damage while anything follows; last comes an empty one a stream."""
    failures = 0
    while failures < _MOST_FAILURES:
        try:
            for packet in container.demux(streams):
                failures = 0
                yield packet
            return
        except IndexError:
            continue  # a stream that the header did not announce; this packet is none of ours
        except FFmpegError:
            failures += 1
    report.broken_off = True
    for stream in streams:
        last = av.Packet()
        last.stream, last.time_base = stream, stream.time_base
        yield last


def decoded(container: Container, stream: Stream, report: DecodeReport) -> Iterator[Any]:
    """Frames of one stream in presentation order; damaged packets are counted and passed over."""
    for packet in packets_of(container, [stream], report):
        yield from _frames_of(stream, packet, report)


def _frames_of(stream: Stream, packet: Any, report: DecodeReport) -> Iterator[Any]:
    try:
        frames = stream.decode(packet)
    except av.error.EOFError:
        return
    except FFmpegError:
        report.damaged += 1
        return
    for frame in frames:
        report.frames += 1
        report.damaged += bool(frame.is_corrupt)
        yield frame
