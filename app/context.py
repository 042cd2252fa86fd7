"""What all sessions of one server share: workspace, detectors, jobs and uploads."""

from __future__ import annotations

import gc
import importlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from app.detectors import DetectorCache
from app.jobs import JobQueue
from app.uploads import DEFAULT_LIMIT_BYTES, Uploads
from mravff_core.workspace import Workspace


@dataclass(frozen=True)
class AppContext:
    """Shared by all sessions and routes."""

    workspace: Workspace
    detectors: DetectorCache
    jobs: JobQueue
    uploads: Uploads


_UNDISTURBED_S = 5.0
_current: AppContext | None = None


def start(folder: Path | str, *, device: str = "auto", upload_limit_bytes: int = DEFAULT_LIMIT_BYTES) -> AppContext:
    """Open a workspace for this process. Raises: WorkspaceError, ConfigError."""
    global _current
    workspace = Workspace(folder)
    if _current is not None:
        _current.jobs.close()
    _current = AppContext(
        workspace,
        DetectorCache(workspace, device),
        JobQueue(),
        Uploads(workspace.cache_folder / "uploads", upload_limit_bytes),
    )
    return _current


def warm_up() -> None:
    """Begin what takes seconds once in a process, beside a server that listens already."""
    threading.Thread(target=_warm_up, args=(context(),), name="warm-up", daemon=True).start()


def _warm_up(app: AppContext) -> None:
    # Each is loaded when the page that is opened first comes to need it, while the browser loads the page.
    from app.tracks.signal import prepare_signals

    app.detectors.prepare()
    importlib.import_module("app.pages.gates")
    importlib.import_module("app.comparing.answers").warm_up()
    set_libraries_aside()
    # The page that is opened first comes first.
    time.sleep(_UNDISTURBED_S)
    # Nobody explains before a clip has been looked at.
    importlib.import_module("mravff_core.analysis.explain_run")
    prepare_signals(app.workspace, lambda: not app.jobs.wait_until_idle())
    set_libraries_aside()


def set_libraries_aside() -> None:
    """Spare the garbage collector all objects there are now; those of the libraries are some 350,000.

    A look at all of them takes a fifth of a second, during which nobody's page gets an answer.
    """
    gc.collect()
    gc.freeze()


def context() -> AppContext:
    """What `start` opened. Raises: RuntimeError before that."""
    if _current is None:
        raise RuntimeError("no workspace is open; start the app with 'python -m app --workspace DIR'")
    return _current
