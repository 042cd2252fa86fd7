"""The explained number as a function of features: batched, within a memory limit, stoppable.

Attribution works on a copy of the detector that shares its weights and nothing else: it is in
evaluation mode, computes no gradients of weights and may be altered, whatever others do with
the detector meanwhile.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from mravff_core.analysis.attribution.target import Target
from mravff_core.errors import CancelledError
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch, DetectorOutput

# (visual, audio) of one clip: [1, channels, time] each, audio None for no sound.
Inputs = tuple[Tensor, Tensor | None]
MEMORY_LIMIT_MB = 512.0
_MOST_AT_ONCE = 64
_ROUNDING = 1e-6
# A score that differs more between batches than this is not rounding.
_MIXED = 1e-4


def without_rounding(difference: float, score: float) -> float:
    """A difference of two scores, or 0 where it is no more than their single precision can hold."""
    return 0.0 if abs(difference) <= _ROUNDING * max(1.0, abs(score)) else difference


def private_copy(detector: nn.Module) -> nn.Module:
    """A detector of its own structure on the same weights, for evaluation, without gradients of weights."""
    shared: dict[int, Any] = {}
    for weight in detector.parameters():
        shared[id(weight)] = nn.Parameter(weight.detach(), requires_grad=False)
    for buffer in detector.buffers():
        shared[id(buffer)] = buffer
    return copy.deepcopy(detector, shared).eval()


def is_ours(detector: nn.Module) -> TypeGuard[Detector]:
    """Whether parts of a detector's answer can be had alone; not of one of ours that answers in a way of its own."""
    return isinstance(detector, Detector) and getattr(detector.forward, "__func__", None) is Detector.forward


