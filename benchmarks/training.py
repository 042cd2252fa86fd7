"""A training epoch over clips of EPIC-Kitchens' lengths: padded always, or only as far as a batch needs.

    python -m benchmarks.training

The detector has the size of ActionFormer's EPIC-Kitchens verb configuration (512 wide, 97
classes, batches of 2, at most 2,304 steps); features are random, and lengths are those of the
138 validation videos where they lie beside the checkout, otherwise drawn alike. Batches are
those of a real epoch; a few of them, evenly spaced from the shortest to the longest, stand for
all. Each row runs in a process of its own, whose peak memory is its own:

    always    every batch padded to 2,304 steps, as the published code does
    needed    padded to the longest clip of what passes at once, at most 2,560 steps (our default)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import epic_lengths, peak_mb
from mravff_core.config import BaseConfig, FusionConfig, Recipe, TrainConfig
from mravff_core.model.detector import DetectorConfig
from mravff_core.training.batches import BatchMaker, epoch_plan
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import start_run
from mravff_core.training.step import train_batch, update

CHANNELS, CLASSES, MOST_STEPS = 2304, 97, 2304


def main() -> None:
    """Measure both ways and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--batches", type=int, default=8, help="batches that stand for the epoch (default: 8)")
    parser.add_argument("--width", type=int, default=512, help="channels of the detector (default: 512)")
    parser.add_argument("--way", choices=("always", "needed"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measure(arguments.way, arguments.batches, arguments.width)))
        return
    rows = [_in_own_process(way, arguments.batches, arguments.width) for way in ("always", "needed")]
    print(json.dumps(rows, indent=1) if arguments.json else table(rows))


def measure(way: str, batches: int, width: int) -> dict[str, Any]:
    """Seconds and losses of each of some batches, and this process's peak memory in MB."""
    base = BaseConfig(
        input_channels=CHANNELS, embed_channels=width, neck_channels=width, head_channels=width, max_steps=MOST_STEPS
    )
    train = TrainConfig(steps_at_once=0) if way == "always" else TrainConfig()
    recipe = Recipe(base=base, fusion=FusionConfig(), train=train)
    config = DetectorConfig("verb", tuple(f"verb {number}" for number in range(CLASSES)), base, recipe.fusion)
    run = start_run(recipe, config, None, 1, "cpu")
    run.detector.train()
    lengths = np.array(epic_lengths())
    clips = RandomClips(lengths)
    least = MOST_STEPS if way == "always" else 0
    shares = 1 if way == "always" else run.shares.count
    maker = BatchMaker(clips, run.detector, recipe.train, shares=shares, least_steps=least)
    plan = epoch_plan(len(clips), 0, recipe.train)
    seconds, losses = [], []
    for parts in maker.epoch(representative(plan, lengths, batches), 0):
        began = time.perf_counter()
        # The rate is that of a long warm-up's begin, so that weights stay and losses can be compared.
        loss = train_batch(run, parts, steps_per_epoch=len(plan), last=True)
        update(run, len(plan) * 1000)
        seconds.append(time.perf_counter() - began)
        losses.append(float(loss.total))
    return {
        "way": way,
        "width": width,
        "batches": len(seconds),
        "epoch_batches": len(plan),
        "seconds": sum(seconds),
        "losses": losses,
        "peak_mb": peak_mb(),
    }


def representative(plan: list[NDArray], lengths: NDArray[np.int64], count: int) -> list[NDArray]:
    """Some batches of an epoch, evenly spaced by their longest clip, shortest and longest among them."""
    ordered = sorted(plan, key=lambda rows: int(lengths[rows].max()))
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in places]


class RandomClips:
    """Clips of random features with segments of random lengths."""

    def __init__(self, lengths: NDArray[np.int64]) -> None:
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> TrainingClip:
        rng, length = np.random.default_rng(row), int(self.lengths[row])
        count = max(1, length // 6)
        start = rng.uniform(0, max(1, length - 4), count)
        segments = np.stack([start, np.minimum(start + rng.lognormal(1.5, 0.8, count), length)], axis=1)
        visual = rng.standard_normal((CHANNELS, length), dtype=np.float32)
        return TrainingClip(f"clip{row}", visual, None, segments.astype(np.float32), rng.integers(0, CLASSES, count))


def table(rows: list[dict[str, Any]]) -> str:
    """The two ways side by side."""
    always, needed = rows
    apart = max(abs(a - b) / abs(a) for a, b in zip(always["losses"], needed["losses"], strict=True))
    lines = [f"{'padding':10}{'seconds':>10}{'peak':>11}"]
    lines += [f"{row['way']:10}{row['seconds']:>9.1f}s{row['peak_mb']:>8.0f} MB" for row in rows]
    lines += [
        f"{always['batches']} of {always['epoch_batches']} batches, {always['width']} channels",
        f"speed: {always['seconds'] / needed['seconds']:.2f} times",
        f"peak memory: {needed['peak_mb'] / always['peak_mb']:.2f} of it",
        f"losses differ by at most {apart:.1e} of their size",
    ]
    return "\n".join(lines)


def _in_own_process(way: str, batches: int, width: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training", "--way", way, "--batches", str(batches)]
    command += ["--width", str(width)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
