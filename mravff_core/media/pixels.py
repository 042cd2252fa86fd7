"""What `light_visual` measures in each frame: colour, edges and motion, pooled over cells.

Frames are 96 x 54 pixels. Everything here looks at one frame and the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 96, 54
FINE = (9, 16)  # rows, columns of 6 x 6 pixels
COARSE = (6, 8)  # rows, columns of 9 x 12 pixels
_TINY = (18, 32)  # rows, columns of 3 x 3 pixels, for colour histograms
ORIENTATIONS = 6
# Differences below this share of full scale are taken for noise of the codec.
_NOISE = 0.02
_LUMA_SHARE = 0.35
_COLOUR_WIDTH = 0.06


@dataclass(frozen=True)
class FrameStats:
    """Measurements of `n` frames; every array has `n` along its first axis.

    Attributes:
        colour: [n, 9, 16, 3] mean luma and two opponent colours.
        spread: [n, 3] standard deviation of the same over the frame.
        edges: [n, 6, 8, 6] edge strength per direction (modulo 180 degrees).
        motion: [n, 9, 16] absolute change of all three colours since the frame before.
        tensor: [n, 6, 8, 5] sums for optical flow: xx, xy, yy, xt, yt of the luma's derivatives.
        palette: [n, 20] share of each reference colour in the frame.
        moving_palette: [n, 20] the same weighted by motion, not normalised.
        moving_edges: [n, 6] edge strength per direction weighted by motion, not normalised.
    """

    colour: Floats
    spread: Floats
    edges: Floats
    motion: Floats
    tensor: Floats
    palette: Floats
    moving_palette: Floats
    moving_edges: Floats

    def __len__(self) -> int:
        return len(self.colour)

    def __getitem__(self, part: slice) -> FrameStats:
        return FrameStats(*(getattr(self, field.name)[part] for field in fields(self)))


def joined(parts: list[FrameStats]) -> FrameStats:
    """Measurements of consecutive frames put together."""
    return FrameStats(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(FrameStats)))


def measure(frames: NDArray[np.uint8]) -> FrameStats:
    """Measure all frames but the first, each against the one before it.

    Args:
        frames: [n + 1, 54, 96, 3] RGB.
    Returns: measurements of `n` frames.
    """
    opponent = _opponent(frames)
    now, before = opponent[:, 1:], opponent[:, :-1]
    luma = now[0]
    change = np.abs(now - before).sum(axis=0)
    motion = np.maximum(change - np.float32(_NOISE), 0)
    along_x, along_y = _gradients(luma)
    edges = _by_direction(along_x, along_y)
    shares = _colour_shares(_cells(now, _TINY))
    moving = _cells(motion, _TINY)
    return FrameStats(
        colour=np.moveaxis(_cells(now, FINE), 0, -1),
        spread=now.std(axis=(2, 3)).T,
        edges=np.moveaxis(_cells(edges, COARSE), 0, -1),
        motion=_cells(motion, FINE),
        tensor=_flow_sums(luma, before[0]),
        palette=shares.mean(axis=(1, 2)),
        moving_palette=np.einsum("nhw,nhwc->nc", moving, shares) / np.float32(moving[0].size),
        moving_edges=np.stack([(edge * motion).mean(axis=(1, 2)) for edge in edges], axis=1),
    )


def _opponent(frames: NDArray[np.uint8]) -> Floats:
    """[3, n, height, width]: luma in [0, 1], blue and red differences in [-0.5, 0.5]."""
    red, green, blue = (frames[..., k].astype(np.float32) * np.float32(1 / 255) for k in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([luma, 0.564 * (blue - luma), 0.713 * (red - luma)])


def _cells(images: Floats, cells: tuple[int, int]) -> Floats:
    """Mean over a grid of cells: [..., height, width] to [..., rows, columns]."""
    rows, columns = cells
    height, width = images.shape[-2:]
    shape = (*images.shape[:-2], rows, height // rows, columns, width // columns)
    return images.reshape(shape).mean(axis=(-3, -1))


def _gradients(luma: Floats) -> tuple[Floats, Floats]:
    """Central differences, 0 on the border."""
    along_x, along_y = np.zeros_like(luma), np.zeros_like(luma)
    along_x[:, :, 1:-1] = (luma[:, :, 2:] - luma[:, :, :-2]) * np.float32(0.5)
    along_y[:, 1:-1] = (luma[:, 2:] - luma[:, :-2]) * np.float32(0.5)
    return along_x, along_y


def _by_direction(along_x: Floats, along_y: Floats) -> Floats:
    """[6, n, height, width]: gradient strength shared out by direction, smoothly.

    The double angle makes opposite gradients alike; a half-wave of its cosine is each bin.
    """
    strength = np.sqrt(along_x**2 + along_y**2) + np.float32(1e-6)
    even = (along_x**2 - along_y**2) / strength
    odd = 2 * along_x * along_y / strength
    angles = 2 * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS
    return np.stack(
        [np.maximum(even * np.float32(np.cos(angle)) + odd * np.float32(np.sin(angle)), 0) for angle in angles]
    )


def _flow_sums(luma: Floats, before: Floats) -> Floats:
    along_x, along_y = _gradients((luma + before) * np.float32(0.5))
    change = luma - before
    products = (along_x * along_x, along_x * along_y, along_y * along_y, along_x * change, along_y * change)
    return np.stack([_cells(product, COARSE) for product in products], axis=-1)


def _reference_colours() -> Floats:
    """[20, 3] luma and opponent colours: 8 hues, pale and strong, then 4 greys."""
    hues = 2 * np.pi * np.arange(8) / 8
    tinted = [(0.5, radius * np.cos(hue), radius * np.sin(hue)) for radius in (0.1, 0.26) for hue in hues]
    greys = [(luma, 0.0, 0.0) for luma in (0.08, 0.35, 0.62, 0.92)]
    return np.array([*tinted, *greys], dtype=np.float32)


_COLOURS = _reference_colours()


def _colour_shares(images: Floats) -> Floats:
    """[n, rows, columns, 20]: how much each cell looks like each reference colour; sums to 1."""
    weight = np.array([_LUMA_SHARE, 1, 1], dtype=np.float32)
    pixels = np.moveaxis(images, 0, -1) * weight
    colours = _COLOURS * weight
    likeness = (pixels @ colours.T) * 2 - (colours**2).sum(axis=1)  # minus squared distance, but for a common term
    likeness = (likeness - likeness.max(axis=-1, keepdims=True)) * np.float32(0.5 / _COLOUR_WIDTH**2)
    shares = np.exp(likeness)
    return shares / shares.sum(axis=-1, keepdims=True)
