"""Attributions add up, find what was planted, are Captum's own, and leave nothing behind when stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, ShapleyValues
from torch import Tensor, nn
from torch.nn import functional

from mravff_core import Batch, TimeGrid
from mravff_core.analysis.attribution import Attribution, Options, Scorer, Target, attribute, modality_share
from mravff_core.analysis.attribution.levels import level_effects
from mravff_core.analysis.attribution.occlusion import agreement, windows
from mravff_core.analysis.planted import CHANNELS, LEVELS, planted_detector, reach
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import DetectorOutput
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector

GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)
TIME = 40


def inputs(channels: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    visual, audio = (torch.randn(1, channels, TIME, generator=generator) for _ in range(2))
    return visual, audio


def zeros(given: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros_like(given[0]), torch.zeros_like(given[1])


def noise(given: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """A baseline that norm layers bear: at features that are all 0 a detector all but jumps."""
    return inputs(given[0].shape[1], seed=77)


@pytest.fixture(scope="module")
def explained() -> Attribution:
    given = inputs(WIDE)
    return attribute(small_detector(), given, noise(given), Target(1, 6, 2), grid=GRID)


@pytest.mark.parametrize("modality", ["audio", "vision"])
@pytest.mark.parametrize("level", range(LEVELS))
def test_planted_truth_is_found(modality: Any, level: int) -> None:
    given = inputs(CHANNELS, seed=level)
    step = (TIME >> level) // 2
    target = Target(level, step, 0)
    found = attribute(planted_detector(modality, level, seed=level), given, zeros(given), target, grid=GRID)
    assert found.share.audio_share == (1.0 if modality == "audio" else 0.0)
    own, other = found.gradients.audio, found.gradients.vision
    own, other = (own, other) if modality == "audio" else (other, own)
    first, last = reach(level, step, TIME)
    assert np.abs(own[first : last + 1]).sum() > 0
    assert not np.delete(own, np.arange(first, last + 1)).any()
    assert not other.any()
    assert found.complete
    for effect in found.levels:
        moved = effect.closed if modality == "audio" else effect.opened
        assert (moved != 0) == (effect.level == level)
    used = getattr(found.occlusion, modality)
    inside = (found.occlusion.edges[:-1] <= last) & (found.occlusion.edges[1:] > first)
    assert used[inside].any() and not used[~inside].any()


class Foreign(nn.Module):
    """Another one's detector: its points average a track over their stride, its three classes are multiples of that."""

    def __init__(self, track: Callable[[Tensor, Tensor], Tensor], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.track, self.strides = track, strides

    def forward(self, batch: Batch) -> DetectorOutput:
        assert batch.audio is not None
        track = self.track(batch.visual.mean(dim=1), batch.audio.mean(dim=1))
        levels = [functional.avg_pool1d(track[:, None], one, ceil_mode=True)[:, 0] for one in self.strides]
        return DetectorOutput(
            class_logits=tuple(torch.stack([level, -level, 2 * level], dim=-1) for level in levels),
            boundary_offsets=tuple(level.abs()[..., None, None].expand(-1, -1, 1, 2) for level in levels),
            level_masks=tuple(torch.ones_like(level, dtype=torch.bool)[:, None] for level in levels),
        )


# Track, audio share of it (None for undefined), feature steps that it looks ahead in sound and in sight.
FOREIGN: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float | None, int | None, int | None]] = {
    "sound to come": (lambda sight, sound: sound.roll(-5, dims=1), 1.0, 5, None),
    "sight gone by": (lambda sight, sound: sight.roll(4, dims=1), 0.0, None, -4),
    "both or nothing": (lambda sight, sound: sight * sound.roll(-3, dims=1), 0.5, 3, 0),
    "nothing": (lambda sight, sound: torch.ones_like(sight), None, None, None),
    "others in the batch": (lambda sight, sound: sound - sound.mean(dim=0, keepdim=True) / 2, 1.0, 0, None),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("strides", "level"), [((1,), 0), ((2, 6, 18), 1), ((1, 2, 4, 8, 16, 32, 64), 3)])
def test_what_was_planted_in_anyones_detector_is_found(name: str, strides: tuple[int, ...], level: int) -> None:
    track, share, sound, sight = FOREIGN[name]
    detector, given = Foreign(track, strides), inputs(CHANNELS)
    given = (given[0][..., :37], given[1][..., :37])
    step = 18 // strides[level]
    found = attribute(detector, given, zeros(given), Target(level, step, 2), grid=GRID)
    assert found.share.audio_share == (share if share is None else pytest.approx(share, abs=1e-6))
    assert found.complete and found.score == pytest.approx(
        float(detector(Batch(*given)).class_logits[level][0, step, 2])
    )
    for values, falls, ahead in (
        (found.gradients.audio, found.occlusion.audio, sound),
        (found.gradients.vision, found.occlusion.vision, sight),
    ):
        first = 0 if ahead is None else step * strides[level] + ahead
        read = np.arange(first, first + (0 if ahead is None else strides[level]))
        np.testing.assert_array_equal(np.flatnonzero(values), read)
        edges = found.occlusion.edges
        inside = [bool(((edges[n] <= read) & (read < edges[n + 1])).any()) for n in range(len(falls))]
        np.testing.assert_array_equal(falls != 0, inside)