class Scorer:
    """Scores variants of one clip's features.

    Args:
        detector: any module that answers a `Batch` with a `DetectorOutput`; with `strides`.
        target: what to score.
        memory_limit_mb: for activations; variants are run in chunks that keep within it, at least
            one at a time.
        progress: told how many variants have been scored since the last time.
        cancel: asked before every chunk; True stops with CancelledError.
    """

    def __init__(
        self,
        detector: nn.Module,
        target: Target,
        *,
        memory_limit_mb: float = MEMORY_LIMIT_MB,
        progress: Callable[[int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
    ) -> None:
        self.detector = private_copy(detector)
        self.target = target
        self.memory_limit_mb = memory_limit_mb
        self.chunk = 1
        self.forwards = 0
        self.backwards = 0
        self._progress = progress
        self._cancel = cancel

    def share_memory(self, threads: int) -> None:
        """Keep within that part of the memory from now on: so many threads score with this one at once."""
        self.memory_limit_mb /= threads
        self.chunk = max(1, self.chunk // threads)

    def towards(self, target: Target) -> Scorer:
        """Another of the same for another number; nothing is known yet of the memory that it takes."""
        return Scorer(
            self.detector,
            target,
            memory_limit_mb=self.memory_limit_mb,
            progress=self._progress,
            cancel=self._cancel,
        )

    @property
    def strides(self) -> tuple[int, ...]:
        """Finest steps from one step of each level to the next."""
        return tuple(self.detector.strides)  # type: ignore[arg-type]

    def output(self, visual: Tensor, audio: Tensor | None) -> DetectorOutput:
        """Everything the detector says about a batch of variants."""
        self._begin(visual, audio)
        return self.detector(Batch(visual, audio))

    def altered(self, output: DetectorOutput, level: int, visual: Tensor, audio: Tensor | None) -> DetectorOutput:
        """What the detector says about the same variants since one level alone was altered.

        Args:
            output: what it said before; of ours, whose heads read every level by itself, the other levels' stays.
        """
        if not is_ours(self.detector):
            return self.output(visual, audio)
        self._begin(visual, audio)
        logits, offsets = self.detector.answers_at(Batch(visual, audio), level)
        return replace(
            output,
            class_logits=_with(output.class_logits, level, logits),
            boundary_offsets=_with(output.boundary_offsets, level, offsets),
        )

    def _begin(self, visual: Tensor, audio: Tensor | None) -> None:
        """Count a pass and stop before it where that is wanted."""
        if self._cancel is not None and self._cancel():
            raise CancelledError("the explanation was stopped; nothing of it was kept")
        self.forwards += len(visual)
        if visual.requires_grad or (audio is not None and audio.requires_grad):
            self.backwards += len(visual)
        if self._progress is not None:
            self._progress(len(visual))

    def __call__(self, visual: Tensor, audio: Tensor | None = None, alike: Tensor | None = None) -> Tensor:
        """The explained number of each variant, [batch]; differentiable by all that is given.

        Args:
            alike: for each variant the number of one of equal visual features; None to find out.
        """
        target, detector, stride = self.target, self.detector, self.strides[self.target.level]
        if is_ours(detector):
            self._begin(visual, audio)
            batch, alike = Batch(visual, audio), _all_alike(visual) if alike is None else alike
            if target.of_classes:
                score = target.of_logits(detector.class_logits_at(batch, target.level, alike=alike))
            else:
                score = target.of_offsets(detector.boundary_offsets_at(batch, target.level, alike=alike), stride)
        else:
            score = target.of(self.output(visual, audio), stride)
        # A detector that never looks at one modality gives it a gradient of 0, not an error.
        for features in (visual, audio):
            if features is not None and features.requires_grad:
                score = score + 0.0 * features[:, 0, 0]
        return score

    def measure(self, inputs: Inputs) -> float:
        """Score the clip as it is, and learn from that how many variants fit into memory at once."""
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        visual, audio = (None if part is None else part.clone().requires_grad_() for part in inputs)
        assert visual is not None
        weights = {weight.untyped_storage().data_ptr() for weight in self.detector.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            found = self(visual, audio)
        self.backwards -= 1
        taken = sum(size for address, size in kept.items() if address not in weights)
        self.chunk = max(1, min(_MOST_AT_ONCE, int(self.memory_limit_mb * 2**20 / max(1, taken))))
        score = float(found.detach()[0])
        # Ours keep the clips of a batch apart; anyone else's may not, and then each is scored alone.
        if self.chunk > 1 and not is_ours(self.detector) and self._mixes(inputs, score):
            self.chunk = 1
        return score

    def _mixes(self, inputs: Inputs, score: float) -> bool:
        """Whether a clip's score hangs on what else is in its batch."""
        beside = (torch.zeros_like(inputs[0]), None if inputs[1] is None else torch.zeros_like(inputs[1]))
        return abs(float(self.scores([inputs, beside])[0]) - score) > _MIXED * max(1.0, abs(score))

    @torch.no_grad()
    def scores(self, variants: Sequence[Inputs]) -> Tensor:
        """The explained number of many variants, [n] float64 on the CPU; no gradients."""
        found = []
        for begin in range(0, len(variants), self.chunk):
            part = variants[begin : begin + self.chunk]
            visual = torch.cat([one[0] for one in part])
            heard = [one[1] for one in part if one[1] is not None]
            first: dict[int, int] = {}
            alike = [first.setdefault(id(one[0]), number) for number, one in enumerate(part)]
            places = torch.tensor(alike, device=visual.device)
            found.append(self(visual, torch.cat(heard) if heard else None, places).double().cpu())
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def _with(levels: tuple[Tensor, ...], level: int, other: Tensor) -> tuple[Tensor, ...]:
    return (*levels[:level], other, *levels[level + 1 :])


def _all_alike(visual: Tensor) -> Tensor | None:
    """Zeros where all variants [batch, channels, time] show the same, as when only sound is taken away."""
    if len(visual) < 2 or torch.is_grad_enabled() or not torch.equal(visual[1:], visual[:1].expand_as(visual[1:])):
        return None
    return torch.zeros(len(visual), dtype=torch.long, device=visual.device)
