"""One raw video in, detections and gates out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.inference.extract import Encoded, encode_video
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import level_gates
from mravff_core.inference.sound import altered_sound, audio_encoder
from mravff_core.media.encoders import ENCODERS
from mravff_core.media.probe import MediaInfo, probe
from mravff_core.model.detector import Detector
from mravff_core.segments import ACTION, DETECTION_COLUMNS
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import LevelGates

SCHEMA = "mravff.localize/1"


@dataclass(frozen=True)
class Localization:
    """What a detector found in one video.

    Attributes:
        video: what the probe found out.
        grid: visual feature grid.
        steps: visual feature steps.
        labels: class names of the detector's first label set.
        label_set: what those classes are.
        detections: `start_s`, `end_s`, `label`, `score` of that label set, best first.
        gates: one entry a level, finest first; empty where the detector has none.
        strides: visual steps from one step of a level to the next.
        audio_condition: what it was given to hear.
        warnings: sentences for people.
        seconds: time spent by stage.
        encoded: features of the video as it is, whatever the detector was given to hear.
        further: detections by each further label set of a joint detector; those of verb and noun
            together, as `action`, count verb * number of nouns + noun.
        further_labels: class names of those label sets but `action`.
    """

    video: MediaInfo
    grid: TimeGrid
    steps: int
    labels: tuple[str, ...]
    label_set: str
    detections: pd.DataFrame
    gates: list[LevelGates]
    strides: tuple[int, ...]
    audio_condition: AudioCondition
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    encoded: Encoded
    further: dict[str, pd.DataFrame] = field(default_factory=dict)
    further_labels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def label_sets(self) -> dict[str, tuple[str, ...]]:
        """Class names by label set, the detector's first one first."""
        return {self.label_set: self.labels, **self.further_labels}

    def class_name(self, label_set: str, label: int) -> str:
        """What people call a class; an action is its verb and its noun."""
        if label_set != ACTION or ACTION in self.label_sets:
            return self.label_sets[label_set][label]
        verb, noun = divmod(label, len(self.label_sets["noun"]))
        return f"{self.label_sets['verb'][verb]} {self.label_sets['noun'][noun]}"

    def to_mapping(self, *, min_score: float = 0.0, run: str | None = None) -> dict[str, Any]:
        """The result document (docs/localize.md): plain values, times in seconds."""
        return {
            "schema": SCHEMA,
            "clip": {
                "path": str(self.video.path),
                "duration_s": round(self.video.duration_s, 6),
                "frames_per_second": _finite(self.video.frames_per_second),
                "width": self.video.width,
                "height": self.video.height,
                "has_audio": self.video.has_audio,
            },
            "run": run,
            "label_set": self.label_set,
            "labels": list(self.labels),
            "label_sets": {name: list(labels) for name, labels in self.label_sets.items()},
            "audio_condition": str(self.audio_condition),
            "grid": {**self.grid.to_mapping(), "steps": self.steps},
            "detections": self._listed(min_score),
            "gates": [
                {
                    "level": number,
                    "step_s": round(self.grid.hop_s * stride, 6),
                    "times_s": [round(float(value), 4) for value in level.times_s],
                    "gate": [round(float(value), 5) for value in level.gates],
                }
                for number, (level, stride) in enumerate(zip(self.gates, self.strides, strict=False))
            ],
            "warnings": list(self.warnings),
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
        }

    def _listed(self, min_score: float) -> list[dict[str, Any]]:
        """Detections of all label sets from a score on, best first; equal scores in the label sets' order."""
        listed = []
        for label_set, table in {self.label_set: self.detections, **self.further}.items():
            kept = table[table["score"] >= min_score]
            for start_s, end_s, label, score in zip(*(kept[name].tolist() for name in DETECTION_COLUMNS), strict=True):
                listed.append(
                    {
                        "start_s": round(start_s, 4),
                        "end_s": round(end_s, 4),
                        "label_set": label_set,
                        "label": label,
                        "name": self.class_name(label_set, label),
                        "score": round(score, 6),
                    }
                )
        return sorted(listed, key=lambda found: -found["score"])


def localize(
    video: Path | str,
    detector: Detector,
    *,
    condition: AudioCondition | str = "on",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Localization:
    """Encode a video with the detector's own encoders and detect in it.

    Args:
        video: any file that ffmpeg's libraries can read.
        detector: one whose features our encoders make.
        condition: what it gets to hear; `swap` needs a workspace and is refused here.
        progress: called with the share done, 0 to 1.
        cancel: asked now and then; True stops.
    Raises: MediaError, ConfigError, WorkspaceError, CancelledError.
    """
    condition = AudioCondition.parse(condition)
    if condition.kind == "swap":
        raise ConfigError(f"audio condition {condition}: another clip's sound needs a workspace; use predict")
    clock = time.perf_counter()
    seconds: dict[str, float] = {}

    def stage_done(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[name], clock = now - clock, now

    info = probe(video)
    encoders = encoders_of(detector)
    stage_done("probe")
    encoded = encode_video(video, encoders, has_audio=info.has_audio, progress=progress, cancel=cancel)
    visual = encoded.features["visual"]
    audio = encoded.features.get("audio")
    listener = audio_encoder(encoders.get("audio"))
    if audio is not None:
        audio = altered_sound(video, audio, condition, listener)
    stage_done("encode")
    prediction = Predictor(detector).detect(
        visual.array,
        None if audio is None else audio.array,
        grid=visual.grid,
        duration_s=info.duration_s,
        audio_grid=None if audio is None else audio.grid,
        audio_condition=condition if condition.kind in ("off", "shift") else "on",
        silence=None if listener is None else listener.silence(),
    )
    stage_done("detect")
    warnings = [*info.warnings, *encoded.warnings]
    if "audio" in encoders and not info.has_audio:
        warnings.append("There is no sound track: the detector worked from the picture alone, as with audio off.")
    return Localization(
        video=info,
        grid=visual.grid,
        steps=visual.array.shape[1],
        labels=detector.config.labels,
        label_set=detector.config.label_set,
        detections=prediction.detections,
        gates=level_gates(prediction),
        strides=detector.strides,
        audio_condition=condition,
        warnings=tuple(warnings),
        seconds=seconds,
        encoded=encoded,
        further=prediction.further,
        further_labels={other.name: other.labels for other in detector.config.further_label_sets},
    )


def encoders_of(detector: Detector) -> dict[str, str]:
    """Names of our encoders that made the detector's features, by modality.

    Raises: WorkspaceError if the detector reads features that no encoder of ours makes.
    """
    chosen = {}
    for modality in ("visual", "audio"):
        record = detector.config.features.get(modality)
        if record is None or (modality == "audio" and detector.config.fusion.kind == "none"):
            continue
        name = str(record.get("encoder"))
        if name not in ENCODERS:
            raise WorkspaceError(
                f"the detector reads {modality} features of {name!r}, which cannot be made from a video here; "
                f"encoders here are {', '.join(ENCODERS)}; extract such features elsewhere and import them"
            )
        chosen[modality] = name
    if "visual" not in chosen:
        raise WorkspaceError("the detector does not say which features it was trained on; localize needs that record")
    return chosen


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
