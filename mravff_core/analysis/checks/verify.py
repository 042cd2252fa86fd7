"""All checks of one run's explanations, stored with the run as `explanation_checks.json`."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mravff_core.analysis import gates
from mravff_core.analysis.checks import figures
from mravff_core.analysis.checks.cases import Case, evenly, gather
from mravff_core.analysis.checks.held_out import held_out_kitchen
from mravff_core.analysis.checks.intervals import Estimate
from mravff_core.analysis.checks.planted_truth import check_all_planted
from mravff_core.analysis.checks.randomised import likeness
from mravff_core.analysis.checks.retrained import Retrained, add_training_clips, can_retrain, retrained, until_learnt
from mravff_core.analysis.checks.tracks import Tracks, attributions
from mravff_core.analysis.checks.verdicts import verdicts
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.files import write_json
from mravff_core.inference.demo import is_demo
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector
from mravff_core.workspace import Run, Workspace

CHECKS_FILE = "explanation_checks.json"

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class HowMany:
    """Segments that checks look at; the dearer a check, the fewer.

    Attributes:
        segments: true segments at least, where a kitchen can give them.
        over_time: of attribution over time, at most.
        ordered: of deletion and insertion, at most.
        few: of the randomisation checks, at most.
    """

    segments: int = 300
    over_time: int = 300
    ordered: int = 120
    few: int = 40


QUICK = HowMany(segments=1, over_time=16, ordered=6, few=6)
"""To see whether all works, rather than to learn much."""


@dataclass(frozen=True)
class _Work:
    """Who hears how far all checks are, and who may stop them."""

    report: Report
    cancel: Callable[[], bool] | None

    def part(self, start: float, end: float, words: str) -> Callable[[float], None]:
        """Takes the share done of a part of the work that lies from `start` to `end`."""
        return lambda share: self.report(start + (end - start) * share, words)

    def stop_if_asked(self) -> None:
        """Raises: CancelledError."""
        if self.cancel is not None and self.cancel():
            raise CancelledError("the checks were stopped; nothing of them was stored")


def verify_explanations(
    workspace: Workspace,
    run_name: str,
    *,
    size: HowMany | None = None,
    retrain: bool | None = None,
    detector: Detector | None = None,
    device: str = "auto",
    progress: Report | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Make all checks and store what they found.

    Args:
        workspace: where the run lies; of a demo kitchen with too few clips more are rendered.
        run_name: a run that listens.
        size: of how many segments; None for as many as tell something.
        retrain: whether to train detectors for the check by swapped labels, the demo kitchen's
            training clips being rendered where they are missing; None does so for a demo kitchen
            that has them.
        detector: the run's detector if the caller has loaded it already.
        device: where to compute otherwise.
        progress: told the share done and what is being done.
        cancel: asked all the time; True stops and stores nothing.
    Returns: plain values, as the stored file holds them.
    Raises: WorkspaceError for a run without fusion or without known segments; CancelledError.
    """
    began, size = time.perf_counter(), size or HowMany()
    work = _Work(progress or (lambda _share, _words: None), cancel)
    run = workspace.run(run_name)
    if not run.info.listens:
        raise WorkspaceError(f"run {run_name!r} never listens, so there is nothing to check about its sound")
    detector = detector or load_detector(run.folder, device=device)
    label_set = detector.config.label_set
    source = workspace
    if is_demo(workspace):
        source = held_out_kitchen(
            workspace, size.segments, progress=work.part(0.0, 0.3, "Making more clips"), cancel=cancel
        )
    clip_ids = source.clip_ids("validation" if is_demo(workspace) else None)
    work.report(0.3, "Scoring segments")
    cases = gather(source, detector, label_set, clip_ids, cancel=cancel)
    if not cases:
        raise WorkspaceError(f"{workspace.folder}: no true {label_set} segments with sound to check explanations on")
    chosen = evenly(cases, size.over_time)
    kept = workspace.cache_folder / "explanation_checks" / run_name
    tracks = _tracks(work, detector, chosen, kept, run.model_hash())
    twins = _twins((workspace, source), run, detector, retrain, device, work)
    document = {
        "run": run_name,
        "model_sha256": run.model_hash(),
        "label_set": label_set,
        "segments": len(cases),
        "clips": len(clip_ids),
        "explained": cases[0].target.quantity,
        "audibility": figures.audibility(cases),
        "localisation": figures.located(chosen, [tracks[id(case)] for case in chosen]),
        "curves": _curves(work, detector, evenly(chosen, size.ordered), tracks),
        "randomisation": _randomisation(work, detector, evenly(chosen, size.few), tracks, twins, kept),
        "trainings": {name: {"fit": one.fit, "epochs": one.epochs} for name, one in twins.items()},
        "planted": [dataclasses.asdict(one) for one in check_all_planted()],
        "gate_honesty": _gate_honesty(workspace, run),
        "classes": figures.by_class(cases, detector.config.labels),
    }
    document["verdicts"] = verdicts(document)
    document["seconds"] = round(time.perf_counter() - began, 1)
    work.stop_if_asked()
    plain = json.loads(json.dumps(document))
    write_json(run.folder / CHECKS_FILE, plain)
    work.report(1.0, "Done")
    return plain


