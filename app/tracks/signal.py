"""Waveform and spectrogram of one clip, made once and kept in the workspace's cache."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from app.tracks.container import encode
from mravff_core.errors import MravffError
from mravff_core.files import written_aside
from mravff_core.media.spectrogram import LogMel, MelSettings, log_mel
from mravff_core.media.waveform import envelope
from mravff_core.workspace import Workspace

DECIBELS = (-80.0, 10.0)
# Long recordings get longer columns, so that what is sent stays at a few megabytes.
MOST_COLUMNS = 60_000
_MEL_HOP_S = 0.02
_WAVEFORM_HOP_S = 0.01
_VERSION = 2
_SHORT_S, _MOST_PREPARED = 180.0, 64

_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


def signal(workspace: Workspace, clip_id: str) -> bytes:
    """Container with `waveform_min`, `waveform_max` and `mel`, empty for a silent clip.

    Raises: WorkspaceError for an unknown clip, MediaError for an unreadable file.
    """
    clip = workspace.clip(clip_id)
    if not clip.has_audio:
        return _pack(None, np.zeros(0, np.float32), np.zeros(0, np.float32), 0.0, clip.duration_s)
    video = workspace.video_path(clip_id)
    path = workspace.cache_folder / "signal" / f"{clip_id}.{_fingerprint(video)}.mrvt"
    with _locks[path]:
        if not path.is_file():
            data = _compute(video, clip.duration_s)
            for stale in path.parent.glob(f"{clip_id}.*.mrvt"):
                if stale.name.count(".") == path.name.count("."):
                    stale.unlink(missing_ok=True)
            with written_aside(path) as aside:
                aside.write_bytes(data)
            return data
    return path.read_bytes()


def prepare_signals(workspace: Workspace, closed: Callable[[], bool]) -> None:
    """Make the signals of short clips before anyone asks, a few dozen of them at most.

    Args:
        closed: asked between clips, and may take its time; True stops.
    """
    clips = workspace.clips
    for clip_id in clips.loc[clips["duration_s"] <= _SHORT_S, "clip_id"].head(_MOST_PREPARED):
        if closed():
            return
        # A file that cannot be read says so when somebody looks at its clip.
        with suppress(MravffError):
            signal(workspace, clip_id)


def _compute(video: Path, duration_s: float) -> bytes:
    coarsest_s = duration_s / MOST_COLUMNS
    with ThreadPoolExecutor(1) as beside:
        waveform = beside.submit(envelope, video, hop_s=max(_WAVEFORM_HOP_S, coarsest_s))
        mel = log_mel(video, settings=MelSettings(), hop_s=max(_MEL_HOP_S, coarsest_s))
        wave = waveform.result()
    return _pack(mel, wave.lowest, wave.highest, wave.hop_s, duration_s)


def _pack(mel: LogMel | None, lowest: np.ndarray, highest: np.ndarray, hop_s: float, duration_s: float) -> bytes:
    low, high = DECIBELS
    decibels = np.zeros((0, 0), np.float32) if mel is None else mel.decibels
    bytes_ = np.round(np.clip((decibels - low) / (high - low), 0.0, 1.0) * 255).astype(np.uint8)
    meta = {
        "duration_s": duration_s,
        "waveform_hop_s": hop_s,
        "mel_hop_s": 0.0 if mel is None else mel.hop_s,
        "mel_start_s": 0.0 if mel is None else mel.start_s,
        "mel_frequencies_hz": [] if mel is None else [round(float(hertz), 2) for hertz in mel.frequencies_hz],
        "mel_db_range": list(DECIBELS),
    }
    return encode({"waveform_min": lowest, "waveform_max": highest, "mel": bytes_}, meta)


def _fingerprint(video: Path) -> str:
    """Changes with the file: where it lies, how long it is and when it was written."""
    stat = video.stat()
    text = f"{_VERSION} {video} {stat.st_size} {stat.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
