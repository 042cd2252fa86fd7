"""Speed and memory of detection with full-size detectors.

    python -m benchmarks.inference

The detectors have the size of ActionFormer's, TriDet's and TemporalMaxer's EPIC-Kitchens verb
configuration (512 wide, 97 classes), the padding of published weights, and random weights
whose scores spread like a trained detector's over far more candidates, the worst case for
suppression. Times are medians; each row runs in a process of its own, whose peak memory is
its own. Ratios are to a reference workload measured beside it, 20 convolutions of
[1, 512, 2304] with kernel 3; what published code takes in such units is in `PUBLISHED`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import epic_lengths, peak_mb
from mravff_core.config import BaseConfig, FusionConfig, TestConfig, read_recipe
from mravff_core.freed_memory import keep_freed_memory
from mravff_core.inference.batches import ClipFeatures
from mravff_core.inference.decode import decode
from mravff_core.inference.predictor import Predictor
from mravff_core.model.bases.heads import ClassHead, DistanceHead
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.outputs import Batch
from mravff_core.time_grid import TimeGrid

VISUAL_CHANNELS, AUDIO_CHANNELS, CLASSES = 2304, 128, 97
GRID = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
CASES = [
    ("actionformer", 2304),
    ("actionformer", 4608),
    ("actionformer", 9216),
    ("tridet", 2304),
    ("tridet", 4608),
    ("tridet", 9120),
    ("temporalmaxer", 408),
    ("temporalmaxer", 2304),
    ("temporalmaxer", 9216),
]
# What these recipes ask of a fusion is timed, and the same with attention at the levels' full width.
RECIPES = Path(__file__).resolve().parents[1] / "configs/epic"
# Forward pass, and all of forward, decoding and suppression, of the published code in reference
# workloads, by steps (actionformer_release 61ea7eb, TriDet 764b816; 2 threads, medians). Shorter
# clips cost what 2,304 steps do, since that code pads them to it.
PUBLISHED = {
    "actionformer": {2304: (2.1, 2.4), 9216: (9.3, 10.7)},
    "tridet": {2304: (1.9, 2.6), 9120: (7.4, 10.6)},
}
# Peak memory in MB of that code's process, detecting in one clip.
PUBLISHED_PEAK_MB = {("actionformer", 2304): 570, ("actionformer", 9216): 1100}
# The same machine's seconds for decoding and suppressing 25,000 candidates (ActionFormer, C++),
# the lower end, and for the reference workload.
PUBLISHED_SUPPRESSION_S, PUBLISHED_REFERENCE_S = 0.16, 0.29
# Every so many clips by length of EPIC-Kitchens-100's validation are timed.
EVERY = 6


def main() -> None:
    """Measure every case and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--repeats", type=int, default=3, help="runs a median is taken over")
    parser.add_argument("--case", nargs=2, metavar=("BASE", "STEPS"), help=argparse.SUPPRESS)
    parser.add_argument("--lengths", metavar="BASE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # As the commands do.
    keep_freed_memory()
    if arguments.case:
        print(json.dumps(measure(arguments.case[0], int(arguments.case[1]), arguments.repeats)))
        return
    if arguments.lengths:
        print(json.dumps(measure_lengths(arguments.lengths, arguments.repeats)))
        return
    repeats = ["--repeats", str(arguments.repeats)]
    rows = [_in_own_process([*repeats, "--case", base, str(steps)]) for base, steps in CASES]
    lengths = [_in_own_process([*repeats, "--lengths", base]) for base in PUBLISHED]
    suppression = measure_suppression(arguments.repeats)
    on_gpu = [measure_on_gpu(base) for base in PUBLISHED] if torch.cuda.is_available() else []
    if arguments.json:
        print(json.dumps({"cases": rows, "lengths": lengths, "suppression": suppression, "gpu": on_gpu}, indent=1))
    else:
        print(tables(rows, lengths, suppression, on_gpu))


def measure(base: str, steps: int, repeats: int) -> dict[str, Any]:
    """Seconds of each stage for one clip, with sound and without, and peak memory in MB.

    `fused_s` is with the fusion of the base's recipe, `full_width_s` with attention at the levels' own width.
    `own_mb` is what the first forward pass needs over what the process holds before it, model and
    features included; `peak_mb` the process's peak up to decoding, `peak_fused_mb` with sound as well.
    """
    torch.manual_seed(0)
    detector = spread_detector(base)
    settings = detector.config.test
    recipe = replace(read_recipe(RECIPES / f"verb_{base}_mrav.yaml").fusion, audio_channels=AUDIO_CHANNELS)
    fusions = {"fused_s": recipe, "full_width_s": replace(recipe, attention_channels=None)}
    if fusions["fused_s"] == fusions["full_width_s"]:
        del fusions["full_width_s"]
    width = detector.config.base.neck_channels
    visual, audio = torch.randn(1, VISUAL_CHANNELS, steps), torch.randn(1, AUDIO_CHANNELS, steps)

    def fused_by(config: FusionConfig) -> Callable[[], Any]:
        fusion = MRAVFusion.of(config, width, detector.strides)
        assert fusion is not None
        fusion.eval()

        def run() -> None:
            detector.fusion = fusion
            detector(Batch(visual, audio))
            detector.fusion = None

        return run

    def decoded(output: Any) -> Any:
        return decode(
            output,
            detector.strides,
            min_score=settings.pre_nms_min_score,
            top_k=settings.pre_nms_top_k,
            min_duration_grid=settings.min_duration_grid,
        )

    before_mb = _restart_peak()
    with torch.inference_mode():
        candidates = decoded(detector(Batch(visual)))
        # Read before sound and the reference workload add to it.
        bare_mb = peak_mb()
        stages: dict[str, Callable[[], Any]] = {
            "reference_s": reference_workload(),
            "forward_s": lambda: detector(Batch(visual)),
            **{stage: fused_by(config) for stage, config in fusions.items()},
        }
        seconds = interleaved_medians(stages, repeats)
        peak_fused_mb = peak_mb()
        from mravff_core.inference.nms import suppress

        output = detector(Batch(visual))
        after = {
            "decode_s": lambda: decoded(output),
            "nms_s": lambda: suppress(
                candidates.segments_grid, candidates.scores, candidates.labels, sigma=settings.sigma
            ),
        }
        seconds |= interleaved_medians(after, repeats)
    return {
        "base": base,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "candidates": len(candidates.scores),
        "before_mb": before_mb,
        "own_mb": bare_mb - before_mb,
        "peak_mb": bare_mb,
        "peak_fused_mb": peak_fused_mb,
        **seconds,
    }


def measure_lengths(base: str, repeats: int) -> dict[str, Any]:
    """Seconds of forward pass, decoding and suppression over clips of real lengths, and the published cost of them."""
    torch.manual_seed(0)
    predictor = Predictor(spread_detector(base))
    lengths = epic_lengths()[EVERY // 2 :: EVERY]
    clips = _clips(lengths)
    reference = reference_workload()
    predictor.detect(clips[0].visual, grid=GRID, duration_s=clips[0].duration_s)
    reference_s = [interleaved_medians({"reference": reference}, repeats)["reference"]]
    began = time.perf_counter()
    for clip in clips:
        predictor.detect(clip.visual, grid=GRID, duration_s=clip.duration_s)
    seconds = time.perf_counter() - began
    reference_s.append(interleaved_medians({"reference": reference}, repeats)["reference"])
    published = sum(published_cost(base, length) for length in lengths)
    return {
        "base": base,
        "clips": len(lengths),
        "median_steps": int(np.median(lengths)),
        "seconds": seconds,
        "in_references": seconds / float(np.mean(reference_s)),
        "published_in_references": published,
        "times_as_fast": published * float(np.mean(reference_s)) / seconds,
    }


def measure_suppression(repeats: int) -> dict[str, Any]:
    """Seconds to suppress 30,000 candidates over 97 classes."""
    from mravff_core.inference.nms import suppress

    rng = np.random.default_rng(0)
    count = 30_000
    starts = rng.uniform(0, 2304, count)
    segments = np.stack([starts, starts + rng.gamma(2.0, 6.0, count)], axis=1)
    scores, labels = rng.beta(0.5, 8.0, count), rng.integers(0, CLASSES, count)
    seconds = interleaved_medians(
        {
            "reference_s": reference_workload(),
            "soft_s": lambda: suppress(segments, scores, labels, method="soft", sigma=0.4),
            "hard_s": lambda: suppress(segments, scores, labels, method="hard"),
        },
        repeats,
    )
    published_s = PUBLISHED_SUPPRESSION_S / PUBLISHED_REFERENCE_S * seconds["reference_s"]
    return {"candidates": count, **seconds, "published_s": published_s, "share": seconds["soft_s"] / published_s}


def measure_on_gpu(base: str) -> dict[str, Any]:
    """Clips per second and peak memory on a GPU: one at a time in single precision, many at once in bfloat16."""
    torch.manual_seed(0)
    predictor = Predictor(spread_detector(base).cuda())
    clips = _clips(epic_lengths())
    ways: dict[str, Callable[[], Any]] = {
        "one": lambda: [predictor.detect(clip.visual, grid=GRID, duration_s=clip.duration_s) for clip in clips],
        "many": lambda: predictor.detect_many(clips, precision="bfloat16"),
    }
    found: dict[str, Any] = {"base": base, "device": torch.cuda.get_device_name()}
    for name, way in ways.items():
        way()
        torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        way()
        torch.cuda.synchronize()
        found[f"{name}_clips_per_s"] = len(clips) / (time.perf_counter() - began)
        found[f"{name}_peak_mb"] = torch.cuda.max_memory_allocated() / 1024**2
    return found


def published_cost(base: str, steps: int) -> float:
    """Reference workloads that the published code takes for a clip, all of it."""
    (short, (_, least)), (long, (_, most)) = sorted(PUBLISHED[base].items())
    return least if steps <= short else least + (most - least) * (steps - short) / (long - short)


def spread_detector(base: str) -> Detector:
    """A full-size visual detector whose random heads answer with many classes and lengths."""
    config = DetectorConfig(
        label_set="verb",
        labels=tuple(f"verb {label}" for label in range(CLASSES)),
        base=BaseConfig(
            kind=base,  # type: ignore[arg-type]
            input_channels=VISUAL_CHANNELS,
            official_padding=True,
        ),
        test=TestConfig(vote_weight="score" if base == "tridet" else "score_iou"),
    )
    detector = Detector(config).eval()
    for module in detector.modules():
        if isinstance(module, ClassHead):
            nn.init.normal_(module.tower.out.weight, std=0.03)
        elif isinstance(module, DistanceHead):
            assert module.tower.out.bias is not None
            nn.init.constant_(module.tower.out.bias, 2.0)
    return detector


def reference_workload() -> Callable[[], None]:
    """20 convolutions of the size that most of a forward pass consists of."""
    features, weights = torch.randn(1, 512, 2304), torch.randn(512, 512, 3)

    def run() -> None:
        for _ in range(20):
            nn.functional.conv1d(features, weights, padding=1)

    return run


def interleaved_medians(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each function; they take turns, after one turn to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if turn > 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}


def tables(
    rows: list[dict[str, Any]], lengths: list[dict[str, Any]], suppression: dict[str, Any], on_gpu: list[dict[str, Any]]
) -> str:
    """Everything measured as text."""
    lines = [
        f"{'base':14}{'steps':>7}{'forward':>9}{'fwd/ref':>9}{'published':>11}{'decode+NMS':>12}{'all/ref':>9}"
        f"{'published':>11}{'dec+NMS/publ.':>15}{'fusion adds':>13}{'full width':>12}"
        f"{'own':>8}{'peak':>9}{'published':>11}{'fused':>9}"
    ]
    for row in rows:
        after_s, reference_s = row["decode_s"] + row["nms_s"], row["reference_s"]
        published_mb = PUBLISHED_PEAK_MB.get((row["base"], row["steps"]), float("nan"))
        forward, whole = PUBLISHED.get(row["base"], {}).get(row["steps"], (float("nan"), float("nan")))
        lines.append(
            f"{row['base']:14}{row['steps']:>7}{row['forward_s']:>8.3f}s{row['forward_s'] / reference_s:>9.2f}"
            f"{forward:>11.1f}{after_s:>11.3f}s{(row['forward_s'] + after_s) / reference_s:>9.2f}{whole:>11.1f}"
            f"{after_s / reference_s / (whole - forward):>15.1%}{row['fused_s'] / row['forward_s'] - 1:>13.1%}"
            f"{row.get('full_width_s', row['fused_s']) / row['forward_s'] - 1:>12.1%}"
            f"{row['own_mb']:>5.0f} MB{row['peak_mb']:>6.0f} MB{published_mb:>8.0f} MB"
            f"{row['peak_fused_mb']:>6.0f} MB"
        )
    lines.append("")
    for row in lengths:
        lines.append(
            f"{row['base']}: {row['clips']} clips of EPIC-Kitchens-100's lengths (median {row['median_steps']} steps) "
            f"in {row['seconds']:.1f} s, {row['in_references']:.0f} reference workloads (published "
            f"{row['published_in_references']:.0f}): {row['times_as_fast']:.1f} times as fast"
        )
    lines.append(
        f"NMS of {suppression['candidates']:,} candidates, {CLASSES} classes: soft {suppression['soft_s']:.4f} s, "
        f"{suppression['share']:.0%} of published decoding and suppression of 25,000; "
        f"hard {suppression['hard_s']:.4f} s"
    )
    for row in on_gpu:
        lines.append(
            f"{row['base']} on {row['device']}: {row['one_clips_per_s']:.0f} clips/s one at a time in single precision "
            f"({row['one_peak_mb']:.0f} MB), {row['many_clips_per_s']:.0f} clips/s many at once in bfloat16 "
            f"({row['many_peak_mb']:.0f} MB)"
        )
    if not on_gpu:
        lines.append("There is no GPU here to time batches in bfloat16 on.")
    return "\n".join(lines)


def _clips(lengths: list[int]) -> list[ClipFeatures]:
    rng = np.random.default_rng(0)
    return [
        ClipFeatures(
            rng.standard_normal((VISUAL_CHANNELS, length), dtype=np.float32), GRID, float(GRID.to_seconds(length))
        )
        for length in lengths
    ]


def _restart_peak() -> float:
    """MB this process holds now; where the system can, its peak starts anew from there."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def _in_own_process(arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.inference", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
