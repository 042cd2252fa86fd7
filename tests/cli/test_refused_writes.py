"""A system that refuses to write is told in one line; what needs no writing is answered all the same."""

from __future__ import annotations

import errno
import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from mravff_core.cli import main
from mravff_core.files import refusal
from mravff_core.model.checkpoints import save_detector
from tests.small_workspace import small_detector, small_workspace


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk with little room left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_workspace(tmp_path_factory.mktemp("full") / "ws", clips=2).folder


# Nothing at all; the recipe, but no weights of an epoch.
@pytest.mark.parametrize("room", [0, 4000])
def test_a_training_without_room_says_so_and_goes_on_later(
    room: int, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(folder, workspace)
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(
        "{name: tiny, data: {train_split: validation}, fusion: {kind: none}, "
        "base: {embed_channels: 8, neck_channels: 8, head_channels: 8, levels: 2, max_steps: 32}, "
        "train: {epochs: 1, warmup_epochs: 0, regression_range: [[0, 4], [2, 100]]}}"
    )
    command = ["train", str(recipe), "--workspace", str(workspace), "--device", "cpu"]
    with no_file_longer_than(room):
        assert main(command) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert "File too large" in line
    assert not [path for path in (workspace / "runs/tiny").rglob("*") if ".part" in path.name or path.suffix == ".pt"]
    assert main(command) == 0


def test_a_workspace_that_can_only_be_read_is_evaluated_and_compared(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--workspace", str(folder), "--device", "cpu", "--json", "--clips", "clip_0", "clip_1"]
    evaluate = ["evaluate", "--run", "verb_mrav", *run]
    compare = ["compare", "--a", "verb_mrav@off", "--b", "verb_mrav", "--resamples", "20", *run]
    assert main(evaluate) == 0 and main([*evaluate, "--audio", "off"]) == 0
    # Code that is compiled for the first time is written beside the program, wherever the workspace lies.
    assert main([*compare, "--resamples", "10"]) == 0
    capsys.readouterr()
    with no_file_longer_than(0):
        assert main(evaluate) == 0
        assert json.loads(capsys.readouterr().out)
        assert main(compare) == 0
        assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["evaluate", "diagnose"])
def test_results_that_cannot_be_stored_are_printed_all_the_same(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "ws"
    shutil.copytree(folder, workspace)
    words = [command, "--workspace", str(workspace), "--run", "verb_visual", "--device", "cpu", "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    name = {"evaluate": "metrics.json", "diagnose": "diagnosis.json"}[command]
    (stored,) = workspace.rglob(name)
    stored.unlink()
    with no_file_longer_than(0):
        assert main(words) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == document
    (line,) = [line for line in printed.err.splitlines() if "warning: " in line]
    assert line.endswith(f"{name} could not be stored: File too large; the results are printed all the same")
    assert not stored.exists()


def test_where_a_page_cannot_be_written_nothing_is_gathered_for_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mravff_core.analysis.sweep_results.sweep_results", lambda *_: pytest.fail("gathered"))
    (folder / "sweeps/one/scores").mkdir(parents=True)
    with no_file_longer_than(0):
        assert main(["results", "--workspace", str(folder), "--out", str(tmp_path / "page.md")]) == 2
    assert f"nothing can be written in {tmp_path}: File too large" in capsys.readouterr().err


def test_reasons_are_found_wherever_they_are_hidden(tmp_path: Path) -> None:
    with no_file_longer_than(500), pytest.raises(SafetensorError) as weights:
        save_detector(small_detector(), tmp_path / "run")
    assert refusal(weights.value) == "File too large"
    with (tmp_path / "x.pt").open("wb") as file, no_file_longer_than(500), pytest.raises(RuntimeError) as tensors:
        torch.save(torch.zeros(1000), file)
    assert refusal(tensors.value) == "File too large"
    assert refusal(OSError(errno.EROFS, "", "here")) == "here: Read-only file system"
    for fault in (OSError(errno.EBADF, ""), OSError("odd"), ValueError("wrong"), RuntimeError("os error 28")):
        assert refusal(fault) is None
