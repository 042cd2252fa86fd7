"""What an explanation costs beyond the forward and backward passes it needs, in time and memory.

The full-size MRAV-FF ActionFormer at T = 2304: Shapley values, 32 steps of Integrated Gradients
and occlusion of one detection, against as many bare passes in the same run; and the memory of
both against one training step of batch 2. `python -m benchmarks explain`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from mravff_core import Batch, TimeGrid
from mravff_core.analysis.attribution import Options, Scorer, Target, attribute
from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.model.detector import Detector, DetectorConfig, build_detector

_STEPS, _LABELS = 2304, 97
_REPEATS = 3


def full_size() -> Detector:
    """ActionFormer as published for EPIC-Kitchens-100 verbs, with MRAV-FF fusion; random weights."""
    torch.manual_seed(0)
    labels = tuple(f"verb {number}" for number in range(_LABELS))
    return build_detector(
        DetectorConfig("verb", labels, base=BaseConfig(input_channels=2304), fusion=FusionConfig(kind="mrav"))
    ).eval()


def activation_bytes(detector: Detector, clips: int, time_steps: int) -> int:
    """What autograd keeps for the backward pass of a batch, weights left out."""
    kept: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in detector.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    visual, audio = _features(detector, clips, time_steps)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        detector(Batch(visual, audio))
    return sum(kept.values())


def measure(time_steps: int = _STEPS, options: Options | None = None) -> dict[str, Any]:
    """Explain once and run the same number of bare passes; medians where repeated."""
    detector = full_size()
    visual, audio = _features(detector, 1, time_steps)
    baseline = (torch.randn_like(visual), torch.randn_like(audio))
    target = Target(2, time_steps // 8, 0)
    grid = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
    options = options or Options(steps=32, most_steps=32)
    counted = Scorer(detector, target)
    forward_s = _median(lambda: counted.scores([(visual, audio)]))
    given = (visual.clone().requires_grad_(), audio.clone().requires_grad_())
    both_s = _median(lambda: torch.autograd.grad(counted(*given).sum(), given))
    began = time.perf_counter()
    found = attribute(detector, (visual, audio), baseline, target, grid=grid, options=options)
    explained_s = time.perf_counter() - began
    scorer = Scorer(detector, target, memory_limit_mb=options.memory_limit_mb)
    scorer.measure((visual, audio))
    windows = len(found.occlusion.edges) - 1
    forwards = 1 + 3 + (1 + 2 * windows) + 2 * len(found.levels)
    needed_s = forwards * forward_s + options.steps * both_s
    training = activation_bytes(detector, 2, time_steps)
    one = activation_bytes(detector, 1, time_steps)
    return {
        "time steps": time_steps,
        "forward passes": forwards,
        "forward and backward passes": options.steps,
        "bare passes s": round(needed_s, 1),
        "explanation s": round(explained_s, 1),
        "ratio (at most 1.25)": round(explained_s / needed_s, 3),
        "variants at once": scorer.chunk,
        "activations MB": round(scorer.chunk * one / 2**20),
        "training step of 2, activations MB": round(training / 2**20),
    }


def main() -> None:
    """Print the table."""
    torch.set_num_threads(2)
    for name, value in measure().items():
        print(f"{name:38s} {value}")


def _features(detector: Detector, clips: int, time_steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    config = detector.config
    return (
        torch.randn(clips, config.base.input_channels, time_steps),
        torch.randn(clips, config.fusion.audio_channels, time_steps),
    )


def _median(work: Callable[[], Any]) -> float:
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


if __name__ == "__main__":
    main()
