"""Attributions add up, are Captum's own, and leave nothing behind when stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, ShapleyValues

from mravff_core import Batch
from mravff_core.analysis.attribution import Attribution, Options, Scorer, Target, attribute, modality_share
from mravff_core.analysis.attribution.occlusion import agreement
from mravff_core.analysis.planted import CHANNELS, planted_detector
from mravff_core.errors import CancelledError
from tests.analysis.clip_features import GRID, inputs, noise
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector


@pytest.fixture(scope="module")
def explained() -> Attribution:
    given = inputs(WIDE)
    return attribute(small_detector(), given, noise(given), Target(1, 6, 2), grid=GRID)


def test_attributions_add_up_to_the_difference_they_explain(explained: Attribution) -> None:
    difference = explained.score - explained.baseline_score
    share = explained.share
    assert share.audio + share.vision == pytest.approx(difference, rel=1e-6)
    total = explained.gradients.audio.sum() + explained.gradients.vision.sum()
    assert explained.gradients.gap == pytest.approx(abs(total - difference) / abs(difference), abs=1e-9)
    assert explained.complete and explained.gradients.gap <= 0.01


@pytest.mark.parametrize("quantity", ["logit", "contrast", "probability", "start", "end"])
def test_every_quantity_adds_up(quantity: Any) -> None:
    given = inputs(WIDE, seed=3)
    found = attribute(small_detector(), given, noise(given), Target(0, 17, 1, quantity, GRID), grid=GRID)
    assert found.share.audio + found.share.vision == pytest.approx(found.score - found.baseline_score, abs=1e-6)
    assert found.complete
    assert found.unit == ("s" if quantity in ("start", "end") else "")


def test_integrated_gradients_and_shares_are_captums(explained: Attribution) -> None:
    detector = small_detector()

    def score(visual: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        return detector(Batch(visual, audio)).class_logits[1][:, 6, 2]

    given = inputs(WIDE)
    vision, audio = IntegratedGradients(score).attribute(given, baselines=noise(given), n_steps=256)
    largest = np.abs(explained.gradients.vision).max()
    np.testing.assert_allclose(explained.gradients.vision, vision[0].sum(0).detach(), atol=0.02 * largest)
    np.testing.assert_allclose(explained.gradients.audio, audio[0].sum(0).detach(), atol=0.02 * largest)
    masks = (torch.zeros(1, 1, 1, dtype=torch.long), torch.ones(1, 1, 1, dtype=torch.long))
    with torch.no_grad():
        exact = ShapleyValues(score).attribute(given, baselines=noise(given), feature_mask=masks)
    assert explained.share.vision == pytest.approx(float(exact[0][0, 0, 0]), abs=1e-5)
    assert explained.share.audio == pytest.approx(float(exact[1][0, 0, 0]), abs=1e-5)


def test_the_memory_limit_changes_nothing_but_the_chunks(explained: Attribution) -> None:
    given = inputs(WIDE)
    small = Options(memory_limit_mb=0.001)
    one_by_one = attribute(small_detector(), given, noise(given), Target(1, 6, 2), grid=GRID, options=small)
    np.testing.assert_allclose(one_by_one.gradients.audio, explained.gradients.audio, atol=1e-5)
    np.testing.assert_allclose(one_by_one.occlusion.vision, explained.occlusion.vision, atol=1e-5)


def test_side_by_side_gives_the_same_and_stops_as_well(explained: Attribution) -> None:
    given, target, options = inputs(WIDE), Target(1, 6, 2), Options(side_by_side=True)
    found = attribute(small_detector(), given, noise(given), target, grid=GRID, options=options)
    np.testing.assert_allclose(found.gradients.audio, explained.gradients.audio, atol=1e-5)
    np.testing.assert_allclose(found.occlusion.vision, explained.occlusion.vision, atol=1e-5)
    assert [one.closed for one in found.levels] == pytest.approx([one.closed for one in explained.levels], abs=1e-5)
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(CancelledError, match="nothing of it was kept"):
        attribute(small_detector(), given, noise(given), target, grid=GRID, options=options, cancel=cancel)
    assert len(asked) <= 4


def test_a_detector_is_left_as_it_was() -> None:
    detector = small_detector().train()
    given = inputs(WIDE)
    before = [weight.clone() for weight in detector.parameters()]
    attribute(detector, given, noise(given), Target(0, 3, 0), grid=GRID)
    assert detector.training and all(weight.requires_grad for weight in detector.parameters())
    assert all(torch.equal(old, new) for old, new in zip(before, detector.parameters(), strict=True))


def test_interaction_is_what_only_both_bring() -> None:
    given = inputs(WIDE)
    share = modality_share(Scorer(small_detector(), Target(1, 6, 2)), given, noise(given))
    alone = (share.audio_alone - share.neither) + (share.vision_alone - share.neither)
    assert share.interaction == pytest.approx(share.both - share.neither - alone, abs=1e-6)


def test_without_sound_all_is_sight() -> None:
    visual, _ = inputs(WIDE)
    found = attribute(small_detector(), (visual, None), (noise((visual, visual))[0], None), Target(0, 3, 0), grid=GRID)
    assert found.share.audio_share == 0
    assert not found.gradients.audio.any() and not found.levels


def test_randomised_weights_give_other_attributions(explained: Attribution) -> None:
    given = inputs(WIDE)
    other = attribute(small_detector(seed=9), given, noise(given), Target(1, 6, 2), grid=GRID)
    assert abs(agreement(explained.gradients.vision, other.gradients.vision) or 0) < 0.5


@pytest.mark.parametrize("silent", [False, True])
def test_captums_measures_come_on_request(silent: bool) -> None:
    given = inputs(CHANNELS)
    options, detector = Options(steps=8, measures=True), planted_detector("vision" if silent else "audio", 1)
    shown, still = ((part[0], None if silent else part[1]) for part in (given, noise(given)))
    found = attribute(detector, shown, still, Target(1, 6, 0), grid=GRID, options=options)
    assert found.infidelity is not None and found.infidelity >= 0
    assert found.sensitivity is not None and found.sensitivity >= 0


def test_cancelling_stops_at_the_next_chunk() -> None:
    asked = 0

    def cancel() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    given = inputs(WIDE)
    with pytest.raises(CancelledError, match="nothing of it was kept"):
        attribute(small_detector(), given, noise(given), Target(0, 3, 0), grid=GRID, cancel=cancel)
    assert asked == 3


def test_plain_values_and_back_are_the_same(explained: Attribution) -> None:
    again = Attribution.from_mapping(explained.to_mapping())
    assert again.to_mapping() == explained.to_mapping()
