"""Which clips form which batch, and batches made ready while the model is busy with earlier ones.

All that is random follows from the seed, the epoch and the clip, never from the machine: a
batch is the same on one device or shared out among several, whole or in parts.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mravff_core.config import TrainConfig
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch
from mravff_core.training.clip import TrainingClip, collate, random_crop
from mravff_core.training.targets import Points, Targets, point_targets

_BATCHES_AHEAD = 2
_THREADS = 2
# Batches among whose clips those of like length are put together.
_WINDOW = 16


class Clips(Protocol):
    """Clips by number; a list will do, or something that reads each when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> TrainingClip: ...


@dataclass(frozen=True)
class Part:
    """Clips that pass through the model at once.

    Attributes:
        batch: padded clips.
        targets: one a clip.
        rows: place of each clip in the whole batch.
        whole: how many clips the whole batch has.
        positives: points that any class is true at.
        counts: False for clips that only keep a device busy which has no share of this batch.
        share: which share of the batch it belongs to.
    """

    batch: Batch
    targets: list[Targets]
    rows: Tensor
    whole: int
    positives: int
    counts: bool
    share: int = 0


def epoch_plan(count: int, epoch: int, config: TrainConfig, lengths: Sequence[float] | None = None) -> list[NDArray]:
    """Rows of the clips of each batch of an epoch, every clip once.

    Args:
        lengths: of the clips in any unit, needed for `config.batches_by` length.
    """
    rng = np.random.default_rng([config.seed, epoch])
    order = rng.permutation(count)
    batches = math.ceil(count / config.batch_size)
    if config.batches_by == "length" and lengths is not None:
        size = np.asarray(lengths)
        span = _WINDOW * config.batch_size
        windows = [order[first : first + span] for first in range(0, count, span)]
        order = np.concatenate([window[np.argsort(size[window], kind="stable")] for window in windows])
        plan = np.array_split(order, batches)
        return [plan[number] for number in rng.permutation(batches)]
    return np.array_split(order, batches)


@dataclass(frozen=True)
class BatchMaker:
    """Crops, pads and labels the clips of a batch, or of one device's share of it.

    Attributes:
        clips: all of them.
        detector: whose points are to be labelled.
        config: crops, centre sampling, noise and size of parts.
        rank, world: which device of how many this is.
        shares: how many a batch is cut into, at least one a device.
        pin: whether tensors are to lie where a GPU can fetch them by itself.
        least_steps: pad at least this far, which costs time and changes nothing.
    """

    clips: Clips
    detector: Detector
    config: TrainConfig
    rank: int = 0
    world: int = 1
    shares: int = 1
    pin: bool = False
    least_steps: int = 0

    def parts(self, rows: NDArray, epoch: int) -> list[Part]:
        """This device's shares of a batch, each cut into parts that the model can take at once."""
        return [part for share in range(self.rank, self.shares, self.world) for part in self._share(share, rows, epoch)]

    def epoch(self, plan: Sequence[NDArray], epoch: int) -> Iterator[list[Part]]:
        """Parts of each batch in order, made in threads while earlier ones are in use."""
        waiting: deque[Future[list[Part]]] = deque()
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="batches") as threads:
            try:
                for number in range(len(plan) + _BATCHES_AHEAD):
                    if number < len(plan):
                        waiting.append(threads.submit(self.parts, plan[number], epoch))
                    if number >= _BATCHES_AHEAD:
                        yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _steps_at_once(self) -> int:
        # Balancing the two losses against each other takes all of a batch at once.
        return self.config.steps_at_once if self.config.loss_weight > 0 else 0

    def _share(self, share: int, rows: NDArray, epoch: int) -> list[Part]:
        mine = np.arange(share, len(rows), self.shares)
        counts = len(mine) > 0
        if not counts:
            if self.world == 1:
                return []
            mine = np.zeros(1, np.int64)
        cut = [self._cropped(int(rows[place]), epoch) for place in mine]
        groups = _groups([clip.visual.shape[1] for clip in cut], self._steps_at_once())
        return [self._part([cut[k] for k in group], mine[group], len(rows), counts, share) for group in groups]

    def _cropped(self, row: int, epoch: int) -> TrainingClip:
        rng = np.random.default_rng([self.config.seed, epoch, row])
        clip = random_crop(
            self.clips[row],
            rng,
            max_steps=self.detector.config.base.max_steps,
            crop_ratio=self.config.crop_ratio,
            truncated_share=self.config.truncated_share,
            margin=self.config.crop_margin,
        )
        return clip.with_noise(self.config.input_noise, rng) if self.config.input_noise else clip

    def _part(self, clips: list[TrainingClip], places: NDArray, whole: int, counts: bool, share: int) -> Part:
        batch, targets = training_batch(self.detector, clips, self.config, least_steps=self.least_steps)
        lengths = torch.tensor([clip.visual.shape[1] for clip in clips])
        positions = _points(self.detector, batch, self.config).position_grid
        wanted = torch.stack([target.classes.any(dim=-1) for target in targets])
        positives = int((wanted & (positions < lengths[:, None])).sum())
        if self.pin:
            batch = Batch(**{name: part.pin_memory() for name, part in vars(batch).items() if part is not None})
        return Part(batch, targets, torch.from_numpy(places), whole, positives, counts, share)


def training_batch(
    detector: Detector, clips: Sequence[TrainingClip], config: TrainConfig, *, least_steps: int = 0
) -> tuple[Batch, list[Targets]]:
    """A batch, padded to its longest clip, and the targets of every point that the detector predicts at.

    Args:
        config: centre sampling and regression ranges.
        least_steps: pad at least this far.
    Returns: the batch, and one clip's targets after another.
    """
    audio_channels = None if detector.fusion is None else detector.config.fusion.audio_channels
    batch = collate(clips, audio_channels=audio_channels, least_steps=least_steps)
    points = _points(detector, batch, config)
    classes = len(detector.labels)
    targets = [
        point_targets(points, torch.tensor(clip.segments_grid), torch.tensor(clip.labels), classes, config)
        for clip in clips
    ]
    return batch, targets


def _points(detector: Detector, batch: Batch, config: TrainConfig) -> Points:
    lengths = [-(-batch.visual.shape[-1] // stride) for stride in detector.strides]
    return Points.of_levels(lengths, detector.strides, config.regression_range)


def _groups(lengths: Sequence[int], steps_at_once: int) -> list[list[int]]:
    """Places of clips that are taken at once: all in their order if they fit, else longest first."""
    if steps_at_once <= 0 or max(lengths) * len(lengths) <= steps_at_once:
        return [list(range(len(lengths)))]
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        longest = lengths[groups[-1][0]] if groups else 0
        if groups and longest * (len(groups[-1]) + 1) <= steps_at_once:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
