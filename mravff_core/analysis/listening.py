"""Listen to what mattered: the moments of highest audio attribution alone, and the clip without them.

The clip without them is a counterfactual that can be heard: its sound is silenced there, encoded
anew, and scored by the detector at the very point that is explained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mravff_core.analysis.explain_run import Explanation
from mravff_core.errors import WorkspaceError
from mravff_core.inference.predictor import Predictor
from mravff_core.inference.run_predict import feature_sets_of, prepare_clip
from mravff_core.inference.sound import audio_encoder, silence_of
from mravff_core.media.sound import read_audio
from mravff_core.model.detector import Detector
from mravff_core.workspace import Workspace

# Share of the positive attribution that the moments hold.
_MASS = 0.8
_FADE_S = 0.01


@dataclass(frozen=True)
class Listening:
    """Sound to play, and what the detector makes of it.

    Attributes:
        moments_s: [n, 2] start and end of the moments of highest audio attribution, in order.
        only, without: mono samples of the whole clip with nothing but them, and without them.
        sample_rate: of both.
        score, muted_score: probability at the explained point, as it is and without the moments.
    """

    moments_s: NDArray[np.float64]
    only: NDArray[np.float32]
    without: NDArray[np.float32]
    sample_rate: int
    score: float
    muted_score: float


def listen(workspace: Workspace, explanation: Explanation, detector: Detector) -> Listening:
    """Mute what mattered and ask again.

    Raises: WorkspaceError where the sound cannot be encoded anew: no video, no sound, or
        features of an encoder that is not ours.
    """
    question = explanation.question
    sets = feature_sets_of(detector.config)
    encoder = audio_encoder(workspace.settings.encoders.get(sets[1])) if len(sets) > 1 else None
    if encoder is None or not workspace.clip(question.clip).has_audio or str(question.audio) != "on":
        raise WorkspaceError(
            f"clip {question.clip!r}: its sound cannot be encoded anew, so nothing can be muted; "
            "that takes a clip with sound, heard as recorded, and features of an encoder of ours"
        )
    samples = read_audio(workspace.video_path(question.clip), sample_rate=encoder.sample_rate)
    moments_s = moments(explanation)
    kept = _envelope(moments_s, len(samples), encoder.sample_rate)
    without = (samples * (1 - kept)).astype(np.float32)
    predictor = Predictor(detector)
    visual = workspace.features(sets[0], question.clip)
    muted = encoder.encode_samples(without, encoder.sample_rate)
    silence = silence_of(workspace, sets[1])
    muted_batch = predictor.prepare(visual.array, muted.array, grid=visual.grid, audio_grid=muted.grid, silence=silence)
    point = explanation.point
    with torch.inference_mode():
        scores = [
            float(detector(batch).class_logits[point.level][0, point.step, point.label].sigmoid())
            for batch in (prepare_clip(workspace, question.clip, predictor, question.audio)[0], muted_batch)
        ]
    only = (samples * kept).astype(np.float32)
    return Listening(moments_s, only, without, encoder.sample_rate, scores[0], scores[1])


def moments(explanation: Explanation, *, mass: float = _MASS) -> NDArray[np.float64]:
    """[n, 2] seconds of the steps that hold most of the positive audio attribution, neighbours joined."""
    attribution = explanation.attribution
    values = np.clip(attribution.gradients.audio, 0.0, None)
    if not values.any():
        return np.zeros((0, 2))
    order = np.argsort(-values, kind="stable")
    enough = int(np.searchsorted(np.cumsum(values[order]), mass * values.sum())) + 1
    steps = np.sort(order[:enough])
    half_s = (attribution.times_s[1] - attribution.times_s[0]) / 2 if len(values) > 1 else 0.5
    breaks = np.flatnonzero(np.diff(steps) > 1)
    first, last = np.r_[steps[0], steps[breaks + 1]], np.r_[steps[breaks], steps[-1]]
    return np.stack([attribution.times_s[first] - half_s, attribution.times_s[last] + half_s], axis=1)


def _envelope(moments_s: NDArray[np.float64], samples: int, sample_rate: int) -> NDArray[np.float32]:
    """1 inside the moments, 0 outside, with short fades so that nothing clicks."""
    times_s = np.arange(samples) / sample_rate
    kept = np.zeros(samples, np.float32)
    for start_s, end_s in moments_s:
        ramp = np.minimum(times_s - start_s, end_s - times_s) / _FADE_S + 1
        kept = np.maximum(kept, np.clip(ramp, 0.0, 1.0).astype(np.float32))
    return kept
