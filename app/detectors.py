"""Loaded detectors, shared by everyone who uses the app."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from mravff_core.errors import WorkspaceError
from mravff_core.workspace import Workspace

if TYPE_CHECKING:
    from mravff_core.model.detector import Detector

_MOST = 4


class DetectorCache:
    """Loads each run's detector once and again only when its files have changed.

    Args:
        workspace: whose runs.
        device: `auto`, `cpu`, `cuda` or `mps`.
    Attributes:
        device_name: where detectors run; empty until `prepare` is done.
    """

    def __init__(self, workspace: Workspace, device: str = "auto") -> None:
        self._workspace = workspace
        self._device = device
        self._lock = threading.Lock()
        self.device_name = ""
        self._loaded: OrderedDict[tuple[str, int, int], Detector] = OrderedDict()

    def prepare(self) -> None:
        """Load PyTorch and settle on a device.

        One core is left to the pages and to the browser that plays the video: threads of PyTorch
        that wait for each other on a busy core make a detection of 30 ms last seconds.
        """
        import torch

        from mravff_core.model.checkpoints import choose_device

        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1)))
        self.device_name = str(choose_device(self._device))

    def get(self, run: str) -> Detector:
        """A run's detector in evaluation mode. Raises: WorkspaceError, CheckpointError."""
        # PyTorch takes seconds to load, which the server's start does not wait for.
        from mravff_core.model.checkpoints import load_detector

        chosen = self._workspace.run(run)
        folder = chosen.folder
        if not chosen.has_detector:
            raise WorkspaceError(f"run {run!r} holds imported detections and has no detector")
        key = (run, (folder / "config.yaml").stat().st_mtime_ns, (folder / "model.safetensors").stat().st_mtime_ns)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load_detector(folder, device=self._device).eval()
                while len(self._loaded) > _MOST:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]
