"""Memory that a batch has freed, given back to the system."""

from __future__ import annotations

import ctypes

import torch
from torch import nn

# Below this size of a model the pages are not worth the time that it takes to get them again.
_LARGE = 5_000_000


def keeps_freed_memory(model: nn.Module, device: torch.device) -> bool:
    """Whether training a model would leave much freed memory with the process: large ones on the CPU.

    The system's allocator keeps it in pieces of the sizes that one batch needed, and the next
    batch, of other lengths, needs others.
    """
    return device.type == "cpu" and sum(parameter.numel() for parameter in model.parameters()) >= _LARGE


def give_back_freed_memory() -> None:
    """Hand free pages back, where the allocator knows how (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
