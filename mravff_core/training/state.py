"""What a training writes while it runs, and how it goes on from there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import lightning_fabric
import torch
import yaml

from mravff_core.config import Recipe, from_mapping, read_yaml, to_mapping
from mravff_core.errors import CheckpointError, ConfigError, MravffError, WorkspaceError, first_line
from mravff_core.files import write_text, written_aside
from mravff_core.model.detector import Detector
from mravff_core.training.ema import AveragedWeights
from mravff_core.training.shares import Shares

STATE_FILE = "state.pt"
METRICS_FILE = "metrics.jsonl"


@dataclass
class RunState:
    """Everything that changes while training.

    Attributes:
        fabric: where it runs.
        recipe: how.
        detector: what is trained.
        shares: who computes which shares of a batch.
        optimizer: of the trained weights.
        averaged: running mean of the weights.
        normalizer: running number of positive points.
        step: optimiser steps done.
        epoch: whole epochs done.
        history: losses of each.
    """

    fabric: lightning_fabric.Fabric
    recipe: Recipe
    detector: Detector
    shares: Shares
    optimizer: torch.optim.Optimizer
    averaged: AveragedWeights
    normalizer: float
    step: int = 0
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@contextmanager
def training_alone(folder: Path) -> Iterator[None]:
    """Inside, no other training writes to a run's folder; the lock of a killed one is free again.

    A folder made for a training that is refused, or stopped in its first epoch, is gone again.

    Raises: WorkspaceError at once if one does.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":  # the first process of several holds the lock for all
        yield
        return
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".training.lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise WorkspaceError(
            f"{folder}: another process trains this run; wait for it, or choose another run name"
        ) from error
    try:
        yield
    except MravffError:
        if made and not has_begun(folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        lock.release()


def settle_recipe(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Keep the recipe beside the run, which may have been killed; refuse to go on with another one.

    Raises: ConfigError.
    """
    path = folder / "recipe.yaml"
    if resume and has_begun(folder) and path.is_file() and from_mapping(Recipe, read_yaml(path), str(path)) != recipe:
        raise ConfigError(f"{path}: the run was begun with another recipe; choose another run name or start over")
    if not resume:
        for name in ("model.safetensors", "config.yaml", f"training/{STATE_FILE}", f"training/{METRICS_FILE}"):
            (folder / name).unlink(missing_ok=True)
    write_text(path, yaml.safe_dump(to_mapping(recipe), sort_keys=False, allow_unicode=True))


def save_state(run: RunState, folder: Path) -> None:
    """Write the last whole epoch and the losses so far."""
    state = {
        "model": run.detector.state_dict(),
        "averaged": run.averaged.weights,
        "optimizer": run.optimizer.state_dict(),
        "normalizer": run.normalizer,
        "threads": run.shares.threads,  # sums round differently with another number
        "step": run.step,
        "epoch": run.epoch,
        "history": run.history,
    }
    # Through a file of Python's, since PyTorch's own does not say why the system refuses to write.
    with written_aside(folder / STATE_FILE) as aside, aside.open("wb") as file:
        torch.save(state, file)
    write_metrics(run, folder)


def write_metrics(run: RunState, folder: Path) -> None:
    """Write the losses of all epochs so far."""
    write_text(folder / METRICS_FILE, "".join(json.dumps(entry) + "\n" for entry in run.history))


def has_begun(folder: Path) -> bool:
    """Whether there is anything of a run that could be gone on with."""
    return any((folder / name).is_file() for name in ("model.safetensors", f"training/{STATE_FILE}"))


def is_finished(folder: Path) -> bool:
    """Whether a run's last state is gone, which is removed after all else is written."""
    written = all((folder / name).is_file() for name in ("model.safetensors", "config.yaml"))
    return written and not (folder / "training" / STATE_FILE).is_file()


def load_state(run: RunState, path: Path) -> None:
    """Go on from a stored epoch, if there is one. Raises: CheckpointError if it is damaged."""
    if not path.is_file():
        return
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        weights: dict[str, torch.Tensor] = state["model"]
        run.detector.load_state_dict(weights)
        run.averaged.load(state["averaged"])
        run.optimizer.load_state_dict(state["optimizer"])
        run.normalizer, run.step, run.epoch = state["normalizer"], state["step"], state["epoch"]
        run.shares.threads, run.history = state["threads"], state["history"]
    except Exception as error:
        raise CheckpointError(f"{path}: training cannot go on from here ({first_line(error)}); start over") from error
