"""What is said to doubt about an explanation, and what is too small to be said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from app.context import AppContext
from app.doubts import doubts
from mravff_core.analysis.attribution import Options
from mravff_core.analysis.explain_run import Question, explain_detection

_DISAGREE = "Gradients and occlusion disagree about the sound"


@pytest.mark.parametrize(
    ("by_gradients", "by_occlusion", "agreement", "said"),
    [
        (0.06, 0.001, -0.1, True),
        (0.001, 0.06, -0.1, True),
        (-0.06, 0.001, -0.1, True),
        (0.06, 0.06, 0.1, False),
        (0.06, 0.06, None, False),
        (0.011, 0.01, -0.4, False),
        (0.0, 0.0, -1.0, False),
    ],
)
def test_opinions_that_differ_over_next_to_nothing_are_no_doubt(
    app_context: AppContext, by_gradients: float, by_occlusion: float, agreement: float | None, said: bool
) -> None:
    quick = Options(steps=4, most_steps=4, near=3, far=1)
    explanation = explain_detection(app_context.workspace, Question("verb_mrav", "clip_0", 0), options=quick)
    attribution, difference = explanation.attribution, 0.4
    audio, falls = np.zeros_like(attribution.gradients.audio), np.zeros_like(attribution.occlusion.audio)
    # Within one window, whose sum counts.
    first, end = attribution.occlusion.edges[1:3]
    audio[first:end] = by_gradients * difference / (end - first)
    falls[0] = by_occlusion * difference
    attribution = dataclasses.replace(
        attribution,
        score=0.9,
        baseline_score=0.9 - difference,
        gradients=dataclasses.replace(attribution.gradients, audio=audio),
        occlusion=dataclasses.replace(attribution.occlusion, audio=falls),
        agreement=dataclasses.replace(attribution.agreement, audio=agreement),
    )
    told = doubts(app_context, dataclasses.replace(explanation, attribution=attribution))
    assert any(one.startswith(_DISAGREE) for one in told) == said
