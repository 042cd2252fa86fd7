"""All checks of one run's explanations, stored with the run as `explanation_checks.json`."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mravff_core.analysis import gates
from mravff_core.analysis.checks.cases import Case, evenly, gather
from mravff_core.analysis.checks.held_out import held_out_kitchen
from mravff_core.analysis.checks.intervals import Estimate, area_under_curve, estimate, mean_of
from mravff_core.analysis.checks.over_time import attributions, curves, localisation
from mravff_core.analysis.checks.planted_truth import check_all_planted
from mravff_core.analysis.checks.randomised import likeness
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.files import write_json
from mravff_core.inference.demo import is_demo
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.detector import Detector
from mravff_core.workspace import Run, Workspace

CHECKS_FILE = "explanation_checks.json"
SEGMENTS = 300
# Segments whose attribution over time is computed, and those of the dearer checks.
_OVER_TIME, _FEW = 300, 40
_AIM = 0.9
_NEAR_ZERO = 0.2

Report = Callable[[float, str], None]


def verify_explanations(
    workspace: Workspace,
    run_name: str,
    *,
    segments: int = SEGMENTS,
    over_time: int = _OVER_TIME,
    few: int = _FEW,
    detector: Detector | None = None,
    device: str = "auto",
    progress: Report | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Make all checks and store what they found.

    Args:
        workspace: where the run lies; of a demo kitchen with too few clips more are rendered.
        run_name: a run that listens.
        segments: least number of true segments, where a kitchen can give them.
        over_time: segments whose attribution over time is checked, at most.
        few: segments of the deletion and randomisation checks, at most.
        detector: the run's detector if the caller has loaded it already.
        device: where to compute otherwise.
        progress: told the share done and what is being done.
        cancel: asked all the time; True stops and stores nothing.
    Returns: plain values, as the stored file holds them.
    Raises: WorkspaceError for a run without fusion or without known segments; CancelledError.
    """
    began = time.perf_counter()
    say = progress or (lambda _share, _words: None)
    run = workspace.run(run_name)
    if run.info.fusion == "none":
        raise WorkspaceError(f"run {run_name!r} never listens, so there is nothing to check about its sound")
    detector = detector or load_detector(run.folder, device=device)
    label_set = detector.config.label_set
    source = workspace
    if is_demo(workspace):
        source = held_out_kitchen(
            workspace, segments, progress=lambda share: say(0.3 * share, "Making more clips"), cancel=cancel
        )
    clip_ids = source.clip_ids("validation" if is_demo(workspace) else None)
    say(0.3, "Scoring segments")
    cases = gather(source, detector, label_set, clip_ids, cancel=cancel)
    if not cases:
        raise WorkspaceError(f"{workspace.folder}: no true {label_set} segments with sound to check explanations on")
    chosen = evenly(cases, over_time)
    tracks = []
    for number, case in enumerate(chosen):
        say(0.4 + 0.4 * number / len(chosen), "Attributing over time")
        tracks.append(attributions(detector, case))
        _stop(cancel)
    say(0.8, "Randomising")
    places = np.unique(np.linspace(0, len(chosen) - 1, min(few, len(chosen))).astype(int))
    some, their = [chosen[place] for place in places], [tracks[place] for place in places]
    document = {
        "run": run_name,
        "model_sha256": run.model_hash(),
        "label_set": label_set,
        "segments": len(cases),
        "clips": len(clip_ids),
        "audibility": _audibility(cases),
        "localisation": _localisation(chosen, tracks),
        "curves": _curves(detector, some, their),
        "randomisation": _randomisation(detector, some, their),
        "planted": [dataclasses.asdict(one) for one in check_all_planted()],
        "gate_honesty": _gate_honesty(workspace, run),
        "classes": _classes(cases, detector.config.labels),
    }
    document["verdicts"] = verdicts(document)
    document["seconds"] = round(time.perf_counter() - began, 1)
    _stop(cancel)
    plain = json.loads(json.dumps(document))
    write_json(run.folder / CHECKS_FILE, plain)
    say(1.0, "Done")
    return plain


def read_checks(run: Run) -> dict[str, Any] | None:
    """What `verify_explanations` stored for these very weights; None where it has not."""
    try:
        document = json.loads((run.folder / CHECKS_FILE).read_text(encoding="utf-8"))
        return document if document["model_sha256"] == run.model_hash() else None
    except (OSError, ValueError, KeyError):
        return None