class Deaf(Detector):
    """One of ours that was given an answer of its own."""

    def forward(self, batch: Batch) -> DetectorOutput:
        assert batch.audio is not None
        return super().forward(dataclasses.replace(batch, audio=torch.zeros_like(batch.audio)))


def test_a_detector_of_ours_with_an_answer_of_its_own_is_explained_by_that() -> None:
    detector, given = small_detector(), inputs(WIDE)
    heard = attribute(detector, given, noise(given), Target(1, 6, 2), grid=GRID)
    detector.__class__ = Deaf
    found = attribute(detector, given, noise(given), Target(1, 6, 2), grid=GRID)
    assert heard.share.audio and not found.share.audio
    assert not found.gradients.audio.any() and found.gradients.vision.any()


@pytest.mark.parametrize("modality", ["audio", "vision"])
@pytest.mark.parametrize("quantity", ["contrast", "start", "end"])
def test_a_planted_modality_is_found_by_every_number(modality: Any, quantity: Any) -> None:
    given, level, step = inputs(CHANNELS), 1, 9
    target = Target(level, step, 0, quantity)
    found = attribute(planted_detector(modality, level, seed=1), given, zeros(given), target, grid=GRID)
    own, other = found.gradients.audio, found.gradients.vision
    own, other = (own, other) if modality == "audio" else (other, own)
    first, last = reach(level, step, TIME)
    if found.share.audio_share is None:  # a boundary that lies at 0, with and without all of it
        assert quantity != "contrast" and found.score == found.baseline_score
        return
    assert found.share.audio_share == (1.0 if modality == "audio" else 0.0)
    assert own.any() and not np.delete(own, np.arange(first, last + 1)).any() and not other.any()


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


def test_more_steps_are_taken_until_the_gap_is_small_and_said_where_it_stays() -> None:
    given = inputs(CHANNELS)
    detector, target = planted_detector("vision", 0), Target(0, 20, 0)
    rough = attribute(detector, given, zeros(given), target, grid=GRID, options=Options(steps=8, most_steps=8))
    enough = attribute(detector, given, zeros(given), target, grid=GRID, options=Options(steps=8))
    assert not rough.complete and rough.gradients.pieces == 1
    assert enough.complete and enough.gradients.pieces > 1


class Steep(torch.nn.Module):
    """Its probability rises within a short part of the way from features of 0 to features of 1."""

    strides = (1,)

    def __init__(self, at: float, width: float) -> None:
        super().__init__()
        self.at, self.width = at, width

    def forward(self, batch: Batch) -> DetectorOutput:
        logits = ((batch.visual.mean(dim=1) - self.at) / self.width)[:, :, None]
        offsets = logits.new_ones(*logits.shape[:2], 1, 2)
        return DetectorOutput((logits,), (offsets,), (torch.ones_like(logits[..., 0], dtype=torch.bool)[:, None],))


@pytest.mark.parametrize("at", [0.03, 0.3, 0.62, 0.97])
@pytest.mark.parametrize("width", [0.1, 0.02, 0.004])
def test_points_are_spent_where_the_score_changes(at: float, width: float) -> None:
    given = torch.ones(1, CHANNELS, TIME), None
    still = torch.zeros(1, CHANNELS, TIME), None
    found = attribute(Steep(at, width), given, still, Target(0, 7, 0, "probability"), grid=GRID)
    assert found.complete and found.gradients.steps <= (32 if width > 0.01 else 64)
    own = np.zeros(TIME)
    own[7] = found.score - found.baseline_score
    np.testing.assert_allclose(found.gradients.vision, own, atol=0.01 * own[7])


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


def test_captums_measures_come_on_request() -> None:
    given = inputs(CHANNELS)
    options = Options(steps=8, measures=True)
    found = attribute(planted_detector("audio", 1), given, noise(given), Target(1, 6, 0), grid=GRID, options=options)
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


