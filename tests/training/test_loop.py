"""Training learns, repeats itself, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mravff_core import Predictor, TimeGrid, load_detector
from mravff_core.config import BaseConfig, FusionConfig, Recipe, TestConfig, TrainConfig
from mravff_core.errors import CancelledError, CheckpointError, ConfigError, WorkspaceError
from mravff_core.evaluation import mean_average_precision
from mravff_core.training.checks import check_training
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train

GRID = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=1, offset_frames=0)
LABELS = ("up", "down")


IMPOSSIBLE = (
    ("seed", 2**63),
    ("batch_size", 0),
    ("accumulate_batches", 0),
    ("epochs", -1),
    ("seed", -1),
    ("ema_decay", 1.5),
    ("learning_rate", float("inf")),
    ("initial_loss_norm", -5.0),
    ("input_noise", -0.1),
    ("label_smoothing", 1.5),
    ("truncated_share", 2.0),
    ("centre_radius", 0.0),
    ("crop_ratio", (1.0, 0.9)),
    ("crop_ratio", (-0.1, 0.9)),
)


def recipe(**changes: object) -> Recipe:
    base = BaseConfig(
        input_channels=4, embed_channels=16, neck_channels=16, head_channels=16, levels=3, max_steps=64, drop_path=0.1
    )
    settings = TrainConfig(
        epochs=3,
        warmup_epochs=1,
        batch_size=2,
        learning_rate=2e-3,
        ema_decay=0.8,
        regression_range=((0, 6), (4, 12), (8, 100)),
        initial_loss_norm=10,
    )
    fusion = FusionConfig(kind="mrav", audio_channels=3, audio_dropout=0.2)
    settings = replace(settings, **changes)  # type: ignore[arg-type]
    return Recipe(base=base, fusion=fusion, train=settings, test=TestConfig(max_segments=20))


def clips(count: int = 5, first: int = 0) -> list[TrainingClip]:
    """Vision says when, sound alone says which."""
    made = []
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        visual = rng.normal(0, 0.2, (4, 48)).astype(np.float32)
        audio = rng.normal(0, 0.2, (3, 48)).astype(np.float32)
        starts = np.array([4, 20, 36]) + rng.integers(0, 3, 3)
        labels = rng.integers(0, 2, 3)
        for start, label in zip(starts, labels, strict=True):
            visual[0, start : start + 8] += 2
            audio[label, start : start + 8] += 2
        segments = np.stack([starts, starts + 8], axis=1).astype(np.float32)
        made.append(TrainingClip(f"clip{number}", visual, audio, segments, labels.astype(np.int64)))
    return made


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_detector(folder, device="cpu").state_dict()


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_what_only_sound_tells(tmp_path: Path) -> None:
    plan = recipe(epochs=25, warmup_epochs=3, batch_size=4, learning_rate=4e-3)
    train(plan, clips(16), LABELS, tmp_path / "run", accelerator="cpu")
    detector = load_detector(tmp_path / "run", device="cpu")
    scores = {}
    for condition in ("on", "off"):
        truth, found = [], []
        for clip in clips(8, first=100):
            prediction = Predictor(detector).detect(
                clip.visual, clip.audio, grid=GRID, duration_s=48.0, audio_condition=condition
            )
            found.append(prediction.detections.assign(clip_id=clip.clip_id))
            times = {"start_s": clip.segments_grid[:, 0], "end_s": clip.segments_grid[:, 1]}
            truth.append(pd.DataFrame({"clip_id": clip.clip_id, **times, "label": clip.labels}))
        scores[condition] = mean_average_precision(pd.concat(truth), pd.concat(found), [0.5]).average
    assert scores["on"] > 0.9
    assert scores["off"] < 0.75
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run/training/metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 28
    assert losses[-1] < 0.5 * losses[0]


def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(recipe(seed=seed, epochs=1), clips(), LABELS, tmp_path / name, accelerator="cpu")
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_half_precision_repeats_itself_though_shares_are_computed_side_by_side(tmp_path: Path) -> None:
    for number in range(4):
        train(recipe(precision="bfloat16"), clips(), LABELS, tmp_path / f"{number}", accelerator="cpu")
    assert all(same(tmp_path / "0", tmp_path / f"{number}") for number in range(1, 4))


def test_a_stopped_run_ends_as_one_that_never_stopped(tmp_path: Path) -> None:
    train(recipe(), clips(), LABELS, tmp_path / "whole", accelerator="cpu")
    calls = iter(range(1000))
    with pytest.raises(CancelledError, match="goes on from the epoch before"):
        train(recipe(), clips(), LABELS, tmp_path / "run", accelerator="cpu", cancel=lambda: next(calls) == 8)
    assert not (tmp_path / "run/model.safetensors").exists()
    assert (tmp_path / "run/training/state.pt").is_file()
    train(recipe(), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    assert same(tmp_path / "whole", tmp_path / "run")
    assert not (tmp_path / "run/training/state.pt").exists()


def test_a_run_killed_at_random_ends_as_one_that_never_stopped(tmp_path: Path) -> None:
    """Two kills, each as likely while an epoch runs as while it is written."""
    script = (
        "import os, sys, torch; torch.set_num_threads(1); os.fsync = lambda _: None; "
        "from tests.training.test_loop import *; "
        "train(recipe(epochs=int(sys.argv[2])), clips(), LABELS, sys.argv[1], accelerator='cpu')"
    )
    epochs, chance = 24, random.Random(4)

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", script, str(tmp_path / "run"), str(epochs)]
        return subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)

    def epochs_done() -> int:
        metrics = tmp_path / "run/training/metrics.jsonl"
        return len(metrics.read_text().splitlines()) if metrics.is_file() else 0

    for _ in range(2):
        before, process = epochs_done(), begin()
        while epochs_done() < before + 2:
            time.sleep(0.01)
            assert process.poll() is None
        time.sleep(chance.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "run/model.safetensors").exists()
    assert begin().wait() == 0
    train(recipe(epochs=epochs), clips(), LABELS, tmp_path / "whole", accelerator="cpu")
    assert same(tmp_path / "whole", tmp_path / "run")
    assert [path.name for path in (tmp_path / "run/training").iterdir()] == ["metrics.jsonl"]


def test_two_trainings_of_one_run_do_not_mix(tmp_path: Path) -> None:
    begun: list[str] = []

    def begin_another() -> bool:
        with pytest.raises(WorkspaceError, match=r"run: another process trains this run; wait for it, or choose"):
            train(recipe(epochs=1, seed=5), clips(), LABELS, tmp_path / "run", accelerator="cpu", resume=False)
        begun.append("refused")
        return False

    train(recipe(epochs=1), clips(), LABELS, tmp_path / "run", accelerator="cpu", cancel=begin_another)
    train(recipe(epochs=1), clips(), LABELS, tmp_path / "alone", accelerator="cpu")
    assert begun and same(tmp_path / "alone", tmp_path / "run")


@pytest.mark.parametrize("missing", ["config.yaml", "model.safetensors", None])
def test_a_run_killed_while_it_is_stored_is_stored_again(tmp_path: Path, missing: str | None) -> None:
    """Weights, configuration and metrics are written one after another; the state goes last."""
    (tmp_path / "run/training").mkdir(parents=True)
    for aside in (".model.x.part.safetensors", "training/.state.x.part.pt"):
        (tmp_path / "run" / aside).write_bytes(b"half a")
        (tmp_path / "run" / f"{aside}.lock").touch()
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        train(recipe(epochs=1), clips(), LABELS, tmp_path / "run", accelerator="cpu", cancel=lambda: next(asked) == 5)
    state = (tmp_path / "run/training/state.pt").read_bytes()
    train(recipe(epochs=1), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    wanted, metrics = weights(tmp_path / "run"), (tmp_path / "run/training/metrics.jsonl").read_text()
    (tmp_path / "run/training/state.pt").write_bytes(state)
    (tmp_path / "run/training/metrics.jsonl").write_text("")
    if missing is not None:
        (tmp_path / "run" / missing).unlink()
    train(recipe(epochs=1), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    again = weights(tmp_path / "run")
    assert all(torch.equal(again[name], wanted[name]) for name in wanted)
    assert (tmp_path / "run/training/metrics.jsonl").read_text() == metrics
    assert not (tmp_path / "run/training/state.pt").exists()
    assert not list((tmp_path / "run").rglob("*.part.*"))


def test_half_precision_halves_the_file_and_loads_as_single(tmp_path: Path) -> None:
    for name, half in (("single", False), ("half", True)):
        train(recipe(epochs=1, store_half=half), clips(), LABELS, tmp_path / name, accelerator="cpu")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "single")]
    assert sizes[0] < 0.6 * sizes[1]
    assert all(value.dtype == torch.float32 for value in weights(tmp_path / "half").values())


def test_each_epoch_computes_with_as_many_threads_as_the_first(tmp_path: Path) -> None:
    """Whoever is told of the progress may have changed their number, and sums round by it."""
    seen: list[int] = []
    train(
        recipe(epochs=1),
        clips(),
        LABELS,
        tmp_path / "run",
        accelerator="cpu",
        progress=lambda _share: torch.set_num_threads(2),
        cancel=lambda: bool(seen.append(torch.get_num_threads())),
    )
    torch.set_num_threads(1)
    assert set(seen) == {1} and len(seen) == 6


def test_gradients_are_clipped(tmp_path: Path) -> None:
    """So short a gradient moves no weight, and a longer one all of them."""
    still = {"weight_decay": 0.0, "ema_decay": 0.0, "warmup_epochs": 0}
    train(recipe(epochs=0, **still), clips(), LABELS, tmp_path / "start", accelerator="cpu")
    begun, moved = weights(tmp_path / "start"), {}
    for norm in (1e-12, 1.0):
        folder = tmp_path / str(norm)
        train(recipe(epochs=1, clip_gradient_norm=norm, **still), clips(), LABELS, folder, accelerator="cpu")
        moved[norm] = max(float((value - begun[name]).abs().max()) for name, value in weights(folder).items())
    assert moved[1e-12] < 1e-5 < 1e-3 < moved[1.0]


def test_losses_that_are_no_numbers_end_a_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loss is not a number in epoch 1; .*learning_rate"):
        train(recipe(learning_rate=1e30, warmup_epochs=0), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    assert not (tmp_path / "run/model.safetensors").exists()


def test_mistakes_are_named(tmp_path: Path) -> None:
    for name, value in IMPOSSIBLE:
        said = list(value) if isinstance(value, tuple) else value
        with pytest.raises(ConfigError, match=re.escape(f"run: train.{name} is {said}, expected")):
            train(recipe(**{name: value}), clips(), LABELS, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"regression_range has \[5, 2\], expected the smaller number first"):
        train(recipe(regression_range=((0, 6), (5, 2), (8, 100))), clips(), LABELS, tmp_path / "run")
    with pytest.raises(ConfigError, match="no clips to train on"):
        train(recipe(), [], LABELS, tmp_path / "run")
    with pytest.raises(ConfigError, match="regression_range has 1 levels, the detector has 3"):
        train(recipe(regression_range=((0, 9),)), clips(), LABELS, tmp_path / "run")
    with pytest.raises(ConfigError, match="found 0 devices, expected 1 or more"):
        train(recipe(), clips(), LABELS, tmp_path / "run", devices=0)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="cannot train on 1 x cuda here"):
            train(recipe(), clips(), LABELS, tmp_path / "run", accelerator="cuda")
    with pytest.raises(ConfigError, match="cannot be shared out evenly among 3 devices"):
        train(recipe(), clips(), LABELS, tmp_path / "run", devices=3)
    train(recipe(epochs=1), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    with pytest.raises(ConfigError, match="begun with another recipe"):
        train(recipe(epochs=2), clips(), LABELS, tmp_path / "run", accelerator="cpu")
    (tmp_path / "broken/training").mkdir(parents=True)
    (tmp_path / "broken/training/state.pt").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match=r"state\.pt: training cannot go on"):
        train(recipe(), clips(), LABELS, tmp_path / "broken", accelerator="cpu")


def test_what_lies_on_a_limit_is_no_mistake() -> None:
    lowest = recipe(
        batch_size=1,
        epochs=0,
        warmup_epochs=0,
        learning_rate=0.0,
        ema_decay=0.0,
        crop_ratio=(0.0, 0.0),
        centre_radius=0.1,
    )
    check_training(lowest, 1, 1, "run")
    check_training(recipe(regression_range=((0, 4), (4, 4), (4, 100))), 2, 2, "run")
    frozen = recipe(freeze_base=True)
    check_training(frozen, 1, 1, "run")
    visual = replace(frozen, fusion=FusionConfig(kind="none"))
    with pytest.raises(ConfigError, match=r"with train\.freeze_base and fusion none there is nothing to train"):
        check_training(visual, 1, 1, "run")
    check_training(replace(visual, train=recipe().train), 1, 1, "run")
    fewer = replace(lowest.base, levels=4, neck_first_level=1)
    check_training(replace(lowest, base=fewer), 1, 1, "run")
