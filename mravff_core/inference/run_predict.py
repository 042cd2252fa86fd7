"""Run a detector of a workspace over its clips, resumably."""

from __future__ import annotations

import functools
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mravff_core
from mravff_core.audio_condition import AudioCondition
from mravff_core.data.features import Features
from mravff_core.errors import CancelledError, FeatureError, WorkspaceError
from mravff_core.files import write_json, write_text
from mravff_core.inference.batches import ClipFeatures
from mravff_core.inference.extract import extract
from mravff_core.inference.predictor import Prediction, Predictor
from mravff_core.inference.sound import conditioned_audio, heard_clip, silence_of
from mravff_core.model.checkpoints import load_detector, read_config
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import LevelGates, Run, Workspace

MANIFEST = "manifest.json"
_WEIGHTS = "model.txt"


@dataclass(frozen=True)
class PredictSummary:
    """What a call of `predict` did.

    Attributes:
        run, audio: whose predictions under which condition.
        computed, kept: clips worked on now, and clips whose earlier predictions still hold.
        detections: how many are stored for these clips.
        seconds: wall-clock time.
    """

    run: str
    audio: str
    computed: int
    kept: int
    detections: int
    seconds: float


def predict(
    workspace: Workspace,
    run_name: str,
    *,
    condition: AudioCondition | str = "on",
    clip_ids: Sequence[str] | None = None,
    device: str = "auto",
    detector: Detector | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> PredictSummary:
    """Detect in all or chosen clips and store detections and gates with the run.

    Clips whose predictions were made by the same weights from the same features are kept, so
    a call after a kill goes on where it was and ends equal to one never stopped. Imported
    detections are all kept: there is no detector to make others.

    Args:
        workspace: where clips, features and runs lie.
        run_name: which detector.
        condition: what it gets to hear.
        clip_ids: None for all clips.
        device: `auto`, `cpu`, `cuda`, `mps`.
        detector: the run's detector if the caller has loaded it already.
        progress: called with the share done, 0 to 1.
        cancel: asked between clips and while encoding; True stops.
    Raises: WorkspaceError, FeatureError, CheckpointError, MediaError, CancelledError.
    """
    began = time.perf_counter()
    condition = AudioCondition.parse(condition)
    run = workspace.run(run_name)
    wanted = workspace.clip_ids() if clip_ids is None else list(clip_ids)
    for clip_id in wanted:
        workspace.clip(clip_id)
    if not run.has_detector:
        return _imported(run, condition, wanted)
    for clip_id in wanted:
        heard_clip(workspace, clip_id, condition)
    sets = feature_sets_of(read_config(run.folder) if detector is None else detector.config)
    done = _done_already(workspace, run, wanted, sets, condition)
    todo = [clip_id for clip_id in wanted if clip_id not in done]
    if todo:
        predictor = Predictor(detector or load_detector(run.folder, device=device))
        device_used = detector_device(predictor.detector)
        try:
            _detect(workspace, run, predictor, condition, todo, done, progress, cancel)
        finally:
            # A call that stopped halfway must know, too, from which features its clips were made; this
            # goes first, since merging drops what single clips' files say of themselves.
            _write_manifest(run, condition, done, time.perf_counter() - began, str(device_used))
            run.merge(condition)
    table = run.detections(condition, wanted)
    count = 0 if table is None else len(table)
    seconds = round(time.perf_counter() - began, 3)
    return PredictSummary(run.name, str(condition), len(todo), len(wanted) - len(todo), count, seconds)


def _detect(
    workspace: Workspace,
    run: Run,
    predictor: Predictor,
    condition: AudioCondition,
    todo: Sequence[str],
    done: dict[str, dict[str, str]],
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> None:
    """Detect in some clips and store what is found; `done` gets what each was made from."""
    sets = feature_sets_of(predictor.detector.config)
    at_once = _clips_at_once(detector_device(predictor.detector))
    for begin in range(0, len(todo), at_once):
        if cancel is not None and cancel():
            raise CancelledError(f"prediction was stopped after {begin} of {len(todo)} clips; they are stored")
        some = todo[begin : begin + at_once]
        for clip_id in some:
            heard = _listened(workspace, clip_id, condition)
            extract(workspace, heard, feature_sets=sets, workers=1, cancel=cancel)
        made = {clip_id: _input_hashes(workspace, clip_id, sets, condition) for clip_id in some}
        for clip_id, prediction in zip(some, predict_clips(workspace, some, predictor, condition), strict=True):
            found, gates, own = prediction.detections, level_gates(prediction), made[clip_id]
            run.store(condition, clip_id, found, gates, prediction.further, made_from=own)
            done[clip_id] = own
        if progress is not None:
            progress((begin + len(some)) / len(todo))


def count_as_predicted(
    workspace: Workspace, run: Run, condition: AudioCondition | str, feature_sets: Sequence[str]
) -> None:
    """Have what is stored count as made by the run's detector from these features as they are."""
    condition = AudioCondition.parse(condition)
    write_text(run.predictions_folder(condition) / _WEIGHTS, run.model_hash() + "\n")
    clip_ids = sorted(run.predicted_clips(condition))
    made = {clip_id: _input_hashes(workspace, clip_id, feature_sets, condition) for clip_id in clip_ids}
    _write_manifest(run, condition, made, 0.0, "none")


def _done_already(
    workspace: Workspace, run: Run, clip_ids: Sequence[str], sets: Sequence[str], condition: AudioCondition
) -> dict[str, dict[str, str]]:
    """Hashes of the features of those clips whose predictions are known to come from them and the same weights."""
    hashes = _fresh_hashes(run, condition)
    stored = run.predicted_clips(condition)
    found = {clip_id: _input_hashes(workspace, clip_id, sets, condition) for clip_id in clip_ids}
    return {clip_id: own for clip_id, own in found.items() if clip_id in stored and hashes.get(clip_id) == own}


def _imported(run: Run, condition: AudioCondition, clip_ids: Sequence[str]) -> PredictSummary:
    """What is there of imported or merged detections: nothing can be added to them."""
    stored = run.conditions()
    if condition.kind != "on" and condition not in stored:
        there = ", ".join(repr(str(known)) for known in stored)
        raise WorkspaceError(
            f"run {run.name!r} holds imported detections and has no detector: it cannot say what audio {condition} "
            f"would change; only {there} is there"
        )
    table = run.detections(condition, clip_ids)
    return PredictSummary(run.name, str(condition), 0, len(clip_ids), 0 if table is None else len(table), 0.0)


def unpredicted_clips(
    workspace: Workspace,
    run_name: str,
    condition: AudioCondition | str,
    clip_ids: Sequence[str],
    *,
    named: bool = False,
) -> list[str]:
    """Those of some clips that have no stored predictions, or all where other weights made them.

    Quicker than `predict`, which also looks whether features have changed since.

    Args:
        named: whether just these clips were asked for. Then imported detections lack none: result files
            leave out clips that nothing was found in.
    Raises: WorkspaceError if there is no such run.
    """
    run = workspace.run(run_name)
    if named and not run.has_detector and AudioCondition.parse(condition) in run.conditions():
        return []
    marker = run.predictions_folder(condition) / _WEIGHTS
    if marker.is_file() and marker.read_text(encoding="utf-8", errors="replace").strip() != _known_hash(run):
        return list(clip_ids)
    stored = run.predicted_clips(condition)
    return [clip_id for clip_id in clip_ids if clip_id not in stored]


def predict_clip(workspace: Workspace, clip_id: str, predictor: Predictor, condition: AudioCondition) -> Prediction:
    """Detect in one clip of a workspace whose features are there."""
    visual, audio, options = _inputs(workspace, clip_id, predictor, condition)
    with _naming(clip_id):
        return predictor.detect(visual.array, audio, duration_s=workspace.clip(clip_id).duration_s, **options)


def predict_clips(
    workspace: Workspace, clip_ids: Sequence[str], predictor: Predictor, condition: AudioCondition
) -> list[Prediction]:
    """Detect in several clips of a workspace at once; see `Predictor.detect_many`."""
    if len(clip_ids) == 1:
        return [predict_clip(workspace, clip_ids[0], predictor, condition)]
    clips = []
    heard: AudioCondition | str = "on"
    for clip_id in clip_ids:
        visual, audio, options = _inputs(workspace, clip_id, predictor, condition)
        heard = options.pop("audio_condition")
        clips.append(ClipFeatures(visual.array, duration_s=workspace.clip(clip_id).duration_s, audio=audio, **options))
    with _naming(*clip_ids):
        return predictor.detect_many(clips, audio_condition=heard)


@contextmanager
def _naming(*clip_ids: str) -> Iterator[None]:
    """Says of what a detector refuses whose features they are."""
    try:
        yield
    except FeatureError as error:
        raise FeatureError(f"{' or '.join(clip_ids)}: {error}") from error


def prepare_clip(
    workspace: Workspace, clip_id: str, predictor: Predictor, condition: AudioCondition
) -> tuple[Batch, TimeGrid]:
    """What `predict_clip` gives to the detector, and the visual grid.

    Raises: FeatureError, WorkspaceError if the clip or its features are not there.
    """
    visual, audio, options = _inputs(workspace, clip_id, predictor, condition)
    return predictor.prepare(visual.array, audio, **options), visual.grid


def _inputs(
    workspace: Workspace, clip_id: str, predictor: Predictor, condition: AudioCondition
) -> tuple[Features, NDArray[np.float32] | None, dict[str, Any]]:
    visual_set, audio_set = _sets(predictor.detector.config)
    visual = workspace.features(visual_set, clip_id)
    listens = audio_set is not None and condition.kind != "off"
    audio = conditioned_audio(workspace, clip_id, audio_set, condition) if audio_set and listens else None
    options = {
        "grid": visual.grid,
        "audio_grid": None if audio is None else audio.grid,
        "audio_condition": condition if condition.kind in ("off", "shift") else "on",
        "silence": silence_of(workspace, audio_set) if audio_set else None,
    }
    return visual, None if audio is None else audio.array, options


def feature_sets_of(config: DetectorConfig) -> list[str]:
    """Names of the feature sets that a detector reads."""
    return [name for name in _sets(config) if name is not None]


def level_gates(prediction: Prediction) -> list[LevelGates]:
    """Gates of a prediction as stored: one number a step, the mean over channels where there are several."""
    return [
        LevelGates(np.asarray(times_s, np.float64), gate.detach().float().cpu().numpy()[0].mean(axis=0))
        for times_s, gate in zip(prediction.level_times_s, prediction.trace.gates, strict=False)
    ]


def detector_device(detector: Detector) -> torch.device:
    """Where the detector's weights lie."""
    return next(detector.parameters()).device


def _clips_at_once(device: torch.device) -> int:
    """A GPU is idle over one short clip; a CPU only loses by padding."""
    return 32 if device.type == "cuda" else 1


def _sets(config: DetectorConfig) -> tuple[str, str | None]:
    features = config.features
    if "visual" not in features:
        raise WorkspaceError("the detector does not say which features it was trained on; predict needs that record")
    audio = features.get("audio")
    return features["visual"]["set"], audio["set"] if audio and config.fusion.kind != "none" else None


def _listened(workspace: Workspace, clip_id: str, condition: AudioCondition) -> list[str]:
    return list(dict.fromkeys([clip_id, heard_clip(workspace, clip_id, condition)]))


def _fresh_hashes(run: Run, condition: AudioCondition) -> dict[str, dict[str, str]]:
    """Input hashes of stored predictions; what other weights made is forgotten."""
    folder = run.predictions_folder(condition)
    marker = folder / _WEIGHTS
    model_hash = run.model_hash()
    known = marker.read_text(encoding="utf-8", errors="replace").strip() if marker.is_file() else None
    if known not in (None, model_hash):
        run.forget(condition, sorted(run.predicted_clips(condition)))
        (folder / MANIFEST).unlink(missing_ok=True)
    # Where nothing changed nothing is written, since the workspace may be one that can only be read.
    if known != model_hash:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(marker, model_hash + "\n")
    return _noted_hashes(run, condition)


def _noted_hashes(run: Run, condition: AudioCondition) -> dict[str, dict[str, str]]:
    """Input hashes by clip: those of single clips' files, which a killed call may have left, before the manifest's."""
    try:
        manifest = json.loads((run.predictions_folder(condition) / MANIFEST).read_text(encoding="utf-8"))["clips"]
    except (OSError, ValueError, KeyError, TypeError):
        manifest = {}
    return {**manifest, **run.made_from(condition)}


def _input_hashes(workspace: Workspace, clip_id: str, sets: Sequence[str], condition: AudioCondition) -> dict[str, str]:
    hashes = {}
    for source in _listened(workspace, clip_id, condition):
        for feature_set in sets:
            stamp = workspace.feature_stamp(feature_set, source)
            if stamp is not None:
                hashes[f"{feature_set}/{source}"] = stamp
    return hashes


def _known_hash(run: Run) -> str:
    """The run's hash, read again only when one of its files was written."""
    written = tuple(path.stat().st_mtime_ns for path in sorted(run.folder.iterdir()) if path.is_file())
    return _hash_when(run.folder, written)


@functools.lru_cache(maxsize=64)
def _hash_when(folder: Path, _written_ns: tuple[int, ...]) -> str:
    return Run(folder).model_hash()


def _write_manifest(run: Run, condition: AudioCondition, done: dict[str, Any], seconds: float, device: str) -> None:
    """Note what some clips' predictions were made from, beside what is noted of others."""
    manifest: dict[str, Any] = {
        "run": run.name,
        "audio": str(condition),
        "model_sha256": run.model_hash(),
        "versions": {
            "mravff_core": mravff_core.__version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
        },
        "device": device,
        "seconds_last_call": round(seconds, 3),
    }
    with run.writing(condition):
        manifest["clips"] = dict(sorted({**_noted_hashes(run, condition), **done}.items()))
        write_json(run.predictions_folder(condition) / MANIFEST, manifest)
