"""Explain a stored detection of a run, from the workspace's files, kept in its cache by content."""

from __future__ import annotations

import dataclasses
import functools
import glob
import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mravff_core.analysis.attribution import Attribution, Options, Target, TracedPoint, attribute, trace_detection
from mravff_core.analysis.attribution.levels import Redetected
from mravff_core.analysis.attribution.scorer import Inputs
from mravff_core.analysis.attribution.target import DEFAULT_QUANTITY
from mravff_core.analysis.baselines import (
    AUDIO_BASELINES,
    DEFAULT_AUDIO,
    DEFAULT_VISION,
    VISION_BASELINES,
    audio_baseline,
    check_baseline,
    further_clips,
    vision_baseline,
)
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import WorkspaceError
from mravff_core.files import write_json
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import prepare_clip
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch, DetectorOutput
from mravff_core.segments import temporal_iou
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import Workspace

# Raise it when equal questions get other answers.
_VERSION = 2
_OTHER_CLIPS = 4
# A detection of a changed detector is still the same one from this overlap on.
_SAME_TIOU = 0.3


@dataclass(frozen=True)
class Question:
    """What is asked about which detection.

    Attributes:
        run, clip: whose detection.
        detection: its number in the clip, 0 for the best score, as the app and `predict` count.
        label_set: of a joint detector; None for its first.
        audio: what the detector heard.
        quantity: logit, contrast, probability, start or end; see `Target`.
        audio_baseline, vision_baseline: see `mravff_core.analysis.baselines`.
    """

    run: str
    clip: str
    detection: int
    label_set: str | None = None
    audio: AudioCondition = dataclasses.field(default_factory=AudioCondition)
    quantity: str = DEFAULT_QUANTITY
    audio_baseline: str = DEFAULT_AUDIO
    vision_baseline: str = DEFAULT_VISION


@dataclass(frozen=True)
class Explanation:
    """What a stored detection rests on.

    Attributes:
        question: what was asked.
        start_s, end_s, label, name, score: the detection; `label` in its label set.
        point: the detector's point behind it.
        attribution: of that point's number.
    """

    question: Question
    start_s: float
    end_s: float
    label: int
    name: str
    score: float
    point: TracedPoint
    attribution: Attribution

    def to_mapping(self) -> dict[str, Any]:
        """Plain values that JSON can hold; `from_mapping` reads them back exactly."""
        question = dataclasses.asdict(self.question) | {"audio": str(self.question.audio)}
        detection = {name: getattr(self, name) for name in ("start_s", "end_s", "label", "name", "score")}
        return {
            **question,
            "detection": {"number": self.question.detection, **detection},
            "point": dataclasses.asdict(self.point),
            "attribution": self.attribution.to_mapping(),
        }

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> Explanation:
        """Read what `to_mapping` gave."""
        detection = dict(mapping["detection"])
        asked = {field.name: mapping[field.name] for field in dataclasses.fields(Question)}
        asked |= {"detection": detection.pop("number"), "audio": AudioCondition.parse(mapping["audio"])}
        return cls(
            question=Question(**asked),
            point=TracedPoint(**mapping["point"]),
            attribution=Attribution.from_mapping(mapping["attribution"]),
            **detection,
        )


