"""Several processes that train together end together, as quietly as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mravff_core.training.together import interrupts_kept
from tests.small_workspace import small_workspace

RECIPE = """
data: {train_split: validation}
fusion: {kind: mrav}
base: {embed_channels: 16, neck_channels: 16, head_channels: 16, levels: 3, max_steps: 64}
train: {epochs: 40, warmup_epochs: 1, regression_range: [[0, 4], [2, 8], [4, 100]]}
"""


def test_ctrl_c_ends_all_processes_in_one_line_and_training_goes_on_later(tmp_path: Path) -> None:
    """In a terminal Ctrl-C reaches the whole group of processes."""
    workspace = small_workspace(tmp_path / "small", clips=3)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    options = ["--run", "two", "--devices", "2", "--device", "cpu", "--workspace", str(workspace.folder)]
    command = [sys.executable, "-m", "mravff_core", "train", str(recipe), *options]
    here = Path(__file__).parents[2]
    training = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=here, start_new_session=True)
    state = workspace.runs_folder / "two/training/state.pt"
    while not state.is_file() and training.poll() is None:
        time.sleep(0.01)
    os.killpg(training.pid, signal.SIGINT)
    _, said = training.communicate(timeout=60)
    assert training.returncode == 130, said
    assert said.splitlines()[-1] == "stopped" and said.count("stopped") == 1 and "Traceback" not in said, said
    with pytest.raises(ProcessLookupError):
        os.killpg(training.pid, 0)
    assert not workspace.has_run("two") and state.is_file()
    again = subprocess.run(command, capture_output=True, text=True, cwd=here, check=False)
    assert again.returncode == 0, again.stderr
    assert workspace.has_run("two")


def test_an_interrupt_that_somebody_let_fall_is_raised_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts_kept() as check:
        check()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            time.sleep(1)
        with pytest.raises(KeyboardInterrupt):
            check()
    assert signal.getsignal(signal.SIGINT) is before
