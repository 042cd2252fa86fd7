"""Training clips of a workspace, read when they are needed and kept as long as there is room."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd

from mravff_core.config import Recipe
from mravff_core.data.align import to_grid
from mravff_core.data.features import Features
from mravff_core.errors import FeatureError, WorkspaceError
from mravff_core.training.clip import TrainingClip
from mravff_core.workspace import Workspace

DEFAULT_CACHE_MB = 2048


class WorkspaceClips:
    """Clips of a recipe's training split that have true segments, audio brought onto the visual grid.

    May be asked by several threads.

    Args:
        workspace: where clips, segments and features lie.
        recipe: which split, label sets and feature sets.
        cache_mb: features kept in memory once read, in megabytes; those beyond are read each time.
    Raises: WorkspaceError if the split has no clip with true segments.
    """

    def __init__(self, workspace: Workspace, recipe: Recipe, *, cache_mb: float = DEFAULT_CACHE_MB) -> None:
        truth = joint_truth(workspace, recipe)
        if truth.empty:
            splits = ", ".join(sorted(set(workspace.clips["split"]))) or "none"
            raise WorkspaceError(
                f"{workspace.folder}: split {recipe.data.train_split!r} has no clip with true "
                f"{recipe.data.label_set} segments; splits with clips are: {splits}"
            )
        self._workspace = workspace
        self._visual_set = recipe.data.visual_encoder
        self._audio_set = recipe.data.audio_encoder if recipe.fusion.kind != "none" else None
        self._segments = [(str(clip_id), rows) for clip_id, rows in truth.groupby("clip_id", sort=True)]
        seconds = workspace.clips.set_index("clip_id")["duration_s"]
        self.lengths: list[float] = seconds.loc[[clip_id for clip_id, _ in self._segments]].tolist()
        """Seconds of each clip."""
        self._channels: dict[str, int] = {}
        self._room = cache_mb * 1e6
        self._kept: dict[int, TrainingClip] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._segments)

    def __getitem__(self, row: int) -> TrainingClip:
        """Read one clip. Raises: FeatureError."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        with self._lock:
            if row in self._kept:
                return self._kept[row]
        clip = self._read(row)
        size = clip.visual.nbytes + (0 if clip.audio is None else clip.audio.nbytes)
        with self._lock:
            if row not in self._kept and size <= self._room:
                self._kept[row] = clip
                self._room -= size
        return clip

    @property
    def visual_channels(self) -> int:
        """Of the first clip's features."""
        return self[0].visual.shape[0]

    @property
    def audio_channels(self) -> int | None:
        """Of the first clip that has sound; None where none has, or the recipe does not listen."""
        if self._audio_set is None or not self._workspace.clip(self.example).has_audio:
            return None
        return self._workspace.features(self._audio_set, self.example).array.shape[0]

    @property
    def example(self) -> str:
        """Id of the first clip that has all that the recipe reads, else of the first."""
        ids = [clip_id for clip_id, _ in self._segments]
        heard = (clip_id for clip_id in ids if self._audio_set and self._workspace.clip(clip_id).has_audio)
        return next(heard, ids[0])

    def _read(self, row: int) -> TrainingClip:
        clip_id, segments = self._segments[row]
        visual = self._features(self._visual_set, clip_id)
        aligned = None
        if self._audio_set is not None and self._workspace.clip(clip_id).has_audio:
            audio = self._features(self._audio_set, clip_id)
            aligned = to_grid(audio.array, audio.grid, visual.grid, visual.array.shape[1])
        bounds_s = segments[["start_s", "end_s"]].to_numpy(np.float64)
        return TrainingClip(
            clip_id=clip_id,
            visual=visual.array,
            audio=aligned,
            segments_grid=visual.grid.from_seconds(bounds_s).astype(np.float32),
            labels=segments["label"].to_numpy(np.int64, copy=True),
        )

    def _features(self, feature_set: str, clip_id: str) -> Features:
        features = self._workspace.features(feature_set, clip_id)
        channels = features.array.shape[0]
        expected = self._channels.setdefault(feature_set, channels)
        if channels != expected:
            raise FeatureError(
                f"{self._workspace.feature_path(feature_set, clip_id)}: has {channels} channels, other clips have "
                f"{expected}; made by another encoder?"
            )
        return features


def joint_truth(workspace: Workspace, recipe: Recipe) -> pd.DataFrame:
    """True segments of the training split, once for each label set that names them.

    Labels count on through the label sets, as the detector's logits do. Equal segments share
    their points, so a point of a joint detector learns all of a segment's labels.
    """
    data, tables, first = recipe.data, [], 0
    for name in (data.label_set, *data.further_label_sets):
        table = workspace.truth(name, workspace.clip_ids(data.train_split))
        tables.append(table.assign(label=table["label"] + first))
        first += len(workspace.class_names(name))
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
