"""Detections that an analysis needs and that nobody has made yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mravff_core.analysis.side import Side
from mravff_core.inference.run_predict import predict
from mravff_core.model.detector import Detector
from mravff_core.workspace import Workspace


@dataclass(frozen=True)
class Lacking:
    """Clips that a side has not been asked about."""

    side: Side
    clip_ids: tuple[str, ...]


def detect_lacking(
    workspace: Workspace,
    lacking: Sequence[Lacking],
    *,
    device: str = "auto",
    progress: Callable[[float, Side], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    detector_of: Callable[[str], Detector] | None = None,
) -> None:
    """Detect, clip by clip; what is done before a stop is kept.

    Args:
        progress: told the share of all done, 0 to 1, and whose detections are being made.
        cancel: asked between clips; True stops.
        detector_of: gives a run's detector if the caller keeps them loaded.
    Raises: what `predict` raises, CancelledError.
    """
    total, done = sum(len(one.clip_ids) for one in lacking), 0
    for one in lacking:

        def report(share: float, one: Lacking = one, begun: int = done) -> None:
            if progress is not None:
                progress((begun + share * len(one.clip_ids)) / total, one.side)

        report(0.0)
        predict(
            workspace,
            one.side.run,
            condition=one.side.audio,
            clip_ids=one.clip_ids,
            device=device,
            detector=detector_of(one.side.run) if detector_of else None,
            progress=report,
            cancel=cancel,
        )
        done += len(one.clip_ids)
