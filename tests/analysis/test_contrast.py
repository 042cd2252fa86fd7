"""Contrasts explain what a class has over the others."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from mravff_core import Batch
from mravff_core.analysis.attribution import Attribution, Options, Scorer, Target, attribute
from mravff_core.errors import ConfigError
from tests.analysis.clip_features import GRID, inputs, noise
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector


def test_a_contrast_explains_what_this_class_has_over_the_others() -> None:
    given, detector = inputs(WIDE, seed=3), small_detector()

    def of(target: Target) -> Attribution:  # by the same points on the path
        return attribute(detector, given, noise(given), target, grid=GRID, options=Options(steps=16, most_steps=16))

    own, other = (of(Target(1, 6, label)).gradients for label in (0, 1))
    rivals = of(Target(1, 6, 0, "contrast", rivals=(0, 2)))
    np.testing.assert_allclose(rivals.gradients.audio, own.audio - other.audio, atol=1e-5)
    with torch.no_grad():
        logits = detector(Batch(*given)).class_logits[1][0, 6]
    assert rivals.score == pytest.approx(float(logits[0] - logits[1]), abs=1e-5)
    everyone = Scorer(detector, Target(1, 6, 0, "contrast")).scores([given])
    assert float(everyone) == pytest.approx(float(logits[0] - logits[1:].mean()), abs=1e-5)


def test_what_every_class_shares_cancels_in_a_contrast() -> None:
    given, detector = inputs(WIDE), small_detector()
    scores = Scorer(detector, Target(0, 9, 1, "contrast")).scores([given, noise(given)])

    class Louder(torch.nn.Module):
        strides = detector.strides

        def forward(self, batch: Batch) -> Any:
            output = detector(batch)
            shift = batch.audio.sum(dim=(1, 2))[:, None, None]  # type: ignore[union-attr]
            return dataclasses.replace(output, class_logits=tuple(part + shift for part in output.class_logits))

    shared = Scorer(Louder(), Target(0, 9, 1, "contrast")).scores([given, noise(given)])
    torch.testing.assert_close(shared, scores, atol=1e-4, rtol=0)


def test_an_unknown_quantity_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot explain 'loudness'; expected one of logit"):
        Target(0, 0, 0, "loudness")  # type: ignore[arg-type]
