"""Samples of a file's sound in order, lined up with time 0 of its video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from mravff_core.errors import CancelledError
from mravff_core.media.container import Clock, Container, DecodeReport, Stream, decoded, find_audio, opened, time_zero_s

Samples = NDArray[np.float32]

# Time stamps of sound are often rounded to whole milliseconds; only real gaps are mended.
_GAP_S = 0.1
_WORTH_SEEKING_S = 10.0
# Read a little before the wanted start: lossy codecs and the resampler need to run in.
_RUN_IN_S = 0.5


def iter_audio(
    path: Path | str,
    *,
    sample_rate: int,
    block_s: float = 10.0,
    start_s: float = 0.0,
    end_s: float | None = None,
    report: DecodeReport | None = None,
) -> Iterator[Samples]:
    """Mono samples in blocks of `block_s` seconds (the last may be shorter); none for a silent file.

    Sample `n` belongs to time `start_s + n / sample_rate`: sound that starts late or has
    gaps is filled with zeros, sound before time 0 is left out.

    Args:
        path: media file; only its first audio track is read, channels are averaged.
        sample_rate: rate wanted, > 0.
        block_s: seconds a block, > 0; the samples are the same for any block length.
        start_s, end_s: time range; None reads to the end of the sound.
        report: filled with the damage met.
    Raises: ValueError for a rate or range that makes no sense; MediaError if the file cannot be opened.
    """
    for block in iter_channels(
        path, sample_rate=sample_rate, layout="mono", block_s=block_s, start_s=start_s, end_s=end_s, report=report
    ):
        yield block[0]


def read_audio(path: Path | str, *, sample_rate: int, start_s: float = 0.0, end_s: float | None = None) -> Samples:
    """Mono samples of a time range at once; see `iter_audio`. Empty for a file without sound."""
    blocks = list(iter_audio(path, sample_rate=sample_rate, start_s=start_s, end_s=end_s))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def iter_channels(
    path: Path | str,
    *,
    sample_rate: int,
    layout: str,
    block_s: float = 10.0,
    start_s: float = 0.0,
    end_s: float | None = None,
    report: DecodeReport | None = None,
) -> Iterator[Samples]:
    """Like `iter_audio` for any channel layout: float32 [channels, samples] blocks."""
    block = round(block_s * sample_rate)
    if sample_rate <= 0 or block < 1:
        raise ValueError(f"sample_rate {sample_rate} and block_s {block_s} must give at least one sample")
    if start_s < 0 or (end_s is not None and end_s < start_s):
        raise ValueError(f"time range {start_s} to {end_s} s is not a range from 0 on")
    first = round(start_s * sample_rate)
    left = None if end_s is None else round(end_s * sample_rate) - first
    held: list[Samples] = []
    held_samples = 0
    for piece in _from_sample(path, first, sample_rate, layout, report or DecodeReport()):
        if left is not None:
            piece = piece[:, :left]
            left -= piece.shape[1]
        held.append(piece)
        held_samples += piece.shape[1]
        if held_samples >= block:
            joined = np.concatenate(held, axis=1)
            whole = held_samples - held_samples % block
            for begin in range(0, whole, block):
                yield joined[:, begin : begin + block]
            held, held_samples = [joined[:, whole:]], held_samples - whole
        if left == 0:
            break
    if held_samples:
        yield np.concatenate(held, axis=1)


def channel_count(path: Path | str) -> int:
    """Channels of the sound of a file; 0 without sound. Raises: MediaError if the file cannot be opened."""
    with opened(path) as container:
        stream = find_audio(container)
        return 0 if stream is None else stream.codec_context.layout.nb_channels


def watched(
    blocks: Iterable[Samples],
    *,
    sample_rate: int,
    duration_s: float | None,
    doing: str,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> Iterator[Samples]:
    """Pass blocks on, telling the share heard of `duration_s` and stopping when `cancel` says so.

    Raises: CancelledError that names what was being done.
    """
    heard = 0
    for block in blocks:
        if cancel is not None and cancel():
            raise CancelledError(f"stopped while {doing}")
        yield block
        heard += len(block)
        if progress is not None and duration_s:
            progress(min(1.0, heard / sample_rate / duration_s))


def _from_sample(path: Path | str, first: int, rate: int, layout: str, report: DecodeReport) -> Iterator[Samples]:
    """Consecutive pieces whose first sample is number `first` of the timeline."""
    with opened(path) as container:
        stream = find_audio(container)
        if stream is None:
            return
        sought = first / rate > _WORTH_SEEKING_S and _seek(container, stream, first / rate - _RUN_IN_S)
        position = first
        for at, piece in _placed(container, stream, rate, layout, sought, report):
            skip = position - at
            if skip < 0:
                gap = np.zeros((piece.shape[0], min(-skip, rate)), np.float32)
                while position < at:
                    filled = gap[:, : at - position]
                    position += filled.shape[1]
                    yield filled
                skip = 0
            if skip < piece.shape[1]:
                position += piece.shape[1] - skip
                yield piece[:, skip:]


def _seek(container: Container, stream: Stream, time_s: float) -> bool:
    try:
        container.seek(round((time_s + time_zero_s(container)) / stream.time_base), stream=stream)
    except FFmpegError:
        container.seek(0)
        return False
    return True


def _placed(
    container: Container, stream: Stream, rate: int, layout: str, sought: bool, report: DecodeReport
) -> Iterator[tuple[int, Samples]]:
    """Resampled pieces, each with the number of its first sample on the timeline."""
    clock = Clock(time_zero_s(container), sought=sought)
    resampler = _new_resampler(rate, layout)
    kind: tuple[str, str, int] | None = None
    begun_s = heard_s = 0.0
    at = 0
    for frame in decoded(container, stream, report):
        time_s = clock.place(frame.time, frame.samples / frame.sample_rate)
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != found or abs(time_s - begun_s - heard_s) > _GAP_S:
            for piece in _flush(resampler, kind is not None):
                yield at, piece
                at += piece.shape[1]
            kind, resampler = found, _new_resampler(rate, layout)
            begun_s, heard_s = time_s, 0.0
            at = round(begun_s * rate)
        heard_s += frame.samples / frame.sample_rate
        frame.pts = None
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()
            yield at, samples
            at += samples.shape[1]
    for piece in _flush(resampler, kind is not None):
        yield at, piece
        at += piece.shape[1]


def _new_resampler(rate: int, layout: str) -> Any:
    return AudioResampler(format="fltp", layout=layout, rate=rate)


def _flush(resampler: Any, begun: bool) -> list[Samples]:
    return [piece.to_ndarray() for piece in resampler.resample(None)] if begun else []