def read_checks(run: Run) -> dict[str, Any] | None:
    """What `verify_explanations` stored for these very weights; None where it has not."""
    try:
        document = json.loads((run.folder / CHECKS_FILE).read_text(encoding="utf-8"))
        return document if document["model_sha256"] == run.model_hash() else None
    except (OSError, ValueError, KeyError):
        return None


def _tracks(work: _Work, detector: Detector, cases: Sequence[Case], kept: Path, model: str) -> dict[int, Tracks]:
    """Attribution over time of each case, by its `id`."""
    progress = work.part(0.35, 0.5, "Attributing over time")
    found = attributions(detector, cases, kept=kept, model=model, progress=progress, cancel=work.cancel)
    return {id(case): own for case, own in zip(cases, found, strict=True)}


def _curves(work: _Work, detector: Detector, cases: Sequence[Case], tracks: Mapping[int, Tracks]) -> dict[str, Any]:
    """Deletion and insertion."""
    progress = work.part(0.8, 0.88, "Taking sound away")
    return figures.ordered(detector, cases, [tracks[id(case)] for case in cases], progress=progress, cancel=work.cancel)


def _randomisation(
    work: _Work,
    detector: Detector,
    cases: Sequence[Case],
    tracks: Mapping[int, Tracks],
    twins: Mapping[str, Retrained],
    kept: Path,
) -> dict[str, Any]:
    """Likeness to explanations of randomised and retrained detectors."""
    found = likeness(
        detector,
        cases,
        [tracks[id(case)] for case in cases],
        {name: one.detector for name, one in twins.items()},
        kept=kept,
        progress=work.part(0.88, 0.98, "Randomising"),
        cancel=work.cancel,
    )
    return figures.alike(cases, found)


def _twins(
    places: tuple[Workspace, Workspace],
    run: Run,
    detector: Detector,
    retrain: bool | None,
    device: str,
    work: _Work,
) -> dict[str, Retrained]:
    """The run's detector trained on swapped labels until learnt, and as long on the true ones; none if not wanted.

    Args:
        places: the run's workspace and that of the segments, either of which may have the training clips.
    """
    place = next((one for one in places if can_retrain(one, run)), None)
    if retrain is False or (retrain is None and (place is None or not is_demo(place))):
        return {}
    place = place or places[1]
    add_training_clips(place, run, progress=work.part(0.5, 0.55, "Making training clips"), cancel=work.cancel)
    report = work.part(0.55, 0.675, "Training on swapped labels")
    report(0.0)
    swapped = until_learnt(place, run, detector, device=device, progress=report, cancel=work.cancel)
    report = work.part(0.675, 0.8, "Training again on true labels")
    report(0.0)
    yardstick = retrained(
        place, run, detector, swap=False, longer=swapped.longer, device=device, progress=report, cancel=work.cancel
    )
    return {"swapped_labels": swapped, "retrained": yardstick}


def _gate_honesty(workspace: Workspace, run: Run) -> dict[str, Any]:
    if run.info.fusion != "mrav" or not (run.stored_files("on") and run.stored_files("off")):
        return dataclasses.asdict(Estimate(None, None, None, 0))
    labels = workspace.class_names(run.info.label_set)
    classes = gates.class_gates(segment_gates(workspace, SegmentSource(run.name)), labels)
    table = gates.with_effect(classes, gates.audio_effect(workspace, run.name))
    found = gates.gate_effect_correlation(table)
    if not np.isfinite(found.value):
        return dataclasses.asdict(Estimate(None, None, None, found.classes))
    return dataclasses.asdict(Estimate(found.value, found.low, found.high, found.classes))
