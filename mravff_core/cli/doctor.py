"""`doctor`: is everything here that the project needs?"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from pathlib import Path
from typing import Any

from mravff_core.cli import common
from mravff_core.errors import MravffError

LIBRARIES = ("torch", "numpy", "pandas", "numba", "av", "streamlit", "duckdb", "pyarrow", "lightning-fabric")


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "doctor",
        run,
        "say what of libraries, devices and workspace is in order",
        example="--workspace workspaces/demo",
    )
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Look, and report.

    Raises: WorkspaceError, once all is reported, if there is no workspace or it cannot be read.
    """
    import torch

    workspace, trouble = _workspace(Path(args.workspace))
    findings: dict[str, Any] = {
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "devices": {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu_threads": torch.get_num_threads(),
        },
        "workspace": workspace or str(trouble),
    }
    if args.json:
        common.print_json(findings)
    else:
        _print(findings)
        if workspace:
            print(f"Workspace {args.workspace}: {workspace}")
    if trouble:
        raise trouble


def _print(findings: dict[str, Any]) -> None:
    print(f"Python {findings['python']}")
    for name, version in findings["libraries"].items():
        print(f"  {name} {version or 'MISSING: run make app once'}")
    devices = findings["devices"]
    print(f"Computing on {'cuda' if devices['cuda'] else 'mps' if devices['mps'] else 'cpu'}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _workspace(folder: Path) -> tuple[str, MravffError | None]:
    """What a workspace holds, or what is wrong with it."""
    from mravff_core.workspace import Workspace

    try:
        workspace = Workspace(folder)
        lost = [clip_id for clip_id in workspace.clip_ids() if not _has_video(workspace, clip_id)]
        return f"{len(workspace.clips)} clips ({len(lost)} without video), {len(workspace.runs())} runs", None
    except MravffError as error:
        return "", error


def _has_video(workspace: Any, clip_id: str) -> bool:
    try:
        return workspace.video_path(clip_id).is_file()
    except MravffError:
        return False
