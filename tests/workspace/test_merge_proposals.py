"""Proposals with class scores of whole videos as a run of their own, from an official checkpoint to its score."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.errors import AnnotationError, ConfigError, WorkspaceError
from mravff_core.evaluation import label_proposals, mean_average_precision
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.workspace.import_detections import import_detections
from mravff_core.workspace.merge_proposals import merge_proposals
from tests.model.published import Published, small_config, written
from tests.small_workspace import VERBS, small_detector, small_workspace

SCORES = {"clip_0": [0.1, 0.7, 0.2], "clip_1": [0.6, 0.0, 0.4], "clip_2": [0.2, 0.3, 0.5]}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Proposals of a detector that listens, with sound and without."""
    made = small_workspace(tmp_path_factory.mktemp("proposals") / "ws")
    detector = small_detector(label_set="proposal", labels=("proposal",))
    save_detector(detector, made.runs_folder / "found")
    for sound in ("on", "off"):
        predict(made, "found", condition=sound, device="cpu")
    return made


@pytest.fixture
def workspace(predicted: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    return Workspace(tmp_path / "ws")


def scores(folder: Path, results: dict[str, Any], **more: Any) -> Path:
    path = folder / "scores.json"
    path.write_text(json.dumps({"results": results, **more}))
    return path


def test_the_run_holds_labelled_proposals_under_every_stored_sound(workspace: Workspace, tmp_path: Path) -> None:
    made = merge_proposals(workspace, "found", scores(tmp_path, SCORES), "labelled", proposals_per_clip=7)
    info = workspace.run("labelled").info
    assert (info.base, info.has_detector, info.conditions) == ("merged", False, ("off", "on"))
    assert (info.label_sets, info.classes) == (("verb",), len(VERBS))
    assert made.clips == {"off": 3, "on": 3} and made.detections == {"off": 42, "on": 42}
    tables = []
    for sound in ("on", "off"):
        proposals = workspace.run("found").detections(sound)
        assert proposals is not None
        arrays = {clip: np.array(values) for clip, values in SCORES.items()}
        tables.append(label_proposals(proposals, arrays, proposals_per_clip=7))
        stored = workspace.run("labelled").detections(sound)
        pd.testing.assert_frame_equal(stored, tables[-1], check_dtype=False)
    assert not tables[0].equals(tables[1])


def test_own_classes_of_a_run_are_not_looked_at(workspace: Workspace, tmp_path: Path) -> None:
    predict(workspace, "verb_visual", device="cpu")
    merge_proposals(workspace, "verb_visual", scores(tmp_path, SCORES), "labelled")
    own = workspace.run("verb_visual").detections()
    assert own is not None and len(own["label"].unique()) > 1
    arrays = {clip: np.array(values) for clip, values in SCORES.items()}
    expected = label_proposals(own.assign(label=0), arrays)
    pd.testing.assert_frame_equal(workspace.run("labelled").detections(), expected, check_dtype=False)


def test_classes_go_by_their_names(workspace: Workspace, tmp_path: Path) -> None:
    merge_proposals(workspace, "found", scores(tmp_path, SCORES), "by_place")
    turned = {clip: values[::-1] for clip, values in SCORES.items()}
    path = scores(tmp_path, turned, **{"class": [name.upper() for name in VERBS[::-1]]})
    merge_proposals(workspace, "found", path, "by_name")
    first, second = (workspace.run(name).detections() for name in ("by_place", "by_name"))
    assert first is not None
    pd.testing.assert_frame_equal(first, second)


def test_clips_without_scores_are_left_out_only_where_that_is_asked(workspace: Workspace, tmp_path: Path) -> None:
    path = scores(tmp_path, {"clip_1": SCORES["clip_1"]})
    with pytest.raises(AnnotationError, match="has no scores of 2 of 3 clips with proposals, such as 'clip_0'"):
        merge_proposals(workspace, "found", path, "x")
    assert merge_proposals(workspace, "found", path, "x", allow_missing=True).clips == {"off": 1, "on": 1}
    assert workspace.run("x").predicted_clips() == {"clip_1"}


def test_a_clip_without_proposals_needs_no_scores(workspace: Workspace, tmp_path: Path) -> None:
    nothing = pd.DataFrame({"start_s": [], "end_s": [], "label": [], "score": []})
    for sound in ("on", "off"):
        workspace.run("found").store(sound, "clip_1", nothing, [])
    path = scores(tmp_path, {clip: SCORES[clip] for clip in ("clip_0", "clip_2")})
    assert merge_proposals(workspace, "found", path, "x").clips == {"off": 3, "on": 3}


def test_logits_are_taken_as_such_where_that_is_said(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    merge_proposals(workspace, "found", scores(tmp_path, SCORES), "probable")
    logits = {clip: [np.log(np.array(values) + 1e-300).tolist()] for clip, values in SCORES.items()}
    merge = ["merge", "--workspace", str(workspace.folder), "--proposals", "found", "--run", "likely"]
    merge += ["--class-scores", str(scores(tmp_path, logits))]
    assert main(merge) == 2 and "are these logits? --logits takes them" in capsys.readouterr().err
    assert main([*merge, "--logits"]) == 0
    first, second = (workspace.run(name).detections() for name in ("probable", "likely"))
    assert first is not None
    pd.testing.assert_frame_equal(first, second)


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    good = scores(tmp_path, SCORES)
    save_detector(small_detector(label_set="proposal", labels=("proposal",)), workspace.runs_folder / "new")
    pd.DataFrame({"clip_id": ["clip_0"], "start_s": 1.0, "end_s": 2.0, "score": 0.5, "verb": 0, "noun": 0}).to_csv(
        tmp_path / "actions.csv"
    )
    import_detections(workspace, tmp_path / "actions.csv", "actions")
    for run, name, settings, error, words in (
        ("found", "found", {}, WorkspaceError, "is a run with a detector already"),
        ("found", "../x", {}, WorkspaceError, "is not usable"),
        ("nothing", "x", {}, WorkspaceError, "has no run 'nothing'"),
        ("actions", "x", {}, WorkspaceError, "finds verb and noun and action; class scores are for a run of proposals"),
        ("new", "x", {}, WorkspaceError, "has no proposals stored in clips that .* predict --run new"),
        ("found", "x", {"label_set": "sport"}, WorkspaceError, "has no label set 'sport'; it has verb, noun"),
        ("found", "x", {"label_set": "noun"}, AnnotationError, "has scores of 3 classes, the label set has 2"),
        ("found", "x", {"classes_per_clip": 0}, ConfigError, "expected 1 or more"),
    ):
        with pytest.raises(error, match=words):
            merge_proposals(workspace, run, good, name, **settings)  # type: ignore[arg-type]
    other = scores(tmp_path, {"clip_0": [1, 2, 3, 4]})
    with pytest.raises(ConfigError, match="has scores of 4 classes, the workspace has verb of 3, noun of 2"):
        merge_proposals(workspace, "found", other, "x")
    assert not workspace.has_run("x") and not list(workspace.runs_folder.glob(".*"))


def test_the_run_is_made_anew_only_where_that_is_asked(workspace: Workspace, tmp_path: Path) -> None:
    merge_proposals(workspace, "found", scores(tmp_path, SCORES), "labelled")
    with pytest.raises(WorkspaceError, match="is there already"):
        merge_proposals(workspace, "found", scores(tmp_path, SCORES), "labelled")
    workspace.run("found").forget("on", ["clip_1"])
    again = merge_proposals(workspace, "found", scores(tmp_path, SCORES), "labelled", replace=True)
    assert again.clips == {"off": 3, "on": 2}


def test_stored_sounds_of_a_merged_run_are_scored_and_others_are_refused(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    merge_proposals(workspace, "found", scores(tmp_path, SCORES), "labelled")
    words = ["evaluate", "--run", "labelled", "--workspace", str(workspace.folder), "--json"]
    assert main([*words, "--audio", "off"]) == 0
    detections = workspace.run("labelled").detections("off")
    assert detections is not None
    wanted = mean_average_precision(workspace.truth("verb"), detections, (0.1, 0.2, 0.3, 0.4, 0.5), protocol="epic")
    assert json.loads(capsys.readouterr().out)[0]["average"] == pytest.approx(wanted.average)
    assert main([*words, "--audio", "silence"]) == 2
    assert "cannot say what audio silence would change; only 'off', 'on' is there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--proposals", "found"],
        ["--verb-run", "verb_mrav"],
        ["--verb-run", "verb_mrav", "--noun-run", "nouns", "--class-scores", "x.json"],
    ],
)
def test_the_command_says_what_it_needs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "--run", "x", *words]) == 2
    assert "either --verb-run and --noun-run, or --proposals and --class-scores" in capsys.readouterr().err


