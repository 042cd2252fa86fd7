"""Batches: the same losses whole, in parts or on two devices; read ahead; like lengths together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.cli import main
from mravff_core.config import Recipe, TrainConfig, to_mapping
from mravff_core.errors import FeatureError
from mravff_core.evaluation import mean_average_precision
from mravff_core.freed_memory import give_back_freed_memory
from mravff_core.training.batches import BatchMaker, _groups, epoch_plan
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train
from mravff_core.training.memory import needs_sparing
from mravff_core.training.state import RunState
from mravff_core.training.workspace_clips import WorkspaceClips
from tests.small_workspace import small_detector, small_workspace
from tests.training.test_loop import LABELS, clips, recipe, same, weights


def uneven_clips() -> list[TrainingClip]:
    """Clips of 26 to 48 steps."""
    cut = []
    for number, clip in enumerate(clips(7)):
        steps = slice(48 - [0, 22, 3, 16, 8, 1, 12][number])
        segments = clip.segments_grid.clip(max=float(steps.stop))
        cut.append(replace(clip, visual=clip.visual[:, steps], audio=clip.audio[:, steps], segments_grid=segments))  # type: ignore[index]
    return cut


def losses(folder: Path) -> np.ndarray:
    lines = (folder / "training/metrics.jsonl").read_text().splitlines()
    return np.array([[json.loads(line)[name] for name in ("loss", "classes", "boundaries")] for line in lines])


def test_parts_give_the_losses_of_whole_batches(tmp_path: Path) -> None:
    """Chance included: drop paths, dropped sound and dropped numbers fall on the same clips."""
    for name, steps in (("whole", 0), ("parts", 60), ("single", 1)):
        plan = recipe(batch_size=4, steps_at_once=steps, epochs=2, input_noise=0.1)
        plan = replace(plan, base=replace(plan.base, dropout=0.2), fusion=replace(plan.fusion, dropout=0.2))
        train(plan, uneven_clips(), LABELS, tmp_path / name, accelerator="cpu")
    for name in ("parts", "single"):
        np.testing.assert_allclose(losses(tmp_path / name), losses(tmp_path / "whole"), rtol=1e-5)
        one, other = weights(tmp_path / name), weights(tmp_path / "whole")
        assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-3


def test_two_devices_give_the_losses_of_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Three clips in batches of two: of the last batch one device has no share."""
    workspace = small_workspace(tmp_path / "small", clips=3)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "data: {train_split: validation}\nfusion: {kind: mrav, audio_dropout: 0.3, dropout: 0.1}\n"
        "base: {dropout: 0.1, embed_channels: 16, neck_channels: 16, head_channels: 16, levels: 3, max_steps: 64}\n"
        "train: {epochs: 2, warmup_epochs: 1, learning_rate: 0.001, regression_range: [[0, 4], [2, 8], [4, 100]]}\n"
    )
    options = ["--workspace", str(workspace.folder), "--device", "cpu", "--json"]
    assert main(["train", str(path), "--run", "one", *options]) == 0
    one = json.loads(capsys.readouterr().out)
    command = [sys.executable, "-m", "mravff_core", "train", str(path), "--run", "two", "--devices", "2", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    two = json.loads(done.stdout)
    first, second = (losses(workspace.runs_folder / name) for name in ("one", "two"))
    assert first.shape == (3, 3)
    np.testing.assert_allclose(second, first, rtol=1e-5)
    assert two["average"] == pytest.approx(one["average"], abs=1e-3)


def test_what_else_the_process_does_changes_nothing(tmp_path: Path) -> None:
    """Scoring shares its work among threads, and how many there are decides how sums round."""
    truth = pd.DataFrame({"clip_id": "a", "start_s": np.arange(9.0), "end_s": np.arange(9.0) + 1, "label": 0})
    train(recipe(epochs=4), clips(), LABELS, tmp_path / "before", accelerator="cpu")
    mean_average_precision(truth, truth.assign(score=np.linspace(0, 1, 9)), [0.5])
    assert torch.get_num_threads() == 1
    train(recipe(epochs=4), clips(), LABELS, tmp_path / "after", accelerator="cpu")
    assert same(tmp_path / "before", tmp_path / "after")


def test_bfloat16_is_near_and_stores_float32(tmp_path: Path) -> None:
    for precision in ("float32", "bfloat16"):
        train(recipe(epochs=2, precision=precision), clips(), LABELS, tmp_path / precision, accelerator="cpu")
    np.testing.assert_allclose(losses(tmp_path / "bfloat16"), losses(tmp_path / "float32"), rtol=0.05)
    assert not np.array_equal(losses(tmp_path / "bfloat16"), losses(tmp_path / "float32"))
    assert {value.dtype for value in weights(tmp_path / "bfloat16").values()} == {torch.float32}


def test_like_lengths_share_batches_and_every_clip_comes_once() -> None:
    lengths = np.random.default_rng(0).integers(10, 1000, 61).tolist()
    padded = {}
    for kind in ("chance", "length"):
        plan = epoch_plan(61, 3, TrainConfig(batch_size=4, batches_by=kind), lengths)  # type: ignore[arg-type]
        assert sorted(np.concatenate(plan).tolist()) == list(range(61))
        assert len(plan) == 16
        assert all(len(rows) <= 4 for rows in plan)
        padded[kind] = sum(len(rows) * max(lengths[row] for row in rows) for rows in plan)
    assert padded["length"] < 1.15 * sum(lengths) < padded["chance"]
    again = epoch_plan(61, 3, TrainConfig(batch_size=4, batches_by="length"), lengths)
    assert [rows.tolist() for rows in again] == [rows.tolist() for rows in plan]
    shortest = [min(lengths[row] for row in rows) for rows in plan]
    assert shortest != sorted(shortest), "short clips do not come first in every epoch"


class Watched:
    """Clips that say when they are read."""

    def __init__(self, broken: int | None = None) -> None:
        self.found = clips(6)
        self.broken = broken
        self.read = threading.Semaphore(0)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, row: int) -> TrainingClip:
        if row == self.broken:
            raise FeatureError("clip5.npz: truncated?")
        self.read.release()
        return self.found[row]