def explain_detection(
    workspace: Workspace,
    question: Question,
    *,
    detector: Detector | None = None,
    device: str = "auto",
    options: Options | None = None,
    use_cache: bool = True,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Explanation:
    """Explain a stored detection; an answer found before is read from the cache.

    Args:
        workspace: where clips, features and runs lie.
        question: what is asked.
        detector: the run's detector if the caller has loaded it already.
        device: where to compute otherwise.
        options: how to explain.
        use_cache: False computes anew and stores nothing.
        progress: told the share done, 0 to 1.
        cancel: asked all the time; True stops and leaves nothing behind.
    Raises: WorkspaceError if there is no such detection; ConfigError for an unknown quantity or
        baseline; FeatureError, CheckpointError, CancelledError.
    """
    options = options or Options()
    asked = _prepare(workspace, question, detector, device, options)
    found, detector, grid, point = asked.found, asked.detector, asked.grid, asked.point
    if use_cache and (known := _read(asked.path)) is not None:
        return dataclasses.replace(known, question=question)
    label_set = question.label_set or detector.config.label_set
    attribution = attribute(
        detector,
        asked.inputs,
        asked.baseline,
        asked.target,
        grid=grid,
        segment=(float(grid.from_seconds(point.start_s)), float(grid.from_seconds(point.end_s))),
        baseline_names=(question.audio_baseline, question.vision_baseline),
        further_baselines=asked.further,
        options=options,
        redetect=_redetect(detector, grid, asked.duration_s, found, label_set),
        progress=progress,
        cancel=cancel,
    )
    label = int(found["label"])
    explanation = Explanation(
        question=question,
        start_s=float(found["start_s"]),
        end_s=float(found["end_s"]),
        label=label,
        name=detector.config.label_sets[label_set][label],
        score=float(found["score"]),
        point=point,
        attribution=attribution,
    )
    if use_cache:
        # A workspace that can only be read has its explanations too.
        with suppress(OSError):
            write_json(asked.path, explanation.to_mapping())
    return explanation


def known_explanation(
    workspace: Workspace, question: Question, *, detector: Callable[[], Detector], options: Options | None = None
) -> Explanation | None:
    """What `explain_detection` would read from the cache; None where it would have to compute.

    Args:
        workspace, question, options: as there.
        detector: gives the run's detector; not called where the clip has never been explained.
    Raises: as `explain_detection`.
    """
    workspace.clip(question.clip)
    workspace.run(question.run)
    if not any(_cache_folder(workspace, question).glob(f"{glob.escape(question.clip)}.*.json")):
        return None
    known = _read(_prepare(workspace, question, detector(), "auto", options or Options()).path)
    return None if known is None else dataclasses.replace(known, question=question)


@dataclass(frozen=True)
class _Asked:
    """A question with all that its answer is computed from, and where the cache keeps it."""

    found: dict[str, Any]
    detector: Detector
    batch: Batch
    grid: TimeGrid
    duration_s: float
    point: TracedPoint
    target: Target
    baseline: Inputs
    further: list[Inputs]
    path: Path

    @property
    def inputs(self) -> Inputs:
        return self.batch.visual, self.batch.audio


def _prepare(
    workspace: Workspace, question: Question, detector: Detector | None, device: str, options: Options
) -> _Asked:
    check_baseline(question.audio_baseline, "audio")
    check_baseline(question.vision_baseline, "vision")
    run = workspace.run(question.run)
    if not run.has_detector:
        raise WorkspaceError(
            f"run {question.run!r} holds detections of another tool; without a detector they cannot be explained"
        )
    found = _stored_detection(workspace, question)
    detector = detector or load_detector(run.folder, device=device)
    label_set = question.label_set or detector.config.label_set
    offset = _offset(detector, label_set)
    predictor = Predictor(detector)
    batch, grid = prepare_clip(workspace, question.clip, predictor, question.audio)
    duration_s = workspace.clip(question.clip).duration_s
    with torch.inference_mode():
        output = detector(batch)
    point = trace_detection(
        output,
        detector.strides,
        label=offset + int(found["label"]),
        segment_s=(float(found["start_s"]), float(found["end_s"])),
        score=float(found["score"]),
        grid=grid,
        duration_s=duration_s,
    )
    rivals = detector.config.label_slices[label_set]
    target = Target(
        level=point.level,
        step=point.step,
        label=point.label,
        quantity=question.quantity,  # type: ignore[arg-type]
        grid=grid,
        rivals=(rivals.start, rivals.stop),
    )
    inputs = (batch.visual, batch.audio)
    names = (question.audio_baseline, question.vision_baseline)
    baseline, further = _baselines(workspace, predictor, question, inputs, grid, point.start_s)
    key = _key(run.model_hash(), target, [inputs, baseline, *further], names, options, found)
    return _Asked(
        found=found,
        detector=detector,
        batch=batch,
        grid=grid,
        duration_s=duration_s,
        point=point,
        target=target,
        baseline=baseline,
        further=further,
        path=_cache_folder(workspace, question) / f"{question.clip}.{key}.json",
    )


def _stored_detection(workspace: Workspace, question: Question) -> dict[str, Any]:
    workspace.clip(question.clip)
    run = workspace.run(question.run)
    table = run.detections(question.audio, [question.clip], label_set=question.label_set)
    if table is None or not run.has(question.audio, question.clip):
        raise WorkspaceError(
            f"run {question.run!r} has no detections for clip {question.clip!r} with sound {question.audio}; "
            f"make them with 'predict --run {question.run} --audio {question.audio}'"
        )
    if not 0 <= question.detection < len(table):
        raise WorkspaceError(
            f"clip {question.clip!r} has {len(table)} detections of run {question.run!r} (0 is the best); "
            f"there is no number {question.detection}"
        )
    return dict(table.iloc[question.detection])


def _offset(detector: Detector, label_set: str) -> int:
    """Where a label set begins on the axis of classes. Raises: WorkspaceError for one without logits."""
    slices = detector.config.label_slices
    if label_set not in slices:
        raise WorkspaceError(
            f"detections of {label_set!r} have no logit of their own; explain those of {' or '.join(slices)}"
        )
    return int(slices[label_set].start)


def _baselines(
    workspace: Workspace, predictor: Predictor, question: Question, inputs: Inputs, grid: TimeGrid, time_s: float
) -> tuple[Inputs, list[Inputs]]:
    """The baseline asked for, and others that the share is compared over."""
    visual, audio = inputs

    @functools.cache
    def shown(name: str) -> Tensor:
        return vision_baseline(workspace, predictor, visual, name, clip_id=question.clip, grid=grid, time_s=time_s)

    @functools.cache
    def heard(name: str) -> Tensor | None:
        return None if audio is None else audio_baseline(workspace, predictor, audio, name)

    def pair(sound: str, sight: str) -> Inputs:
        return shown(sight), heard(sound)

    chosen = (question.audio_baseline, question.vision_baseline)
    usual = [(sound, sight) for sound in AUDIO_BASELINES for sight in VISION_BASELINES]
    others = [f"clip:{other}" for other in further_clips(workspace, question.clip, predictor, most=_OTHER_CLIPS)]
    names = [one for one in (*usual, *((other, other) for other in others)) if one != chosen]
    return pair(*chosen), [] if audio is None else [pair(*one) for one in names]


def _redetect(
    detector: Detector, grid: TimeGrid, duration_s: float, found: dict[str, Any], label_set: str
) -> Callable[[DetectorOutput], Redetected | None]:
    own = np.array([[found["start_s"], found["end_s"]]], np.float64)
    predictor = Predictor(detector)

    def again(output: DetectorOutput) -> Redetected | None:
        prediction = predictor.read(output, grid=grid, duration_s=duration_s)
        tables = {detector.config.label_set: prediction.detections, **prediction.further}
        table = tables[label_set]
        table = table[table["label"] == found["label"]]
        near = table[temporal_iou(table[["start_s", "end_s"]].to_numpy(np.float64), own)[:, 0] >= _SAME_TIOU]
        if near.empty:
            return None
        best = near.iloc[0]
        return Redetected(float(best["start_s"]), float(best["end_s"]), float(best["score"]))

    return again


def _key(
    model_hash: str,
    target: Target,
    features: list[Inputs],
    names: tuple[str, str],
    options: Options,
    found: dict[str, Any],
) -> str:
    shaping = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if field.metadata.get("shapes_result", True)
    }
    asked = [_VERSION, model_hash, repr(target), names, shaping]
    detection = [float(found[name]) for name in ("start_s", "end_s", "label", "score")]
    digest = hashlib.sha256(json.dumps([*asked, detection]).encode())
    for pair in features:
        for part in pair:
            digest.update(b"none" if part is None else _bytes(part))
    return digest.hexdigest()[:32]


def _bytes(part: Tensor) -> bytes:
    return part.detach().cpu().contiguous().numpy().tobytes()


def _cache_folder(workspace: Workspace, question: Question) -> Path:
    return workspace.cache_folder / "explanations" / question.run


def _read(path: Path) -> Explanation | None:
    """What the cache holds; None where there is nothing, or nothing readable."""
    try:
        return Explanation.from_mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