def test_an_official_checkpoint_without_classes_is_scored_as_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ActivityNet's files, a checkpoint of one class, and class scores that know the right class."""

    def command(*words: str) -> Any:
        assert main([*words, "--workspace", str(tmp_path / "ws"), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    labels = {"one": "Hand car wash", "-two": "Archery", "three": "Bathing dog"}
    rng = np.random.default_rng(0)
    (tmp_path / "tsp").mkdir()
    database = {}
    for name, label in labels.items():
        np.save(tmp_path / "tsp" / f"v_{name}.npy", rng.normal(size=(37, 512)).astype(np.float32))
        segments = [{"segment": [2.0, 9.0], "label": label}, {"segment": [20.0, 31.0], "label": label}]
        database[name] = {"subset": "validation", "duration": 40.0, "annotations": segments}
    (tmp_path / "anet.json").write_text(json.dumps({"database": database}))
    command(
        *("import", "activitynet", "--annotations", str(tmp_path / "anet.json"), "--features", str(tmp_path / "tsp"))
    )
    config = small_config(num_classes=1, input_dim=512, default_fps=15, test_cfg={"ext_score_file": "cuhk.json"})
    config["test_cfg"] |= {"multiclass_nms": False, "max_seg_num": 100, "voting_thresh": 0.85}
    (tmp_path / "anet.yaml").write_text(yaml.safe_dump(config))
    weights = Published(config).weights
    weights["reg_head.offset_head.conv.bias"] += 3
    checkpoint = [str(written(tmp_path, weights)), "--config", str(tmp_path / "anet.yaml")]
    assert command("import", "checkpoint", *checkpoint, "--run", "tsp")["label_sets"] == ["proposal"]
    command("predict", "--run", "tsp", "--device", "cpu")
    names = ["hand_car_wash", "bathing_dog", "archery"]
    sure = {
        name: [0.9 if label.lower().replace(" ", "_") == own else 0.0 for own in names]
        for name, label in labels.items()
    }
    path = scores(tmp_path, sure, **{"class": names})
    merge = ["merge", "--proposals", "tsp", "--class-scores", str(path), "--run", "labelled"]
    made = command(*merge)
    assert made["clips"] == {"on": 3}
    protocol = ["--protocol", "activitynet", "--tiou", "0.1,0.3"]
    found = command("evaluate", "--run", "labelled", *protocol)[0]
    assert found["label_set"] == "activity" and set(found["per_class"]) == set(labels.values())
    workspace = Workspace(tmp_path / "ws")
    proposals = workspace.run("tsp").detections()
    assert proposals is not None and made["detections"]["on"] == 2 * len(proposals) > 60
    # Other classes come last, with the score 0; the true one's keep the order that they have without a class.
    true_label = dict(workspace.truth("activity")[["clip_id", "label"]].itertuples(index=False))
    wanted = proposals.assign(label=proposals["clip_id"].map(true_label))
    result = mean_average_precision(workspace.truth("activity"), wanted, (0.1, 0.3), protocol="activitynet")
    assert found["average"] == pytest.approx(result.average) and found["average"] > 0.05
    assert command("diagnose", "--run", "labelled")["label_set"] == "activity"
    command("export", "--run", "labelled", "--format", "activitynet", "--out", str(tmp_path / "r.json"))
    assert set(json.loads((tmp_path / "r.json").read_text())["results"]) == set(labels)
