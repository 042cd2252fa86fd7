"""Actions of a joint run, pairs of a verb and a noun, are analysed like any other classes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.analysis.compare import compare
from mravff_core.analysis.errors import analyse_errors
from mravff_core.analysis.gates import audio_effect, class_gates
from mravff_core.analysis.segment_gates import SegmentSource, level_columns, segment_gates
from mravff_core.analysis.stress import stress_table
from mravff_core.cli import main
from mravff_core.errors import WorkspaceError
from mravff_core.evaluation import mean_average_precision
from mravff_core.inference.run_predict import predict
from tests.small_workspace import NOUNS, VERBS, add_joint_run, small_workspace

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
ACTIONS = {len(NOUNS) * v + n: f"{verb} {noun}" for v, verb in enumerate(VERBS) for n, noun in enumerate(NOUNS)}


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Its third clip lost its nouns: one true verb there is no action."""
    workspace = small_workspace(tmp_path_factory.mktemp("actions") / "ws")
    truth = workspace.annotations.copy()
    truth["noun"] = truth["noun"].where(truth["segment_id"] != "clip_2_1")
    workspace.set_annotations(truth)
    add_joint_run(workspace)
    for run, sound in (("joint", "on"), ("joint", "off"), ("verb_mrav", "on")):
        predict(workspace, run, condition=sound, device="cpu")
    return workspace


def stored(workspace: Workspace, sound: str) -> pd.DataFrame:
    found = workspace.run("joint").detections(sound, label_set="action")
    assert found is not None
    return found


def test_a_joint_run_offers_actions_and_others_do_not(joint: Workspace) -> None:
    offered = {info.run: info.label_sets for info in joint.runs()}
    assert offered == {"joint": ("verb", "noun", "action"), "verb_mrav": ("verb",), "verb_visual": ("verb",)}
    with pytest.raises(WorkspaceError, match="'verb_mrav' finds verb, not action"):
        analyse_errors(joint, "verb_mrav", label_set="action")
    with pytest.raises(WorkspaceError, match="compared on action"):
        compare(joint, "verb_mrav", "joint", label_set="action")


def test_only_actions_that_are_true_somewhere_are_to_choose_among(joint: Workspace) -> None:
    true = joint.annotations.dropna()
    labels = set(len(NOUNS) * true["verb"].astype(int) + true["noun"].astype(int))
    assert joint.classes("action") == {label: ACTIONS[label] for label in sorted(labels)}
    assert joint.classes("verb") == dict(enumerate(VERBS))


def test_sides_are_compared_on_actions(joint: Workspace) -> None:
    found = compare(joint, "joint@off", "joint", label_set="action", resamples=20)
    scores = [mean_average_precision(joint.truth("action"), stored(joint, sound), TIOUS) for sound in ("off", "on")]
    overall, classes = found.precision.overall, found.precision.per_class.set_index("name")
    assert (overall["a"], overall["b"]) == pytest.approx([score.average for score in scores])
    expected = scores[1].per_class.mean(axis=1) - scores[0].per_class.mean(axis=1)
    assert classes["difference"].to_dict() == pytest.approx({ACTIONS[at]: value for at, value in expected.items()})
    assert dict(zip(found.per_class["label"], found.per_class["name"], strict=True)) == joint.classes("action")
    assert set(found.events["b_label"]) <= {-1, *ACTIONS}


def test_errors_confuse_actions_by_name(joint: Workspace) -> None:
    analysis = analyse_errors(joint, "joint", label_set="action")
    found = analysis.detections(0.5)
    place = found["player_segment"].str.removeprefix("d").astype(int)
    own = stored(joint, "on").groupby("clip_id")
    names = [ACTIONS[own.get_group(clip)["label"].iloc[at]] for clip, at in zip(found["clip_id"], place, strict=True)]
    assert found["name"].tolist() == names
    assert len(analysis.truths(0.5)) == len(joint.truth("action")) == len(joint.truth("verb")) - 1
    about = set(found["true_name"]) - {""}
    assert about and about <= set(joint.classes("action").values())


def test_gates_inside_actions_are_those_inside_the_same_segments(joint: Workspace) -> None:
    actions = segment_gates(joint, SegmentSource("joint", "action"))
    verbs = segment_gates(joint, SegmentSource("joint", "verb"))
    assert (actions["label"] == len(NOUNS) * actions["verb"] + actions["noun"]).all()
    same = actions.merge(verbs, on="segment_id", suffixes=("", "_verb"))
    assert len(same) == len(actions) == len(verbs) - 1
    for level in level_columns(actions):
        np.testing.assert_array_equal(same[level], same[f"{level}_verb"])
    table = class_gates(actions, joint.class_names("action"), resamples=20)
    assert set(table["name"]) == set(joint.classes("action").values())
    effect = audio_effect(joint, "joint", label_set="action", resamples=0).set_index("label")
    assert effect.loc[-1, "effect"] == pytest.approx(
        compare(joint, "joint@off", "joint", label_set="action", resamples=0).precision.overall["difference"]
    )


def test_stress_scores_the_label_set_that_is_asked_for(joint: Workspace) -> None:
    rows = {
        label_set: stress_table(joint, ["joint"], conditions=["off"], label_set=label_set, resamples=0)
        for label_set in ("", "action")
    }
    assert [set(table["label_set"]) for table in rows.values()] == [{"verb"}, {"action"}]
    score = mean_average_precision(joint.truth("action"), stored(joint, "off"), TIOUS).average
    assert rows["action"].set_index("condition").loc["off", "map"] == pytest.approx(score)
    verbs = joint.run("joint").detections("off", label_set="verb")
    assert rows[""]["map"].iloc[1] == pytest.approx(mean_average_precision(joint.truth("verb"), verbs, TIOUS).average)


def printed(capsys: pytest.CaptureFixture[str], workspace: Workspace, *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--workspace", str(workspace.folder), "--labels", "action", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_commands_speak_of_actions(joint: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    names = set(joint.classes("action").values())
    compared = printed(capsys, joint, "compare", "--a", "joint@off", "--b", "joint", "--resamples", "5")
    assert compared["label_set"] == "action" and {row["name"] for row in compared["per_class"]} == names
    diagnosed = printed(capsys, joint, "diagnose", "--run", "joint")
    assert diagnosed["label_set"] == "action"
    (scored,) = printed(capsys, joint, "evaluate", "--run", "joint")
    assert scored["average"] == pytest.approx(compared["overall"]["b"])
    gated = printed(capsys, joint, "gates", "--run", "joint", "--resamples", "5")
    assert {row["name"] for row in gated["per_class"]} == names and gated["note"] == ""
    assert gated["overall_effect"]["effect"] == pytest.approx(compared["overall"]["difference"])
    stressed = printed(capsys, joint, "stress", "--runs", "joint", "--conditions", "off", "--resamples", "0")
    assert {row["condition"]: row["map"] for row in stressed} == pytest.approx(
        {"on": compared["overall"]["b"], "off": compared["overall"]["a"]}
    )
