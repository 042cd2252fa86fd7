"""`light_visual`: 192 numbers for every 0.133 s of picture, from pixels alone.

Nothing is learnt and no clip statistics are used: the same frames give the same
features wherever they occur. The video is decoded at 30 frames a second (whatever its
own rate) and 96 x 54 pixels; step `p` describes frames 4p - 2 to 4p + 5, repeating the
first and last frame beyond the ends.

| channels | what | why |
| --- | --- | --- |
| 40 | layout of colour: 16 x 9 cells, three opponent colours, each against the frame's mean | place and look |
| 32 | layout of edges: 8 x 6 cells, six directions | shape |
| 24 | layout of motion: 16 x 9 cells | where something moves |
| 24 | optical flow of 8 x 6 cells (Lucas-Kanade) | which way it moves |
| 20 | palette: shares of 20 reference colours | what is there |
| 20 | palette of what moves | what is being handled |
| 6 | directions of edges that move | its shape |
| 12 | amount and signed direction of motion in each of the step's own 4 frames | rhythm finer than a step |
| 14 | mean and spread of colour, place and spread of motion, its unevenness, expansion and turning | summary |

The layouts are compressed by fixed random orthonormal projections (distances survive,
single cells do not), all else is given as measured. Fixed constants bring each group
near unit variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mravff_core.data.features import Features
from mravff_core.errors import CancelledError
from mravff_core.media.container import DecodeReport
from mravff_core.media.decode import iter_frames
from mravff_core.media.pixels import COARSE, FINE, HEIGHT, WIDTH, FrameStats, joined, measure
from mravff_core.media.probe import probe
from mravff_core.time_grid import TimeGrid

Floats = NDArray[np.float32]

_RATE = 30
_HOP, _WINDOW = 4, 8
_BEFORE = (_WINDOW - _HOP) // 2
_BLOCK = 32  # frames measured at once
# Added to the flow equations of a cell: where there is no texture the flow is 0, not noise.
_STIFFNESS = 3e-4


class VisualEncoder:
    """Light features of pictures; see the module for what the channels are.

    `grid` counts in frames at 30 a second; step `p` is centred at (4 p + 2) / 30 s.
    """

    name = "light_visual"
    channels = 192
    frames_per_second = float(_RATE)

    @property
    def grid(self) -> TimeGrid:
        """Time stamps of the steps."""
        return TimeGrid(
            hop_frames=_HOP, window_frames=_WINDOW, frames_per_second=self.frames_per_second, offset_frames=_HOP / 2
        )

    def encode(
        self,
        path: Path | str,
        *,
        progress: Callable[[float], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        report: DecodeReport | None = None,
    ) -> Features:
        """Features of a video, [192, ceil(seconds * 7.5)], at least one step.

        Args:
            progress: told the share done, 0 to 1.
            cancel: asked now and then; True stops with CancelledError.
            report: filled with the damage met.
        Raises: MediaError if the file cannot be opened, has no video or no frame of it decodes.
        """
        frames = iter_frames(path, frames_per_second=_RATE, width=WIDTH, height=HEIGHT, report=report)
        expected = max(1.0, probe(path).duration_s * _RATE)
        return self.encode_frames(_watched((frame.rgb for frame in frames), expected, progress, cancel))

    def encode_frames(self, frames: Iterable[NDArray[np.uint8]]) -> Features:
        """Features of consecutive RGB frames uint8 [54, 96, 3], 30 a second, at least one."""
        steps: list[Floats] = []
        held: list[FrameStats] = []
        for stats in _measured(_padded(frames)):
            held = [joined([*held, stats])]
            ready = (len(held[0]) - _WINDOW) // _HOP + 1
            if ready > 0:
                steps.append(_describe(held[0][: (ready - 1) * _HOP + _WINDOW], ready))
                held = [held[0][ready * _HOP :]]
        return Features(np.ascontiguousarray(np.concatenate(steps, axis=1)), self.grid)


def _watched(
    frames: Iterable[NDArray[np.uint8]],
    expected: float,
    progress: Callable[[float], None] | None,
    cancel: Callable[[], bool] | None,
) -> Iterator[NDArray[np.uint8]]:
    for count, frame in enumerate(frames):
        if count % _BLOCK == 0:
            if cancel is not None and cancel():
                raise CancelledError("stopped while encoding pictures")
            if progress is not None:
                progress(min(1.0, count / expected))
        yield frame
    if progress is not None:
        progress(1.0)


def _padded(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Repeat the first and last frame so that steps of 4 frames cover everything.

    One frame more is put in front, since each is measured against the one before it.
    """
    count = 0
    last: NDArray[np.uint8] | None = None
    for frame in frames:
        if last is None:
            yield from [frame] * (_BEFORE + 1)
        yield frame
        count, last = count + 1, frame
    if last is None:
        raise ValueError("no frame to encode, expected at least one")
    yield from [last] * (-count % _HOP + _BEFORE)


def _measured(frames: Iterator[NDArray[np.uint8]]) -> Iterator[FrameStats]:
    before = next(frames)
    while True:
        block = [frame for _, frame in zip(range(_BLOCK), frames, strict=False)]
        if not block:
            return
        yield measure(np.stack(list(chain([before], block))))
        before = block[-1]


