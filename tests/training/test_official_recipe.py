"""The YAML file of an official detector trains here as it says, and is refused where it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mravff_core import Workspace, load_detector
from mravff_core.cli import main
from mravff_core.config import read_recipe, read_yaml
from mravff_core.errors import ConfigError
from mravff_core.training.official_recipe import features_caution, training_recipe
from tests.model.published import small_config
from tests.model.published_opentad import opentad_config
from tests.model.published_temporalmaxer import small_temporalmaxer_config
from tests.model.published_tridet import small_tridet_config
from tests.small_workspace import CHANNELS, NOUNS, VERBS, small_workspace

FAMILIES = {
    "actionformer": small_config,
    "tridet": small_tridet_config,
    "temporalmaxer": small_temporalmaxer_config,
}


def official(family: str = "actionformer", **changes: dict[str, Any]) -> dict[str, Any]:
    """A small configuration of published code for verbs of the small workspace."""
    raw = FAMILIES[family]()
    raw["dataset"] |= {"input_dim": CHANNELS, "num_classes": len(VERBS)}
    raw |= {"train_split": ["validation"], "opt": {"learning_rate": 0.01, "epochs": 1, "warmup_epochs": 1}}
    for section, more in changes.items():
        raw[section] = raw.get(section, {}) | more
    return raw


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return small_workspace(tmp_path_factory.mktemp("official"))


@pytest.mark.parametrize("family", FAMILIES)
def test_it_trains_as_it_says_and_with_mrav_in_two_lines_of_ours(
    workspace: Workspace, tmp_path: Path, family: str
) -> None:
    theirs, ours = tmp_path / f"{family}.yaml", tmp_path / f"{family}_listening.yaml"
    theirs.write_text(yaml.safe_dump(official(family)))
    ours.write_text(f"extends: {family}.yaml\nfusion: {{kind: mrav}}\ntrain: {{epochs: 0}}\n")
    words = ["--workspace", str(workspace.folder), "--device", "cpu", "--json"]
    assert [main(["train", str(path), *words]) for path in (theirs, ours)] == [0, 0]
    recipe = read_recipe(workspace.runs_folder / family / "recipe.yaml")
    assert (recipe.data.label_set, recipe.data.train_split, recipe.data.test_split) == ("verb",) + ("validation",) * 2
    assert (recipe.train.epochs, recipe.train.learning_rate, recipe.fusion.kind) == (1, 0.01, "none")
    detector = load_detector(workspace.runs_folder / family, device="cpu")
    assert (detector.config.base.kind, detector.config.base.embed_channels) == (family, 16)
    assert not detector.config.base.official_padding and not detector.config.test.keep_outside
    listening = load_detector(workspace.runs_folder / f"{family}_listening", device="cpu")
    assert listening.config.base == detector.config.base and listening.config.fusion.kind == "mrav"


def test_a_label_set_is_found_by_its_classes_or_named(workspace: Workspace) -> None:
    def label_set(raw: dict[str, Any]) -> str:
        return training_recipe(raw, "theirs.yaml", workspace).data.label_set

    assert label_set(official(dataset={"num_classes": len(NOUNS)})) == "noun"
    assert label_set(official(dataset={"num_classes": 1})) == "proposal"
    with pytest.raises(
        ConfigError, match=r"num_classes is 9, the workspace has verb of 3, noun of 2; .*label_set: NAME"
    ):
        label_set(official(dataset={"num_classes": 9}))
    assert label_set(official(dataset={"num_classes": 9}) | {"data": {"label_set": "verb"}}) == "verb"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"opt": {"type": "SGD"}}, "opt.type is 'SGD', expected AdamW"),
        ({"opt": {"nesterov": True}}, "opt has unknown settings nesterov; it has type"),
        ({"fusion": {"kinds": "mrav"}}, "FusionConfig has no field kinds"),
    ],
)
def test_what_could_not_be_followed_is_refused(workspace: Workspace, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        training_recipe(official(**changes), "theirs.yaml", workspace)
    with pytest.raises(ConfigError, match=r"train_split is \['a', 'b'\], expected one split"):
        training_recipe(official() | {"train_split": ["a", "b"]}, "theirs.yaml", workspace)


def test_other_features_are_told(workspace: Workspace) -> None:
    cases = (
        ({"feat_stride": 7}, "a step every 7 frames"),
        ({"feat_stride": 7, "downsample_rate": 3}, "a step every 21 frames"),
        ({"input_dim": 7}, f"7 channels, here {CHANNELS}"),
        ({"feat_stride": 0}, None),
    )
    for changes, words in cases:
        raw = official(dataset=changes)
        caution = features_caution(raw, "theirs.yaml", workspace, training_recipe(raw, "theirs.yaml", workspace))
        assert caution is None if words is None else words in str(caution)


@pytest.mark.parametrize(
    ("dataset", "margin"),
    [
        ({}, 1.0),  # their default is a step every 16 frames of 32
        ({"feat_stride": 4, "num_frames": 16}, 2.0),
        ({"feat_stride": 4, "num_frames": 16, "downsample_rate": 2}, 1.0),
        ({"force_upsampling": True}, 0.5),
        ({"feat_stride": -1}, 0.5),
    ],
)
def test_crops_leave_segments_what_the_windows_of_features_see(
    workspace: Workspace, dataset: dict[str, Any], margin: float
) -> None:
    assert training_recipe(official(dataset=dataset), "theirs.yaml", workspace).train.crop_margin == margin


def test_recipes_of_ours_are_read_as_ever(workspace: Workspace) -> None:
    path = Path(__file__).resolve().parents[2] / "configs/kitchen/verb_mrav.yaml"
    recipe = training_recipe(read_yaml(path), path, workspace)
    assert recipe == read_recipe(path)
    assert features_caution(read_yaml(path), path, workspace, recipe) is None


def test_a_configuration_of_opentad_is_no_recipe(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match=r"OpenTAD's, whose trainings are not followed, .* --from CHECKPOINT"):
        training_recipe(opentad_config(small_config()), "theirs.py", workspace)
