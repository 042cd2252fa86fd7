"""What the options of `train` say stands instead of what the recipe's file says, and nothing else does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.config import FusionConfig, Recipe, StartConfig, TrainConfig, read_recipe
from mravff_core.errors import ConfigError
from tests.small_workspace import small_workspace

TEXT = "name: own\nfusion: {kind: concat, heads: 2}\ntrain: {seed: 3, epochs: 7, freeze_base: true}\n"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """Recipes that training was asked for; it refuses them all."""
    seen: list[Recipe] = []

    def refuse(_: Workspace, recipe: Recipe, **__: Any) -> str:
        seen.append(recipe)
        raise ConfigError("seen enough")

    monkeypatch.setattr("mravff_core.training.from_workspace.train_in_workspace", refuse)
    return seen


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ([], {}),
        (["--seed", "0", "--epochs", "0"], {"train": TrainConfig(seed=0, epochs=0, freeze_base=True)}),
        (["--fusion", "none"], {"fusion": FusionConfig(kind="none", heads=2)}),
        (["--run", "other"], {"name": "other"}),
        (["--from", "x.pt", "--from-config", "x.yaml"], {"start": StartConfig("x.pt", "x.yaml")}),
    ],
)
def test_options_of_train_stand_instead_of_the_recipe(
    tmp_path: Path, given: list[Recipe], words: list[str], changed: dict[str, Any]
) -> None:
    Workspace.create(tmp_path / "ws", name="test", label_sets={"verb": ["cut"]})
    (tmp_path / "recipe.yaml").write_text(TEXT)
    assert main(["train", str(tmp_path / "recipe.yaml"), "--workspace", str(tmp_path / "ws"), *words]) == 2
    assert given == [replace(read_recipe(tmp_path / "recipe.yaml"), **changed)]


def test_a_base_is_frozen_on_request(
    tmp_path: Path, given: list[Recipe], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipe.yaml").write_text("train: {freeze_base: false}")
    Workspace.create(tmp_path / "ws", name="test", label_sets={"verb": ["cut"]})
    for more in ([], ["--freeze-base"]):
        assert main(["train", str(tmp_path / "recipe.yaml"), "--workspace", str(tmp_path / "ws"), *more]) == 2
    assert [recipe.train.freeze_base for recipe in given] == [False, True]
    assert capsys.readouterr().err.count("the base that is frozen stays untrained") == 1
    with monkeypatch.context() as helping:  # processes that the first has started say nothing more
        helping.setenv("LOCAL_RANK", "1")
        main(["train", str(tmp_path / "recipe.yaml"), "--workspace", str(tmp_path / "ws"), "--freeze-base"])
    assert "stays untrained" not in capsys.readouterr().err
    more = ["--freeze-base", "--from", "x.pt"]
    assert main(["train", str(tmp_path / "recipe.yaml"), "--workspace", str(tmp_path / "ws"), *more]) == 2
    assert "stays untrained" not in capsys.readouterr().err


def test_the_score_of_a_training_says_of_what_it_is_and_in_which_unit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = small_workspace(tmp_path / "ws")
    recipe = tmp_path / "own.yaml"
    recipe.write_text(
        "name: own\ndata: {train_split: validation}\ntrain: {epochs: 0, regression_range: [[0, 4], [2, 8], [4, 100]]}\n"
        "base: {embed_channels: 16, neck_channels: 16, head_channels: 16, levels: 3, max_steps: 64}\n"
    )
    assert main(["train", str(recipe), "--workspace", str(workspace.folder), "--device", "cpu"]) == 0
    assert re.search(r"^own: mAP \d+\.\d\d % for verb on 3 clips, averaged", capsys.readouterr().out, re.MULTILINE)
