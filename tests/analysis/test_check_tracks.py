"""Attributions of many segments are Captum's, pooled curves bear silent segments, swapped labels are told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients

from mravff_core import Batch, TimeGrid
from mravff_core.analysis.attribution import Scorer, Target
from mravff_core.analysis.attribution.shapley import shapley_of_scores
from mravff_core.analysis.checks import figures, tracks
from mravff_core.analysis.checks.cases import SHARES_OF, Case
from mravff_core.analysis.checks.over_time import curves
from mravff_core.analysis.checks.randomised import likeness, resemblance
from mravff_core.model.detector import Detector
from tests.small_workspace import CHANNELS, small_detector

TIME = 40
GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)


def features(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    visual, audio = (torch.randn(1, CHANNELS, TIME, generator=generator) for _ in range(2))
    return visual, audio


def case(target: Target, seed: int = 0, loud: float = 1.0) -> Case:
    """`loud` 0 is a clip whose sound is the baseline's."""
    given, still = features(seed), features(77)
    given = (given[0], still[1] + loud * (given[1] - still[1]))
    nothing = shapley_of_scores(0.0, 0.0, 0.0, 0.0)
    return Case(
        clip_id=f"clip_{seed}",
        segment_id="s",
        start_s=1.0,
        end_s=2.0,
        label=target.label,
        needs_sound=True,
        target=target,
        inputs=given,
        baseline=still,
        grid=GRID,
        shares=dict.fromkeys(SHARES_OF, nothing),
        gate=0.5,
        gates=np.linspace(0, 1, TIME),
        stride=1,
        heard_s=None,
    )


def detector_with(**fusion: Any) -> Detector:
    config = small_detector().config
    torch.manual_seed(3)
    return Detector(replace(config, fusion=replace(config.fusion, **fusion))).eval()


@pytest.mark.parametrize(
    ("fusion", "quantity"),
    [
        ({"mix": "residual"}, "probability"),
        ({"window": -1}, "contrast"),
        ({"kind": "concat"}, "logit"),
        ({"fuse_for": "boundaries"}, "end"),
    ],
)
def test_tracks_of_many_targets_are_captums(fusion: dict[str, Any], quantity: Any) -> None:
    detector = detector_with(**fusion)
    targets = [Target(1, 6, 0, quantity), Target(0, 11, 1, quantity)]
    cases = [case(target) for target in targets]
    found = tracks.attributions(detector, cases, points=32)
    for target, one, (audio, vision) in zip(targets, cases, found, strict=True):

        def score(visual: torch.Tensor, sound: torch.Tensor, target: Target = target) -> torch.Tensor:
            return target.of(detector(Batch(visual, sound)), detector.strides[target.level])

        exact = IntegratedGradients(score).attribute(one.inputs, baselines=one.baseline, n_steps=32)
        for own, theirs in ((vision, exact[0]), (audio, exact[1])):
            np.testing.assert_allclose(own, theirs[0].sum(dim=0).detach(), atol=1e-4)


def test_kept_tracks_are_read_again_for_equal_questions_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case(Target(1, 6, 0)), case(Target(1, 6, 0), seed=1)]
    first = tracks.attributions(small_detector(), cases, points=4, kept=tmp_path, model="one")
    calls = []
    usual = tracks.tracks_of_clip
    monkeypatch.setattr(tracks, "tracks_of_clip", lambda *args, **more: calls.append(1) or usual(*args, **more))
    again = tracks.attributions(small_detector(), cases, points=4, kept=tmp_path, model="one")
    assert not calls
    np.testing.assert_array_equal(first, again)
    tracks.attributions(small_detector(), cases, points=4, kept=tmp_path, model="another")
    assert len(calls) == 2


