"""How detection holds up when the sound is altered: precision and gates against each alteration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.analysis.ap_difference import ap_difference
from mravff_core.analysis.gate_means import gate_interval
from mravff_core.analysis.lacking import Lacking, detect_lacking
from mravff_core.analysis.side import Side, detections_of
from mravff_core.analysis.stored import content_key, remember, remembered
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.evaluation import bootstrap
from mravff_core.inference.run_predict import unpredicted_clips
from mravff_core.segments import TIOU_THRESHOLDS
from mravff_core.workspace import Workspace
from mravff_core.workspace.scored_clips import scored_clips

SHIFTS_S = (-5.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0, 5.0)
NOISES_DB = (20.0, 10.0, 0.0, -10.0)
CONDITIONS = (
    AudioCondition("on"),
    AudioCondition("off"),
    AudioCondition("silence"),
    AudioCondition("swap", clip_id="+1"),
    *(AudioCondition("shift", shift_s=shift_s) for shift_s in SHIFTS_S),
    *(AudioCondition("noise", snr_db=snr_db) for snr_db in NOISES_DB),
)
ON = AudioCondition("on")


@dataclass(frozen=True)
class _Piece:
    """One row of the table: a run and whose classes, a condition, what it comes to for this run, and the clips."""

    run: str
    label_set: str
    condition: AudioCondition
    asked: AudioCondition
    clip_ids: tuple[str, ...]


def stress(
    workspace: Workspace,
    runs: Sequence[str],
    *,
    conditions: Sequence[AudioCondition | str] = CONDITIONS,
    clip_ids: Sequence[str] | None = None,
    label_set: str = "",
    resamples: int = 1000,
    device: str = "auto",
    progress: Callable[[float, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Stress several runs, predicting where predictions are missing; see `stress_table`.

    A run that never hears sound is not asked again: all conditions are `on` to it. What was
    predicted before a stop is kept.

    Args:
        runs: names; their label sets may differ.
        conditions: what they hear; `on`, which all is measured against, is always among them.
        clip_ids: as of `scored_clips`.
        label_set: whose classes, which all runs know; each run's first if empty.
        resamples: of the bootstrap over clips; 0 for no intervals.
        device: where missing predictions are made.
        progress: called with the share done, 0 to 1, and what is being done.
        cancel: asked between clips and tables; True stops.
    Raises: ConfigError for an unknown condition or a run without a detector, WorkspaceError, what
        `predict` raises, CancelledError.
    """
    conditions = with_on(conditions)
    for run in runs:
        if not workspace.run(run).has_detector:
            raise ConfigError(
                f"{workspace.run(run).folder}: holds imported detections and no detector, so it cannot be asked what "
                "it would find with another sound; stress runs that were trained here or imported as checkpoints"
            )
    missing = lacking(workspace, runs, conditions, clip_ids, label_set)
    detect_lacking(workspace, missing, device=device, progress=hearing(progress), cancel=cancel)
    return stress_table(
        workspace,
        runs,
        conditions=conditions,
        clip_ids=clip_ids,
        label_set=label_set,
        resamples=resamples,
        progress=progress,
        cancel=cancel,
    )


