"""Shares of a batch on the CPU, the same however many processes there are.

How a sum rounds depends on its order, and training makes much of the least difference: one value
that falls on the other side of 0 is enough. So one process cuts a batch into the very shares that
two would take, computes each with as many threads as they would, and adds their gradients last,
as they do; the numbers are then the same to the last bit. Small detectors' shares are computed at
once, which is no slower than a whole batch; large ones' one after another, to need no more memory.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from mravff_core.model.chance import ClipDraws
from mravff_core.model.detector import Detector

Given = TypeVar("Given")
Made = TypeVar("Made")

_SHARES = 2


@dataclass
class Shares:
    """Who computes the shares of a batch that fall to this process.

    Attributes:
        count: shares that each batch is cut into, over all processes.
        threads: of the processor, for each share.
        detectors: one for each share of this process, or one for all, the trained one first; they
            have the same weights and gradients of their own.
        models: each with its losses, as the devices see it.
        at_once: whether the shares of this process are computed side by side.
    """

    count: int
    threads: int
    detectors: list[Detector]
    models: list[Any]
    at_once: bool

    def together(self, function: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
        """What a function makes of each, side by side if the shares are."""
        if not self.at_once:
            return [function(one) for one in given]
        others = [self._threads.submit(function, one) for one in given[1:]]
        try:
            first = function(given[0])
        finally:
            made = [other.result() for other in others]
        return [first, *made]

    def add_gradients(self) -> None:
        """Give the trained detector the gradients of all."""
        first, *others = [list(detector.parameters()) for detector in self.detectors]
        for other in others:
            for weight, copied in zip(first, other, strict=True):
                if copied.grad is not None:
                    weight.grad = copied.grad if weight.grad is None else weight.grad.add_(copied.grad)
                    copied.grad = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, torch computes with the threads of a share, whatever other code of the process has set."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(len(self.models) - 1, "shares", torch.set_num_threads, (self.threads,))


def how_many_shares(on_cpu: bool, batch_size: int, world: int) -> int:
    """Shares that each batch is cut into, the same for one process and two on the CPU."""
    return max(world, min(_SHARES, batch_size)) if on_cpu else world


def with_shared_weights(detector: Detector) -> Detector:
    """A detector with the same weights, which change with the other's, and gradients of its own."""
    twin = copy.deepcopy(detector)
    for mine, weight in zip(twin.parameters(), detector.parameters(), strict=True):
        mine.data = weight.data
    return twin


@dataclass(frozen=True)
class OwnDraws(ClipDraws):
    """Draws that no other thread takes part in, as they would with torch's own generator.

    Attributes:
        generator: on the CPU.
    """

    generator: torch.Generator = field(default_factory=torch.Generator)

    @classmethod
    def after(cls, state: Tensor, rows: Tensor, whole: int, seed: int) -> OwnDraws:
        """Those that torch's own generator would give after a state of it."""
        return cls(rows, whole, seed, generator=torch.Generator().set_state(state))

    def uniform(self) -> Tensor:
        """As for all; see `ClipDraws`."""
        return torch.rand(self.whole, generator=self.generator)[self.rows]
