"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock

# A full disk or quota, a file larger than may be, a disk or folder that may only be read.
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
_IN_RUST = re.compile(r"\(os error (\d+)\)")


def refusal(error: BaseException) -> str | None:
    """Why the system would not read or write, where an error says that or came from one that does; None elsewhere."""
    found: BaseException | None = error
    while found is not None:
        in_rust = _IN_RUST.search(str(found))
        number = found.errno if isinstance(found, OSError) else int(in_rust[1]) if in_rust else None
        if number in _REFUSALS:
            path = found.filename if isinstance(found, OSError) else None
            reason = os.strerror(number)
            return f"{path}: {reason}" if path else reason
        found = found.__cause__ or found.__context__
    return None


@contextmanager
def written_aside(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success flush it to disk and rename it into place.

    The temporary name keeps the suffix, since many writers go by it. On any error the
    temporary file is removed and an earlier `path` stays as it was. The first file that a process
    writes in a folder has what killed processes left aside there before removed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_aside_once(target.parent.resolve())
    with _held_aside(target.parent, target.stem, f".part{target.suffix}") as aside:
        aside.touch(mode=0o600, exist_ok=False)
        try:
            yield aside
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
            aside.chmod(0o644)
            aside.replace(target)
            _flush_folder(target.parent)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def folder_written_aside(path: Path | str) -> Iterator[Path]:
    """Like `written_aside` for a folder that must not exist yet or is replaced whole.

    Removes what killed processes left aside there before.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_aside(target.parent)
    with _held_aside(target.parent, target.name, ".part") as aside:
        try:
            aside.mkdir(mode=0o700)
            yield aside
            aside.chmod(0o755)
            with _held_aside(target.parent, target.name, ".part") as before:
                # Moved away first: a folder that is removed file by file would be there in part.
                if target.is_dir():
                    target.replace(before)
                aside.replace(target)
                _flush_folder(target.parent)
                shutil.rmtree(before, ignore_errors=True)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _held_aside(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    """A hidden name of nothing yet, locked beside so that nobody takes it for a dead process's."""
    aside = folder / f".{stem[:80]}.{secrets.token_hex(4)}{suffix}"
    lock = aside.with_name(f"{aside.name}.lock")
    # Where no file can be made the lock would be waited for for ever; this says so.
    lock.touch()
    with filelock.FileLock(lock):
        try:
            yield aside
        finally:
            lock.unlink(missing_ok=True)


def _remove_left_aside(folder: Path) -> None:
    """Remove what processes were writing aside when they were killed; their locks are free again."""
    for lock in folder.glob(".*.part*.lock"):
        with suppress(filelock.Timeout), filelock.FileLock(lock, blocking=False):
            aside = lock.with_suffix("")
            if aside.is_dir():
                shutil.rmtree(aside, ignore_errors=True)
            else:
                aside.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


# Looking at each write would take ever longer in a folder of many thousand files.
_remove_left_aside_once = functools.cache(_remove_left_aside)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write a JSON document whole or not at all; not-a-number is refused, being no JSON."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
