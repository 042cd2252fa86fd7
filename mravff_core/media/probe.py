"""What is inside a media file, found without decoding more than one frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from mravff_core.errors import MediaError
from mravff_core.media.container import (
    Clock,
    Container,
    DecodeReport,
    Stream,
    decoded,
    find_audio,
    frame_rate,
    has_time_stamps,
    opened,
    packets_of,
    time_zero_s,
    video_stream,
)

# One step of the light encoders; durations closer than this count as equal.
DISAGREEMENT_S = 4 / 30
_MP4_VIDEO, _MP4_AUDIO = {"h264", "av1", "vp9"}, {"aac", "mp3", "opus", "flac"}
_WEBM_VIDEO, _WEBM_AUDIO = {"vp8", "vp9", "av1"}, {"vorbis", "opus"}
_BROWSER_PIXELS = {"yuv420p", "yuvj420p"}
# Frames whose spacing tells whether the rate varies.
_LOOKED_AT = 400
_BEYOND_ANY_END = 2**50
# More seconds a frame than this on average, and an index is not believed unread.
_SLOWEST_S = 10
# A header that promises this much more than there is was written for a longer file.
_MISSING_S = 0.3


@dataclass(frozen=True)
class MediaInfo:
    """One media file.

    Attributes:
        duration_s: length of the video track; time 0 is the file's earliest start.
        frames_per_second: the rate the file states (an average where it varies).
        width, height: pixels of the upright picture.
        rotation: degrees the stored picture is turned counter-clockwise for display: 0, 90, 180 or 270.
        frame_count: frames stored, None where only decoding could tell.
        audio_duration_s: end of the sound on the video's time axis, None without sound.
        browser_playable: container, codecs and pixel format are ones that browsers play.
        warnings: sentences a person should see.
    """

    path: Path
    duration_s: float
    frames_per_second: float
    width: int
    height: int
    rotation: int
    frame_count: int | None
    has_video: bool
    has_audio: bool
    audio_duration_s: float | None
    sample_rate: int | None
    video_codec: str
    audio_codec: str | None
    browser_playable: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Extent:
    """Where a stream ends, how many packets it has, whether the file breaks off early, whether its rate varies."""

    end_s: float | None
    packets: int | None
    truncated: bool = False
    varies: bool = False


def probe(path: Path | str) -> MediaInfo:
    """Look into a video file.

    Raises: MediaError if it is missing, a folder, empty, not a media file, has no video
        track, or its first frame cannot be decoded.
    """
    path = Path(path)
    frame = _first_frame(path)
    with opened(path) as container:
        video, audio = video_stream(container, path), find_audio(container)
        seen, heard = _extents(path, container, video, audio)
        rate = frame_rate(video)
        duration_s = (
            seen.end_s if seen.end_s and seen.end_s > 0 else float(frame.duration * frame.time_base or 1 / rate)
        )
        rotation = round(frame.rotation / 90) % 4 * 90
        sides = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
        return MediaInfo(
            path=path,
            duration_s=duration_s,
            frames_per_second=_credible_rate(rate, seen.packets, duration_s),
            width=sides[0],
            height=sides[1],
            rotation=rotation,
            frame_count=seen.packets,
            has_video=True,
            has_audio=audio is not None,
            audio_duration_s=None if heard is None else heard.end_s,
            sample_rate=None if audio is None else audio.codec_context.sample_rate,
            video_codec=_codec(video),
            audio_codec=None if audio is None else _codec(audio),
            browser_playable=_plays_in_browsers(path, container, video, audio, frame.format.name),
            warnings=_warnings(path, container, video, seen, heard, duration_s),
        )


def _first_frame(path: Path) -> Any:
    report = DecodeReport()
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.codec_context.thread_type = "NONE"
        for frame in decoded(container, stream, report):
            return frame
    raise MediaError(
        f"{path}: not one video frame could be decoded ({report.damaged} damaged pieces); corrupt or truncated?"
    )


def _credible_rate(stated: float, frames: int | None, duration_s: float) -> float:
    """The stated rate, or the counted one where the two have little to do with each other."""
    counted = (frames or 0) / duration_s
    if frames and frames > 2 and abs(counted - stated) > 0.1 * stated:
        return counted
    return stated


def _codec(stream: Stream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _extents(path: Path, container: Container, video: Stream, audio: Stream | None) -> tuple[_Extent, _Extent | None]:
    """Extents of video and sound: from an MP4's index, else by reading (not decoding) every packet."""
    if "mp4" in container.format.name and _index_is_credible(video):
        size = path.stat().st_size
        return _indexed(container, video, size), None if audio is None else _indexed(container, audio, size)
    return _scanned(container, video, audio)


def _index_is_credible(video: Stream) -> bool:
    """False for fragmented files, whose index is elsewhere, and where frames would lie oddly far apart."""
    return bool(video.frames and video.duration) and video.duration * video.time_base <= _SLOWEST_S * video.frames


def _indexed(container: Container, stream: Stream, file_size: int) -> _Extent:
    zero_s = time_zero_s(container)
    start = stream.start_time or 0
    index = stream.index_entries
    whole = _entries_inside(index, file_size)
    varies = stream.type == "video" and _uneven([index[k].timestamp for k in range(min(len(index), _LOOKED_AT))])
    if whole < len(index):
        end = start + index[whole].timestamp - index[0].timestamp
        return _Extent(float(end * stream.time_base) - zero_s, whole, truncated=True, varies=varies)
    end_s = float((start + (stream.duration or 0)) * stream.time_base) - zero_s
    if stream.type == "video":
        # The header adds up decoding steps, which with reordered frames of uneven length is not when the last one ends.
        end_s = _end_of_last_packet(container, stream, end_s)
    return _Extent(end_s, stream.frames or None, varies=varies)


