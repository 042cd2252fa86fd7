"""A checkpoint becomes a run that predicts in the workspace what it predicts elsewhere."""

from __future__ import annotations

import json
import pprint
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from mravff_core import Predictor, TimeGrid, Workspace, load_detector
from mravff_core.cli import main
from mravff_core.config import Recipe
from mravff_core.data.features import Features
from mravff_core.model.checkpoints import save_detector
from mravff_core.training.warm_start import adopt, read_start
from mravff_core.workspace import Clip
from tests.model import published_opentad
from tests.model.published import Published, small_config, written
from tests.model.published_temporalmaxer import PublishedTemporalMaxer, small_temporalmaxer_config
from tests.model.published_tridet import small_tridet_config
from tests.small_workspace import small_detector, small_workspace

GRID = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
VERBS = ["cut", "stir", "pour", "wash", "open"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="test", label_sets={"verb": VERBS, "noun": ["pan"]})
    made.add_clips([Clip("a", "A", "", 40.0, has_audio=False)])
    array = np.random.default_rng(0).normal(size=(12, 70)).astype(np.float32)
    made.set_features("slowfast", "a", Features(array, GRID))
    return made


@pytest.fixture
def official(tmp_path: Path) -> list[str]:
    """A checkpoint as ActionFormer's code saves one, with its YAML file."""
    return saved(tmp_path, Published, small_config())


def saved(tmp_path: Path, network: type[Published], config: dict[str, Any]) -> list[str]:
    (tmp_path / "epic.yaml").write_text(yaml.safe_dump(config))
    weights = network(config).weights
    weights["reg_head.offset_head.conv.bias"] += 3  # chance would leave segments without length
    return [str(written(tmp_path, weights)), "--config", str(tmp_path / "epic.yaml")]