def maker(watched: Watched) -> BatchMaker:
    detector = small_detector()
    detector.config = replace(detector.config, fusion=replace(detector.config.fusion, audio_channels=3))
    return BatchMaker(watched, detector, recipe().train)


def test_noise_is_put_on_what_is_seen_anew_in_every_epoch() -> None:
    plain = maker(Watched())
    plan = replace(plain.config, crop_ratio=None, input_noise=0.5)
    clean = plain.clips[0].visual
    noise = [
        replace(plain, config=plan).parts(np.array([0]), epoch)[0].batch.visual[0].numpy() - clean for epoch in (0, 1)
    ]
    assert [part.std() for part in noise] == pytest.approx([0.5, 0.5], rel=0.15)
    assert not np.array_equal(*noise)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 90))
def test_parts_hold_every_clip_and_no_more_steps_than_they_may(lengths: list[int], steps_at_once: int) -> None:
    groups = _groups(lengths, steps_at_once)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    padded = [max(lengths[place] for place in group) * len(group) for group in groups]
    assert all(steps <= steps_at_once or len(group) == 1 for steps, group in zip(padded, groups, strict=True))
    assert (len(groups) == 1) is (max(lengths) * len(lengths) <= steps_at_once or len(lengths) == 1)


def test_losses_that_balance_each_other_need_whole_batches() -> None:
    plain, rows = maker(Watched()), np.arange(4)
    for weight, wanted in ((1.0, 4), (0.0, 1)):
        plan = replace(plain.config, steps_at_once=1, loss_weight=weight)
        assert len(replace(plain, config=plan).parts(rows, 0)) == wanted


def test_the_next_batches_are_read_while_one_is_in_use() -> None:
    watched = Watched()
    plan = [np.array([row]) for row in range(6)]
    batches = maker(watched).epoch(plan, 0)
    next(batches)
    # The model is busy with the first; nobody asks for more, and yet two more are read.
    assert all(watched.read.acquire(timeout=10) for _ in range(3))
    assert len(list(batches)) == 5
    with pytest.raises(FeatureError, match="truncated"):
        list(maker(Watched(broken=5)).epoch(plan, 0))


def test_features_are_read_when_needed_and_kept_while_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = small_workspace(tmp_path / "small", clips=3)
    plain = Recipe()
    assert to_mapping(plain)["data"]["train_split"] == "train"
    plain = replace(plain, data=replace(plain.data, train_split="validation"))
    reads: list[str] = []
    read = workspace.features
    monkeypatch.setattr(workspace, "features", lambda name, clip: reads.append(clip) or read(name, clip))
    for cache_mb, wanted in ((0.0, 6), (100.0, 3)):
        reads.clear()
        found = WorkspaceClips(workspace, plain, cache_mb=cache_mb)
        assert not reads
        for _ in range(2):
            assert [found[row].clip_id for row in range(3)] == ["clip_0", "clip_1", "clip_2"]
        assert len(reads) == wanted


def test_only_large_models_on_the_cpu_are_spared() -> None:
    small, large = torch.nn.Linear(10, 10), torch.nn.Linear(2500, 2500, device="meta")
    assert not needs_sparing(small, torch.device("cpu"))
    assert needs_sparing(large, torch.device("cpu"))
    assert not needs_sparing(large, torch.device("cuda"))
    give_back_freed_memory()


def test_gradients_of_several_batches_make_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five batches, two a step, the last alone; a step's gradient is the mean of its batches' gradients."""
    steps: list[dict[str, torch.Tensor]] = []

    def look(run: RunState, steps_per_epoch: int) -> None:
        assert steps_per_epoch == -(-5 // run.recipe.train.accumulate_batches)
        named = run.detector.named_parameters()
        steps.append({name: weight.grad.clone() for name, weight in named if weight.grad is not None})
        run.optimizer.zero_grad()
        run.step += 1

    monkeypatch.setattr("mravff_core.training.loop.update", look)
    quiet = recipe(batch_size=1, epochs=1, warmup_epochs=0, clip_gradient_norm=0.0)
    quiet = replace(quiet, base=replace(quiet.base, drop_path=0.0), fusion=replace(quiet.fusion, audio_dropout=0.0))
    for accumulate in (2, 1):
        plan = replace(quiet, train=replace(quiet.train, accumulate_batches=accumulate))
        train(plan, clips(5), LABELS, tmp_path / str(accumulate), accelerator="cpu")
    two, one = steps[:3], steps[3:]
    assert len(one) == 5
    for name in two[0]:
        torch.testing.assert_close(two[0][name], (one[0][name] + one[1][name]) / 2)
        torch.testing.assert_close(two[2][name], one[4][name] / 2)
