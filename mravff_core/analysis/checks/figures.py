"""The figures of the checks with intervals, as plain values for the stored file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mravff_core.analysis.attribution.scorer import Scorer
from mravff_core.analysis.checks.cases import SHARES_OF, Case
from mravff_core.analysis.checks.intervals import Estimate, area_under_curve, estimate, mean_of
from mravff_core.analysis.checks.over_time import Curves, curves, localisation
from mravff_core.analysis.checks.randomised import Likeness
from mravff_core.analysis.checks.tracks import Tracks
from mravff_core.model.detector import Detector


def audibility(cases: Sequence[Case]) -> dict[str, Any]:
    """How well audio shares and gates tell segments that need sound from the others."""
    known = [case for case in cases if case.needs_sound is not None]
    found: dict[str, Any] = {
        f"audio_share_{of}": _auc([case for case in known if case.shares[of].audio_share is not None], _share(of))
        for of in SHARES_OF
    }
    found["audio_share"] = found[f"audio_share_{cases[0].target.quantity}"]
    found["gate"] = _auc(known, lambda case: case.gate)
    return found | {"need_sound": sum(bool(case.needs_sound) for case in known)}


def _share(of: str) -> Callable[[Case], float]:
    return lambda case: case.shares[of].audio_share or 0.0


def _auc(cases: Sequence[Case], value: Callable[[Case], float]) -> dict[str, Any]:
    needs = [float(bool(case.needs_sound)) for case in cases]
    clips = [case.clip_id for case in cases]
    return _plain(estimate([value(case) for case in cases], clips, area_under_curve, needs))


def located(cases: Sequence[Case], tracks: Sequence[Tracks]) -> dict[str, Any]:
    """Whether attribution of sound lies on true sounds."""
    found = [(case, localisation(case, audio)) for case, (audio, _) in zip(cases, tracks, strict=True)]
    heard = [(case, one) for case, one in found if one is not None]
    clips = [case.clip_id for case, _ in heard]
    masses = {id(case): one.mass if one is not None else 0.0 for case, one in found}
    return {
        "pointing": _plain(mean_of([float(one.hit) for _, one in heard], clips)),
        "mass": _plain(mean_of([one.mass for _, one in heard], clips)),
        "chance": _plain(mean_of([one.chance for _, one in heard], clips)),
        "mass_auc": _auc([case for case in cases if case.needs_sound is not None], lambda case: masses[id(case)]),
    }


def ordered(
    detector: Detector,
    cases: Sequence[Case],
    tracks: Sequence[Tracks],
    *,
    progress: Callable[[float], None],
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Deletion and insertion by attribution against random and gate order.

    Advantages are ratios of means over segments; see `over_time`.
    """
    found: list[tuple[str, Curves]] = []
    scorer: Scorer | None = None
    for number, (case, (audio, _)) in enumerate(zip(cases, tracks, strict=True)):
        if scorer is None:
            scorer = Scorer(detector, case.target, cancel=cancel)
            scorer.measure(case.inputs)
        scorer.target = case.target
        one = curves(scorer, case, audio)
        if one is not None:
            found.append((case.clip_id, one))
        progress((number + 1) / len(cases))
    clips = [clip for clip, _ in found]
    sizes = [abs(one.effect) for _, one in found]
    result: dict[str, Any] = {"effect": _plain(mean_of(sizes, clips))}
    for other in ("random", "gate"):
        result[f"attribution_against_{other}"] = {
            kind: _plain(estimate([_lead(one, kind, other) for _, one in found], clips, _ratio, sizes))
            for kind in ("deletion", "insertion")
        }
    return result


def _lead(one: Curves, kind: str, other: str) -> float:
    areas = getattr(one, kind)
    return areas["attribution"] - areas[other]


def _ratio(leads: np.ndarray, sizes: np.ndarray) -> float:
    total = float(sizes.sum())
    return float(leads.sum()) / total if total > 0 else float("nan")


# Likenesses that take detectors trained for the check.
_RETRAINED = ("swapped_labels", "swapped_labels_contrast", "retrained", "retrained_contrast")


def alike(cases: Sequence[Case], found: dict[str, list[Likeness]]) -> dict[str, Any]:
    """Mean likenesses; without a value for detectors that were not trained.

    Returns: by question, that of both modalities; with `_audio` and `_vision` that of either, with
        `_size` that of absolute values, with `_beyond` what is left given another class's explanation.
    """
    clips = [case.clip_id for case in cases]
    result = {}
    for name, values in {**{name: [] for name in _RETRAINED}, **found}.items():
        own = clips[: len(values)]
        result[name] = _plain(mean_of([one.mean for one in values], own))
        result[f"{name}_audio"] = _plain(mean_of([one.audio for one in values], own))
        result[f"{name}_vision"] = _plain(mean_of([one.vision for one in values], own))
        result[f"{name}_size"] = _plain(mean_of([one.size for one in values], own))
        beyond = [one.beyond for one in values if one.beyond is not None]
        result[f"{name}_beyond"] = _plain(mean_of(beyond, own[: len(beyond)]))
    return result


def by_class(cases: Sequence[Case], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Audio shares of every class, for the distribution beside gates."""
    found: dict[int, list[Case]] = {}
    for case in cases:
        found.setdefault(case.label, []).append(case)
    return [
        {
            "label": label,
            "name": labels[label],
            "needs_sound": own[0].needs_sound,
            "shares": [round(case.share.audio_share or 0.0, 4) for case in own],
            "gate": round(float(np.mean([case.gate for case in own])), 4),
        }
        for label, own in sorted(found.items())
    ]


def _plain(value: Estimate) -> dict[str, Any]:
    return dataclasses.asdict(value)
