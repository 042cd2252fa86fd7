"""Time and memory of evaluation, diagnosis and intervals at the size of EPIC-Kitchens-100's validation.

    python -m benchmarks.evaluation

138 clips with 9,668 true segments and 2,000 detections each, made up with a seed: verbs (97
classes), nouns (300) and actions. Times are medians after one call that compiles; every row runs
in a process of its own, whose peak memory is its own, less what an idle process takes. Published
code took 107 s (ActionFormer's evaluator, verbs) and 125 s (EPIC's) on a machine of the kind.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import peak_mb

CLIPS, SEGMENTS, DETECTIONS = 138, 9_668, 2_000
VERBS, NOUNS = 97, 300
TIOU = (0.1, 0.2, 0.3, 0.4, 0.5)
TASKS = {
    "evaluate verbs": ("verb", 1.0),
    "evaluate nouns": ("noun", 1.0),
    "evaluate actions": ("action", 1.0),
    "diagnose verbs": ("verb", 2.0),
    "1,000 resamples of verbs": ("verb", 20.0),
    "1,000 paired resamples of verbs": ("verb", None),
}
MOST_MB = 500


def main() -> None:
    """Run every task and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--task", choices=list(TASKS), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=3, help="runs a median is taken over")
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(measure(arguments.task, arguments.repeats)))
        return
    print(f"{'task':34} {'seconds':>8} {'wanted':>7} {'MB':>6}")
    for task, (_, wanted_s) in TASKS.items():
        command = [sys.executable, "-m", "benchmarks.evaluation", "--task", task, "--repeats", str(arguments.repeats)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        wanted = "" if wanted_s is None else f"< {wanted_s:g}"
        print(f"{task:34} {row['seconds']:8.2f} {wanted:>7} {row['megabytes']:6.0f}")
    print(f"Memory above loading the tables and the library; wanted for evaluation: under {MOST_MB} MB.")


def measure(task: str, repeats: int) -> dict[str, float]:
    """Seconds and megabytes of one task in this process."""
    from mravff_core.evaluation import bootstrap, diagnose, mean_average_precision, paired_bootstrap

    label_set = TASKS[task][0]
    truth, found = made_up(label_set)
    other = found.assign(score=found["score"].to_numpy()[::-1])
    calls: dict[str, Callable[[pd.DataFrame, pd.DataFrame], Any]] = {
        "evaluate": lambda true, seen: mean_average_precision(true, seen, TIOU, protocol="epic"),
        "diagnose": lambda true, seen: diagnose(true, seen, tiou_thresholds=TIOU),
        "resamples": lambda true, seen: bootstrap(true, seen, TIOU, resamples=1000),
        "paired": lambda true, seen: paired_bootstrap(true, seen, other.loc[seen.index], TIOU, resamples=1000),
    }
    name = next(name for name in ("paired", "resamples", "diagnose", "evaluate") if name in task)
    calls[name](truth.head(50), found.head(500))
    before_mb = peak_mb()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        calls[name](truth, found)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(seconds), "megabytes": peak_mb() - before_mb}


def made_up(label_set: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True segments and detections, half of them near a true segment, with the classes' usual skew."""
    random = np.random.default_rng(0)
    verb, noun = (np.minimum(random.zipf(1.4, SEGMENTS) - 1, count - 1) for count in (VERBS, NOUNS))
    label = {"verb": verb, "noun": noun, "action": verb * NOUNS + noun}[label_set]
    clip = np.sort(random.integers(0, CLIPS, SEGMENTS))
    start_s = random.uniform(0, 900, SEGMENTS)
    end_s = start_s + random.lognormal(0.7, 0.9, SEGMENTS)
    truth = pd.DataFrame({"clip_id": [f"P{k:03d}" for k in clip], "start_s": start_s, "end_s": end_s, "label": label})
    count = CLIPS * DETECTIONS
    near = random.integers(0, SEGMENTS, count)
    length_s = (end_s - start_s)[near]
    found_clip = np.where(random.random(count) < 0.5, clip[near], np.arange(count) // DETECTIONS)
    found_start_s = np.clip(start_s[near] + random.normal(0, 0.3, count) * length_s, 0, None)
    found = pd.DataFrame(
        {
            "clip_id": [f"P{k:03d}" for k in found_clip],
            "start_s": found_start_s,
            "end_s": found_start_s + length_s * random.uniform(0.6, 1.5, count),
            "label": np.where(random.random(count) < 0.4, label[near], random.permutation(label)[near]),
            "score": random.random(count),
        }
    )
    return truth, found


if __name__ == "__main__":
    main()
