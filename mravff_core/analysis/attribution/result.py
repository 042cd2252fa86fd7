"""An explanation of one number of one clip, and its plain form for files and JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mravff_core.analysis.attribution.gradients import TimeAttribution
from mravff_core.analysis.attribution.levels import LevelEffect, Redetected
from mravff_core.analysis.attribution.occlusion import Occlusion
from mravff_core.analysis.attribution.shapley import ModalityShare


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of gradients and occlusion over windows, from -1 to 1; None where undefined."""

    audio: float | None
    vision: float | None


@dataclass(frozen=True)
class ShareRange:
    """How the audio share changes with the baseline.

    Attributes:
        low, high: smallest and largest share.
        baselines: how many were tried.
    """

    low: float
    high: float
    baselines: int


@dataclass(frozen=True)
class Attribution:
    """What a score rests on.

    Attributes:
        quantity, unit: what is explained and in which unit.
        score, baseline_score: the number for the clip and for the baseline.
        baseline: names of what replaces sound and sight.
        share: Shapley values of both modalities.
        share_range: of the audio share over several baselines; None where only one was tried.
        gradients: Integrated Gradients over time.
        occlusion: fall of the score for every window.
        agreement: of the two.
        levels: what single gates do.
        times_s: [time] seconds of the feature steps.
        edges_s: [windows + 1] seconds of the occlusion's edges.
        complete: whether the gradients' gap is within its limit.
        infidelity, sensitivity: Captum's measures of the gradients, where asked for.
    """

    quantity: str
    unit: str
    score: float
    baseline_score: float
    baseline: tuple[str, str]
    share: ModalityShare
    share_range: ShareRange | None
    gradients: TimeAttribution
    occlusion: Occlusion
    agreement: Agreement
    levels: tuple[LevelEffect, ...]
    times_s: NDArray[np.float64]
    edges_s: NDArray[np.float64]
    complete: bool
    infidelity: float | None = None
    sensitivity: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values that JSON can hold; `from_mapping` reads them back exactly."""
        return _plain(dataclasses.asdict(self) | {"audio_share": self.share.audio_share})

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> Attribution:
        """Read what `to_mapping` gave."""
        levels = tuple(
            LevelEffect(
                **{
                    **level,
                    "closed_detection": _redetected(level["closed_detection"]),
                    "opened_detection": _redetected(level["opened_detection"]),
                }
            )
            for level in mapping["levels"]
        )
        gradients, windows = mapping["gradients"], mapping["occlusion"]
        made: dict[str, Any] = {
            "baseline": tuple(mapping["baseline"]),
            "share": ModalityShare(**mapping["share"]),
            "share_range": None if mapping["share_range"] is None else ShareRange(**mapping["share_range"]),
            "gradients": TimeAttribution(
                np.array(gradients["audio"], np.float64),
                np.array(gradients["vision"], np.float64),
                gradients["steps"],
                gradients["pieces"],
                gradients["gap"],
            ),
            "occlusion": Occlusion(
                np.array(windows["edges"], np.int64),
                np.array(windows["audio"], np.float64),
                np.array(windows["vision"], np.float64),
            ),
            "agreement": Agreement(**mapping["agreement"]),
            "levels": levels,
            "times_s": np.array(mapping["times_s"], np.float64),
            "edges_s": np.array(mapping["edges_s"], np.float64),
        }
        names = {entry.name for entry in dataclasses.fields(cls)}
        return cls(**{name: made.get(name, value) for name, value in mapping.items() if name in names})


@dataclass(frozen=True)
class Options:
    """How to explain.

    Attributes:
        steps: points on the path of Integrated Gradients at first.
        most_steps: points at most, where completeness asks for more.
        largest_gap: share of the score difference that attributions may miss.
        near, far: windows of occlusion around the segment and elsewhere.
        memory_limit_mb: for activations.
        side_by_side: whether two threads share the work: quicker where PyTorch itself leaves a core free.
        measures: whether to compute infidelity and sensitivity too.
    """

    steps: int = 32
    most_steps: int = 1024
    largest_gap: float = 0.01
    near: int = 24
    far: int = 8
    memory_limit_mb: float = field(default=512.0, metadata={"shapes_result": False})
    side_by_side: bool = field(default=False, metadata={"shapes_result": False})
    measures: bool = False


def _redetected(mapping: dict[str, float] | None) -> Redetected | None:
    return None if mapping is None else Redetected(**mapping)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
