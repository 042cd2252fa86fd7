"""Files made for people to take away: kept in the workspace's cache, served by name."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from app.context import AppContext
from mravff_core.errors import WorkspaceError
from mravff_core.files import written_aside

_NAME = re.compile(r"[a-z]+-[0-9a-f]{12}(-[a-z]+)?\.(html|mp4|zip)")


def export_name(kind: str, *about: object, ending: str, part: str = "") -> str:
    """Name of a file; equal contents asked for again give the same name.

    Args:
        kind: such as `report` or `film`.
        about: all that the file depends on.
        ending: `html`, `mp4` or `zip`.
        part: such as `figures`.
    """
    digest = hashlib.sha256("\n".join(map(str, about)).encode()).hexdigest()[:12]
    return f"{kind}-{digest}{f'-{part}' if part else ''}.{ending}"


def sources_of(app: AppContext, runs: Iterable[str]) -> list[str]:
    """What an export about some runs rests on: it changes when true segments, notes, sets or detectors do.

    Detections that are still to be made follow from these, so they do not count.
    """
    folder = app.workspace.folder
    files = [folder / "annotations.parquet", folder / "notes" / "notes.json", folder / "notes" / "sets.json"]
    for name in dict.fromkeys(runs):
        run = app.workspace.run(name)
        files += [run.folder / "model.safetensors"] if run.has_detector else sorted(run.folder.rglob("*.parquet"))
    return [f"{file} {file.stat().st_mtime_ns if file.is_file() else 'none'}" for file in files]


def export_path(app: AppContext, name: str) -> Path:
    """Where a file of that name lies or will lie. Raises: WorkspaceError for a name that is none of ours."""
    if not _NAME.fullmatch(name):
        raise WorkspaceError(f"there is no exported file {name!r}")
    return app.workspace.cache_folder / "exports" / name


def zipped(files: Iterable[Path], out: Path) -> Path:
    """Put files into one archive, under their own names."""
    with written_aside(out) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return out