def test_a_segment_whose_sound_does_nothing_moves_no_pooled_figure() -> None:
    detector = small_detector()
    loud = [case(Target(1, 6, 0), seed=seed) for seed in (0, 1)]
    faint = [*loud, case(Target(1, 6, 0), seed=2, loud=1e-5)]
    found = [
        figures.ordered(detector, cases, tracks.attributions(detector, cases), progress=lambda _share: None)
        for cases in (loud, faint)
    ]
    for kind in ("deletion", "insertion"):
        few, many = (one["attribution_against_random"][kind] for one in found)
        assert many["value"] == pytest.approx(few["value"], abs=1e-3)
        assert abs(many["value"]) < 2 and many["count"] == 3


def test_orders_begin_and_end_alike_and_attribution_deletes_first() -> None:
    detector, one = small_detector(), case(Target(1, 6, 0))
    audio, _ = tracks.attributions(detector, [one])[0]
    scorer = Scorer(detector, one.target)
    scorer.measure(one.inputs)
    found = curves(scorer, one, audio)
    assert found is not None and set(found.deletion) == {"attribution", "gate", "random"}
    silent = scorer.scores([one.inputs, (one.inputs[0], one.baseline[1])])
    assert found.effect == pytest.approx(float(silent[0] - silent[1]), abs=1e-6)
    assert found.deletion["attribution"] < found.deletion["random"]
    assert curves(scorer, one, np.zeros(TIME)) is None


def test_swapped_labels_are_seen_where_all_classes_say_the_same() -> None:
    detector = small_detector()
    with torch.no_grad():  # every class reads the same
        last = [module for module in detector.base.modules() if isinstance(module, torch.nn.Conv1d)]
        heads = [conv for conv in last if conv.out_channels == len(detector.labels)]
        assert heads
        for conv in heads:
            conv.weight.copy_(conv.weight[:1].expand_as(conv.weight))
    cases = [case(Target(1, step, step % 2), seed=step) for step in (4, 6, 9)]
    found = likeness(detector, cases, tracks.attributions(detector, cases))
    assert min(one.mean for one in found["other_class"]) > 0.9
    assert all(one.beyond is None for one in found["other_class"])
    assert all(one.beyond is not None for one in found["random_weights"])
    assert abs(np.mean([one.mean for one in found["random_weights"]])) < 0.5


def test_likeness_tells_signs_from_sizes_and_looks_beyond_what_is_shared() -> None:
    generator = np.random.default_rng(0)

    def noise() -> np.ndarray:
        return generator.normal(size=400)

    shared, envelope = noise(), np.exp(-np.abs(np.arange(400) - 200) / 40)
    one, other, third = ((shared + 0.5 * noise(), shared + 0.5 * noise()) for _ in range(3))
    found = resemblance(one, other, third)
    assert found.audio > 0.7 and found.vision > 0.7 and found.beyond is not None
    assert resemblance(one, other).beyond is None
    exact = resemblance(one, other, (shared, shared)).beyond
    assert exact is not None and abs(exact) < 0.15 < found.beyond < found.mean
    local = resemblance((envelope * noise(), envelope * noise()), (envelope * noise(), envelope * noise()))
    assert abs(local.mean) < 0.15 and local.size > 0.5
    padded = [np.pad(part, (300, 0)) for part in (*one, *other)]  # steps that neither sees count for nothing
    assert resemblance((padded[0], padded[1]), (padded[2], padded[3])).mean == pytest.approx(found.mean)


def test_attributions_of_other_detectors_are_kept_by_their_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, cases = small_detector(), [case(Target(1, 6, 0)), case(Target(1, 6, 0), seed=1)]
    own = tracks.attributions(detector, cases)
    twins = {"one": small_detector(seed=1)}
    first = likeness(detector, cases, own, twins, kept=tmp_path)
    calls = []
    usual = tracks.tracks_of_clip
    monkeypatch.setattr(tracks, "tracks_of_clip", lambda *args, **more: calls.append(1) or usual(*args, **more))
    assert likeness(detector, cases, own, twins, kept=tmp_path) == first and not calls
    likeness(detector, cases, own, {"one": small_detector(seed=2)}, kept=tmp_path)
    assert len(calls) == 2  # one a clip