def _describe(stats: FrameStats, steps: int) -> Floats:
    """[192, steps] from the measurements of 4 steps + 4 frames."""
    colour = _window_mean(stats.colour, steps)
    centre = colour.mean(axis=(1, 2), keepdims=True)
    motion = _window_mean(stats.motion, steps)
    flow = _flow(_window_mean(stats.tensor, steps))
    moving = motion.mean(axis=(1, 2))[:, None] + np.float32(1e-4)
    edges = np.sqrt(_window_mean(stats.edges, steps))
    return np.concatenate(
        [
            _projected(colour - centre, 40, seed=1) / 0.08,
            (_projected(edges - np.float32(0.1), 32, seed=2)) / 0.06,
            _projected(np.sqrt(motion), 24, seed=3) / 0.06,
            _projected(flow, 24, seed=4) / 0.1,
            (np.sqrt(_window_mean(stats.palette, steps)) - 0.18) / 0.18,
            np.sqrt(_window_mean(stats.moving_palette, steps) / moving) / 0.2,
            np.sqrt(_window_mean(stats.moving_edges, steps) / moving) / 0.15,
            _rhythm(stats, steps),
            _summary(colour, _window_mean(stats.spread, steps), motion, flow),
        ],
        axis=1,
    ).T.astype(np.float32, copy=False)


def _window_mean(values: Floats, steps: int) -> Floats:
    """Mean over each step's 8 frames: [frames, ...] to [steps, ...]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0)[::_HOP][:steps]
    return windows.mean(axis=-1, dtype=np.float32)


def _flow(tensor: Floats) -> Floats:
    """Least-squares motion of every cell in pixels a frame: [steps, 6, 8, 5] to [steps, 6, 8, 2]."""
    xx, xy, yy, xt, yt = np.moveaxis(tensor, -1, 0)
    xx, yy = xx + np.float32(_STIFFNESS), yy + np.float32(_STIFFNESS)
    determinant = xx * yy - xy * xy
    flow = np.stack([xy * yt - yy * xt, xy * xt - xx * yt], axis=-1) / determinant[..., None]
    return np.clip(flow, -3, 3)


def _rhythm(stats: FrameStats, steps: int) -> Floats:
    """[steps, 12]: motion, rightward and downward flow of the whole picture for the step's own 4 frames."""
    inner = slice(_BEFORE, _BEFORE + steps * _HOP)
    amount = np.sqrt(stats.motion[inner].mean(axis=(1, 2)))
    xx, _, yy, xt, yt = stats.tensor[inner].mean(axis=(1, 2)).T
    series = [amount / 0.08, -xt / (xx + _STIFFNESS) / 0.05, -yt / (yy + _STIFFNESS) / 0.05]
    return np.concatenate([one.reshape(steps, _HOP) for one in series], axis=1)


def _summary(colour: Floats, spread: Floats, motion: Floats, flow: Floats) -> Floats:
    """[steps, 14]; see the module."""
    rows = np.linspace(-1, 1, FINE[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, FINE[1], dtype=np.float32)[None, :]
    share = motion / (motion.sum(axis=(1, 2), keepdims=True) + np.float32(1e-2))
    x, y = (share * columns).sum(axis=(1, 2)), (share * rows).sum(axis=(1, 2))
    wide = np.sqrt((share * (columns - x[:, None, None]) ** 2).sum(axis=(1, 2)))
    tall = np.sqrt((share * (rows - y[:, None, None]) ** 2).sum(axis=(1, 2)))
    coarse_rows = np.linspace(-1, 1, COARSE[0], dtype=np.float32)[:, None] - y[:, None, None]
    coarse_columns = np.linspace(-1, 1, COARSE[1], dtype=np.float32)[None, :] - x[:, None, None]
    expansion = (flow[..., 0] * coarse_columns + flow[..., 1] * coarse_rows).mean(axis=(1, 2))
    turning = (flow[..., 1] * coarse_columns - flow[..., 0] * coarse_rows).mean(axis=(1, 2))
    uneven = np.sqrt(motion.max(axis=(1, 2)))
    mean = colour.mean(axis=(1, 2))
    return np.stack(
        [
            (mean[:, 0] - 0.45) / 0.15,
            mean[:, 1] / 0.05,
            mean[:, 2] / 0.05,
            (spread[:, 0] - 0.2) / 0.07,
            (spread[:, 1] - 0.04) / 0.03,
            (spread[:, 2] - 0.04) / 0.03,
            x / 0.3,
            y / 0.3,
            (wide - 0.3) / 0.15,
            (tall - 0.3) / 0.15,
            (uneven - 0.25) / 0.2,
            math.log(2) * np.tanh(expansion / 0.05) / 0.5,
            math.log(2) * np.tanh(turning / 0.05) / 0.5,
            (np.log10(motion.mean(axis=(1, 2)) + np.float32(1e-4)) + 2.5) / 0.7,
        ],
        axis=1,
    )


def _projected(values: Floats, channels: int, *, seed: int) -> Floats:
    flat = values.reshape(len(values), -1)
    return flat @ _projection(flat.shape[1], channels, seed)


@lru_cache(maxsize=16)
def _projection(inputs: int, outputs: int, seed: int) -> Floats:
    """[inputs, outputs] with orthonormal columns, from random signs.

    Raw generator bits are the one random stream that is the same in every NumPy version.
    """
    bits = np.random.PCG64(seed).random_raw(inputs * outputs)
    signs = np.where(bits >> np.uint64(63), 1.0, -1.0).reshape(inputs, outputs)
    basis, triangle = np.linalg.qr(signs)
    return (basis * np.sign(np.diag(triangle))).astype(np.float32)
