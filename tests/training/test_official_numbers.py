"""Targets, losses and gradients equal those of the published ActionFormer and TriDet code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mravff_core import load_detector
from mravff_core.config import TrainConfig
from mravff_core.model.chance import ScaledDropPath
from mravff_core.model.detector import Detector
from mravff_core.model.official import rename
from mravff_core.model.official_config import convert_training
from mravff_core.training.batches import training_batch
from mravff_core.training.clip import TrainingClip
from mravff_core.training.losses import DetectionLoss, combine, loss_sums

MODELS = ["actionformer/epic_verb", "actionformer/extra_fpn_relpe", "tridet/thumos", "tridet/anet_tsp"]


def load(shared: Path, name: str) -> tuple[Detector, list[TrainingClip], dict, TrainConfig]:
    folder = shared / "golden" / name
    config = json.loads((folder / "config.json").read_text())["config"]
    detector = load_detector(folder / "state_dict.pt", config=config, device="cpu")
    for module in detector.modules():
        if isinstance(module, ScaledDropPath):
            module.rate = 0.0
    inputs = np.load(folder / "inputs.npz")
    clips = [
        TrainingClip(
            f"train{k}",
            inputs[f"train{k}_feats"],
            None,
            inputs[f"train{k}_segments"].astype(np.float32),
            inputs[f"train{k}_labels"].astype(np.int64),
        )
        for k in (0, 1)
    ]
    settings = convert_training(config, "config.json")
    return detector.train(), clips, json.loads((folder / "train.json").read_text()), settings


def loss_of(detector: Detector, clips: list[TrainingClip], normalizer: float, settings: TrainConfig) -> DetectionLoss:
    batch, targets = training_batch(detector, clips, settings)
    return combine(loss_sums(detector(batch), targets, settings), normalizer, settings)


@pytest.mark.parametrize("name", MODELS)
def test_losses_and_gradients(shared: Path, name: str) -> None:
    detector, clips, golden, settings = load(shared, name)
    first = loss_of(detector, clips, golden["loss_normalizer"]["init"], settings)
    for part, wanted in zip((first.classes, first.boundaries, first.total), golden["losses"].values(), strict=True):
        assert float(part.detach()) == pytest.approx(wanted, rel=1e-5)
    assert first.normalizer == pytest.approx(golden["loss_normalizer"]["after_first"])
    first.total.backward()
    gradients = {name: p.grad for name, p in detector.named_parameters()}
    # Attention ignores what is added to all keys alike: their gradient is rounding and no more.
    for official, wanted in golden["grad_norms"].items():
        gradient = gradients[f"base.{rename(official)}"]
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(wanted, rel=1e-3, abs=1e-8), official

    second = loss_of(detector, clips, first.normalizer, settings)
    assert float(second.total.detach()) == pytest.approx(golden["losses_second_call"]["final_loss"], rel=1e-5)
    empty = [
        TrainingClip(clip.clip_id, clip.visual, None, np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
        for clip in clips[:1]
    ]
    third = loss_of(detector, empty, second.normalizer, settings)
    assert float(third.total.detach()) == pytest.approx(golden["losses_empty_gt"]["final_loss"], rel=1e-5)
    assert third.normalizer == pytest.approx(golden["loss_normalizer"]["after_empty"])


@pytest.mark.parametrize("name", MODELS)
def test_targets(shared: Path, name: str) -> None:
    detector, clips, _, settings = load(shared, name)
    outputs = np.load(shared / "golden" / name / "outputs.npz")
    _, targets = training_batch(detector, clips, settings)
    points = outputs["points"]
    for clip, target in enumerate(targets):
        wanted_classes, wanted_offsets = outputs["train_gt_cls"][clip], outputs["train_gt_offsets"][clip]
        for stride in detector.strides:
            theirs = points[:, 3] == stride
            length = min(int(theirs.sum()), -(-clips[1].visual.shape[1] // stride))
            first = sum(-(-clips[1].visual.shape[1] // finer) for finer in detector.strides if finer < stride)
            ours = slice(first, first + length)
            classes = wanted_classes[theirs][:length]
            np.testing.assert_allclose(target.classes[ours], classes, atol=1e-6)
            positive = classes.sum(-1) > 0
            np.testing.assert_allclose(
                target.offsets[ours][positive], wanted_offsets[theirs][:length][positive], atol=1e-4
            )
