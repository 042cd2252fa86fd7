"""Parquet tables that appear whole or not at all, and questions to them in SQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mravff_core.errors import WorkspaceError
from mravff_core.files import written_aside

_local = threading.local()
_NOTE = b"mravff_note"


def write_table(path: Path | str, table: pd.DataFrame, *, note: Mapping[str, str] | None = None) -> None:
    """Write a Parquet file whole or not at all; equal tables give equal bytes.

    Args:
        note: kept in the file beside the table, for `read_note`.
    """
    rows = pa.Table.from_pandas(table, preserve_index=False)
    if note is not None:
        rows = rows.replace_schema_metadata({**rows.schema.metadata, _NOTE: json.dumps(note, sort_keys=True)})
    with written_aside(path) as aside:
        pq.write_table(rows, aside, compression="zstd")


def read_note(path: Path | str) -> dict[str, str] | None:
    """What was noted beside a table when it was written; None where nothing was, or the file is gone or damaged."""
    try:
        noted = (pq.read_schema(path).metadata or {}).get(_NOTE)
    except (pa.ArrowException, OSError):
        return None
    return None if noted is None else json.loads(noted)


def read_table(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a Parquet file that must hold at least `columns`.

    Raises: WorkspaceError if it is missing, damaged or lacks a column.
    """
    path = Path(path)
    try:
        table = pq.read_table(path).to_pandas()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise WorkspaceError(f"{path.parent}: is no longer there; was it moved or removed?") from None
        raise WorkspaceError(
            f"{path}: no such table; was the workspace made by another version or cut short?"
        ) from None
    except (pa.ArrowException, OSError) as error:
        # Arrow names the file once more before it says what is the matter.
        first_line = str(error).splitlines()[0].rpartition("': ")[2] if str(error) else type(error).__name__
        raise WorkspaceError(f"{path}: not readable as Parquet ({first_line}); damaged?") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise WorkspaceError(f"{path}: lacks column {', '.join(missing)}; it has {', '.join(table.columns)}")
    return table


def query(sql: str, parameters: Sequence[Any] = (), **tables: pd.DataFrame) -> pd.DataFrame:
    """Run one SQL question with DuckDB, each thread on a connection of its own.

    Args:
        sql: may name Parquet files through `read_parquet(?)` and any of `tables`.
        parameters: values for the question marks.
        tables: data frames to be seen under their names.
    """
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = duckdb.connect(":memory:")
    for name, table in tables.items():
        connection.register(name, table)
    try:
        return connection.execute(sql, list(parameters)).df()
    finally:
        for name in tables:
            connection.unregister(name)
