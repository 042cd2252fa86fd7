"""The sound a clip is heard with under one audio condition."""

from __future__ import annotations

import bisect
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mravff_core.audio_condition import AudioCondition
from mravff_core.data.features import Features
from mravff_core.errors import WorkspaceError
from mravff_core.media.encoders import ENCODERS, AudioEncoder
from mravff_core.media.sound import read_audio
from mravff_core.workspace import Workspace


def audio_encoder(name: str | None) -> AudioEncoder | None:
    """Our audio encoder of that name, None where features came from elsewhere."""
    encoder = ENCODERS[name]() if name in ENCODERS else None
    return encoder if isinstance(encoder, AudioEncoder) else None


def silence_of(workspace: Workspace, audio_set: str) -> NDArray[np.float32] | None:
    """[channels] features of digital silence, None where the encoder is not ours."""
    encoder = audio_encoder(workspace.settings.encoders.get(audio_set))
    return None if encoder is None else encoder.silence()


def heard_clip(workspace: Workspace, clip_id: str, condition: AudioCondition) -> str:
    """Whose sound a clip is heard with.

    Its own, or under `swap:CLIP` that clip's. Under `swap:+N` the Nth further on among the clips
    with sound of its split, in order of id and from the last to the first again; a clip never
    hears itself, so for a whole split every sound is used once.

    Raises: WorkspaceError if there is no such clip, or no other with sound in the split.
    """
    if condition.kind != "swap":
        return clip_id
    if condition.swap_step is None:
        return workspace.clip(condition.clip_id).clip_id
    split = workspace.clip(clip_id).split
    clips = workspace.clips
    heard = clips.loc[(clips["split"] == split) & clips["has_audio"].astype(bool), "clip_id"]
    others = sorted(set(heard) - {clip_id})
    if not others:
        raise WorkspaceError(
            f"{workspace.folder}: split {split!r} has no other clip with sound that {clip_id!r} could be heard with"
        )
    after = bisect.bisect_left(others, clip_id)
    return others[(after + condition.swap_step - 1) % len(others)]


def conditioned_audio(workspace: Workspace, clip_id: str, audio_set: str, condition: AudioCondition) -> Features | None:
    """Audio features of a clip of a workspace, altered where the condition asks for other sound.

    Returns: None where the clip that is listened to has no sound.
    Raises: FeatureError, MediaError, WorkspaceError.
    """
    source_id = heard_clip(workspace, clip_id, condition)
    source = workspace.clip(source_id)
    if not source.has_audio:
        return None
    own = workspace.features(audio_set, source_id)
    video = workspace.video_path(source_id) if condition.kind == "noise" and source.path else None
    return altered_sound(video, own, condition, audio_encoder(workspace.settings.encoders.get(audio_set)))


def altered_sound(
    video: Path | str | None, own: Features, condition: AudioCondition, encoder: AudioEncoder | None
) -> Features:
    """Features of silence or noise in place of a clip's own; `on`, `off`, `shift` and `swap` leave them.

    Noise is mixed into the samples before encoding where the video and our encoder are at hand,
    else into the features at the same ratio of powers. Without an encoder of ours, silence is a
    feature vector of zeros.
    """
    if condition.kind == "silence":
        column = np.zeros(len(own.array), np.float32) if encoder is None else encoder.silence()
        return Features(np.repeat(column[:, None], own.array.shape[1], axis=1), own.grid)
    if condition.kind == "noise":
        if encoder is None or video is None:
            return Features(with_noise(own.array, condition.snr_db), own.grid)
        samples = read_audio(video, sample_rate=encoder.sample_rate)
        return encoder.encode_samples(with_noise(samples, condition.snr_db), encoder.sample_rate)
    return own


def with_noise(signal: NDArray[np.float32], snr_db: float) -> NDArray[np.float32]:
    """Signal plus white noise whose power lies `snr_db` decibels below the signal's.

    The noise follows from the signal, so it is the same each time. Silence stays silence:
    there is no ratio to keep.
    """
    digest = hashlib.sha256(np.ascontiguousarray(signal).tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    noise = generator.standard_normal(signal.shape, dtype=np.float32)
    power = float(np.mean(np.square(signal, dtype=np.float64))) if signal.size else 0.0
    return signal + noise * np.float32(np.sqrt(power / 10 ** (snr_db / 10)))
