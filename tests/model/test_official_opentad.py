"""OpenTAD's checkpoints give OpenTAD's numbers; what cannot be followed is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mravff_core.errors import CheckpointError, ConfigError
from mravff_core.model.checkpoints import load_detector
from mravff_core.model.outputs import Batch
from mravff_core.model.published_config import class_score_file, train_config
from tests.model import published_opentad
from tests.model.published import Published, assert_as_published, small_config
from tests.model.published import written as written_as_published
from tests.model.published_opentad import ActionFormer, TemporalMaxer, TriDet, opentad_config, written
from tests.model.published_temporalmaxer import small_temporalmaxer_config
from tests.model.published_tridet import small_tridet_config

SIX_LEVELS = {
    "backbone_arch": [2, 1, 5],
    "regression_range": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]],
    "max_seq_len": 256,
}
VARIANTS: dict[str, tuple[type[Published], dict[str, Any]]] = {
    "actionformer": (ActionFormer, small_config()),
    "actionformer, whole attention": (ActionFormer, small_config(n_mha_win_size=-1)),
    "actionformer, windows of levels": (ActionFormer, small_config(n_mha_win_size=[9, 5, -1])),
    "actionformer, position": (ActionFormer, small_config(use_abs_pe=True)),
    "actionformer, two encoders": (ActionFormer, small_config(input_dim=[8, 4], embd_dim=[10, 6])),
    "actionformer, without norms": (ActionFormer, small_config(embd_with_ln=False, fpn_with_ln=False)),
    "actionformer, wide embedding": (ActionFormer, small_config(embd_kernel_size=5)),
    "actionformer, coarse levels alone": (
        ActionFormer,
        small_config(fpn_start_level=1, regression_range=[[0, 4], [4, 10000]]),
    ),
    "actionformer, nothing dropped": (ActionFormer, small_config(train_cfg={"droppath": 0.0})),
    "actionformer, six levels": (ActionFormer, small_config(**SIX_LEVELS)),
    "tridet": (TriDet, small_tridet_config()),
    "tridet, windows of one": (TriDet, small_tridet_config(n_sgp_win_size=1, k=5)),
    "tridet, averaging": (TriDet, small_tridet_config(downsample_type="avg")),
    "tridet, position": (TriDet, small_tridet_config(n_sgp_win_size=15, k=1.3, use_abs_pe=True, max_seq_len=96)),
    "tridet, other kernels": (TriDet, small_tridet_config(head_kernel_size=5, boudary_kernel_size=1)),
    "tridet, wide boundaries": (TriDet, small_tridet_config(boudary_kernel_size=5)),
    "tridet, more bins than padding": (TriDet, small_tridet_config(num_bins=40, max_seq_len=32)),
    "tridet, usual hidden width": (TriDet, small_tridet_config(sgp_mlp_dim=None)),
    "tridet, six levels": (TriDet, small_tridet_config(**SIX_LEVELS, num_bins=16)),
    "temporalmaxer": (TemporalMaxer, small_temporalmaxer_config()),
    "temporalmaxer, norm of groups": (TemporalMaxer, small_temporalmaxer_config(fpn_norm="groupnorm")),
    "temporalmaxer, three embeddings": (TemporalMaxer, small_temporalmaxer_config(backbone_arch=[3, 2])),
}


def _clips(channels: int, lengths: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(channels, length, generator=generator) for length in lengths]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_checkpoint_gives_what_opentad_gives(variant: str, tmp_path: Path) -> None:
    kind, config = VARIANTS[variant]
    network = kind(config)
    detector = load_detector(written(tmp_path, network.weights), config=opentad_config(config), device="cpu")
    longest, inputs = config["dataset"]["max_seq_len"], detector.config.base.input_channels
    clips = _clips(inputs, [1, 7, longest // 2 - 1, longest - 1, longest, longest + 13, 3 * longest])
    for clip in clips:
        assert_as_published(detector, network, [clip], tolerance=3e-5)
    assert_as_published(detector, network, [clips[1], clips[3], clips[5]], tolerance=3e-5)


@pytest.mark.parametrize("network", [ActionFormer(small_config()), TriDet(small_tridet_config())])
def test_what_opentad_does_otherwise_matters(network: Published, tmp_path: Path) -> None:
    """Without it, the comparison above would hold for the published networks as well."""
    config = small_config() if isinstance(network, ActionFormer) else small_tridet_config()
    detector = load_detector(written(tmp_path, network.weights), config=opentad_config(config), device="cpu")
    plain = load_detector(written_as_published(tmp_path, network.weights), config=config, device="cpu")
    clip = _clips(12, [40])[0][None]
    with torch.no_grad():
        own, other = detector(Batch(clip)), plain(Batch(clip))
    assert not torch.allclose(own.class_logits[0][:, 38:], other.class_logits[0][:, 38:], atol=1e-3)


def _converted(tmp_path: Path, config: dict[str, Any], kind: type[Published] = ActionFormer) -> Any:
    own = {ActionFormer: small_config, TriDet: small_tridet_config, TemporalMaxer: small_temporalmaxer_config}[kind]()
    return load_detector(written(tmp_path, kind(own).weights), config=config, device="cpu").config


def test_test_time_settings_come_along(tmp_path: Path) -> None:
    config = opentad_config(small_config())
    config["post_processing"]["nms"] |= {"multiclass": False}
    found = _converted(tmp_path, config)
    test = found.test
    assert (test.nms, test.sigma, test.min_score, test.max_segments) == ("soft", 0.4, 0.002, 300)
    assert (test.multiclass, test.voting_threshold, test.vote_weight) == (False, 0.75, "score")
    assert (test.pre_nms_min_score, test.pre_nms_top_k, test.pre_nms_of) == (0.01, 5000, "clip")
    assert test.min_duration_grid < 0 and test.keep_outside
    visual = found.features["visual"]
    assert (visual["stride_frames"], visual["downsample_rate"], visual["window_frames"]) == (16, 2, 32)
    assert (visual["frames_per_second"], visual["resized_steps"], len(found.labels)) == (30, None, 5)


def test_settings_left_out_are_opentads_defaults(tmp_path: Path) -> None:
    config = opentad_config(small_config())
    config["post_processing"] = {"nms": {"use_soft_nms": False}}
    del config["dataset"]
    test = _converted(tmp_path, config).test
    assert (test.nms, test.iou_threshold, test.min_score, test.max_segments) == ("hard", 0, 0, 100)
    assert (test.pre_nms_min_score, test.pre_nms_top_k, test.voting_threshold) == (0.001, 2000, 0)
    config["post_processing"] = {"nms": None}
    assert _converted(tmp_path, config).test.nms == "none"


def test_tridet_has_limits_of_its_own(tmp_path: Path) -> None:
    test = _converted(tmp_path, opentad_config(small_tridet_config()), TriDet).test
    assert (test.pre_nms_min_score, test.pre_nms_top_k) == (0.001, 2000)


def test_every_point_is_a_candidate_of_a_single_class(tmp_path: Path) -> None:
    config = small_config(num_classes=1)
    path = written(tmp_path, ActionFormer(config).weights)
    test = load_detector(path, config=opentad_config(config), device="cpu").config.test
    assert test.pre_nms_min_score == 0 and test.pre_nms_top_k > 10**6


def test_what_points_learn_comes_along() -> None:
    config = opentad_config(small_tridet_config())
    config["model"]["rpn_head"] |= {"center_sample_radius": 2.0, "iou_weight_power": 0.25, "loss_normalizer": 250}
    train = train_config(config, "recipe.py")
    assert (train.centre_radius, train.iou_weight_power, train.initial_loss_norm) == (2.0, 0.25, 250)
    assert train.regression_range == ((0, 4), (2, 8), (4, 10000))
    assert train_config(opentad_config(small_temporalmaxer_config()), "recipe.py").centre_radius == 1.5


def test_a_classifier_of_clips_is_named() -> None:
    config = opentad_config(small_config())
    assert class_score_file(config) is None
    config["post_processing"]["external_cls"] = {"type": "CUHKANETClassifier", "path": "cuhk.json", "topk": 2}
    assert class_score_file(config) == "cuhk.json"


def _as_python(value: Any) -> str:
    if isinstance(value, dict):
        return "dict(" + ", ".join(f"{key}={_as_python(item)}" for key, item in value.items()) + ")"
    return f"[{', '.join(map(_as_python, value))}]" if isinstance(value, list) else repr(value)


@pytest.mark.parametrize("form", ["py", "json", "yaml"])
def test_a_configuration_may_be_a_file_of_any_form(form: str, tmp_path: Path) -> None:
    config = opentad_config(small_config())
    path = tmp_path / f"small.{form}"
    if form == "py":
        lower = copy.deepcopy(config)
        lower["model"]["rpn_head"]["num_classes"] = 20
        text = "\n".join(f"{key} = {_as_python(value)}" for key, value in lower.items())
        (tmp_path / "base.py").write_text(text)
        path.write_text("_base_ = ['base.py']\nmodel = dict(rpn_head=dict(num_classes=5))")
    else:
        path.write_text(json.dumps(config) if form == "json" else yaml.dump(config))
    weights = written(tmp_path, ActionFormer(small_config()).weights)
    found, expected = (load_detector(weights, config=given, device="cpu") for given in (path, config))
    assert found.config == expected.config
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in found.state_dict().items())


def _put(place: str, value: Any) -> dict[str, Any]:
    """The small configuration with a value at a dotted place."""
    config = opentad_config(small_config())
    *outer, last = place.split(".")
    part = config
    for name in outer:
        part = part[name]
    part[last] = value
    return config


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        ("model.type", "AFSD", "model.type is 'AFSD', expected one of ActionFormer, TriDet, TemporalMaxer"),
        ("model.backbone", {"type": "mmaction.Recognizer3D"}, "model.backbone is a network for video frames"),
        ("model.roi_head", {}, "model has unknown settings roi_head"),
        ("model.projection.type", "CausalProj", "model.projection.type is 'CausalProj', expected Conv1DTransformerP"),
        ("model.projection.use_rel_pe", True, "model.projection has unknown settings use_rel_pe"),
        ("model.projection.norm_cfg", {"type": "BN"}, "model.projection.norm_cfg is .*, expected .*LN"),
        ("model.projection.conv_cfg", {"kernel_size": 3}, "model.projection.conv_cfg has no proj_pdrop"),
        ("model.projection.arch", [2, 2], "model.projection.arch is .*, expected three counts"),
        ("model.projection.max_seq_len", 63, "model.projection.max_seq_len is 63, expected a multiple of 4"),
        ("model.projection.out_channels", [8, 8], "expected two numbers or two lists"),
        ("model.neck.type", "FPN", "model.neck.type is 'FPN', expected FPNIdentity"),
        ("model.neck.num_levels", 6, "model.neck.num_levels is 6, expected 3"),
        ("model.neck.norm_cfg", {"type": "GN", "num_groups": 4}, "group norm with weights"),
        ("model.rpn_head.type", "TriDetHead", "model.rpn_head.type is 'TriDetHead', expected ActionFormerHead"),
        ("model.rpn_head.in_channels", 8, "model.rpn_head.in_channels is 8, expected 16"),
        ("model.rpn_head.num_classes", 0, "model.rpn_head.num_classes is 0, expected 1 to"),
        ("model.rpn_head.prior_generator.strides", [1, 2, 8], r"strides is \[1, 2, 8\], expected \[1, 2, 4\]"),
        ("model.rpn_head.prior_generator.regression_range", [[0, 1]], "expected one range for each of 3 levels"),
        ("model.rpn_head.prior_generator.use_offset", True, "use_offset is True, expected False"),
        ("post_processing.nms.method", 3, "post_processing.nms.method is 3, expected 2"),
        ("post_processing.nms.sigmas", 3, "post_processing.nms has unknown settings sigmas"),
        ("post_processing.fuse", 3, "post_processing has unknown settings fuse"),
        ("dataset.test.type", "EpicKitchensSlidingDataset", "which cuts clips into windows"),
        ("dataset.test.pipeline", [{"type": "Padding", "length": 65}], "pads clips to 65 steps, expected at most 64"),
        ("dataset.test.fps", "30", "dataset.test.fps is '30', expected a number"),
        ("dataset.test.offset_frames", float("nan"), "dataset.test.offset_frames is nan, expected a number"),
        ("model.rpn_head", None, "model.rpn_head is None, expected a mapping"),
        ("model.type", ["TriDet"], r"model.type is \['TriDet'\], expected one of"),
        ("model.rpn_head.prior_generator.strides", 5, "strides is 5, expected"),
        ("dataset.test.pipeline", [{"type": "Padding"}], "pads clips to None steps"),
    ],
)
def test_what_cannot_be_followed_is_refused(place: str, value: Any, match: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=match):
        _converted(tmp_path, _put(place, value))


def test_temporalmaxer_is_not_padded(tmp_path: Path) -> None:
    config = opentad_config(small_temporalmaxer_config())
    config["dataset"]["test"]["pipeline"] = [{"type": "Padding", "length": 64}]
    with pytest.raises(ConfigError, match="expected no padding, of which TemporalMaxer has none"):
        _converted(tmp_path, config, TemporalMaxer)


def test_files_of_one_code_with_settings_of_another_are_told(tmp_path: Path) -> None:
    weights = ActionFormer(small_config()).weights
    with pytest.raises(CheckpointError, match=r"layers of OpenTAD's, such as projection\..*; name OpenTAD's"):
        load_detector(published_opentad.written(tmp_path, weights), config=small_config(), device="cpu")
    with pytest.raises(CheckpointError, match="do not fit the configuration"):
        del weights["backbone.embd.0.conv.weight"]
        load_detector(written(tmp_path, weights), config=opentad_config(small_config()), device="cpu")
