"""Attribution of one explained detection over time, per modality, with what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.tracks.container import encode
from mravff_core.analysis.baselines import baseline_words
from mravff_core.analysis.explain_run import Explanation

# Of longer clips several steps become one, so that what is sent stays small.
_MOST_STEPS = 20_000


def attribution(explanation: Explanation, doubts: Sequence[str] = ()) -> bytes:
    """Container with `audio` and `vision` [steps], `audio_occlusion`, `vision_occlusion` and `edges_s` of its windows.

    Attributions are in units of the score and add up, over both modalities and all steps, to the
    difference of the scores but for the gap. Long clips come in sums over several steps.

    Args:
        doubts: what speaks against believing it, in sentences.
    """
    found = explanation.attribution
    first_s, step_s = _axis(found.times_s)
    pool = -(-len(found.times_s) // _MOST_STEPS)
    starts = np.arange(0, len(found.times_s), pool)
    arrays: dict[str, NDArray[Any]] = {
        "audio": np.add.reduceat(found.gradients.audio, starts).astype(np.float32),
        "vision": np.add.reduceat(found.gradients.vision, starts).astype(np.float32),
        "audio_occlusion": found.occlusion.audio.astype(np.float32),
        "vision_occlusion": found.occlusion.vision.astype(np.float32),
        "edges_s": found.edges_s.astype(np.float64),
    }
    meta = {
        "first_s": first_s + (pool - 1) * step_s / 2,
        "step_s": pool * step_s,
        **_of_detection(explanation),
        **_of_share(explanation),
        "agreement": {"audio": found.agreement.audio, "vision": found.agreement.vision},
        "doubts": list(doubts),
    }
    return encode(arrays, meta)


def _axis(times_s: NDArray[np.float64]) -> tuple[float, float]:
    """Time of the first step and seconds between steps."""
    return float(times_s[0]), float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0


def _of_detection(explanation: Explanation) -> dict[str, Any]:
    found = explanation.attribution
    return {
        "name": explanation.name,
        "start_s": explanation.start_s,
        "end_s": explanation.end_s,
        "level": explanation.point.level,
        "quantity": found.quantity,
        "unit": found.unit,
        "score": found.score,
        "baseline_score": found.baseline_score,
        "gap": found.gradients.gap,
        "complete": found.complete,
    }


def _of_share(explanation: Explanation) -> dict[str, Any]:
    share, known = explanation.attribution.share, explanation.attribution.share_range
    sound, sight = explanation.attribution.baseline
    return {
        "audio_share": share.audio_share,
        "audio_value": share.audio,
        "vision_value": share.vision,
        "interaction": share.interaction,
        "share_range": None if known is None else [known.low, known.high],
        "baselines": 1 if known is None else known.baselines,
        "audio_baseline": baseline_words(sound),
        "vision_baseline": baseline_words(sight),
    }
