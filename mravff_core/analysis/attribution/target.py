"""What is explained: one number of a detector's output, and which one stands behind a detection.

Suppression alters detections, so a stored one is traced back to a point by this rule. Among the
points of its class, decoded to segments within the clip, those whose score is at least the
detection's (soft suppression only ever lowers scores) and whose segment is the detection's
qualify; the best score wins. Where suppression moves segments too (voting), no segment is the
same any more; then the point with the largest product of score and temporal overlap is taken
and the trace is marked as not exact.

A class's logit rises with all that looks like an action at all, which every class shares. The
contrast asks why this class rather than the others: its logit minus the mean of theirs at the
same point, so that what all classes share cancels. Attributions of logits subtract alike.

Reference: Wang, Wang, "Why Not Other Classes?", NeurIPS 2022 (explanations against other classes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.model.outputs import DetectorOutput
from mravff_core.segments import temporal_iou
from mravff_core.time_grid import TimeGrid

Quantity = Literal["logit", "contrast", "probability", "start", "end"]
QUANTITIES: tuple[Quantity, ...] = ("logit", "contrast", "probability", "start", "end")
# What is explained of a detection unless asked otherwise: the score that people see. Behind it, a
# logit also counts changes far below any detection.
DEFAULT_QUANTITY: Quantity = "probability"
# Those that class logits alone decide.
_OF_CLASSES = ("logit", "contrast", "probability")
# Seconds by which two segments of one point may differ after a journey through files.
_SAME_S = 2e-3
_SAME_SCORE = 1e-4


@dataclass(frozen=True)
class Target:
    """One number of a detector's output for one clip.

    Attributes:
        level, step: the point, level 0 the finest.
        label: index on the axis of classes.
        quantity: the class's logit or probability, the contrast of its logit with the mean of the
            other classes', or where the point puts start or end, in seconds of `grid` or, without
            one, in finest steps.
        grid: time stamps of the finest steps.
        rivals: first and last-but-one place of the classes that it is contrasted with, its own
            label set; None for all classes.
        origin: finest step of the clip at which the features begin that the detector is shown.
    """

    level: int
    step: int
    label: int
    quantity: Quantity = "logit"
    grid: TimeGrid | None = None
    rivals: tuple[int, int] | None = None
    # Says nothing about what is asked, and so has no part in the names of stored answers.
    origin: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ConfigError(f"cannot explain {self.quantity!r}; expected one of {', '.join(QUANTITIES)}")

    @property
    def of_classes(self) -> bool:
        """Whether class logits alone decide the number."""
        return self.quantity in _OF_CLASSES

    @property
    def unit(self) -> str:
        """Of the number: none for what class logits decide."""
        if self.of_classes:
            return ""
        return "s" if self.grid is not None else "steps"

    def of(self, output: DetectorOutput, stride: int) -> Tensor:
        """The number for every clip of a batch: [batch], as differentiable as the output.

        Args:
            output: of any detector that answers level by level.
            stride: finest steps from one step of the target's level to the next.
        """
        if self.of_classes:
            return self.of_logits(output.class_logits[self.level])
        return self.of_offsets(output.boundary_offsets[self.level], stride)

    def of_offsets(self, offsets: Tensor, stride: int) -> Tensor:
        """The same from the boundary offsets [batch, time, K, 2] of the target's level, where they decide it."""
        point = offsets[:, self.step].float()
        side = point[:, self.label if point.shape[1] > 1 else 0]
        distance = -side[:, 0] if self.quantity == "start" else side[:, 1]
        position = self.origin + (self.step + distance) * stride
        return position if self.grid is None else self.grid.to_seconds(position)

    def of_logits(self, logits: Tensor) -> Tensor:
        """The same from the class logits [batch, time, classes] of the target's level, where they alone decide it."""
        point = logits[:, self.step].float()
        logit = point[:, self.label]
        if self.quantity != "contrast":
            return logit if self.quantity == "logit" else logit.sigmoid()
        first, end = self.rivals or (0, point.shape[1])
        others = max(1, end - first - 1)
        return logit - (point[:, first:end].sum(dim=1) - logit) / others


@dataclass(frozen=True)
class TracedPoint:
    """The point behind a detection.

    Attributes:
        level, step, label: where it is; `label` on the detector's axis of all classes.
        start_s, end_s, score: what it says before suppression.
        overlap: tIoU with the detection.
        exact: whether its segment is the detection's own.
    """

    level: int
    step: int
    label: int
    start_s: float
    end_s: float
    score: float
    overlap: float
    exact: bool


def points_of_class(
    output: DetectorOutput, strides: tuple[int, ...], label: int, grid: TimeGrid, duration_s: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """All real points of one clip as they speak for one class.

    Args:
        output: for a batch of one.
        label: on the axis of classes.
    Returns: level and step [n, 2], segments in seconds cut to the clip [n, 2], scores [n].
    """
    places, segments, scores = [], [], []
    for level, stride in enumerate(strides):
        real = output.level_masks[level][0, 0]
        steps = torch.nonzero(real)[:, 0]
        offsets = output.boundary_offsets[level][0, steps]
        distances = offsets[:, label if offsets.shape[1] > 1 else 0].detach().float().cpu().numpy() * np.float32(stride)
        centre = steps.cpu().numpy().astype(np.float32) * np.float32(stride)
        ends = np.stack([centre - distances[:, 0], centre + distances[:, 1]], axis=1).astype(np.float64)
        segments.append(np.clip(grid.to_seconds(ends), 0.0, duration_s))
        scores.append(
            output.class_logits[level][0, steps, label].detach().float().sigmoid().cpu().numpy().astype(np.float64)
        )
        places.append(np.stack([np.full(len(steps), level), steps.cpu().numpy()], axis=1))
    return np.concatenate(places).astype(np.int64), np.concatenate(segments), np.concatenate(scores)


def trace_detection(
    output: DetectorOutput,
    strides: tuple[int, ...],
    *,
    label: int,
    segment_s: tuple[float, float],
    score: float,
    grid: TimeGrid,
    duration_s: float,
) -> TracedPoint:
    """The point behind a detection; see the module for the rule.

    Args:
        output: for the clip alone, under the audio condition of the detection.
        label: on the axis of all classes.
        segment_s, score: of the detection.
    Raises: WorkspaceError if no point of the class overlaps the detection.
    """
    places, segments, scores = points_of_class(output, strides, label, grid, duration_s)
    overlaps = temporal_iou(segments, np.array([segment_s]))[:, 0]
    same = (np.abs(segments - np.array(segment_s)).max(axis=1) <= _SAME_S) & (scores >= score - _SAME_SCORE)
    exact = bool(same.any())
    # With equal worth the finer level wins, for it comes first.
    best = int(np.argmax(np.where(same, scores, -1.0) if exact else scores * overlaps))
    if not exact and overlaps[best] <= 0:
        raise WorkspaceError(
            f"no point of the detector speaks for a detection at {segment_s[0]:.2f} to {segment_s[1]:.2f} s; "
            "were the detections made by other weights or with other sound?"
        )
    return TracedPoint(
        level=int(places[best, 0]),
        step=int(places[best, 1]),
        label=label,
        start_s=float(segments[best, 0]),
        end_s=float(segments[best, 1]),
        score=float(scores[best]),
        overlap=float(overlaps[best]),
        exact=exact,
    )