@pytest.mark.parametrize(
    ("base", "network", "config"),
    [
        ("actionformer", Published, small_config()),
        ("temporalmaxer", PublishedTemporalMaxer, small_temporalmaxer_config()),
        ("temporalmaxer", PublishedTemporalMaxer, small_temporalmaxer_config(fpn_norm="layernorm")),
    ],
)
def test_an_official_checkpoint_detects_as_it_does_by_itself(
    workspace: Workspace,
    tmp_path: Path,
    base: str,
    network: type[Published],
    config: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    official = saved(tmp_path, network, config)
    here = ["--workspace", str(workspace.folder), "--json"]
    assert main(["import", "checkpoint", *official, "--run", "theirs", "--visual", "slowfast", *here]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "run": "theirs",
        "base": base,
        "fusion": "none",
        "label_sets": ["verb"],
        "features": {"visual": "slowfast"},
        "class_score_file": None,
        "other_grid": None,
    }
    assert main(["predict", "--run", "theirs", "--device", "cpu", *here]) == 0
    capsys.readouterr()
    detector = load_detector(official[0], config=official[2], device="cpu")
    features = workspace.features("slowfast", "a")
    wanted = Predictor(detector).detect(features.array, grid=GRID, duration_s=40.0).detections
    found = workspace.run("theirs").detections()
    assert found is not None and len(found) > 20
    pd.testing.assert_frame_equal(found.drop(columns="clip_id"), wanted)
    assert load_detector(workspace.run("theirs").folder).config.labels == tuple(VERBS)


@pytest.mark.parametrize(
    ("network", "config"),
    [
        (published_opentad.ActionFormer, small_config()),
        (published_opentad.TriDet, small_tridet_config()),
        (published_opentad.TemporalMaxer, small_temporalmaxer_config()),
    ],
)
def test_a_checkpoint_of_opentad_comes_in_and_is_trained_further(
    workspace: Workspace,
    tmp_path: Path,
    network: type[Published],
    config: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = published_opentad.opentad_config(config)
    theirs["dataset"]["test"]["sample_stride"] = 1
    settings = tmp_path / "small.py"
    settings.write_text("\n".join(f"{name} = {value!r}" for name, value in theirs.items()))
    checkpoint = published_opentad.written(tmp_path, network(config).weights)
    here = ["--workspace", str(workspace.folder), "--json"]
    words = ["import", "checkpoint", str(checkpoint), "--config", str(settings), "--run", "theirs"]
    assert main([*words, "--visual", "slowfast", *here]) == 0
    assert json.loads(capsys.readouterr().out)["other_grid"] is None
    assert main(["predict", "--run", "theirs", "--device", "cpu", *here]) == 0
    capsys.readouterr()
    detector = load_detector(checkpoint, config=settings, device="cpu")
    features = workspace.features("slowfast", "a")
    wanted = Predictor(detector).detect(features.array, grid=GRID, duration_s=40.0).detections
    found = workspace.run("theirs").detections()
    assert found is not None and len(found) > 20
    pd.testing.assert_frame_equal(found.drop(columns="clip_id"), wanted)
    start = read_start(checkpoint, settings)
    assert start.train is not None and start.train.regression_range == ((0, 4), (2, 8), (4, 10000))
    recipe = adopt(Recipe(), start)
    assert (recipe.base, recipe.test) == (detector.config.base, detector.config.test)


@pytest.mark.parametrize(
    ("dataset", "match"),
    [
        ({}, ""),
        ({"default_fps": None}, ""),
        ({"default_fps": None, "feat_stride": 4}, r"\(a step every 4 frames of 32, here every 16 of 32 at 30\)"),
        ({"downsample_rate": 2}, "a step every 32 frames of 32 at 30 a second, here every 16"),
        ({"num_frames": 16}, "a step every 16 frames of 16 at 30 a second, here every 16 of 32"),
        ({"default_fps": 25}, "a step every 16 frames of 32 at 25 a second, here every 16 of 32 at 30"),
        ({"feat_stride": -1, "num_frames": -1}, ""),
        ({"force_upsampling": True}, r"every clip brought to 64 steps, here the first has 70\)"),
    ],
)
def test_features_on_another_grid_are_told(
    workspace: Workspace, tmp_path: Path, dataset: dict[str, object], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_config()
    config["dataset"] |= dataset
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    path = str(written(tmp_path, Published(small_config()).weights))
    words = ["--config", str(tmp_path / "own.yaml"), "--visual", "slowfast", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", path, "--run", "theirs", *words]) == 0
    said = capsys.readouterr().out
    assert re.search(match, said) and ("caution" in said) == bool(match)


@pytest.mark.parametrize(("length", "match"), [(70, "steps that stand at the start of their share"), (64, "to 64 st")])
def test_clips_that_opentad_resizes_lie_half_a_step_earlier(
    workspace: Workspace, tmp_path: Path, length: int, match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = published_opentad.opentad_config(small_config())
    settings["dataset"]["test"] = {"type": "AnetResizeDataset", "resize_length": length}
    (tmp_path / "own.json").write_text(json.dumps(settings))
    path = str(published_opentad.written(tmp_path, published_opentad.ActionFormer(small_config()).weights))
    words = ["--config", str(tmp_path / "own.json"), "--visual", "slowfast", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", path, "--run", "theirs", *words]) == 0
    assert match in capsys.readouterr().out


def test_a_run_of_another_workspace_may_be_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (small_workspace(tmp_path / name, clips=2) for name in ("one", "other"))
    source = str(one.run("verb_mrav").folder)
    assert main(["import", "checkpoint", source, "--run", "again", "--workspace", str(other.folder)]) == 0
    assert "reads features visual and audio" in capsys.readouterr().out
    first, second = (load_detector(run.folder) for run in (one.run("verb_mrav"), other.run("again")))
    assert replace(first.config, features=second.config.features) == second.config
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--visual", "slowfast", "--run", "../x"], "run name '../x' is not usable"),
        (["--visual", "slowfast", "--run", "taken"], "taken: is there already"),
        (["--visual", "slowfast", "--run", "x", "--label-set", "noun"], "has 5 classes, the workspace has verb of 5, "),
        (["--visual", "slowfast", "--run", "x", "--label-set", "sport"], "has no label set 'sport'; it has verb, noun"),
        (["--visual", "thin", "--run", "x"], "takes 12 visual channels, the feature set 'thin' has 3"),
        (["--run", "x"], "no clip has features 'visual'"),
    ],
)
def test_what_does_not_fit_is_named_and_leaves_nothing(
    workspace: Workspace, official: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.set_features("thin", "a", Features(np.ones((3, 70), np.float32), GRID))
    (workspace.runs_folder / "taken").mkdir(parents=True)
    assert main(["import", "checkpoint", *official, *options, "--workspace", str(workspace.folder)]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in workspace.runs_folder.iterdir()] == ["taken"]


def test_another_number_of_classes_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = small_workspace(tmp_path / "ws", clips=1)
    save_detector(small_detector(labels=("a", "b", "c", "d")), tmp_path / "other")
    here = ["--run", "x", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", str(tmp_path / "other"), *here]) == 2
    shown = capsys.readouterr().err
    assert "has 4 classes, the workspace has verb of 3, noun of 2" in shown
    assert "import the data set with --classes if the last of them have no segment" in shown


def test_the_settings_printed_beside_a_checkpoint_serve_as_its_configuration(
    workspace: Workspace, official: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load(Path(official[2]).read_text())
    settings["train_split"] = ("training",)
    settings["model"]["backbone_arch"] = tuple(settings["model"]["backbone_arch"])
    settings["model"]["train_cfg"] = {"dropout": 0.0}
    settings["test_cfg"]["ext_score_file"] = None
    (tmp_path / "config.txt").write_text(pprint.pformat(settings) + "\n")
    here = ["--visual", "slowfast", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", *official, "--run", "yaml", *here]) == 0
    assert main(["import", "checkpoint", *official[:2], str(tmp_path / "config.txt"), "--run", "txt", *here]) == 0
    ours = [load_detector(workspace.run(name).folder).config for name in ("yaml", "txt")]
    assert ours[0] == ours[1]
    (tmp_path / "config.txt").write_text("__import__('os').system('true')")
    assert main(["import", "checkpoint", *official[:2], str(tmp_path / "config.txt"), "--run", "no", *here]) == 2
    assert "config.txt: found str" in capsys.readouterr().err


def test_the_same_classes_in_another_order_are_not_taken_for_these(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = small_workspace(tmp_path / "ws", clips=1)
    save_detector(small_detector(labels=("stir", "cut", "pour")), tmp_path / "other")
    here = ["--run", "x", "--workspace", str(workspace.folder)]
    for named in ([], ["--label-set", "verb"]):
        assert main(["import", "checkpoint", str(tmp_path / "other"), *named, *here]) == 2
        assert "its class 0 is 'stir', which is class 1 of verb" in capsys.readouterr().err
    assert not (workspace.runs_folder / "x").exists()


@pytest.fixture
def classless(tmp_path: Path) -> list[str]:
    """A checkpoint of one class as published for ActivityNet, with the YAML file that names class scores."""
    config = small_config(num_classes=1, test_cfg={"multiclass_nms": False, "ext_score_file": "./data/cuhk.json"})
    (tmp_path / "anet.yaml").write_text(yaml.safe_dump(config))
    weights = Published(config).weights
    weights["reg_head.offset_head.conv.bias"] += 3
    return [str(written(tmp_path, weights)), "--config", str(tmp_path / "anet.yaml"), "--visual", "slowfast"]


def test_a_single_class_that_is_no_label_makes_proposals(
    workspace: Workspace, classless: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.set_annotations(
        pd.DataFrame({"clip_id": "a", "segment_id": ["0", "1"], "start_s": [1.0, 5.0], "end_s": [4.0, 9.0]}).assign(
            verb=[4, 2], noun=0
        )
    )
    here = ["--workspace", str(workspace.folder)]
    words = ["import", "checkpoint", *classless, "--run", "found", "--label-set", "proposal"]
    assert main([*words, *here]) == 0
    said = capsys.readouterr().out
    assert "it finds proposals" in said and "merge --proposals found --class-scores cuhk.json" in said
    assert main(["evaluate", "--run", "found", "--device", "cpu", "--json", *here]) == 0
    scored = json.loads(capsys.readouterr().out)[0]
    assert (scored["label_set"], scored["segments"], list(scored["per_class"])) == ("proposal", 2, ["proposal"])
    run = workspace.run("found")
    assert (run.info.label_set, run.info.classes) == ("proposal", 1)
    assert load_detector(run.folder).config.labels == ("proposal",)
    assert workspace.truth("proposal")["label"].tolist() == [0, 0]


def test_a_label_set_of_one_class_takes_a_single_class_for_its_own(
    workspace: Workspace, classless: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, sets, wanted in (
        (workspace.folder, None, ["noun"]),
        (tmp_path / "verbs", {"verb": VERBS}, ["proposal"]),
        (tmp_path / "own", {"verb": VERBS, "proposal": ["anything"]}, ["proposal"]),
    ):
        if sets is not None:
            made = Workspace.create(folder, name="test", label_sets=sets)
            made.add_clips([Clip("a", "A", "", 40.0, has_audio=False)])
            made.set_features("slowfast", "a", workspace.features("slowfast", "a"))
        here = ["--run", "found", "--workspace", str(folder)]
        assert main(["import", "checkpoint", *classless, "--json", *here]) == 0
        made = json.loads(capsys.readouterr().out)
        assert (made["label_sets"], made["class_score_file"]) == (wanted, "./data/cuhk.json")
    assert load_detector(tmp_path / "own" / "runs" / "found").config.labels == ("anything",)


def test_class_scores_that_a_configuration_names_are_told_whatever_the_classes(
    workspace: Workspace, official: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = yaml.safe_load(Path(official[2]).read_text())
    settings["test_cfg"] |= {"multiclass_nms": False, "ext_score_file": "./data/thumos14_cls_scores.pkl"}
    Path(official[2]).write_text(yaml.safe_dump(settings))
    here = ["--visual", "slowfast", "--run", "theirs", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", *official, *here]) == 0
    said = capsys.readouterr().out
    assert (
        "merge --proposals theirs --class-scores thumos14_cls_scores.pkl" in said and "it finds proposals" not in said
    )


def test_several_classes_are_no_proposals(
    workspace: Workspace, official: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--visual", "slowfast", "--run", "x", "--label-set", "proposal", "--workspace", str(workspace.folder)]
    assert main(["import", "checkpoint", *official, *words]) == 2
    assert "has 5 classes, the workspace has verb of 5" in capsys.readouterr().err
