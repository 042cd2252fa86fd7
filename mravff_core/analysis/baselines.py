"""What a clip is compared with: sound and sight that carry no news of the explained action.

| name | sound | sight |
| --- | --- | --- |
| `silence` | features of digital silence | |
| `frozen` | | features of one still picture, that at the segment's start |
| `mean` | the clip's mean features throughout | the same |
| `clip:ID` | another clip's features | the same |

A still picture is encoded anew where the encoder is ours and the video at hand; otherwise the
features of that moment are held. Another clip's features are repeated or cut to length.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, MediaError, WorkspaceError
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import feature_sets_of, prepare_clip
from mravff_core.inference.sound import silence_of
from mravff_core.media.decode import iter_frames
from mravff_core.media.encoders import ENCODERS, VisualEncoder
from mravff_core.media.pixels import HEIGHT, WIDTH
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import Workspace

Modality = Literal["audio", "vision"]
AUDIO_BASELINES = ("silence", "mean")
VISION_BASELINES = ("mean", "frozen")
DEFAULT_AUDIO, DEFAULT_VISION = "silence", "mean"
_CLIP = "clip:"
# Frames of one picture that are enough for a step of our encoder.
_STILL_FRAMES = 8
_WORDS = {
    "silence": "digital silence",
    "mean": "the clip's mean features",
    "frozen": "a still picture",
}


def baseline_words(name: str) -> str:
    """A baseline as people read it."""
    return _WORDS.get(name) or (f"clip {name.removeprefix(_CLIP)}" if name.startswith(_CLIP) else name)


def check_baseline(name: str, modality: Modality) -> None:
    """Refuse a name that means nothing. Raises: ConfigError."""
    known = AUDIO_BASELINES if modality == "audio" else VISION_BASELINES
    if name not in known and not (name.startswith(_CLIP) and len(name) > len(_CLIP)):
        raise ConfigError(f"{modality} baseline {name!r} is not known; expected {', '.join(known)} or clip:ID")


def audio_baseline(workspace: Workspace, predictor: Predictor, audio: Tensor, name: str) -> Tensor:
    """Sound to compare with, of the shape of `audio` [1, channels, time].

    Raises: ConfigError for an unknown name; WorkspaceError, FeatureError if another clip cannot serve.
    """
    check_baseline(name, "audio")
    if name == "mean":
        return audio.mean(dim=-1, keepdim=True).expand_as(audio).clone()
    if name == "silence":
        silence = silence_of(workspace, feature_sets_of(predictor.detector.config)[1])
        column = torch.zeros(audio.shape[1]) if silence is None else torch.from_numpy(np.asarray(silence, np.float32))
        return column.to(audio.device)[None, :, None].expand_as(audio).clone()
    other = name.removeprefix(_CLIP)
    batch, _ = prepare_clip(workspace, other, predictor, AudioCondition())
    if batch.audio is None:
        raise WorkspaceError(f"clip {other!r} has no sound, so it cannot be the baseline of sound")
    return _fitted(batch.audio, audio)


def vision_baseline(
    workspace: Workspace,
    predictor: Predictor,
    visual: Tensor,
    name: str,
    *,
    clip_id: str,
    grid: TimeGrid,
    time_s: float,
) -> Tensor:
    """Sight to compare with, of the shape of `visual` [1, channels, time].

    Args:
        clip_id, grid: of the clip itself.
        time_s: of the still picture.
    Raises: ConfigError for an unknown name; WorkspaceError, FeatureError if another clip cannot serve.
    """
    check_baseline(name, "vision")
    if name == "mean":
        return visual.mean(dim=-1, keepdim=True).expand_as(visual).clone()
    if name == "frozen":
        column = _still(workspace, predictor, clip_id, time_s)
        if column is None:
            step = int(np.clip(round(float(grid.from_seconds(time_s))), 0, visual.shape[-1] - 1))
            column = visual[0, :, step]
        return column.to(visual.device)[None, :, None].expand_as(visual).clone()
    batch, _ = prepare_clip(workspace, name.removeprefix(_CLIP), predictor, AudioCondition())
    return _fitted(batch.visual, visual)


def further_clips(workspace: Workspace, clip_id: str, predictor: Predictor, *, most: int) -> list[str]:
    """Clips with sound and features that may serve as baselines: the next ones in order, round the end."""
    sets = feature_sets_of(predictor.detector.config)
    table = workspace.clips
    ids = list(table["clip_id"])
    heard = dict(zip(table["clip_id"], table["has_audio"], strict=True))
    place = ids.index(clip_id)
    found: list[str] = []
    for other in ids[place + 1 :] + ids[:place]:
        if len(found) == most:
            break
        if heard[other] and all(workspace.has_features(name, other) for name in sets):
            found.append(other)
    return found


def _still(workspace: Workspace, predictor: Predictor, clip_id: str, time_s: float) -> Tensor | None:
    """[channels] features of one picture shown for ever; None where they cannot be made."""
    visual_set = feature_sets_of(predictor.detector.config)[0]
    if ENCODERS.get(workspace.settings.encoders.get(visual_set, "")) is not VisualEncoder:
        return None
    try:
        video = workspace.video_path(clip_id)
        frame = next(iter(iter_frames(video, frames_per_second=30, width=WIDTH, height=HEIGHT, start_s=time_s)), None)
    except (MediaError, WorkspaceError):
        return None
    if frame is None:
        return None
    return torch.from_numpy(VisualEncoder().encode_frames([frame.rgb] * _STILL_FRAMES).array[:, 0].copy())


def _fitted(features: Tensor, like: Tensor) -> Tensor:
    """Repeated or cut to the length of `like`."""
    times = -(-like.shape[-1] // features.shape[-1])
    return features.repeat(1, 1, times)[..., : like.shape[-1]].clone()
