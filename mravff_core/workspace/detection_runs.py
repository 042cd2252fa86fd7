"""Runs without a detector: detections that were imported, or made of those of other runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from mravff_core.errors import WorkspaceError
from mravff_core.files import folder_written_aside, write_text
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.runs import IMPORTED_NAME, Run


def free_run_folder(workspace: Workspace, run_name: str, replace: bool) -> Path:
    """Where a run without a detector may be put.

    Args:
        replace: whether one of that name that has no detector may go.
    Raises: WorkspaceError for a name that is taken or not usable.
    """
    folder = workspace.new_run_folder(run_name)
    if Run.is_run(folder) and Run(folder).has_detector:
        raise WorkspaceError(f"{folder}: is a run with a detector already; choose another name")
    if folder.exists() and not (replace and Run.is_run(folder)):
        raise WorkspaceError(f"{folder}: is there already; choose another name, or --replace an imported run")
    return folder


@contextmanager
def new_detection_run(folder: Path, source: str, origin: bytes, form: str, classes: Mapping[str, int]) -> Iterator[Run]:
    """A run to store detections in, which appears in its folder once the block has ended well.

    Args:
        folder: of `free_run_folder`.
        source: what the detections come from, for people.
        origin: contents that they come from; a digest of them is kept.
        form: of the file, or `MERGED`.
        classes: how many each label set has, the run's first one first.
    """
    digest = hashlib.sha256(origin).hexdigest()
    record = {"source": source, "sha256": digest, "format": form, "label_sets": dict(classes)}
    with folder_written_aside(folder) as aside:
        write_text(aside / IMPORTED_NAME, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
        yield Run(aside)
