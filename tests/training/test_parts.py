"""Schedule, averages, crops and batches, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mravff_core.config import TrainConfig
from mravff_core.model.outputs import DetectorOutput
from mravff_core.training.batches import epoch_plan
from mravff_core.training.clip import TrainingClip, collate, random_crop
from mravff_core.training.ema import AveragedWeights
from mravff_core.training.losses import LossSums, boundary_loss, combine, focal_loss, loss_sums
from mravff_core.training.schedule import learning_rate, optimizer_steps, parameter_groups
from mravff_core.training.targets import Points, Targets, point_targets
from tests.small_workspace import small_detector


def clip(length: int, segments: list[tuple[float, float]], sound: bool = True) -> TrainingClip:
    rng = np.random.default_rng(length)
    return TrainingClip(
        "c",
        rng.normal(size=(3, length)).astype(np.float32),
        rng.normal(size=(2, length)).astype(np.float32) if sound else None,
        np.array(segments, np.float32).reshape(-1, 2),
        np.arange(len(segments)),
    )


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    config = TrainConfig(epochs=4, warmup_epochs=2, learning_rate=0.1)
    rates = [learning_rate(step, 10, config) for step in range(60)]
    assert rates[0] == pytest.approx(1e-8)
    assert rates[19] == pytest.approx(0.1)
    assert rates[20] == pytest.approx(0.1)
    assert rates[40] == pytest.approx(0.05, rel=1e-6)
    np.testing.assert_allclose(np.diff(rates[:20]), (0.1 - 1e-8) / 19)
    assert (np.diff(rates[20:]) < 0).all()
    steps = TrainConfig(epochs=4, warmup_epochs=0, learning_rate=0.1, schedule="multistep", schedule_steps=(1, 3))
    assert [round(learning_rate(10 * epoch, 10, steps), 6) for epoch in range(4)] == [0.1, 0.01, 0.01, 0.001]
    warmed = replace(steps, warmup_epochs=2)
    assert [round(learning_rate(10 * epoch, 10, warmed), 6) for epoch in range(2, 6)] == [0.1, 0.01, 0.01, 0.001]


def test_an_epoch_has_as_many_steps_as_its_plan_gives() -> None:
    for clips, size, accumulate, steps in ((5, 2, 1, 3), (5, 2, 2, 2), (8, 4, 3, 1), (1, 4, 2, 1)):
        config = TrainConfig(batch_size=size, accumulate_batches=accumulate)
        assert optimizer_steps(clips, config) == steps == -(-len(epoch_plan(clips, 0, config)) // accumulate)


def test_a_segment_cut_to_just_its_least_share_stays() -> None:
    cut = random_crop(clip(10, [(0, 10)]), np.random.default_rng(0), max_steps=5, crop_ratio=None, truncated_share=0.5)
    assert cut.segments_grid.tolist() == [[0, 5]]


def test_only_weights_of_projections_decay() -> None:
    detector = small_detector()
    decaying, free = parameter_groups(detector, 0.05)
    assert decaying["weight_decay"] == 0.05
    assert free["weight_decay"] == 0
    assert len(decaying["params"]) + len(free["params"]) == len(list(detector.parameters()))
    wanted = {id(module.weight) for module in detector.modules() if isinstance(module, nn.Conv1d | nn.Linear)}
    assert wanted and {id(parameter) for parameter in decaying["params"]} == wanted


def test_the_average_follows_its_formula() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    averaged = AveragedWeights(model, 0.9)
    nn.init.constant_(model.weight, 2.0)
    averaged.update(model)
    assert float(averaged.weights["weight"]) == pytest.approx(0.9 * 1 + 0.1 * 2)
    averaged.update(model)
    assert float(averaged.weights["weight"]) == pytest.approx(0.81 * 1 + 0.19 * 2)
    averaged.load({"weight": torch.tensor([[5.0]])})
    assert float(averaged.weights["weight"]) == 5


def test_whole_numbers_are_not_averaged() -> None:
    model = nn.BatchNorm1d(1)
    averaged = AveragedWeights(model, 0.9)
    model(torch.zeros(2, 1))
    averaged.update(model)
    assert int(averaged.weights["num_batches_tracked"]) == 1


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(1, 40), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 3.0]))
def test_crops_keep_segments_where_their_features_are(length: int, max_steps: int, seed: int, margin: float) -> None:
    whole = clip(length, [(-1, length / 2), (length / 2, length)])
    rng = np.random.default_rng(seed)
    cut = random_crop(whole, rng, max_steps=max_steps, crop_ratio=(0.5, 1.0), truncated_share=0.5, margin=margin)
    steps = cut.visual.shape[1]
    assert 1 <= steps <= min(length, max_steps)
    starts = [k for k in range(length - steps + 1) if np.array_equal(whole.visual[:, k : k + steps], cut.visual)]
    assert starts
    assert cut.audio is not None
    np.testing.assert_array_equal(cut.audio, whole.audio[:, starts[0] : starts[0] + steps])  # type: ignore[index]
    for bounds, label in zip(cut.segments_grid, cut.labels, strict=True):
        original = whole.segments_grid[label]
        if steps < length:
            low, high = max(original[0], starts[0] - margin), min(original[1], starts[0] + steps + margin)
        else:  # nothing was cut
            low, high = original
        np.testing.assert_allclose(bounds, [low - starts[0], high - starts[0]], atol=1e-4)
        assert bounds[1] - bounds[0] >= 0.5 * (original[1] - original[0]) - 1e-4


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_a_segment_reaches_beyond_a_crop_by_its_margin_at_most(margin: float) -> None:
    whole, found = clip(100, [(-1, 30)]), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        cut = random_crop(whole, rng, max_steps=10, crop_ratio=None, truncated_share=0.3, margin=margin)
        found.append(cut.segments_grid[0])
    assert np.min(found) == -margin and np.max(found) == 10 + margin


def test_a_crop_may_begin_anywhere() -> None:
    whole, begun = clip(5, []), set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        cut = random_crop(whole, rng, max_steps=3, crop_ratio=None, truncated_share=0.5)
        begun |= {first for first in range(3) if np.array_equal(whole.visual[:, first : first + 3], cut.visual)}
    assert begun == {0, 1, 2}


def test_a_clip_that_fits_is_cut_to_a_share_of_its_length() -> None:
    whole = clip(20, [(0, 20)])

    def steps(crop_ratio: tuple[float, float] | None) -> set[int]:
        cuts = [
            random_crop(whole, np.random.default_rng(seed), max_steps=20, crop_ratio=crop_ratio, truncated_share=0.1)
            for seed in range(60)
        ]
        return {cut.visual.shape[1] for cut in cuts}

    assert steps((0.3, 0.5)) == {6, 7, 8, 9, 10}
    assert steps((0.0, 0.1)) == {1, 2}
    assert steps((1.0, 2.0)) == steps(None) == {20}


@pytest.mark.parametrize("segments", [[(40, 44)], [(0, 4), (96, 100)]])
def test_a_crop_holds_a_segment_where_any_tried_does(segments: list[tuple[float, float]]) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cut = random_crop(clip(100, segments), rng, max_steps=10, crop_ratio=None, truncated_share=0.5)
        assert len(cut.labels) == len(cut.segments_grid) == 1


@pytest.mark.parametrize("boundaries", [40.0, 0.2])
def test_without_a_weight_boundaries_are_made_to_count_as_much_as_classes(boundaries: float) -> None:
    """Unless their loss per positive point is below 0.01, which is taken for it then."""
    sums = LossSums(torch.tensor(80.0), torch.tensor(boundaries), 300)
    found = combine(sums, normalizer=450.0, config=TrainConfig(loss_weight=0.0))
    normalizer = 0.9 * 450 + 0.1 * 300
    assert found.normalizer == pytest.approx(normalizer)
    balance = 80 / max(boundaries, 0.01 * normalizer)
    assert float(found.total) == pytest.approx((80 + balance * boundaries) / normalizer)


def test_overlap_weighs_classes_only_where_each_has_boundaries_of_its_own() -> None:
    rng = torch.Generator().manual_seed(0)
    logits, masks = (torch.randn(1, 6, 2, generator=rng),), (torch.ones(1, 1, 6, dtype=torch.bool),)
    wanted = Targets(torch.eye(2).repeat(3, 1), torch.rand(6, 2, generator=rng))
    sums = {}
    for own, power in ((1, 0.0), (1, 0.5), (2, 0.0), (2, 0.5)):
        offsets = (torch.full((1, 6, own, 2), 0.3),)
        plan = TrainConfig(iou_weight_power=power)
        sums[own, power] = float(loss_sums(DetectorOutput(logits, offsets, masks), [wanted], plan).classes)
    assert sums[1, 0.0] == sums[1, 0.5] == sums[2, 0.0] > sums[2, 0.5]


def test_a_batch_says_what_is_real_and_what_has_sound() -> None:
    batch = collate([clip(5, []), clip(3, [], sound=False)], audio_channels=2)
    assert batch.valid_mask is not None
    assert batch.valid_mask.shape == (2, 1, 5) and batch.valid_mask[:, 0].sum(dim=1).tolist() == [5, 3]
    assert batch.audio_present is not None
    assert batch.audio_present.tolist() == [True, False]
    assert float(batch.visual[1, :, 3:].abs().sum()) == 0
    assert collate([clip(5, [])], audio_channels=None).audio is None


def test_targets_of_one_segment_by_hand() -> None:
    points = Points.of_levels([8, 4], [1, 2], [(0, 3), (3, 100)])
    config = TrainConfig(centre_radius=1.5)
    targets = point_targets(points, torch.tensor([[1.0, 5.0]]), torch.tensor([1]), 2, config)
    positive = targets.classes[:, 1] == 1
    # Centre 3: level 0 reaches 1.5 steps and distances up to 3; level 1 takes distances from 3 on.
    assert torch.nonzero(positive)[:, 0].tolist() == [2, 3, 4, 9, 10]
    assert targets.offsets[2].tolist() == [1.0, 3.0]
    assert targets.offsets[10].tolist() == [1.5, 0.5]
    assert not targets.classes[:, 0].any()


def test_of_two_segments_the_shorter_wins() -> None:
    points = Points.of_levels([10], [1], [(0, 100)])
    segments = torch.tensor([[0.0, 9.0], [3.0, 6.0]])
    config = TrainConfig(centre_sampling="none")
    targets = point_targets(points, segments, torch.tensor([0, 1]), 2, config)
    assert targets.classes[4].tolist() == [0, 1]
    assert targets.classes[1].tolist() == [1, 0]


def test_a_point_learns_no_segment_with_its_farther_end_outside_the_range_of_the_level() -> None:
    points = Points.of_levels([8, 4], [1, 2], [(0, 3), (3, 100)])
    config = TrainConfig(centre_sampling="none")
    for segment, learning in (([0.0, 7.0], [9, 10, 11]), ([0.0, 2.5], [1, 2]), ([0.0, 4.5], [2, 3, 10])):
        targets = point_targets(points, torch.tensor([segment]), torch.tensor([0]), 1, config)
        assert torch.nonzero(targets.classes[:, 0])[:, 0].tolist() == learning


def test_two_segments_as_long_as_one_another_are_both_learnt_and_a_class_once() -> None:
    points = Points.of_levels([6], [1], [(0, 100)])
    segments = torch.tensor([[0.0, 4.0], [1.0, 5.0], [0.5, 4.5]])
    config = TrainConfig(centre_sampling="none")
    targets = point_targets(points, segments, torch.tensor([0, 1, 1]), 2, config)
    assert targets.classes[2].tolist() == [1, 1]


def test_smoothed_classes_by_hand() -> None:
    logits, masks = (torch.tensor([[[0.3, -0.7]]]),), (torch.ones(1, 1, 1, dtype=torch.bool),)
    wanted = Targets(torch.tensor([[1.0, 0.0]]), torch.ones(1, 2))
    output = DetectorOutput(logits, (torch.ones(1, 1, 1, 2),), masks)
    smoothed = loss_sums(output, [wanted], TrainConfig(label_smoothing=0.3)).classes
    assert float(smoothed) == pytest.approx(float(focal_loss(logits[0][0], torch.tensor([[0.8, 0.1]])).sum()))


def test_losses_vanish_where_all_is_right() -> None:
    offsets = torch.tensor([[1.0, 2.0], [0.5, 4.0]])
    assert float(boundary_loss(offsets, offsets)) == pytest.approx(0, abs=1e-6)
    assert float(boundary_loss(offsets, offsets.flip(0))) > 0.1
    logits = torch.tensor([[20.0, -20.0]])
    assert float(focal_loss(logits, torch.tensor([[1.0, 0.0]])).sum()) < 1e-6
    assert float(focal_loss(logits, torch.tensor([[0.0, 1.0]])).sum()) > 5
