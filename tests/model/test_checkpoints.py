"""Our own checkpoint folders come back as they were, or say why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from mravff_core.config import BaseConfig, FusionConfig
from mravff_core.errors import CheckpointError, ConfigError
from mravff_core.model.checkpoints import choose_device, load_detector, save_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.outputs import Batch
from tests.model.small import AUDIO_CHANNELS, VISUAL_CHANNELS, small_detector


@pytest.mark.parametrize("kind", ["none", "sum", "concat", "cross_attention", "mrav"])
def test_a_saved_detector_comes_back_the_same(kind: str, tmp_path: Path) -> None:
    detector = small_detector({"relative_position": True, "neck": "fpn"}, kind=kind)
    save_detector(detector, tmp_path / "run")
    loaded = load_detector(tmp_path / "run", device="cpu")
    assert loaded.config == detector.config
    assert not loaded.training
    batch = Batch(torch.randn(2, VISUAL_CHANNELS, 33), torch.randn(2, AUDIO_CHANNELS, 33))
    with torch.no_grad():
        for found, expected in zip(loaded(batch).class_logits, detector(batch).class_logits, strict=True):
            assert torch.equal(found, expected)


def test_the_record_of_features_and_odd_labels_survive(tmp_path: Path) -> None:
    features = {"visual": {"encoder": "light_visual", "channels": 4, "hop_s": 0.1333}, "audio": None}
    base = BaseConfig(input_channels=4, embed_channels=8, neck_channels=8, head_channels=8)
    config = DetectorConfig("noun", ("crème brûlée", "yes", "12", "<b>"), base, features=features)
    save_detector(Detector(config), tmp_path / "run")
    assert load_detector(tmp_path / "run").config == config


def test_half_precision_takes_half_the_room_and_loads_as_single(tmp_path: Path) -> None:
    detector = small_detector(kind="mrav")
    save_detector(detector, tmp_path / "full")
    save_detector(detector, tmp_path / "half", half=True)
    full, half = ((tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.75 * full
    loaded = load_detector(tmp_path / "half", device="cpu")
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, detector.state_dict()[name], atol=1e-3, rtol=1e-3)


def test_saving_leaves_other_files_of_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    save_detector(small_detector(), tmp_path)
    save_detector(small_detector(seed=1), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "model.safetensors", "notes.txt"]


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path: Path) -> None:
    detector = small_detector()
    save_detector(detector, tmp_path / "run")
    with torch.no_grad():
        next(iter(detector.parameters())).fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"weights are not finite in base\.embed\.0\.conv\.weight; did training"):
        save_detector(detector, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    weights = load_file(tmp_path / "run" / "model.safetensors")
    weights["base.embed.0.conv.weight"][0] = torch.inf
    save_file(weights, tmp_path / "run" / "model.safetensors")
    with pytest.raises(CheckpointError, match="weights are not finite"):
        load_detector(tmp_path / "run")


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _without_config(folder: Path) -> None:
    (folder / "config.yaml").unlink()


def _cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _change(**values: Any) -> Any:
    def change(folder: Path) -> None:
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **values}))

    return change


def _code_in_yaml(folder: Path) -> None:
    (folder / "config.yaml").write_text("labels: !!python/object/apply:os.system ['true']")


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (_without_weights, CheckpointError, "has no model.safetensors"),
        (_without_config, CheckpointError, "has no config.yaml"),
        (_cut_weights, CheckpointError, "not readable as safetensors .*; cut short"),
        (_code_in_yaml, ConfigError, "not readable as YAML"),
        (_change(labels=["one", "two"]), CheckpointError, "differs in shape at base.class_head"),
        (_change(labels=[]), ConfigError, "at least one label"),
        (_change(labels="cut"), ConfigError, "labels: found str 'cut', expected a list"),
        (_change(colour="red"), ConfigError, "has no field colour"),
        (_change(base={"kind": "resnet"}), ConfigError, "found str 'resnet', expected one of actionformer"),
        (
            _change(base={"levels": 0, "head_kernel": 2}),
            ConfigError,
            "levels must be at least 1; head_kernel must be odd",
        ),
        (_change(fusion={"kind": "mrav", "window": 8}), ConfigError, r"window \(8\) must be odd"),
        (_change(fusion={"kind": "mrav"}), CheckpointError, "lacks fusion.audio_pyramid.conv.weight.* and 40 more"),
    ],
)
def test_a_damaged_folder_gets_one_sentence(damage: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    save_detector(small_detector(), tmp_path / "run")
    damage(tmp_path / "run")
    with pytest.raises(error, match=message) as caught:
        load_detector(tmp_path / "run")
    assert str(tmp_path / "run") in str(caught.value)


def test_a_folder_of_ours_takes_no_other_configuration(tmp_path: Path) -> None:
    save_detector(small_detector(), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"has its own config\.yaml"):
        load_detector(tmp_path / "run", config={})


@pytest.mark.parametrize("config", [None, {}])
def test_a_folder_of_official_files_is_told_to_name_one(config: dict | None, tmp_path: Path) -> None:
    for name in ("epoch_029.pth.tar", "epoch_034.pth.tar"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"official checkpoints .*such as .*epoch_034\.pth\.tar"):
        load_detector(tmp_path, config=config)


def test_an_official_file_asks_for_its_configuration_by_both_names(tmp_path: Path) -> None:
    (tmp_path / "epoch_034.pth.tar").touch()
    with pytest.raises(ConfigError, match="--config or --from-config"):
        load_detector(tmp_path / "epoch_034.pth.tar")


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cuda", "mps", "cpu")
    with pytest.raises(ConfigError, match="device 'abacus' cannot be used here"):
        choose_device("abacus")


def test_fusion_settings_are_checked_when_building() -> None:
    base = BaseConfig(embed_channels=30, neck_channels=30, heads=3)
    with pytest.raises(ConfigError, match=r"channels \(30\) must be a multiple of heads \(4\)"):
        Detector(DetectorConfig("verb", ("cut",), base, FusionConfig(kind="mrav")))
