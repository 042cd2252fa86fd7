"""A run's errors with the segments behind every number: the tables that the Errors page and reports show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.analysis.side import Side, detections_of
from mravff_core.errors import WorkspaceError
from mravff_core.evaluation.diagnosis import Diagnosis, diagnose
from mravff_core.inference.run_predict import unpredicted_clips
from mravff_core.workspace import Workspace
from mravff_core.workspace.scored_clips import scored_clips

EDGES = ("start", "end")
# Kinds whose boundaries can be compared with those of the true segment they are about.
PLACED = ("true positive", "localization")


@dataclass(frozen=True)
class ErrorAnalysis:
    """One side's errors.

    Attributes:
        side: run and what it heard.
        label_set, labels: whose classes.
        clip_ids: clips that count.
        diagnosis: counts, costs, misses and sensitivity.
    """

    side: Side
    label_set: str
    labels: tuple[str, ...]
    clip_ids: tuple[str, ...]
    diagnosis: Diagnosis
    _truth: pd.DataFrame
    _found: pd.DataFrame

    def detections(self, tiou: float = 0.5) -> pd.DataFrame:
        """Every detection that counts with its kind, best score first.

        Args:
            tiou: one of the diagnosis's thresholds.
        Returns: `segment_id`, `clip_id`, `start_s`, `end_s`, `name`, `score`, `kind`, `band` (from 1,
            0 beyond the last), `tiou` with the true segment it is about, that one's `true_name`,
            `start_error_s` and `end_error_s` (later is positive), and `player_segment`. What is about
            no true segment has no name and no errors.
        """
        table = self.diagnosis.detections(tiou)
        about = table["truth_row"].to_numpy()
        true = self._truth.iloc[np.maximum(about, 0)].reset_index(drop=True)
        names = np.array(self.labels, object)
        place = self._found["place"].to_numpy()[table["row"]]
        result = pd.DataFrame(
            {
                "segment_id": _ids(table["clip_id"], "d", place),
                "clip_id": table["clip_id"],
                "start_s": table["start_s"],
                "end_s": table["end_s"],
                "name": names[table["label"]],
                "score": table["score"],
                "kind": table["kind"],
                "band": table["band"],
                "tiou": table["tiou"],
                "true_name": np.where(about >= 0, names[true["label"]], ""),
                "start_error_s": np.where(about >= 0, table["start_s"] - true["start_s"], np.nan),
                "end_error_s": np.where(about >= 0, table["end_s"] - true["end_s"], np.nan),
                "player_segment": [f"d{number}" for number in place],
            }
        )
        order = ["score", "clip_id", "start_s", "end_s", "name"]
        return result.sort_values(order, ascending=[False, True, True, True, True], ignore_index=True)

    def profile(self, tiou: float = 0.5) -> pd.DataFrame:
        """Detections of each kind (columns) in each band of rank (from 1)."""
        table = self.diagnosis.profile
        return table[table.index.get_level_values("tiou") == tiou].droplevel("tiou")

    def gains(self, tiou: float = 0.5) -> pd.Series[float]:
        """What the mean average precision would gain without each error kind, in [0, 1]."""
        table = self.diagnosis.gains
        return table[table.index == tiou].iloc[0]

    def truths(self, tiou: float = 0.5) -> pd.DataFrame:
        """Every true segment that counts, found or missed.

        Returns: `segment_id`, `clip_id`, `start_s`, `end_s`, `name`, `found`, each characteristic and its
            `<name>_bucket`, and `player_segment`.
        """
        table = self.diagnosis.truths(tiou)
        place = self._truth["place"].to_numpy()[table["row"]]
        traits = [column for name in self.diagnosis.buckets for column in (name, f"{name}_bucket")]
        return pd.DataFrame(
            {
                "segment_id": _ids(table["clip_id"], "t", place),
                "clip_id": table["clip_id"],
                "start_s": table["start_s"],
                "end_s": table["end_s"],
                "name": np.array(self.labels, object)[table["label"]],
                "found": table["found"],
                **{column: table[column] for column in traits},
                "player_segment": [f"t{number}" for number in place],
            }
        )


def analyse_errors(
    workspace: Workspace,
    side: Side | str,
    *,
    label_set: str = "",
    clip_ids: Sequence[str] | None = None,
    data_set: str | None = None,
    tiou_thresholds: Sequence[float] | None = None,
) -> ErrorAnalysis:
    """Diagnose a side's stored detections against the true segments of those clips that it was run on.

    Characteristics are length, coverage and instances, audibility where the true one or sound events
    are known, and the mean gate inside true segments where the run has gates.

    Args:
        label_set: the run's first if empty.
        clip_ids: as of `scored_clips`.
        data_set, tiou_thresholds: as of `diagnose`.
    Raises: WorkspaceError if nothing is stored or no clip has true segments; ConfigError as `diagnose`.
    """
    side = Side.parse(side)
    run = workspace.run(side.run)
    label_set = run.label_set(label_set)
    counted = scored_clips(workspace, label_set, clip_ids)
    missing = unpredicted_clips(workspace, side.run, side.audio, counted, named=clip_ids is not None)
    clip_ids = sorted(set(counted) - set(missing))
    truth = workspace.truth(label_set, clip_ids).reset_index(drop=True)
    if truth.empty:
        with_truth = workspace.truth(label_set, counted)["clip_id"].nunique()
        raise WorkspaceError(
            f"{workspace.folder}: {side} has no detections in the {with_truth} clips with true {label_set} "
            "segments; predict first"
        )
    found = detections_of(workspace, side, label_set, clip_ids).reset_index(drop=True)
    durations = workspace.clips.set_index("clip_id")["duration_s"]
    diagnosis = diagnose(
        _with_gates(workspace, side, label_set, truth),
        found,
        data_set=data_set,
        tiou_thresholds=tiou_thresholds,
        durations_s={clip_id: float(durations[clip_id]) for clip_id in clip_ids},
        sound_events=workspace.sound_events,
    )
    for table in (truth, found):
        table["place"] = table.groupby("clip_id").cumcount()
    labels = workspace.class_names(label_set)
    return ErrorAnalysis(side, label_set, tuple(labels), tuple(clip_ids), diagnosis, truth, found)


def confusions(detections: pd.DataFrame) -> pd.DataFrame:
    """How often one class was taken for another.

    Args:
        detections: of `ErrorAnalysis.detections`, already filtered.
    Returns: `name` (found), `true_name`, `count`, `score` (the best), commonest first.
    """
    wrong = detections[detections["kind"].isin(["wrong label", "confusion"])]
    pairs = wrong.groupby(["name", "true_name"])["score"].agg(["size", "max"]).reset_index()
    pairs.columns = pd.Index(["name", "true_name", "count", "score"])
    order = ["count", "score", "name", "true_name"]
    return pairs.sort_values(order, ascending=[False, False, True, True], ignore_index=True)


def boundary_errors(detections: pd.DataFrame, edge: str) -> NDArray[np.float64]:
    """Signed seconds by which starts or ends lie late, of detections whose class and place are right.

    Args:
        detections: of `ErrorAnalysis.detections`, already filtered.
        edge: `start` or `end`.
    """
    placed = detections[detections["kind"].isin(PLACED)]
    return placed[f"{edge}_error_s"].to_numpy(np.float64)


def _with_gates(workspace: Workspace, side: Side, label_set: str, truth: pd.DataFrame) -> pd.DataFrame:
    if workspace.run(side.run).info.fusion != "mrav" or side.audio.kind == "off":
        return truth
    try:
        gated = segment_gates(workspace, SegmentSource(side.run, label_set, str(side.audio), "true"))
    except WorkspaceError:
        return truth
    means = gated.set_index("segment_id")["gate"]
    return truth.assign(gate=means.reindex(truth["segment_id"].astype(str)).to_numpy())


def _ids(clips: pd.Series, letter: str, place: NDArray[np.int64]) -> list[str]:
    return [f"{clip} {letter}{number}" for clip, number in zip(clips, place, strict=True)]
