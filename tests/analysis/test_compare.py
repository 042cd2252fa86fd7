"""Comparisons of a workspace's runs and sounds: against the stored tables, by function and by command."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.analysis.changes import MatchSettings
from mravff_core.analysis.compare import compare, kind_counts, precision_of, sides_of, stored_precision
from mravff_core.analysis.side import Side
from mravff_core.cli import main
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.evaluation import mean_average_precision
from mravff_core.segments import temporal_iou

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
SETTINGS = MatchSettings(min_score=0.3)


@pytest.fixture
def workspace(predicted: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    return Workspace(tmp_path / "ws")


@pytest.mark.parametrize("text", ["my_run", "my_run@off", "a@swap:+1", "a@shift:-2"])
def test_sides_read_back(text: str) -> None:
    assert str(Side.parse(text)) == text


@pytest.mark.parametrize("text", ["", "@off", "run@", "run@loud"])
def test_sides_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Side.parse(text)


def test_precisions_and_counts_are_those_of_the_stored_tables(predicted: Workspace) -> None:
    found = compare(predicted, "verb_mrav@off", "verb_mrav", settings=SETTINGS, resamples=50)
    run, truth = predicted.run("verb_mrav"), predicted.truth("verb")
    scores = [mean_average_precision(truth, run.detections(sound), TIOUS) for sound in ("off", "on")]
    overall, classes = found.precision.overall, found.precision.per_class.set_index("label")
    assert (overall["a"], overall["b"]) == pytest.approx([score.average for score in scores])
    assert overall["difference"] == pytest.approx(scores[1].average - scores[0].average)
    assert overall["low"] <= overall["difference"] <= overall["high"]
    expected = scores[1].per_class.mean(axis=1) - scores[0].per_class.mean(axis=1)
    assert classes["difference"].to_dict() == pytest.approx(expected.to_dict())
    assert classes["segments"].to_dict() == truth["label"].value_counts().to_dict()
    assert (classes["clear"] == ((classes["low"] > 0) | (classes["high"] < 0))).all()

    a, b = (run.detections(sound).query("score >= 0.3") for sound in ("off", "on"))
    counts = kind_counts(found.events)
    assert counts["lost"] + counts["moved"] + counts["renamed"] + counts["same"] == len(a)
    assert counts["gained"] + counts["moved"] + counts["renamed"] + counts["same"] == len(b)
    for name in ("gained", "lost", "moved", "same"):
        assert found.per_class[name].sum() == found.per_clip[name].sum() == counts[name]
    assert found.per_class["renamed_from"].sum() == found.per_class["renamed_to"].sum() == counts["renamed"]
    for clip_id, clip in found.events.groupby("clip_id"):
        lost = clip[clip["kind"] == "lost"]
        others = b[b["clip_id"] == clip_id]
        free = others[~others["score"].isin(clip.loc[clip["kind"] != "gained", "b_score"])]
        overlap = temporal_iou(lost[["a_start_s", "a_end_s"]].to_numpy(), free[["start_s", "end_s"]].to_numpy())
        assert not (overlap >= SETTINGS.min_tiou).any(), "nothing free overlaps what is lost"


def test_swapping_the_sides_turns_every_sign(predicted: Workspace) -> None:
    there = compare(predicted, "verb_visual", "verb_mrav", settings=SETTINGS, resamples=50)
    back = compare(predicted, "verb_mrav", "verb_visual", settings=SETTINGS, resamples=50)
    left, right = there.precision.per_class, back.precision.per_class
    assert left["difference"].tolist() == pytest.approx((-right["difference"]).tolist())
    assert left["low"].tolist() == pytest.approx((-right["high"]).tolist())
    counts, mirrored = kind_counts(there.events), kind_counts(back.events)
    assert counts["gained"] == mirrored["lost"] and counts["lost"] == mirrored["gained"]
    assert there.per_clip["gained_correct"].tolist() == back.per_clip["lost_correct"].tolist()


def test_a_side_against_itself_differs_in_nothing(predicted: Workspace) -> None:
    found = compare(predicted, "verb_mrav", "verb_mrav", settings=SETTINGS, resamples=20)
    assert (found.precision.per_class[["difference", "low", "high"]] == 0).all(axis=None)
    assert not found.precision.per_class["clear"].any() and not found.precision.overall["clear"]
    assert set(found.events["kind"]) == {"same"}


def test_what_is_missing_is_predicted_and_only_that(workspace: Workspace) -> None:
    before = sides_of(workspace, "verb_mrav", "verb_mrav@silence")
    assert before.clip_ids == () and len(before.missing_b) == 3
    found = compare(workspace, "verb_mrav", "verb_mrav@silence", resamples=5)
    assert len(found.compared.clip_ids) == 3
    workspace.run("verb_mrav").forget("silence", ["clip_1"])
    part = sides_of(workspace, "verb_mrav", "verb_mrav@silence")
    assert part.clip_ids == ("clip_0", "clip_2") and part.missing_b == ("clip_1",)


def test_intervals_are_kept_until_detections_change(workspace: Workspace) -> None:
    compared = sides_of(workspace, "verb_mrav@off", "verb_mrav")
    assert stored_precision(workspace, compared, resamples=20) is None
    fresh = precision_of(workspace, compared, resamples=20)
    kept = stored_precision(workspace, compared, resamples=20)
    pd.testing.assert_frame_equal(kept.per_class, fresh.per_class)
    workspace.run("verb_mrav").forget("on", ["clip_0"])
    assert stored_precision(workspace, compared, resamples=20) is None


def test_runs_of_other_classes_are_not_compared(workspace: Workspace) -> None:
    config = workspace.runs_folder / "verb_visual" / "config.yaml"
    config.write_text(config.read_text().replace("label_set: verb", "label_set: noun"))
    with pytest.raises(WorkspaceError, match="verb_mrav finds verb, verb_visual finds noun"):
        sides_of(workspace, "verb_mrav", "verb_visual")


def run_command(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_the_command_prints_what_the_function_gives(
    predicted: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sides = ["--a", "verb_mrav@off", "--b", "verb_mrav", "--workspace", str(predicted.folder)]
    words = ["compare", *sides, "--min-score", "0.3", "--resamples", "50"]
    found = compare(predicted, "verb_mrav@off", "verb_mrav", settings=SETTINGS, resamples=50)
    document = json.loads(run_command(capsys, *words, "--json"))
    assert document["counts"] == kind_counts(found.events)
    assert document["overall"]["difference"] == pytest.approx(found.precision.overall["difference"])
    assert len(document["events"]) == len(found.events)
    assert {event["b_label"] for event in document["events"]} <= {"cut", "stir", "pour", None}
    table = pd.read_csv(io.StringIO(run_command(capsys, *words, "--csv", "--table", "clip")))
    assert table["gained"].tolist() == found.per_clip["gained"].tolist()
    assert "B is" not in run_command(capsys, *words, "--csv", str(tmp_path / "events.csv"), "--table", "event")
    assert len(pd.read_csv(tmp_path / "events.csv")) == len(found.events)
    assert "b - a" in run_command(capsys, *words)


def test_the_command_refuses_what_makes_no_sense(predicted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--workspace", str(predicted.folder), "--a", "verb_mrav@loud", "--b", "verb_mrav"]
    assert main(words) == 2
    assert "audio condition 'loud' is not known" in capsys.readouterr().err
