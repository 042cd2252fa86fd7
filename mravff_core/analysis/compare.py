"""Two sides against each other: what changed from run or sound a to run or sound b, event by event."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mravff_core.analysis.ap_difference import ApDifference, ap_difference
from mravff_core.analysis.changes import KINDS, MatchSettings, changes, count_by
from mravff_core.analysis.found import Found
from mravff_core.analysis.lacking import Lacking, detect_lacking
from mravff_core.analysis.side import Side, detections_of, shared_label_sets
from mravff_core.analysis.stored import content_key, remember, remembered
from mravff_core.errors import WorkspaceError
from mravff_core.inference.run_predict import unpredicted_clips
from mravff_core.segments import TIOU_THRESHOLDS
from mravff_core.workspace import Workspace
from mravff_core.workspace.scored_clips import scored_clips


@dataclass(frozen=True)
class Compared:
    """What two sides are compared on.

    Attributes:
        a, b: from and to.
        label_set: whose classes; both sides know it.
        labels: names of its classes.
        classes: labels that events are counted by; of actions those with true segments.
        clip_ids: clips that count and that both sides have detections for, in order.
        missing_a, missing_b: clips that count and that a side has no detections for yet.
    """

    a: Side
    b: Side
    label_set: str
    labels: tuple[str, ...]
    classes: tuple[int, ...]
    clip_ids: tuple[str, ...]
    missing_a: tuple[str, ...]
    missing_b: tuple[str, ...]

    @property
    def lacking(self) -> list[Lacking]:
        """What is still to be detected, once where both sides are one."""
        every = (Lacking(self.a, self.missing_a), Lacking(self.b, self.missing_b))
        return list(dict.fromkeys(one for one in every if one.clip_ids))


@dataclass(frozen=True)
class Comparison:
    """The whole answer.

    Attributes:
        compared: sides and clips.
        settings: thresholds of the events.
        precision: average precisions, overall and by class, with intervals of their differences.
        events: see `changes`.
        per_class, per_clip: events counted, see `count_by`; with `name` of the class or `title` of the clip.
    """

    compared: Compared
    settings: MatchSettings
    precision: ApDifference
    events: pd.DataFrame
    per_class: pd.DataFrame
    per_clip: pd.DataFrame


def compare(
    workspace: Workspace,
    a: Side | str,
    b: Side | str,
    *,
    label_set: str | None = None,
    clip_ids: Sequence[str] | None = None,
    settings: MatchSettings | None = None,
    resamples: int = 1000,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Comparison:
    """Compare two sides, predicting first where predictions are missing.

    Args:
        a, b: `RUN[@CONDITION]`; differences are b minus a.
        label_set: None for the first that both runs know.
        clip_ids: as of `scored_clips`.
        settings: thresholds of the events.
        resamples: of the bootstrap over clips.
        device: where missing predictions are made.
        progress: called with the share of the missing predictions made, 0 to 1.
        cancel: asked between clips; True stops.
    Raises: ConfigError, WorkspaceError, what `predict` raises, CancelledError.
    """
    settings = settings or MatchSettings()
    before = sides_of(workspace, a, b, label_set=label_set, clip_ids=clip_ids)

    def told(share: float, _side: Side) -> None:
        # Not before the first clip: what is refused at once needs no progress.
        if progress is not None and share > 0:
            progress(share)

    detect_lacking(workspace, before.lacking, device=device, progress=told, cancel=cancel)
    compared = sides_of(workspace, a, b, label_set=label_set, clip_ids=clip_ids)
    events = events_of(workspace, compared, settings)
    return Comparison(
        compared,
        settings,
        precision_of(workspace, compared, resamples=resamples),
        events,
        class_counts(compared, events),
        clip_counts(workspace, compared, events),
    )


def sides_of(
    workspace: Workspace,
    a: Side | str,
    b: Side | str,
    *,
    label_set: str | None = None,
    clip_ids: Sequence[str] | None = None,
) -> Compared:
    """Settle on what two sides can be compared.

    Raises: ConfigError for a side that cannot be read; WorkspaceError if a run is not there, the
        runs know no common label set, or no chosen clip has true segments.
    """
    a, b = Side.parse(a), Side.parse(b)
    infos = [workspace.run(side.run).info for side in (a, b)]
    common = [name for name in shared_label_sets(infos) if label_set in (None, name)]
    if not common:
        found = ", ".join(f"{info.run} finds {' and '.join(info.label_sets)}" for info in infos)
        raise WorkspaceError(
            f"{found}; only runs with one label set can be compared{f' on {label_set}' if label_set else ''}"
        )
    counted = scored_clips(workspace, common[0], clip_ids)
    missing = [
        unpredicted_clips(workspace, side.run, side.audio, counted, named=clip_ids is not None) for side in (a, b)
    ]
    lacking = set(missing[0]) | set(missing[1])
    return Compared(
        a,
        b,
        common[0],
        tuple(workspace.class_names(common[0])),
        tuple(workspace.classes(common[0])),
        tuple(clip_id for clip_id in counted if clip_id not in lacking),
        tuple(missing[0]),
        tuple(missing[1]),
    )


def precision_of(
    workspace: Workspace,
    compared: Compared,
    *,
    tiou_thresholds: Sequence[float] = TIOU_THRESHOLDS,
    resamples: int = 1000,
) -> ApDifference:
    """Average precisions of both sides and intervals of their differences, on the clips they share.

    Computed once: the answer is kept in the workspace's cache for as long as its detections stay.
    """

    def compute() -> dict[str, Any]:
        return ap_difference(
            workspace.truth(compared.label_set, compared.clip_ids),
            _detections(workspace, compared.a, compared),
            _detections(workspace, compared.b, compared),
            labels=compared.labels,
            tiou_thresholds=tiou_thresholds,
            resamples=resamples,
        ).to_document()

    key = _precision_key(workspace, compared, tiou_thresholds, resamples)
    return ApDifference.from_document(remember(workspace, "compare", key, compute))


def stored_precision(workspace: Workspace, compared: Compared, *, resamples: int = 1000) -> ApDifference | None:
    """What `precision_of` gave before for the same detections, None if it has not been asked."""
    document = remembered(workspace, "compare", _precision_key(workspace, compared, TIOU_THRESHOLDS, resamples))
    return None if document is None else ApDifference.from_document(document)


def found_of(workspace: Workspace, side: Side, compared: Compared, *, correct_tiou: float) -> Found:
    """One side's detections on the shared clips, with what each rests on."""
    truth = workspace.truth(compared.label_set, compared.clip_ids)
    return Found.of(_detections(workspace, side, compared), truth, compared.clip_ids, correct_tiou=correct_tiou)


