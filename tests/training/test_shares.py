"""One process and two train alike to the last bit, so that no small difference can grow."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import pytest
import torch

from mravff_core.config import Recipe
from mravff_core.training import memory
from mravff_core.training.loop import train
from mravff_core.training.shares import how_many_shares
from tests.training.test_batches import losses, uneven_clips
from tests.training.test_loop import LABELS, clips, recipe, same

# Parts, gathered batches and balanced losses each add up in an order of their own.
TRIALS = {
    "actionformer": {"batch_size": 4, "input_noise": 0.1, "steps_at_once": 60, "learning_rate": 0.02},
    "tridet": {"batch_size": 2, "accumulate_batches": 2, "loss_weight": 0.0, "learning_rate": 0.02},
    "temporalmaxer": {"batch_size": 2, "learning_rate": 0.02},
}


def trial(kind: str) -> Recipe:
    """Five epochs with everything left to chance that can be."""
    plan = recipe(**{"epochs": 4, "warmup_epochs": 1, **TRIALS[kind]})
    base = replace(plan.base, kind=kind, dropout=0.1)
    return replace(plan, base=base, fusion=replace(plan.fusion, dropout=0.1))


# Of a large detector one process computes the shares one after another.
@pytest.mark.parametrize(
    ("kind", "large"), [("actionformer", False), ("tridet", False), ("tridet", True), ("temporalmaxer", True)]
)
def test_two_processes_give_the_very_numbers_of_one(
    kind: str, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mravff_core.training.memory._LARGE", 0 if large else 5_000_000)
    train(trial(kind), uneven_clips(), LABELS, tmp_path / "one", accelerator="cpu")
    command = [sys.executable, "-m", "tests.training.test_shares", str(tmp_path / "two"), kind, str(int(large))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "one").shape == (5, 3)
    np.testing.assert_array_equal(losses(tmp_path / "two"), losses(tmp_path / "one"))
    assert same(tmp_path / "one", tmp_path / "two")


def test_batches_are_shared_out_within_a_process_on_the_cpu_alone() -> None:
    assert [how_many_shares(True, 4, world) for world in (1, 2, 4)] == [2, 2, 4]
    assert [how_many_shares(False, 4, world) for world in (1, 2, 4)] == [1, 2, 4]
    assert how_many_shares(True, 1, 1) == 1


def test_a_share_may_start_backward_when_the_other_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, of_fabric, of_torch = threading.Event(), lightning_fabric.Fabric.backward, torch.Tensor.backward
    late: list[bool] = []

    def first(fabric: lightning_fabric.Fabric, *given: Any, **more: Any) -> None:
        of_fabric(fabric, *given, **more)
        ended.set()

    def last(loss: torch.Tensor, *given: Any, **more: Any) -> None:
        if threading.current_thread().name.startswith("shares"):
            late.append(ended.wait(30))
            ended.clear()
        of_torch(loss, *given, **more)

    monkeypatch.setattr(lightning_fabric.Fabric, "backward", first)
    monkeypatch.setattr(torch.Tensor, "backward", last)
    train(recipe(epochs=1, precision="bfloat16"), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    assert late
    assert all(late)


def test_threads_are_dealt_out_to_shares_and_given_back(tmp_path: Path) -> None:
    seen: list[int] = []
    torch.set_num_threads(4)
    try:
        for name in ("first", "second"):
            train(
                recipe(epochs=1),
                clips(),
                LABELS,
                tmp_path / name,
                accelerator="cpu",
                cancel=lambda: bool(seen.append(torch.get_num_threads())),
            )
            assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(1)
    assert set(seen) == {2}
    assert same(tmp_path / "first", tmp_path / "second")


if __name__ == "__main__":
    if int(sys.argv[3]):
        memory._LARGE = 0
    train(trial(sys.argv[2]), uneven_clips(), LABELS, sys.argv[1], devices=2, accelerator="cpu")