def verdicts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One sentence a check, for people: whether it passed and what to do where it did not."""
    found = []

    def add(name: str, passed: bool | None, words: str) -> None:
        found.append({"check": name, "passed": passed, "words": words})

    audible = document["audibility"]
    for name, words in (("audio_share", "The audio share"), ("gate", "The gate")):
        value = audible[name]["value"]
        if value is None:
            add(name, None, f"{words} cannot be checked here: nobody knows which segments need sound.")
        else:
            told = f"{words} tells segments that need sound from those that do not with an AUC of {value:.2f}."
            add(name, value >= _AIM, told if value >= _AIM else f"{told} Below {_AIM}: take it as a hint only.")
    place = document["localisation"]
    if place["pointing"]["value"] is None:
        add("localisation", None, "Where attribution over time points cannot be checked: the true sounds are unknown.")
    else:
        low, chance = place["pointing"]["low"], place["chance"]["value"]
        told = f"Its peak lies in a true sound in {place['pointing']['value']:.0%} of segments (chance {chance:.0%})."
        good = low > chance
        add("localisation", good, told if good else f"{told} No better than chance: do not trust where it points.")
    better = document["curves"]["attribution_against_random"]
    if better["deletion"]["value"] is not None:
        good = better["deletion"]["high"] < 0 and better["insertion"]["low"] > 0
        told = "Taking away sound in the order of attribution lowers the score sooner than in random order"
        add("curves", good, f"{told}." if good else "Deletion and insertion do not clearly beat a random order.")
    alike = document["randomisation"]
    values = [one["value"] for one in alike.values() if one["value"] is not None]
    good = all(abs(value) < _NEAR_ZERO for value in values)
    told = ", ".join(
        f"{name.replace('_', ' ')} {one['value']:.2f}" for name, one in alike.items() if one["value"] is not None
    )
    add("randomisation", good, f"Rank correlation with what it must not resemble: {told}.")
    planted = document["planted"]
    right = sum(one["passed"] for one in planted)
    add("planted", right == len(planted), f"{right} of {len(planted)} planted truths were found exactly.")
    honest = document["gate_honesty"]
    if honest["value"] is None:
        add("gate_honesty", None, "Detections with audio off are missing, so gates cannot be held against its effect.")
    else:
        clear = honest["low"] > 0
        told = f"Over {honest['count']} classes, gates and what sound is worth correlate by {honest['value']:.2f}"
        told += f" ({honest['low']:.2f} to {honest['high']:.2f})."
        add("gate_honesty", clear, told if clear else f"{told} A large gate is no sign that sound helped.")
    return found


def _audibility(cases: list[Case]) -> dict[str, Any]:
    known = [case for case in cases if case.needs_sound is not None and case.share.audio_share is not None]
    clips = [case.clip_id for case in known]
    needs = [float(bool(case.needs_sound)) for case in known]
    values = {
        "audio_share": [case.share.audio_share or 0.0 for case in known],
        "gate": [case.gate for case in known],
    }
    found: dict[str, Any] = {
        name: _plain(estimate(column, clips, area_under_curve, needs)) for name, column in values.items()
    }
    return found | {"need_sound": int(sum(needs))}


def _localisation(cases: list[Case], tracks: list[Any]) -> dict[str, Any]:
    found = [(case, localisation(case, audio)) for case, (audio, _) in zip(cases, tracks, strict=True)]
    heard = [(case, one) for case, one in found if one is not None]
    clips = [case.clip_id for case, _ in heard]
    masses = [(case, one.mass if one is not None else 0.0) for case, one in found if case.needs_sound is not None]
    inside = estimate(
        [mass for _, mass in masses],
        [case.clip_id for case, _ in masses],
        area_under_curve,
        [float(bool(case.needs_sound)) for case, _ in masses],
    )
    return {
        "pointing": _plain(mean_of([float(one.hit) for _, one in heard], clips)),
        "mass": _plain(mean_of([one.mass for _, one in heard], clips)),
        "chance": _plain(mean_of([one.chance for _, one in heard], clips)),
        "mass_auc": _plain(inside),
    }


def _curves(detector: Detector, cases: list[Case], tracks: list[Any]) -> dict[str, Any]:
    found = [
        (case.clip_id, areas)
        for case, (audio, _) in zip(cases, tracks, strict=True)
        if (areas := curves(detector, case, audio))
    ]
    clips = [clip for clip, _ in found]
    result: dict[str, Any] = {}
    for name in ("attribution", "gate", "random"):
        result[name] = {
            "deletion": _plain(mean_of([areas[name][0] for _, areas in found], clips)),
            "insertion": _plain(mean_of([areas[name][1] for _, areas in found], clips)),
        }
    for other in ("random", "gate"):
        result[f"attribution_against_{other}"] = {
            kind: _plain(mean_of([areas["attribution"][side] - areas[other][side] for _, areas in found], clips))
            for side, kind in enumerate(("deletion", "insertion"))
        }
    return result


def _randomisation(detector: Detector, cases: list[Case], tracks: list[Any]) -> dict[str, Any]:
    clips = [case.clip_id for case in cases]
    return {
        name: _plain(mean_of(values, clips[: len(values)]))
        for name, values in likeness(detector, cases, tracks).items()
    }


def _gate_honesty(workspace: Workspace, run: Run) -> dict[str, Any]:
    if run.info.fusion != "mrav" or not (run.stored_files("on") and run.stored_files("off")):
        return dataclasses.asdict(Estimate(None, None, None, 0))
    labels = workspace.label_sets[run.info.label_set]
    classes = gates.class_gates(segment_gates(workspace, SegmentSource(run.name)), labels)
    table = gates.with_effect(classes, gates.audio_effect(workspace, run.name))
    found = gates.gate_effect_correlation(table)
    if not np.isfinite(found.value):
        return dataclasses.asdict(Estimate(None, None, None, found.classes))
    return dataclasses.asdict(Estimate(found.value, found.low, found.high, found.classes))


def _classes(cases: list[Case], labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """Audio shares of every class, for the distribution beside gates."""
    found: dict[int, list[Case]] = {}
    for case in cases:
        found.setdefault(case.label, []).append(case)
    return [
        {
            "label": label,
            "name": labels[label],
            "needs_sound": own[0].needs_sound,
            "shares": [round(case.share.audio_share or 0.0, 4) for case in own],
            "gate": round(float(np.mean([case.gate for case in own])), 4),
        }
        for label, own in sorted(found.items())
    ]


def _plain(value: Estimate) -> dict[str, Any]:
    return dataclasses.asdict(value)


def _stop(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise CancelledError("the checks were stopped; nothing of them was stored")