def events_of(workspace: Workspace, compared: Compared, settings: MatchSettings) -> pd.DataFrame:
    """Every event of the shared clips; see `changes`."""
    a = found_of(workspace, compared.a, compared, correct_tiou=settings.correct_tiou)
    b = found_of(workspace, compared.b, compared, correct_tiou=settings.correct_tiou)
    return changes(a, b, settings)


def class_counts(compared: Compared, events: pd.DataFrame) -> pd.DataFrame:
    """Events by class: `label`, `name` and the counts of `count_by`."""
    counts = count_by(events, "label", compared.classes)
    counts.insert(1, "name", [compared.labels[label] for label in compared.classes])
    return counts


def clip_counts(workspace: Workspace, compared: Compared, events: pd.DataFrame) -> pd.DataFrame:
    """Events by clip: `clip_id`, `title` and the counts of `count_by`."""
    counts = count_by(events, "clip_id", compared.clip_ids)
    titles = workspace.clips.set_index("clip_id")["title"]
    counts.insert(1, "title", titles.reindex(counts["clip_id"]).to_numpy())
    return counts


def named_events(events: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Events with names of classes in place of their numbers."""
    names = dict(enumerate(labels))
    return events.assign(**{f"{side}_label": events[f"{side}_label"].map(names) for side in ("a", "b")})


def kind_counts(events: pd.DataFrame) -> dict[str, int]:
    """How many events of each kind, in the order of `KINDS`."""
    counts = events["kind"].value_counts()
    return {kind: int(counts.get(kind, 0)) for kind in KINDS}


def _precision_key(workspace: Workspace, compared: Compared, tious: Sequence[float], resamples: int) -> str:
    settings = (compared.label_set, *compared.clip_ids, *tious, resamples, "with own intervals")
    return content_key(workspace, [compared.a, compared.b], *settings)


def _detections(workspace: Workspace, side: Side, compared: Compared) -> pd.DataFrame:
    key = content_key(workspace, [side])
    return _read(workspace, side, compared.label_set, compared.clip_ids, key)


@functools.lru_cache(maxsize=4)
def _read(workspace: Workspace, side: Side, label_set: str, clip_ids: tuple[str, ...], _key: str) -> pd.DataFrame:
    """Detections as last stored, read once for precision and events; not to be changed."""
    return detections_of(workspace, side, label_set, clip_ids)
