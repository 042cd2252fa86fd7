"""Memory that clips of ever other lengths would leave lying about: large models on the CPU."""

from __future__ import annotations

import os

import torch
from torch import nn

# Below this size of a model memory is not worth the time that it takes to get it again.
_LARGE = 5_000_000
# Compiled kernels that oneDNN keeps, one a shape; its own limit is 1,024. It reads this once.
_KERNELS = "128"


def needs_sparing(model: nn.Module, device: torch.device) -> bool:
    """Whether training a model would leave much unused memory with the process."""
    return device.type == "cpu" and sum(parameter.numel() for parameter in model.parameters()) >= _LARGE


def keep_fewer_kernels() -> None:
    """Have oneDNN forget kernels of lengths long gone; without effect once it has run."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _KERNELS)
