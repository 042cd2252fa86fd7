"""Refuse detectors that no memory of this machine could hold, before any of it is asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

_BYTES = 4  # float32
_BEYOND_ALL = 10**15
# Settings whose product is, or lies below, the number of values that a detector holds at once somewhere,
# and what must be set for that.
_HELD: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("input_channels", "embed_channels", "embed_kernel"), {}),
    (("embed_channels", "embed_channels", "embed_layers"), {}),
    (("embed_channels", "embed_channels", "stem_layers"), {}),
    (("embed_channels", "embed_channels", "levels"), {}),
    (("embed_channels", "window"), {"blocks": "transformer"}),
    (("embed_channels", "sgp_hidden"), {"blocks": "sgp"}),
    (("embed_channels", "sgp_window", "sgp_ratio"), {"blocks": "sgp"}),
    (("embed_channels", "max_steps"), {"absolute_position": True}),
    (("embed_channels", "neck_channels"), {"neck": "fpn"}),
    (("neck_channels", "head_channels", "head_kernel"), {}),
    (("head_channels", "head_channels", "head_kernel", "head_layers"), {}),
    (("head_channels", "head_kernel", "bins"), {"kind": "tridet", "trident": True}),
    (("neck_channels", "head_channels", "boundary_kernel"), {"kind": "tridet", "trident": True}),
    (("neck_channels", "fusion.audio_channels", "fusion.audio_kernel"), {}),
    (("neck_channels", "fusion.window"), {}),
    (("neck_channels", "fusion.attention_channels"), {}),
)


def beyond_memory(settings: Mapping[str, Any]) -> str | None:
    """What in a detector's settings asks for more memory than this machine has, in words; None for nothing.

    Args:
        settings: those of a base by name, its `blocks` and `sgp_hidden`, and those of a fusion, if any, as `fusion.…`.
    """
    limit = machine_memory()
    for names, needed_for in _HELD:
        sizes = {name: _size(settings[name]) for name in names if settings.get(name) is not None}
        if len(sizes) == len(names) and all(settings.get(name) == value for name, value in needed_for.items()):
            needed = _BYTES * math.prod(sizes[name] for name in names)
            if needed > limit:
                return _sentence(sizes, f"need {_gigabytes(needed)} of memory", limit)
    # Every clip is filled up to a whole step of the coarsest level.
    names = ("embed_channels", "levels", "scale_factor")
    sizes = {name: _size(settings[name]) for name in names}
    steps = sizes["scale_factor"] ** min(max(sizes["levels"] - 1, 0), 100)
    needed = _BYTES * sizes["embed_channels"] * steps
    if needed > limit:
        return _sentence(sizes, f"need {_gigabytes(needed)} of memory for one step of the coarsest level", limit)
    return None


def machine_memory() -> int:
    """Bytes of memory that this machine has; where it does not say, more than any has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**44


def _size(value: Any) -> Any:
    """A number, the largest of several, cut where any is too large anyway."""
    return min(max(value, default=0) if isinstance(value, tuple) else value, _BEYOND_ALL)


def _sentence(sizes: Mapping[str, Any], needs: str, limit: int) -> str:
    found = ", ".join(f"{name} {value}" for name, value in sizes.items())
    return f"{found} together {needs}, this machine has {_gigabytes(limit)}; a slip in one of them?"


def _gigabytes(size: float) -> str:
    gigabytes = int(size) // 10**9
    return f"{gigabytes:,} GB" if gigabytes < _BEYOND_ALL else f"more than {_BEYOND_ALL:,} GB"
