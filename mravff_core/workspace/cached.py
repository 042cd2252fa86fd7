"""Tables that can be made again, kept in a workspace's cache under what they were made from.

A table's key is a digest of the contents of the files behind it and of all parameters, so a
change of either makes another table, and a copied workspace keeps its cache.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.errors import WorkspaceError
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.tables import read_table, write_table

# Counted up whenever the meaning of a cached table changes.
_GENERATION = 2
_MOST_FILES, _MOST_IN_MEMORY = 48, 12
_memory: OrderedDict[Path, pd.DataFrame] = OrderedDict()
_locks: dict[Path, threading.Lock] = {}
_guard = threading.Lock()


def cached_table(
    workspace: Workspace,
    name: str,
    make: Callable[[], pd.DataFrame],
    *,
    files: Sequence[Path],
    parameters: Mapping[str, Any],
) -> pd.DataFrame:
    """The table that `make` gives, made once for equal files and parameters.

    Args:
        workspace: in whose cache it is kept.
        name: what it is; letters, digits and `_-` only.
        make: called without arguments; several threads that ask at once wait for one call.
        files: all that the table is made from; missing ones count as empty.
        parameters: all else it depends on; anything JSON can hold.
    Returns: a table that others share: do not change it.
    """
    path = workspace.cache_folder / "tables" / f"{name}.{_key(files, parameters)}.parquet"
    with _guard:
        lock = _locks.setdefault(path, threading.Lock())
    with lock:
        table = _memory.get(path)
        if table is None:
            table = _stored(path)
        if table is None:
            table = make()
            # A workspace that can only be read answers all the same, until the process ends.
            with suppress(OSError):
                write_table(path, table)
                _drop_old(path.parent, name)
        with _guard:
            _memory[path] = table
            _memory.move_to_end(path)
            while len(_memory) > _MOST_IN_MEMORY:
                _memory.popitem(last=False)
    return table


def has_cached_table(workspace: Workspace, name: str, *, files: Sequence[Path], parameters: Mapping[str, Any]) -> bool:
    """Whether `cached_table` would answer at once."""
    return (workspace.cache_folder / "tables" / f"{name}.{_key(files, parameters)}.parquet").is_file()


def _stored(path: Path) -> pd.DataFrame | None:
    try:
        return read_table(path) if path.is_file() else None
    except WorkspaceError:
        return None


def _key(files: Sequence[Path], parameters: Mapping[str, Any]) -> str:
    contents = [_digest(path) for path in files]
    text = json.dumps([_GENERATION, contents, dict(parameters)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _digest(path: Path) -> str:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ""
    return _digest_of(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _digest_of(path: Path, _size: int, _written_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _drop_old(folder: Path, name: str) -> None:
    """Keep the latest tables of one kind; whoever needs another makes it again."""
    for path in sorted(folder.glob(f"{name}.*.parquet"), key=_written_ns)[:-_MOST_FILES]:
        path.unlink(missing_ok=True)


def _written_ns(path: Path) -> int:
    """When a file was written; 0 where another process has dropped it since."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