def _end_of_last_packet(container: Container, stream: Stream, otherwise_s: float) -> float:
    """When the frame shown last is gone, from the packets after the last key frame."""
    last, end = None, 0.0
    try:
        container.seek(_BEYOND_ANY_END, stream=stream)
        for packet in container.demux(stream):
            if (
                packet.size
                and packet.pts is not None
                and not packet.is_discard
                and (last is None or packet.pts >= last)
            ):
                last, end = packet.pts, float((packet.pts + (packet.duration or 0)) * packet.time_base)
    except FFmpegError:
        return otherwise_s
    return otherwise_s if last is None else end - time_zero_s(container)


def _entries_inside(index: Any, file_size: int) -> int:
    """How many leading entries of an index lie wholly inside the file (positions rise)."""
    low, high = 0, len(index)
    while low < high:
        middle = (low + high) // 2
        if index[middle].pos + index[middle].size <= file_size:
            low = middle + 1
        else:
            high = middle
    return low


def _scanned(container: Container, video: Stream, audio: Stream | None) -> tuple[_Extent, _Extent | None]:
    streams = [video] if audio is None else [video, audio]
    ends: dict[int, float] = {}
    clocks = {stream.index: Clock(time_zero_s(container)) for stream in streams}
    stamps: list[int] = []
    counts = dict.fromkeys((stream.index for stream in streams), 0)
    typical_s = {video.index: 1 / frame_rate(video)}
    report = DecodeReport()
    for packet in packets_of(container, streams, report):
        if packet.size == 0:
            continue
        at = packet.stream.index
        counts[at] += 1
        if packet.pts is not None:
            if at == video.index and len(stamps) < _LOOKED_AT:
                stamps.append(packet.pts)
            length_s = float((packet.duration or 0) * packet.time_base) or typical_s.get(at, 0.0)
            begin_s = clocks[at].place(float(packet.pts * packet.time_base), length_s)
            if begin_s + length_s > ends.get(at, 0.0):
                ends[at] = begin_s + length_s
    if not has_time_stamps(container):
        ends[video.index] = counts[video.index] / frame_rate(video)
    truncated = report.broken_off or _header_claims_more(container, ends)
    # The latest few may still lack neighbours that are stored after them.
    varies = _uneven(sorted(stamps)[: _LOOKED_AT - 16])
    seen = _Extent(ends.get(video.index), counts[video.index] or None, truncated, varies)
    return seen, None if audio is None else _Extent(ends.get(audio.index), counts[audio.index])


def _header_claims_more(container: Container, ends: dict[int, float]) -> bool:
    # The header of broadcast formats is itself an estimate.
    if "matroska" not in container.format.name or not container.duration or not ends:
        return False
    return container.duration / av.time_base > max(ends.values()) + _MISSING_S


def _plays_in_browsers(path: Path, container: Container, video: Stream, audio: Stream | None, pixels: str) -> bool:
    kind = container.format.name
    sound = None if audio is None else _codec(audio)
    if "mp4" in kind:
        videos, audios = _MP4_VIDEO, _MP4_AUDIO
    elif "webm" in kind and _is_webm(path):
        videos, audios = _WEBM_VIDEO, _WEBM_AUDIO
    else:
        return False
    return _codec(video) in videos and pixels in _BROWSER_PIXELS and (sound is None or sound in audios)


def _is_webm(path: Path) -> bool:
    with path.open("rb") as file:
        return b"webm" in file.read(64)


def _warnings(
    path: Path, container: Container, video: Stream, seen: _Extent, heard: _Extent | None, duration_s: float
) -> tuple[str, ...]:
    found = []
    if seen.truncated:
        found.append(f"{path.name} breaks off after {duration_s:.1f} s; what is there is used. Truncated download?")
    if not has_time_stamps(container):
        found.append(
            f"{path.name} holds no time stamps; its frames are taken to be {1000 / frame_rate(video):.1f} ms apart."
        )
    elif seen.varies:
        found.append(
            f"{path.name} has a varying frame rate (about {frame_rate(video):.2f} a second); "
            "frames are placed by their time stamps."
        )
    if heard is not None and heard.end_s is None:
        found.append(f"{path.name} has an audio track without a single packet of sound.")
    elif heard is not None and heard.end_s is not None and abs(heard.end_s - duration_s) > DISAGREEMENT_S:
        longer = "longer" if heard.end_s > duration_s else "shorter"
        found.append(
            f"{path.name}: sound lasts {heard.end_s:.2f} s, {abs(heard.end_s - duration_s):.2f} s {longer} "
            f"than the picture's {duration_s:.2f} s."
        )
    return tuple(found)


def _uneven(stamps: list[int]) -> bool:
    """Whether more than a few steps between time stamps differ from the usual by more than rounding."""
    steps = [after - before for before, after in pairwise(stamps)]
    if len(steps) < 3:
        return False
    typical = sorted(steps)[len(steps) // 2]
    odd = sum(abs(step - typical) > max(2, 0.1 * typical) for step in steps[:-1])
    return odd > 0.02 * len(steps)
