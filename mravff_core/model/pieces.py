"""Long sequences piece by piece, short ones together, as memory and calls are used best.

A layer over 9,216 steps at once makes several tensors of 19 MB, each fetched from memory again and
returned to the system soon after; over some hundred steps it works in memory that is still at hand.
Over a handful of steps, a call costs more than what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from mravff_core.model.layers import StepMask
from mravff_core.model.products import on_cpu_without_gradients

PIECE = 1536
# Of all clips and of levels that pass together; beyond it, memory is slower than calls are.
_TOGETHER = 2048


def in_pieces(
    layer: Callable[..., Tensor],
    features: Sequence[Tensor],
    steps: StepMask,
    *,
    reach: int,
    whole: bool,
    stride: int = 1,
) -> Tensor:
    """What `layer(*features, steps)` gives, computed for some steps at a time.

    Only on the CPU and without gradients; otherwise, and where it is short, the sequence passes whole.

    Args:
        features: [batch, channels, time] each; the layer makes [batch, other channels, time / stride] of them.
        steps: which of their steps are real.
        reach: steps of the input to either side that any step of the output depends on.
        whole: pass it whole all the same, as while layers draw lots.
        stride: the layer keeps every `stride`-th step; the input's length is a multiple of it.
    """
    time = features[0].shape[-1]
    if whole or time < 2 * PIECE or not on_cpu_without_gradients(features[0]):
        return layer(*features, steps)
    pieces = round(time / PIECE)
    size, reach = -(-time // (pieces * stride)) * stride, -(-reach // stride) * stride
    out: Tensor | None = None
    for start in range(0, time, size):
        stop = min(time, start + size)
        first, last = max(0, start - reach), min(time, stop + reach)
        piece = layer(*(tensor[..., first:last] for tensor in features), steps.between(first, last))
        if out is None:
            out = piece.new_empty(*piece.shape[:2], time // stride)
        skipped, kept = (start - first) // stride, (stop - start) // stride
        out[..., start // stride : stop // stride] = piece[..., skipped : skipped + kept]
    assert out is not None
    return out


def together(sizes: Sequence[int]) -> list[slice]:
    """Neighbouring levels that pass in one go, as many as take little memory, by their steps in all clips."""
    groups: list[slice] = []
    filled = 0
    for number, size in enumerate(sizes):
        if groups and filled + size <= _TOGETHER:
            groups[-1] = slice(groups[-1].start, number + 1)
            filled += size
        else:
            groups.append(slice(number, number + 1))
            filled = size
    return groups
