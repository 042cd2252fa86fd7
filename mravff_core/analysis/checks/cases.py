"""The true segments that checks are made on, each with the point that speaks for it best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mravff_core.analysis.attribution.scorer import Inputs
from mravff_core.analysis.attribution.shapley import ModalityShare, shapley_of_scores
from mravff_core.analysis.attribution.target import DEFAULT_QUANTITY, Quantity, Target, points_of_class
from mravff_core.analysis.baselines import DEFAULT_AUDIO, DEFAULT_VISION, audio_baseline, vision_baseline
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import CancelledError
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import prepare_clip
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch, DetectorOutput
from mravff_core.segments import temporal_iou
from mravff_core.time_grid import TimeGrid
from mravff_core.workspace import Workspace

# Numbers of a point whose audio share is held to the truth.
SHARES_OF: tuple[Quantity, ...] = ("logit", "probability", "contrast")
_NEEDS_SOUND = {"verb": "needs_sound", "noun": "noun_needs_sound"}


@dataclass(frozen=True)
class Case:
    """One true segment.

    Attributes:
        clip_id, segment_id, start_s, end_s, label: the segment; `label` in its label set.
        needs_sound: whether sight cannot tell its class; None where nobody knows.
        target: its class at the point with the largest product of score and overlap, as explained by default.
        inputs, baseline: of its clip.
        grid: time stamps of the feature steps.
        shares: Shapley values by quantity of the target, those of `SHARES_OF`.
        gate: at the target's point, mean over channels.
        gates: [steps] of the target's level.
        stride: finest steps from one step of the level to the next.
        heard_s: [n, 2] times of its own sounds; None where nobody knows.
    """

    clip_id: str
    segment_id: str
    start_s: float
    end_s: float
    label: int
    needs_sound: bool | None
    target: Target
    inputs: Inputs
    baseline: Inputs
    grid: TimeGrid
    shares: Mapping[str, ModalityShare]
    gate: float
    gates: np.ndarray
    stride: int
    heard_s: np.ndarray | None

    @property
    def share(self) -> ModalityShare:
        """Of the target as explained by default."""
        return self.shares[self.target.quantity]


def gather(
    workspace: Workspace,
    detector: Detector,
    label_set: str,
    clip_ids: Sequence[str],
    *,
    cancel: Callable[[], bool] | None = None,
) -> list[Case]:
    """All true segments of clips with sound; four forward passes a clip give the shares of all of them."""
    predictor = Predictor(detector)
    cases: list[Case] = []
    for clip_id in clip_ids:
        if cancel is not None and cancel():
            raise CancelledError("the checks were stopped; nothing of them was stored")
        batch, grid = prepare_clip(workspace, clip_id, predictor, AudioCondition())
        if batch.audio is not None:
            cases += _of_clip(workspace, predictor, label_set, clip_id, (batch.visual, batch.audio), grid)
    return cases


def _of_clip(
    workspace: Workspace,
    predictor: Predictor,
    label_set: str,
    clip_id: str,
    inputs: tuple[Tensor, Tensor],
    grid: TimeGrid,
) -> list[Case]:
    detector, (visual, audio) = predictor.detector, inputs
    still = vision_baseline(workspace, predictor, visual, DEFAULT_VISION, clip_id=clip_id, grid=grid, time_s=0.0)
    silent = audio_baseline(workspace, predictor, audio, DEFAULT_AUDIO)
    with torch.inference_mode():
        output = detector(Batch(torch.cat([visual, still, visual, still]), torch.cat([audio, audio, silent, silent])))
    alone = DetectorOutput(
        class_logits=tuple(part[:1] for part in output.class_logits),
        boundary_offsets=tuple(part[:1] for part in output.boundary_offsets),
        level_masks=tuple(part[:1] for part in output.level_masks),
        trace=output.trace,
    )
    truth = workspace.truth(label_set, [clip_id])
    rivals = detector.config.label_slices[label_set]
    duration_s = workspace.clip(clip_id).duration_s
    needs = _NEEDS_SOUND.get(label_set, "")
    cases = []
    for row in truth.to_dict("records"):
        label = rivals.start + int(row["label"])
        places, segments, scores = points_of_class(alone, detector.strides, label, grid, duration_s)
        overlap = temporal_iou(segments, np.array([[row["start_s"], row["end_s"]]]))[:, 0]
        level, step = (int(value) for value in places[np.argmax(scores * overlap)])
        target = Target(level, step, label, DEFAULT_QUANTITY, grid, (rivals.start, rivals.stop))
        fours = {one: replace(target, quantity=one).of(output, detector.strides[level]).tolist() for one in SHARES_OF}
        gates = output.trace.gates[level][0].float().mean(dim=0).cpu().numpy() if output.trace.gates else np.zeros(0)
        cases.append(
            Case(
                clip_id=clip_id,
                segment_id=str(row["segment_id"]),
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
                label=int(row["label"]),
                needs_sound=bool(row[needs]) if needs in row else None,
                target=target,
                inputs=inputs,
                baseline=(still, silent),
                grid=grid,
                shares={one: shapley_of_scores(*four) for one, four in fours.items()},
                gate=float(gates[step]) if len(gates) else 0.0,
                gates=gates,
                stride=detector.strides[level],
                heard_s=_heard(workspace, str(row["segment_id"])),
            )
        )
    return cases


def _heard(workspace: Workspace, segment_id: str) -> np.ndarray | None:
    events = workspace.sound_events
    if events is None or "segment_id" not in events:
        return None
    own = events[events["segment_id"] == segment_id]
    return own[["start_s", "end_s"]].to_numpy(np.float64)


def evenly(cases: Sequence[Case], most: int) -> list[Case]:
    """At most `most` cases, taken evenly over all."""
    if len(cases) <= most:
        return list(cases)
    return [cases[int(place)] for place in np.linspace(0, len(cases) - 1, most)]