@pytest.mark.parametrize(
    ("steps", "start", "end"), [(1, 0, 0), (7, 2, 3), (340, 100, 120), (340, -3, 400), (50, 49, 55)]
)
def test_windows_cover_every_step_once(steps: int, start: float, end: float) -> None:
    edges = windows(steps, start, end)
    assert edges[0] == 0 and edges[-1] == steps
    assert (np.diff(edges) > 0).all() and len(edges) <= 36


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


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("fusion", ["mrav", "concat"])
def test_what_is_alike_is_looked_at_once_and_changes_nothing(
    level: int, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, (visual, audio), other = small_detector(fusion=fusion), inputs(WIDE), inputs(WIDE, seed=5)
    batch = Batch(torch.cat([visual, other[0], visual]), torch.cat([audio, audio, other[1]]))
    looked = []
    usual = detector.base.pyramid
    monkeypatch.setattr(
        detector.base,
        "pyramid",
        lambda shown, valid, **more: looked.append(len(shown)) or usual(shown, valid, **more),
        raising=False,
    )
    with torch.no_grad():
        whole = detector(batch).class_logits[level]
        found = detector.class_logits_at(batch, level, alike=torch.tensor([0, 1, 0]))
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=0)
    assert looked == [3, 2]


def test_shutting_and_opening_levels_encodes_the_pictures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given, detector = inputs(WIDE), small_detector()
    scorer = Scorer(detector, Target(1, 6, 2))
    score = scorer.measure(given)
    slow = []
    for level in range(3):
        for value in (0.0, 1.0):
            changed = small_detector()
            gate = changed.fusion.fusions[level].gate  # type: ignore[union-attr]
            monkeypatch.setattr(gate, "forward", lambda visual, _audio, value=value: visual[:, :1] * 0 + value)
            slow.append(float(changed(Batch(*given)).class_logits[1][0, 6, 2].detach()) - score)
    looked = []
    usual = scorer.detector.base.pyramid  # type: ignore[union-attr,operator]
    monkeypatch.setattr(
        type(scorer.detector.base), "pyramid", lambda _self, *shown: looked.append(1) or usual(*shown), raising=False
    )
    found = level_effects(scorer, given)
    assert [value for one in found for value in (one.closed, one.opened)] == pytest.approx(slow, abs=1e-5)
    assert len(looked) == 1


@pytest.mark.parametrize("level", range(3))
def test_one_levels_logits_are_those_of_all(level: int) -> None:
    batch = Batch(*inputs(WIDE))
    with torch.no_grad():
        alone = small_detector().class_logits_at(batch, level)
        assert torch.equal(alone, small_detector()(batch).class_logits[level])


@pytest.mark.parametrize(
    ("level", "step", "quantity", "fusion"),
    [
        (0, 100, "probability", "mrav"),
        (0, 1, "contrast", "mrav"),
        (1, 99, "logit", "mrav"),
        (2, 30, "start", "mrav"),
        (2, 49, "end", "mrav"),
        (2, 31, "probability", "none"),
    ],
)
def test_what_cannot_reach_the_number_is_left_out_and_changes_nothing(
    level: int, step: int, quantity: Any, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(4)
    one, other = ([torch.randn(1, WIDE, 200, generator=generator) for _ in range(2)] for _ in range(2))
    detector, target = small_detector(fusion=fusion), Target(level, step, 1, quantity, GRID)
    torch.nn.init.constant_(detector.base.boundary_head.tower.out.bias, 3.0)  # type: ignore[union-attr,arg-type]
    shown: list[int] = []
    usual = Detector._check
    monkeypatch.setattr(
        Detector, "_check", lambda self, batch: shown.append(batch.visual.shape[-1]) or usual(self, batch)
    )

    def explain() -> Attribution:
        shown.clear()
        options = Options(steps=16, most_steps=16)
        return attribute(detector, tuple(one), tuple(other), target, grid=GRID, segment=(80, 130), options=options)

    part = explain()
    span = detector.span(level, step, 200)
    assert len(span) < 130 and set(shown) == ({len(span), 200} if fusion == "mrav" else {len(span)})
    monkeypatch.setattr(Detector, "span", lambda _self, _level, _step, time: range(time))
    whole = explain()
    assert set(shown) == {200}
    assert part.score == pytest.approx(whole.score, abs=1e-5) and part.share == approximately(whole.share)
    for name in ("gradients", "occlusion"):
        for modality in ("audio", "vision"):
            found, wanted = (getattr(getattr(of, name), modality) for of in (part, whole))
            assert found.shape == wanted.shape and wanted.any() == (fusion == "mrav" or modality == "vision")
            np.testing.assert_allclose(found, wanted, atol=1e-5)
            if name == "gradients":
                assert not found[: span.start].any() and not found[span.stop :].any()
    np.testing.assert_array_equal(part.occlusion.edges, whole.occlusion.edges)
    assert [approximately(level) for level in whole.levels] == list(part.levels)


def approximately(value: Any) -> Any:
    """A data class of numbers, but for rounding."""
    plain = {name: each if each is None else pytest.approx(each, abs=1e-5) for name, each in vars(value).items()}
    return type(value)(**plain)
