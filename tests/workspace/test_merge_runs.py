"""Actions of two runs as a run of their own: what `evaluate` makes of the two, under every sound they share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.evaluation import mean_average_precision, merge_actions
from mravff_core.inference.evaluate_run import Scored, evaluate_run
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.workspace.merge_runs import merge_runs
from tests.small_workspace import NOUNS, VERBS, small_detector, small_workspace

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Verbs heard with sound and without, nouns with sound in two clips of three and by a run that never listens."""
    made = small_workspace(tmp_path_factory.mktemp("merge") / "ws")
    for name, fusion in (("nouns", "mrav"), ("deaf_nouns", "none")):
        detector = small_detector(fusion=fusion, seed=1, label_set="noun", labels=NOUNS)
        save_detector(detector, made.runs_folder / name)
    for sound in ("on", "off"):
        predict(made, "verb_mrav", condition=sound, device="cpu")
    predict(made, "nouns", clip_ids=["clip_0", "clip_1"], device="cpu")
    predict(made, "deaf_nouns", device="cpu")
    return made


@pytest.fixture
def workspace(predicted: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    return Workspace(tmp_path / "ws")


def test_a_merged_run_holds_what_merging_gives(workspace: Workspace) -> None:
    made = merge_runs(workspace, "verb_mrav", "nouns", "actions")
    info = workspace.run("actions").info
    assert (info.base, info.has_detector, info.conditions) == ("merged", False, ("on",))
    assert (info.label_set, info.label_sets, info.classes) == ("action", ("action",), len(VERBS) * len(NOUNS))
    verbs, nouns = (workspace.run(run).detections("on", ["clip_0", "clip_1"]) for run in ("verb_mrav", "nouns"))
    assert verbs is not None and nouns is not None
    wanted = merge_actions(verbs, nouns, len(NOUNS))
    stored = workspace.run("actions").detections("on")
    pd.testing.assert_frame_equal(stored, wanted, check_dtype=False)
    assert made.clips == {"on": 2} and made.detections == {"on": len(wanted)} and len(wanted) > 10
    assert workspace.run("actions").predicted_clips("on") == {"clip_0", "clip_1"}


def test_a_run_that_never_listens_is_merged_under_every_sound(workspace: Workspace) -> None:
    shares: list[float] = []
    made = merge_runs(workspace, "verb_mrav", "deaf_nouns", "actions", progress=shares.append)
    assert shares == pytest.approx([done / 6 for done in range(1, 7)])
    assert made.clips == {"off": 3, "on": 3} == dict.fromkeys(workspace.run("actions").info.conditions, 3)
    truth = workspace.truth("action")
    with_sound, without = (workspace.run("actions").detections(sound) for sound in ("on", "off"))
    assert with_sound is not None and not with_sound.equals(without)
    scored = evaluate_run(workspace, Scored("verb_mrav", noun_run="deaf_nouns"), device="cpu")
    assert mean_average_precision(truth, with_sound, TIOUS).average == pytest.approx(scored["average"])


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(workspace: Workspace) -> None:
    for arguments, words in (
        (("nouns", "verb_mrav", "x"), "'nouns' finds noun, not verb"),
        (("verb_mrav", "nouns", "verb_mrav"), "is a run with a detector already"),
        (("verb_mrav", "nouns", "../x"), "is not usable"),
        (("verb_visual", "nouns", "x"), "no clip in common"),
    ):
        with pytest.raises(WorkspaceError, match=words):
            merge_runs(workspace, *arguments)
    with pytest.raises(CancelledError):
        merge_runs(workspace, "verb_mrav", "nouns", "x", cancel=lambda: True)
    assert not workspace.has_run("x") and not list(workspace.runs_folder.glob(".*"))


def test_a_merged_run_is_made_anew_only_where_that_is_asked(workspace: Workspace) -> None:
    merge_runs(workspace, "verb_mrav", "nouns", "actions")
    with pytest.raises(WorkspaceError, match="is there already"):
        merge_runs(workspace, "verb_mrav", "nouns", "actions")
    workspace.run("nouns").forget("on", ["clip_1"])
    assert merge_runs(workspace, "verb_mrav", "nouns", "actions", replace=True).clips == {"on": 1}


def test_the_command_makes_a_run_that_other_commands_take(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--workspace", str(workspace.folder), "--json"]
    words = ["merge", "--verb-run", "verb_mrav", "--noun-run", "deaf_nouns", "--run", "actions", *where]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == {"off": 3, "on": 3}
    assert main(["compare", "--a", "actions@off", "--b", "actions", "--min-score", "0", *where]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert compared["label_set"] == "action" and compared["clips"] == 3 and compared["events"]
    assert main(["diagnose", "--run", "actions", *where]) == 0
    assert json.loads(capsys.readouterr().out)["label_set"] == "action"
