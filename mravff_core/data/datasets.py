"""Data sets of the field: their label sets, and the features that are handed around for them.

Facts about features: ActionFormer's and TriDet's releases (EPIC-Kitchens-100, THUMOS14,
ActivityNet-1.3, HACS) and UnAV-100's (Geng et al., CVPR 2023) save [time, channels].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mravff_core.errors import ConfigError
from mravff_core.segments import TIOU_THRESHOLDS


@dataclass(frozen=True, kw_only=True)
class FeatureKind:
    """Features as an encoder made them for a data set; fields as those of `FeatureSource`.

    Attributes:
        files_vary: whether a single file may also be called by the video's name alone.
    """

    encoder: str
    channels: int
    files: tuple[str, ...] = ("{name}.npy",)
    files_vary: bool = True
    hop_frames: float | None
    window_frames: float | None = None
    frames_per_second: float | None = None
    resize_steps: int | None = None
    every: int = 1


# VGGish hears windows of 0.96 s one after another unless it was told otherwise.
_VGGISH = FeatureKind(encoder="vggish", channels=128, hop_frames=0.96, window_frames=0.96, frames_per_second=1)
# Auditory SlowFast has no hop of its own; what is extracted beside visual SlowFast shares its windows.
_AUDITORY = FeatureKind(
    encoder="auditory_slowfast", channels=2304, hop_frames=16, window_frames=32, frames_per_second=30
)
_AUDIO = {"vggish": _VGGISH, "auditory_slowfast": _AUDITORY}


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What is known of a data set before its files are read.

    Attributes:
        title: for people.
        label_set: what the single label of its annotations is; empty where columns say it.
        visual: kinds of visual features by name, the usual one first.
        audio: kinds of audio features by name, the usual one first.
        tiou_thresholds: temporal overlaps that its published average precisions are means over.
        named_splits: split by how a video's name begins, where the data set's own names say it.
        no_classes: labels of its annotations that are none of its classes.
    """

    title: str
    label_set: str
    visual: Mapping[str, FeatureKind] = field(default_factory=dict)
    audio: Mapping[str, FeatureKind] = field(default_factory=lambda: _AUDIO)
    tiou_thresholds: tuple[float, ...] = TIOU_THRESHOLDS
    named_splits: Mapping[str, str] = field(default_factory=dict)
    no_classes: tuple[str, ...] = ()

    def visual_kind(self, name: str | None) -> FeatureKind | None:
        """Kind of that name, the usual one for None; None where nothing is usual. Raises: ConfigError."""
        return _kind(self.visual, name, f"{self.title}: visual features")

    def audio_kind(self, name: str | None) -> FeatureKind | None:
        """Like `visual_kind`, for sound."""
        return _kind(self.audio, name, f"{self.title}: audio features")


_STRICT = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def _slowfast(hop: float, rate: float, suffix: str) -> FeatureKind:
    return FeatureKind(
        encoder="slowfast",
        channels=2304,
        files=(f"{{name}}.{suffix}",),
        hop_frames=hop,
        window_frames=32,
        frames_per_second=rate,
    )


DATA_SETS: dict[str, DataSet] = {
    "epic": DataSet(
        title="EPIC-Kitchens-100", label_set="verb", visual={"slowfast": _slowfast(hop=16, rate=30, suffix="npz")}
    ),
    "thumos14": DataSet(
        title="THUMOS14",
        label_set="sport",
        visual={"i3d": FeatureKind(encoder="i3d", channels=2048, hop_frames=4, window_frames=16)},
        tiou_thresholds=(0.3, 0.4, 0.5, 0.6, 0.7),
        named_splits={"video_validation_": "validation", "video_test_": "test"},
        no_classes=("Ambiguous",),
    ),
    "activitynet": DataSet(
        title="ActivityNet-1.3",
        label_set="activity",
        visual={
            "tsp": FeatureKind(
                encoder="tsp",
                channels=512,
                files=("v_{name}.npy",),
                hop_frames=16,
                window_frames=16,
                frames_per_second=15,
            ),
            "i3d": FeatureKind(
                encoder="i3d",
                channels=2048,
                files=("v_{name}.npy",),
                hop_frames=16,
                window_frames=16,
                frames_per_second=25,
                resize_steps=192,
            ),
        },
        tiou_thresholds=_STRICT,
    ),
    "hacs": DataSet(
        title="HACS Segments",
        label_set="activity",
        visual={
            "slowfast": _slowfast(hop=8, rate=15, suffix="npy"),
            "i3d": FeatureKind(encoder="i3d", channels=2048, hop_frames=1, window_frames=1, frames_per_second=2),
        },
        tiou_thresholds=_STRICT,
    ),
    "unav100": DataSet(
        title="UnAV-100",
        label_set="event",
        visual={
            "i3d": FeatureKind(
                encoder="i3d",
                channels=2048,
                files=("{name}_rgb.npy", "{name}_flow.npy"),
                hop_frames=8,
                window_frames=24,
                frames_per_second=25,
            )
        },
        audio={
            "vggish": FeatureKind(
                encoder="vggish",
                channels=128,
                files=("{name}_vggish.npy",),
                hop_frames=8,
                window_frames=24,
                frames_per_second=25,
            ),
            "auditory_slowfast": _AUDITORY,
        },
        tiou_thresholds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    ),
    "generic": DataSet(title="data set", label_set="label"),
}


def _kind(kinds: Mapping[str, FeatureKind], name: str | None, where: str) -> FeatureKind | None:
    if name is None:
        return next(iter(kinds.values()), None)
    if name not in kinds:
        raise ConfigError(f"{where} of kind {name!r} are not known; there are {', '.join(kinds) or 'none'}")
    return kinds[name]