def stress_table(
    workspace: Workspace,
    runs: Sequence[str],
    *,
    conditions: Sequence[AudioCondition | str] = CONDITIONS,
    clip_ids: Sequence[str] | None = None,
    label_set: str = "",
    resamples: int = 1000,
    progress: Callable[[float, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """Precision and gates of what is predicted already; a condition with a clip missing is left out.

    Every row is computed once and kept in the workspace's cache for as long as its detections stay.

    Returns: a row a run and condition: `run`, `fusion`, `label_set`, `condition`, `kind`, `value`
        (seconds of a shift, decibels of noise, else not a number); `clips`; `map`, `map_low`,
        `map_high` in [0, 1] with a 95 % interval over resampled clips; `change`, `change_low`,
        `change_high`, `clear`: against `on`, paired, and whether the interval excludes 0; `gate`,
        `gate_low`, `gate_high`: mean gate over levels, not a number where there are no gates.
    Raises: CancelledError.
    """
    pieces = _predicted(workspace, runs, conditions, clip_ids, label_set)
    rows = []
    for number, piece in enumerate(pieces):
        if cancel is not None and cancel():
            raise CancelledError(f"stress was stopped after {number} of {len(pieces)} rows; they are stored")
        if progress is not None:
            progress(number / len(pieces), f"resampling {piece.run} on {piece.condition}")
        compute = functools.partial(_row, workspace, piece, resamples)
        row = remember(workspace, "stress", _key(workspace, piece, resamples), compute)
        rows.append({**row, **_named(piece)})
    return _as_table(rows)


def stored_table(
    workspace: Workspace,
    runs: Sequence[str],
    *,
    conditions: Sequence[AudioCondition | str] = CONDITIONS,
    clip_ids: Sequence[str] | None = None,
    label_set: str = "",
    resamples: int = 1000,
) -> tuple[pd.DataFrame, int]:
    """Rows that `stress_table` has computed before, and how many it has yet to compute."""
    pieces = _predicted(workspace, runs, conditions, clip_ids, label_set)
    known = []
    for piece in pieces:
        row = remembered(workspace, "stress", _key(workspace, piece, resamples))
        if row is not None:
            known.append({**row, **_named(piece)})
    return _as_table(known), len(pieces) - len(known)


def lacking(
    workspace: Workspace,
    runs: Sequence[str],
    conditions: Sequence[AudioCondition | str] = CONDITIONS,
    clip_ids: Sequence[str] | None = None,
    label_set: str = "",
) -> list[Lacking]:
    """What has to be predicted before every row of the table is there.

    Raises: WorkspaceError if no chosen clip has true segments, or there is no such run.
    """
    missing: dict[Side, Lacking] = {}
    for name in runs:
        clips = _scored_clips(workspace, name, clip_ids, label_set)
        for condition in _askable(workspace, name, conditions):
            asked = workspace.run(name).heard(condition)
            todo = unpredicted_clips(workspace, name, asked, clips, named=clip_ids is not None)
            if todo:
                side = Side(name, asked)
                missing[side] = Lacking(side, tuple(todo))
    return list(missing.values())


def hearing(progress: Callable[[float, str], None] | None) -> Callable[[float, Side], None] | None:
    """What `detect_lacking` tells its progress, for one that is told in words."""
    return None if progress is None else lambda share, side: progress(share, f"{side.run} hears {side.audio}")


def with_on(conditions: Sequence[AudioCondition | str]) -> list[AudioCondition]:
    """Parsed, each once, `on` first. Raises: ConfigError for one that is not known."""
    return list(dict.fromkeys([ON, *(AudioCondition.parse(condition) for condition in conditions)]))


def _scored_clips(workspace: Workspace, run: str, clip_ids: Sequence[str] | None, label_set: str) -> list[str]:
    return scored_clips(workspace, workspace.run(run).label_set(label_set), clip_ids)


def _askable(workspace: Workspace, run: str, conditions: Sequence[AudioCondition | str]) -> list[AudioCondition]:
    """Conditions that mean something to a run: imported detections are what they are."""
    return with_on(conditions) if workspace.run(run).has_detector else [ON]


def _predicted(
    workspace: Workspace,
    runs: Sequence[str],
    conditions: Sequence[AudioCondition | str],
    clip_ids: Sequence[str] | None,
    label_set: str,
) -> list[_Piece]:
    """Rows that can be computed: those predicted whole, of runs predicted whole with sound as recorded."""
    pieces = []
    for name in runs:
        clips = _scored_clips(workspace, name, clip_ids, label_set)
        there: dict[AudioCondition, bool] = {}
        for condition in _askable(workspace, name, conditions):
            asked = workspace.run(name).heard(condition)
            if asked not in there:
                missing = unpredicted_clips(workspace, name, asked, clips, named=clip_ids is not None)
                there[asked] = not missing
            if there[ON] and there[asked]:
                pieces.append(_Piece(name, workspace.run(name).label_set(label_set), condition, asked, tuple(clips)))
    return pieces


def _key(workspace: Workspace, piece: _Piece, resamples: int) -> str:
    sides = [Side(piece.run, ON), Side(piece.run, piece.asked)]
    settings = (piece.run, piece.label_set, piece.asked, *piece.clip_ids, *TIOU_THRESHOLDS, resamples)
    return content_key(workspace, sides, *settings)


def _as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype(dict.fromkeys(_NUMBERS, float))


_NUMBERS = (
    *("value", "map", "map_low", "map_high", "change", "change_low", "change_high"),
    *("gate", "gate_low", "gate_high"),
)
_COLUMNS = (
    *("run", "fusion", "label_set", "condition", "kind", "value", "clips"),
    *("map", "map_low", "map_high", "change", "change_low", "change_high", "clear"),
    *("gate", "gate_low", "gate_high"),
)


def _named(piece: _Piece) -> dict[str, Any]:
    """Which row it is; to a run that never listens all are alike but for this."""
    condition = piece.condition
    value = {"shift": condition.shift_s, "noise": condition.snr_db}.get(condition.kind)
    return {"condition": str(condition), "kind": condition.kind, "value": value}


def _row(workspace: Workspace, piece: _Piece, resamples: int) -> dict[str, Any]:
    info = workspace.run(piece.run).info
    as_recorded, altered = (
        detections_of(workspace, Side(piece.run, sound), piece.label_set, piece.clip_ids) for sound in (ON, piece.asked)
    )
    truth, labels = workspace.truth(piece.label_set, piece.clip_ids), workspace.class_names(piece.label_set)
    scored = ap_difference(truth, as_recorded, altered, labels=labels, resamples=resamples).overall
    itself = bootstrap(truth, altered, TIOU_THRESHOLDS, resamples=resamples).average if resamples else None
    means = workspace.run(piece.run).mean_gates(piece.asked, piece.clip_ids)
    gate, gate_low, gate_high = gate_interval(means, resamples=resamples)
    numbers = {
        "map": scored["b"],
        "map_low": itself.low if itself else None,
        "map_high": itself.high if itself else None,
        "change": scored["difference"],
        "change_low": scored["low"],
        "change_high": scored["high"],
        "gate": gate,
        "gate_low": gate_low,
        "gate_high": gate_high,
    }
    return {
        "run": piece.run,
        "fusion": info.fusion,
        "label_set": piece.label_set,
        "clips": len(piece.clip_ids),
        "clear": bool(scored["clear"]),
        **{name: None if value is None or np.isnan(value) else float(value) for name, value in numbers.items()},
    }
