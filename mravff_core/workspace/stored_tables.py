"""Detections and gates that a run has stored under one audio condition: merged into one file, in parts, or both."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from mravff_core.errors import WorkspaceError, first_line
from mravff_core.segments import DETECTION_COLUMNS
from mravff_core.workspace.tables import query, read_table

FOUND_COLUMNS = ("clip_id", *DETECTION_COLUMNS)
_GATE_COLUMNS = ("clip_id", "level", "step", "time_s", "gate")


def read_stored(table: str, folder: Path, clip_ids: Sequence[str] | None) -> pd.DataFrame | None:
    """Rows of a table, those of some clips or of all; None where no file of it is there.

    Raises: WorkspaceError that names a file which is damaged or lacks a column.
    """
    # A clip may be both merged and a part if a merge was cut short; DISTINCT makes that harmless.
    distinct = "DISTINCT" if len(stored_sources(table, folder)) > 1 else ""
    where = "" if clip_ids is None else "WHERE list_contains(?, clip_id)"
    sql = f"SELECT {distinct} {', '.join(_columns(table))} FROM read_parquet(?) {where} ORDER BY {order_of(table)}"
    return _asked(table, folder, sql, [] if clip_ids is None else [list(clip_ids)])


def stored_gates(folder: Path) -> pd.DataFrame | None:
    """Gates `clip_id, level, step, time_s, gate`, in that order; None where none are stored.

    The latest two answers are kept while their files stay as they are: a page takes means, steps
    and profiles from one after the other.

    Returns: a table that others share: do not change it.
    Raises: WorkspaceError as `read_stored`.
    """
    written = []
    for path in map(Path, stored_sources("gates", folder)):
        # One that was listed may have been merged into another since.
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            written.append((path.name, state.st_size, state.st_mtime_ns))
    return _gates_as_written(folder, tuple(written))


@functools.lru_cache(maxsize=2)
def _gates_as_written(folder: Path, _written: tuple[tuple[str, int, int], ...]) -> pd.DataFrame | None:
    return read_stored("gates", folder, None)


def stored_gate_means(folder: Path, clip_ids: Sequence[str] | None) -> pd.DataFrame:
    """Mean gate by clip and level: `clip_id`, `level`, `steps`, `gate`; empty where there are no gates.

    Raises: WorkspaceError as `read_stored`.
    """
    where = "" if clip_ids is None else "WHERE list_contains(?, clip_id)"
    each = f"SELECT DISTINCT {', '.join(_GATE_COLUMNS)} FROM read_parquet(?) {where}"
    sql = f"SELECT clip_id, level, count(*) AS steps, avg(gate) AS gate FROM ({each}) GROUP BY ALL ORDER BY ALL"
    table = _asked("gates", folder, sql, [] if clip_ids is None else [list(clip_ids)])
    return pd.DataFrame(columns=["clip_id", "level", "steps", "gate"]) if table is None else table


def _asked(table: str, folder: Path, sql: str, parameters: Sequence[Any]) -> pd.DataFrame | None:
    """Put a question to the files of a table; None where there are none.

    Raises: WorkspaceError that names the file which cannot answer.
    """
    sources: list[str] = []
    for _ in range(2):
        # Files that were listed may have been merged since by whoever is detecting now: list them again.
        sources = stored_sources(table, folder)
        if not sources:
            return None
        try:
            return query(sql, [sources, *parameters])
        except duckdb.Error as error:
            failure = error
    for path in sources:
        read_table(path, _columns(table))
    raise WorkspaceError(
        f"{folder}: its {table} cannot be read together ({first_line(failure)}); predict again"
    ) from failure


def check_detections(found: pd.DataFrame, path: Path, classes: int | None) -> None:
    """Refuse what no detector says.

    Args:
        found: at least `label` and `score`.
        path: of the file, for people.
        classes: how many the run tells apart; None where nobody knows.
    Raises: WorkspaceError.
    """
    if not len(found):
        return
    score, label = found["score"].to_numpy(), found["label"].to_numpy()
    if not np.isfinite(score).all():
        raise WorkspaceError(f"{path}: a score is not a number, expected 0 to 1; predict again")
    if label.min() < 0 or (classes is not None and label.max() >= classes):
        wrong = label.min() if label.min() < 0 else label.max()
        raise WorkspaceError(
            f"{path}: found label {wrong}, expected 0 to {(classes or 1) - 1} as the run has classes; "
            "made by another detector? Predict again"
        )


def _columns(table: str) -> tuple[str, ...]:
    return _GATE_COLUMNS if table == "gates" else FOUND_COLUMNS


def order_of(table: str) -> str:
    """In which order a table is stored and read."""
    return "clip_id, level, step" if table == "gates" else "clip_id, score DESC, start_s, end_s, label"


def stored_sources(table: str, folder: Path) -> list[str]:
    """Files of a table: the merged one and single clips'."""
    merged = folder / f"{table}.parquet"
    parts = sorted(folder.glob(f"parts/*.{table}.parquet"))
    return [str(path) for path in ([merged] if merged.is_file() else []) + parts]
