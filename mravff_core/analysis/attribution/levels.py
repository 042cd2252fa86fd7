"""What single levels do: force one level's gate shut or open and score again.

The heads read every level by itself, so the explained number hangs on the gate of its own level
alone. The others still matter to the detection, which competes with those of other levels: see
`LevelEffect.closed_detection`. Of a detector of ours only the altered level is computed again;
of anyone's, that the other levels leave the number where it is, is measured, not assumed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mravff_core.analysis.attribution.scorer import Inputs, Scorer, is_ours, without_rounding
from mravff_core.model.audio_pyramid import Factored
from mravff_core.model.fusion import MRAVFusion
from mravff_core.model.level_fusion import LevelFusion
from mravff_core.model.outputs import DetectorOutput


@dataclass(frozen=True)
class Redetected:
    """What a changed detector makes of the detection: segment in seconds and score."""

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class LevelEffect:
    """One level.

    Attributes:
        level: 0 is the finest.
        gate: the gate where the explained point looks, mean over channels; None without a gate.
        closed: change of the explained number when the level hears nothing.
        opened: change when sound replaces the picture there; None where there is no gate to open.
        closed_detection, opened_detection: the detection after suppression then; None where it
            is gone or was not asked for.
    """

    level: int
    gate: float | None
    closed: float
    opened: float | None
    closed_detection: Redetected | None = None
    opened_detection: Redetected | None = None


class ForcedGate(nn.Module):
    """A gate that stands still.

    Args:
        value: 0 for shut, 1 for open.
    """

    source = "visual"

    def __init__(self, value: float) -> None:
        super().__init__()
        self.width = 1
        self.value = value

    def forward(self, visual: Tensor, audio: Tensor) -> Tensor:
        """[batch, 1, time] of one value."""
        return torch.full_like(visual[:, :1], self.value)


class Bypass(LevelFusion):
    """A level that hears nothing, for fusions without gates."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.attention, self.gate, self.merge = None, None, None

    def forward(
        self,
        visual: Tensor,
        audio: Tensor | Factored,
        valid: Tensor,
        *,
        opening: float = 1.0,
        attended: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """The visual features as they are."""
        return visual, None


def fusion_of(detector: nn.Module) -> MRAVFusion | None:
    """The fusion inside a detector, ours or anyone's; None where it has none."""
    return next((module for module in detector.modules() if isinstance(module, MRAVFusion)), None)


@torch.no_grad()
def level_effects(
    scorer: Scorer, inputs: Inputs, redetect: Callable[[DetectorOutput], Redetected | None] | None = None
) -> list[LevelEffect]:
    """Shut and open every level's gate, one at a time, for the number and the detection then.

    Args:
        inputs: [1, channels, time] each.
        redetect: finds the detection again in a changed detector's output.
    Returns: nothing where the detector does not fuse or there is no sound.
    """
    fusion = fusion_of(scorer.detector)
    if fusion is None or inputs[1] is None:
        return []
    stride = scorer.strides[scorer.target.level]
    usual = fusion.fusions
    one_each = [usual[0 if len(usual) == 1 else level] for level in range(len(fusion.strides))]
    effects = []
    try:
        with encoding_once(scorer.detector, fusion):
            usually = scorer.output(*inputs)
            score, gates = float(scorer.target.of(usually, stride)[0]), usually.trace.gates
            for level, own in enumerate(one_each):
                assert isinstance(own, LevelFusion)
                found: dict[float, tuple[float, Redetected | None]] = {}
                for value in (0.0, 1.0) if own.gate is not None else (0.0,):
                    fusion.fusions = nn.ModuleList([*one_each[:level], _forced(own, value), *one_each[level + 1 :]])
                    output = scorer.altered(usually, level, *inputs)
                    change = without_rounding(float(scorer.target.of(output, stride)[0]) - score, score)
                    found[value] = (change, redetect(output) if redetect else None)
                effects.append(_effect(level, _gate_at(scorer, gates, level), found))
    finally:
        fusion.fusions = usual
    return effects


@contextmanager
def encoding_once(detector: nn.Module, fusion: MRAVFusion) -> Iterator[None]:
    """Inside, a detector of ours that is shown one clip all the time, whole at first, encodes sight and sound once."""
    with ExitStack() as stack:
        if is_ours(detector):
            stack.enter_context(_answering_once(detector.base, "pyramid"))
            stack.enter_context(_answering_once(fusion.audio_pyramid, "forward"))
        yield


@contextmanager
def _answering_once(part: Any, name: str) -> Iterator[None]:
    """Inside, a method of an object gives its first answer ever again."""
    usual, known = getattr(part, name), list[Any]()

    def answer(*given: Any, **more: Any) -> Any:
        if not known:
            known.append(usual(*given, **more))
        return known[0]

    setattr(part, name, answer)
    try:
        yield
    finally:
        delattr(part, name)


def _forced(own: LevelFusion, value: float) -> LevelFusion:
    if own.gate is None:
        return Bypass()
    forced = copy.copy(own)
    forced._modules = {**own._modules, "gate": ForcedGate(value)}
    return forced


def _effect(level: int, gate: float | None, found: dict[float, tuple[float, Redetected | None]]) -> LevelEffect:
    opened = found.get(1.0, (None, None))
    return LevelEffect(level, gate, found[0.0][0], opened[0], found[0.0][1], opened[1])


def _gate_at(scorer: Scorer, gates: tuple[Tensor, ...], level: int) -> float | None:
    """Gate of a level where the explained point stands in time."""
    if level >= len(gates):
        return None
    target, strides = scorer.target, scorer.strides
    step = min(gates[level].shape[-1] - 1, target.step * strides[target.level] // strides[level])
    return float(gates[level][0, :, step].float().mean())
