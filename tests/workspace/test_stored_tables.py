"""What a run has stored is read whole, or refused in one sentence that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mravff_core import Workspace
from mravff_core.analysis.errors import analyse_errors
from mravff_core.analysis.gates import audio_effect
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.analysis.side import Side
from mravff_core.errors import WorkspaceError
from mravff_core.report.build import build_report
from mravff_core.report.plan import ReportPlan
from mravff_core.workspace import Clip
from mravff_core.workspace.runs import LevelGates, Run

FOUND = pd.DataFrame({"start_s": [0.2, 1.0], "end_s": [0.9, 1.5], "label": [0, 1], "score": [0.9, 0.4]})
GATES = [LevelGates(np.arange(8) / 4, np.linspace(0.1, 0.8, 8, dtype=np.float32))]


def made(folder: Path, *, annotated: bool = True) -> tuple[Workspace, Run]:
    """One clip, and a run of gates and two detections that has no weights."""
    workspace = Workspace.create(folder, name="One", label_sets={"verb": ["cut", "stir"]})
    workspace.add_clips([Clip(clip_id="clip", title="Clip", path="", duration_s=2.0)])
    if annotated:
        truth = {"clip_id": ["clip"], "segment_id": ["a"], "start_s": [0.2], "end_s": [0.9], "verb": [0]}
        workspace.set_annotations(pd.DataFrame(truth))
    run = Run(workspace.runs_folder / "ours")
    for condition in ("on", "off"):
        run.store(condition, "clip", FOUND, GATES)
        run.merge(condition)
    config = {
        "base": {"kind": "actionformer"},
        "fusion": {"kind": "mrav"},
        "label_set": "verb",
        "labels": ["cut", "stir"],
    }
    (run.folder / "config.yaml").write_text(yaml.safe_dump(config))
    (run.folder / "model.safetensors").write_bytes(b"weights")
    return workspace, run


def changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        change(pd.read_parquet(path)).to_parquet(path)

    return write


@pytest.mark.parametrize(
    ("table", "damage", "words"),
    [
        ("detections", lambda path: path.write_bytes(path.read_bytes()[:200]), "not readable as Parquet"),
        ("gates", lambda path: path.write_bytes(path.read_bytes()[:200]), "not readable as Parquet"),
        ("detections", changed(lambda table: table.drop(columns="score")), "lacks column score; it has clip_id"),
        ("gates", changed(lambda table: table.drop(columns="level")), "lacks column level"),
        ("detections", changed(lambda table: table.assign(label=[0, 7])), "found label 7, expected 0 to 1"),
        ("detections", changed(lambda table: table.assign(label=[1, -3])), "found label -3"),
        ("detections", changed(lambda table: table.assign(score=np.nan)), "a score is not a number"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, table: str, damage: Callable[[Path], None], words: str) -> None:
    workspace, run = made(tmp_path)
    path = run.predictions_folder("on") / f"{table}.parquet"
    damage(path)
    with pytest.raises(WorkspaceError, match=rf"on/{table}\.parquet: .*{words}") as refused:
        segment_gates(workspace, SegmentSource("ours", kind="detected"))
    assert str(refused.value).count(path.name) == 1, "the file is named once"
    if table == "gates":
        with pytest.raises(WorkspaceError, match=words):
            run.mean_gates("on")


def test_a_table_that_is_gone_is_no_damage(tmp_path: Path) -> None:
    _, run = made(tmp_path)
    (run.predictions_folder("on") / "detections.parquet").unlink()
    (run.predictions_folder("on") / "gates.parquet").unlink()
    assert run.detections("on") is None and run.gate_table("on") is None and run.mean_gates("on").empty


def test_all_gates_are_read_once_and_again_when_they_are_others(tmp_path: Path) -> None:
    _, run = made(tmp_path)
    first = run.gate_table("on")
    assert first is not None and run.gate_table("on") is first
    run.forget("on", ["clip"])
    run.store("on", "clip", FOUND, [LevelGates(np.arange(8) / 4, np.full(8, 0.5, np.float32))])
    later = run.gate_table("on")
    assert later is not None and later["gate"].tolist() == [0.5] * 8
    run.merge("on")
    merged = run.gate_table("on")
    assert merged is not None and merged["gate"].tolist() == [0.5] * 8


def test_annotations_of_a_class_that_is_not_there_are_refused(tmp_path: Path) -> None:
    workspace, _ = made(tmp_path)
    workspace.set_annotations(workspace.annotations.assign(verb=9))
    with pytest.raises(WorkspaceError, match=r"annotations\.parquet: found verb label 9, expected 0 to 1"):
        workspace.truth("verb")


def test_without_true_segments_each_analysis_says_so(tmp_path: Path) -> None:
    workspace, _ = made(tmp_path, annotated=False)
    with pytest.raises(WorkspaceError, match=r"no clip has true verb segments .* import --annotations"):
        analyse_errors(workspace, Side("ours"))
    with pytest.raises(WorkspaceError, match=r"no clip has true verb segments to score against"):
        audio_effect(workspace, "ours")
    with pytest.raises(WorkspaceError, match="no clip has true verb segments to report against"):
        build_report(workspace, ReportPlan(("ours",)))
    assert segment_gates(workspace, SegmentSource("ours", kind="correct")).empty
    detected = segment_gates(workspace, SegmentSource("ours", kind="detected"))
    assert len(detected) == len(FOUND) and detected["audibility"].isna().all()


def test_a_run_of_another_data_set_is_no_subject_of_a_report(tmp_path: Path) -> None:
    workspace, run = made(tmp_path)
    text = (run.folder / "config.yaml").read_text()
    (run.folder / "config.yaml").write_text(text.replace("label_set: verb", "label_set: sport"))
    with pytest.raises(WorkspaceError, match="has no label set 'sport'; it has verb"):
        ReportPlan(("ours",)).checked(workspace)


def test_a_record_of_something_else_and_a_sound_that_is_none_are_named(tmp_path: Path) -> None:
    workspace, run = made(tmp_path)
    for content, shown in ((b"loud:3", "loud:3"), (b"o\xffff", "o\ufffdff")):
        (run.predictions_folder("off") / "condition.txt").write_bytes(content)
        with pytest.raises(WorkspaceError, match=rf"off/condition\.txt: audio condition '{shown}' is not known"):
            workspace.runs()
    (run.predictions_folder("off") / "condition.txt").write_text("off")
    (run.folder / "config.yaml").write_text("base: 3\n")
    with pytest.raises(WorkspaceError, match=r"config\.yaml: is no record of a run"):
        workspace.runs()
    infos, damaged = workspace.readable_runs()
    assert infos == [] and "is no record of a run" in damaged["ours"], "the others live on"
