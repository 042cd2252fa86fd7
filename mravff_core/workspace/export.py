"""Detections of a run as a file for others: challenge submissions, CSV, Parquet."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.evaluation.actions import merge_actions
from mravff_core.files import written_aside
from mravff_core.segments import ACTION
from mravff_core.workspace.clip import source_name
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.tables import write_table

Format = Literal["epic", "activitynet", "csv", "parquet"]

SUFFIXES: dict[str, tuple[str, ...]] = {
    "epic": (".json", ".zip"),
    "activitynet": (".json", ".zip"),
    "csv": (".csv",),
    "parquet": (".parquet",),
}
# What the challenges' servers look for in an archive.
_MEMBER = {"epic": "test.json", "activitynet": "result.json"}


def export_detections(
    workspace: Workspace,
    run_name: str,
    path: Path | str,
    form: Format,
    *,
    condition: AudioCondition | str = "on",
    clip_ids: Sequence[str] | None = None,
    label_set: str | None = None,
    noun_run: str | None = None,
    supervision: tuple[int, int, int] = (2, 3, 3),
) -> int:
    """Write a run's stored detections; the file appears whole or not at all.

    Args:
        workspace: where the run lies.
        run_name: whose detections; of verbs where `noun_run` is given.
        path: `.json`, or `.zip` for a server, with `epic` and `activitynet`; else the format's suffix.
        form: `epic` writes actions for EPIC-Kitchens' challenge, from a joint run or from two;
            `activitynet` a result file with class names; `csv` and `parquet` a table with class names.
        condition: what the detector heard.
        clip_ids: None for all clips with detections.
        label_set: whose labels, or `action`; the run's first by default. Not for `epic`.
        noun_run: run with detections of nouns, to be paired with those of verbs.
        supervision: levels of pre-training, labels and data in EPIC-Kitchens' scale, 0 to 5 each.
    Returns: how many detections were written.
    Raises: WorkspaceError for runs, label sets or detections that are not there; ConfigError for a
        suffix or supervision levels that do not fit.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES[form]:
        raise ConfigError(f"{path}: suffix {path.suffix!r} does not fit {form}; expected {' or '.join(SUFFIXES[form])}")
    if not all(0 <= level <= 5 for level in supervision):
        raise ConfigError(f"supervision levels are {', '.join(map(str, supervision))}, expected 0 to 5 each")
    wanted = ACTION if form == "epic" or noun_run is not None else label_set
    table = _table(workspace, run_name, wanted, condition, clip_ids, noun_run)
    covered = _covered(workspace, run_name, condition, clip_ids, noun_run)
    names = _named(workspace, table, wanted or workspace.run(run_name).label_sets[0])
    if form == "csv":
        with written_aside(path) as aside:
            names.to_csv(aside, index=False)
    elif form == "parquet":
        write_table(path, names)
    else:
        document = _epic(table, covered, len(workspace.label_sets["noun"]), supervision) if form == "epic" else None
        document = document or _activitynet(names, covered)
        _write_json(path, document, _MEMBER[form])
    return len(table)


def _table(
    workspace: Workspace,
    run_name: str,
    label_set: str | None,
    condition: AudioCondition | str,
    clip_ids: Sequence[str] | None,
    noun_run: str | None,
) -> pd.DataFrame:
    if noun_run is None:
        return _stored(workspace, run_name, label_set, condition, clip_ids)
    verbs, nouns = (
        _stored(workspace, name, task, condition, clip_ids) for name, task in ((run_name, "verb"), (noun_run, "noun"))
    )
    return merge_actions(verbs, nouns, len(workspace.label_sets["noun"]))


def _stored(
    workspace: Workspace,
    run_name: str,
    label_set: str | None,
    condition: AudioCondition | str,
    clip_ids: Sequence[str] | None,
) -> pd.DataFrame:
    run = workspace.run(run_name)
    offered = run.label_sets
    if label_set == ACTION and label_set not in offered:
        raise WorkspaceError(
            f"run {run_name!r} detects {', '.join(offered)} and no actions; "
            "give a joint run, or a run of verbs and one of nouns"
        )
    table = run.detections(condition, clip_ids, label_set=run.label_set(label_set or ""))
    if table is None:
        raise WorkspaceError(f"run {run_name!r} has no stored detections with audio {condition}; run predict first")
    return table


def _covered(
    workspace: Workspace,
    run_name: str,
    condition: AudioCondition | str,
    clip_ids: Sequence[str] | None,
    noun_run: str | None,
) -> list[str]:
    """Clips that were looked at, whether anything was found in them or not."""
    looked_at = workspace.run(run_name).predicted_clips(condition)
    if noun_run is not None:
        looked_at = looked_at & workspace.run(noun_run).predicted_clips(condition)
    return sorted(looked_at if clip_ids is None else looked_at & set(clip_ids))


def _named(workspace: Workspace, table: pd.DataFrame, label_set: str) -> pd.DataFrame:
    """Detections with class names, one column a label set; a pair has two."""
    labels = table["label"].to_numpy()
    if label_set == ACTION:
        count = len(workspace.label_sets["noun"])
        columns = {"verb": labels // count, "noun": labels % count}
    else:
        columns = {label_set: labels}
    named = table[["clip_id", "start_s", "end_s", "score"]].copy()
    for name, numbers in columns.items():
        named[name] = np.asarray(workspace.class_names(name), dtype=object)[numbers]
    return named.reset_index(drop=True)


def _epic(
    table: pd.DataFrame, clip_ids: Iterable[str], noun_classes: int, supervision: tuple[int, int, int]
) -> dict[str, Any]:
    items = (
        (clip_id, {"verb": v, "noun": n, "action": f"{v},{n}", "score": score, "segment": [start_s, end_s]})
        for clip_id, start_s, end_s, score, v, n in zip(
            *(table[name].tolist() for name in ("clip_id", "start_s", "end_s", "score")),
            (table["label"] // noun_classes).tolist(),
            (table["label"] % noun_classes).tolist(),
            strict=True,
        )
    )
    levels = dict(zip(("sls_pt", "sls_tl", "sls_td"), supervision, strict=True))
    return {"version": "0.2", "challenge": "action_detection", **levels, "results": _by_clip(items, clip_ids)}


def _activitynet(named: pd.DataFrame, clip_ids: Iterable[str]) -> dict[str, Any]:
    names = named.drop(columns=["clip_id", "start_s", "end_s", "score"])
    labels = [" ".join(row) for row in names.itertuples(index=False)]
    items = (
        (clip_id, {"label": label, "score": score, "segment": [start_s, end_s]})
        for clip_id, start_s, end_s, score, label in zip(
            *(named[name].tolist() for name in ("clip_id", "start_s", "end_s", "score")), labels, strict=True
        )
    )
    external = {"used": False, "details": ""}
    return {"version": "VERSION 1.3", "results": _by_clip(items, clip_ids), "external_data": external}


def _by_clip(items: Iterable[tuple[str, dict[str, Any]]], clip_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Detections by the data set's own names of videos, those without any included."""
    results: Mapping[str, list[dict[str, Any]]] = {clip_id: [] for clip_id in clip_ids}
    for clip_id, item in items:
        results[clip_id].append(item)
    return {source_name(clip_id): found for clip_id, found in results.items()}


def _write_json(path: Path, document: dict[str, Any], member: str) -> None:
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    with written_aside(path) as aside:
        if path.suffix.lower() == ".json":
            aside.write_text(text, encoding="utf-8")
            return
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            # A fixed time stamp, so that equal detections give equal files.
            archive.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED)
        aside.write_bytes(buffer.getvalue())
