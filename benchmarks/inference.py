"""Speed and memory of detection with a full-size detector on the CPU.

    python -m benchmarks.inference

The detector has the size of ActionFormer's EPIC-Kitchens verb configuration (512 wide, 97
classes) and random weights whose scores spread like a trained detector's over far more
candidates, the worst case for suppression. Times are medians; each row runs in a process of
its own, whose peak memory is its own. Ratios are to a reference workload measured beside it,
20 convolutions of [1, 512, 2304] with kernel 3 (published code: 2.1 for the forward pass of
up to 2,304 steps, which it always pads to, and 9.3 for 9,216).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mravff_core.config import BaseConfig, FusionConfig, TestConfig
from mravff_core.inference.decode import decode
from mravff_core.inference.nms import suppress
from mravff_core.model.bases.actionformer import ActionFormer
from mravff_core.model.bases.heads import BoundaryHead
from mravff_core.model.detector import Detector, DetectorConfig, build_detector
from mravff_core.model.outputs import Batch

VISUAL_CHANNELS, AUDIO_CHANNELS, CLASSES = 2304, 128, 97
CASES = [("none", 405), ("none", 2304), ("none", 9216), ("mrav", 405), ("mrav", 2304), ("mrav", 9216)]


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--repeats", type=int, default=5, help="runs a median is taken over")
    parser.add_argument("--case", nargs=2, metavar=("FUSION", "STEPS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case[0], int(arguments.case[1]), arguments.repeats)))
        return
    rows = [_in_own_process(fusion, steps, arguments.repeats) for fusion, steps in CASES]
    print(json.dumps(rows, indent=1) if arguments.json else table(rows))


def measure(fusion: str, steps: int, repeats: int) -> dict[str, Any]:
    """Seconds of each stage for one clip, and this process's peak memory in MB."""
    torch.manual_seed(0)
    detector = spread_detector(fusion)
    settings = detector.config.test
    batch = Batch(torch.randn(1, VISUAL_CHANNELS, steps), torch.randn(1, AUDIO_CHANNELS, steps))
    with torch.inference_mode():
        forward_s, output = median_seconds(lambda: detector(batch), repeats)
        decode_s, candidates = median_seconds(
            lambda: decode(
                output,
                detector.strides,
                min_score=settings.pre_nms_min_score,
                top_k=settings.pre_nms_top_k,
                min_duration_grid=settings.min_duration_grid,
            ),
            repeats,
        )
        nms_s, _ = median_seconds(
            lambda: suppress(candidates.segments_grid, candidates.scores, candidates.labels, sigma=settings.sigma),
            repeats,
        )
        # Read before the reference workload adds to it.
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
        reference_s, _ = median_seconds(reference_workload(), repeats)
    return {
        "fusion": fusion,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "candidates": len(candidates.scores),
        "forward_s": forward_s,
        "decode_s": decode_s,
        "nms_s": nms_s,
        "reference_s": reference_s,
        "peak_mb": peak_mb,
    }


def spread_detector(fusion: str) -> Detector:
    """A full-size detector whose random heads answer with many classes and lengths."""
    config = DetectorConfig(
        label_set="verb",
        labels=tuple(f"verb {label}" for label in range(CLASSES)),
        base=BaseConfig(input_channels=VISUAL_CHANNELS, official_padding=True),
        fusion=FusionConfig(kind=fusion, audio_channels=AUDIO_CHANNELS),  # type: ignore[arg-type]
        test=TestConfig(),
    )
    detector = build_detector(config).eval()
    base = detector.base
    assert isinstance(base, ActionFormer) and isinstance(base.boundary_head, BoundaryHead)
    nn.init.normal_(base.class_head.tower.out.weight, std=0.03)
    assert base.boundary_head.tower.out.bias is not None
    nn.init.constant_(base.boundary_head.tower.out.bias, 2.0)
    return detector


def reference_workload() -> Callable[[], None]:
    """20 convolutions of the size that most of a forward pass consists of."""
    features, weights = torch.randn(1, 512, 2304), torch.randn(512, 512, 3)

    def run() -> None:
        for _ in range(20):
            nn.functional.conv1d(features, weights, padding=1)

    return run


def median_seconds(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of `repeats` calls after one to warm up, and the last result."""
    result = function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[len(seconds) // 2], result


def table(rows: list[dict[str, Any]]) -> str:
    """The measured cases as text."""
    lines = [
        f"{'fusion':8}{'steps':>7}{'forward':>10}{'decode':>9}{'NMS':>9}{'(dec+NMS)/fwd':>15}"
        f"{'fwd/ref':>9}{'all/ref':>9}{'vs none':>9}{'candidates':>12}{'peak':>9}"
    ]
    alone = {row["steps"]: row["forward_s"] for row in rows if row["fusion"] == "none"}
    for row in rows:
        after_s = row["decode_s"] + row["nms_s"]
        lines.append(
            f"{row['fusion']:8}{row['steps']:>7}{row['forward_s']:>9.3f}s{row['decode_s']:>8.3f}s{row['nms_s']:>8.3f}s"
            f"{after_s / row['forward_s']:>15.1%}{row['forward_s'] / row['reference_s']:>9.2f}"
            f"{(row['forward_s'] + after_s) / row['reference_s']:>9.2f}"
            f"{row['forward_s'] / alone[row['steps']]:>8.2f}x{row['candidates']:>12,}{row['peak_mb']:>6.0f} MB"
        )
    return "\n".join(lines)


def _in_own_process(fusion: str, steps: int, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.inference", "--repeats", str(repeats), "--case", fusion, str(steps)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
