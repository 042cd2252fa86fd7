"""What an explanation costs beyond the forward and backward passes it needs, in time and memory.

The full-size MRAV-FF ActionFormer at T = 2304: Shapley values, 32 steps of Integrated Gradients
and occlusion of one detection, against as many bare passes in the same run, over the part of the
clip that decides the detection where that is enough; and the memory of both against one training
step of batch 2. `python -m benchmarks explain`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from mravff_core import Batch, TimeGrid
from mravff_core.analysis.attribution import Options, Scorer, Target, attribute
from mravff_core.analysis.attribution.gradients import LOOKS
from mravff_core.analysis.attribution.span import Span
from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.model.detector import Detector, DetectorConfig

_STEPS, _LABELS = 2304, 97
_REPEATS = 3


def full_size() -> Detector:
    """ActionFormer as published for EPIC-Kitchens-100 verbs, with MRAV-FF fusion; random weights."""
    torch.manual_seed(0)
    labels = tuple(f"verb {number}" for number in range(_LABELS))
    return Detector(
        DetectorConfig("verb", labels, base=BaseConfig(input_channels=2304), fusion=FusionConfig(kind="mrav"))
    ).eval()


def activation_bytes(detector: torch.nn.Module, work: Callable[[], Any]) -> int:
    """What autograd keeps for the backward pass of some work with a detector, weights left out."""
    kept: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in detector.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        work()
    return sum(kept.values())


def measure(time_steps: int = _STEPS, options: Options | None = None) -> dict[str, Any]:
    """Explain once and run the same number of bare passes; medians where repeated."""
    detector = full_size()
    visual, audio = _features(detector, 1, time_steps)
    baseline = (torch.randn_like(visual), torch.randn_like(audio))
    target = Target(2, time_steps // 8, 0)
    grid = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
    options = options or Options(steps=32, most_steps=32)
    span = Span.of(detector, target, time_steps)
    near = span.cut((visual, audio))
    whole, part = Scorer(detector, target), Scorer(detector, span.target(target, detector.strides[target.level]))
    with torch.no_grad():
        whole_s = _median(lambda: whole.output(visual, audio))
    forward_s = _median(lambda: part.scores([near]))
    given = [one.clone().requires_grad_() for one in near if one is not None]
    both_s = _median(lambda: torch.autograd.grad(part(*given).sum(), given))
    began = time.perf_counter()
    found = attribute(detector, (visual, audio), baseline, target, grid=grid, options=options)
    explained_s = time.perf_counter() - began
    part.memory_limit_mb = options.memory_limit_mb
    part.measure(near)
    windows = len(span.windows(found.occlusion.edges)) - 1
    # Of the passes with one level's gate forced, only that level's part is needed: too little to count.
    forwards, wholes, steps = 1 + 3 + (LOOKS - 1) + (1 + 2 * windows), 1, found.gradients.steps
    needed_s = forwards * forward_s + wholes * whole_s + steps * both_s
    training = activation_bytes(detector, lambda: detector(Batch(*_features(detector, 2, time_steps))))
    chunk = [torch.cat([one] * part.chunk).requires_grad_() for one in near if one is not None]
    explaining = activation_bytes(part.detector, lambda: part(*chunk))
    return {
        "time steps": time_steps,
        "steps that decide the detection": span.end - span.first,
        "forward passes over these": forwards,
        "forward and backward passes over these": steps,
        "forward passes over all": wholes,
        "bare passes s": round(needed_s, 1),
        "explanation s": round(explained_s, 1),
        "ratio (at most 1.25)": round(explained_s / needed_s, 3),
        "variants at once": part.chunk,
        "activations MB": round(explaining / 2**20),
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
