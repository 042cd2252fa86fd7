"""True segments for clips that are there already: found by either name, checked, and asked about before any is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.workspace import Clip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="Made", label_sets={"verb": ["cut", "stir"]})
    names = ("one", "v_-two", "three")
    made.add_clips([Clip(clip_id=name, title=name, path="", duration_s=20.0) for name in names])
    return made


def imported(workspace: Workspace, database: dict[str, list[tuple[Any, Any, str]]], *more: str) -> int:
    """Exit code of the command for segments by clip."""
    items = {
        name: {"annotations": [{"segment": [start, end], "label": label} for start, end, label in segments]}
        for name, segments in database.items()
    }
    path = workspace.folder.parent / "a.json"
    path.write_text(json.dumps({"database": items}))
    return main(["import", *more, "--annotations", str(path), "--workspace", str(workspace.folder)])


def segments(workspace: Workspace) -> list[list[Any]]:
    return workspace.truth("verb")[["clip_id", "start_s", "end_s", "label"]].to_numpy().tolist()


def test_clips_are_found_by_the_names_that_files_give_them(workspace: Workspace) -> None:
    assert imported(workspace, {"v_one": [(1, 2, "cut")], "-two": [("3", "4.5", "stir")], "gone": [(1, 2, "cut")]}) == 0
    assert segments(workspace) == [["one", 1, 2, 0], ["v_-two", 3, 4.5, 1]]
    assert imported(workspace, {"three": [(0, 20.3, "cut")], "one": [(5, 6, "stir")]}) == 0
    assert segments(workspace) == [["one", 5, 6, 1], ["three", 0, 20.3, 0], ["v_-two", 3, 4.5, 1]]


def test_nothing_is_lost_that_nobody_agreed_to(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(workspace, {"one": [(1, 2, "cut")], "three": [(1, 2, "cut")]}) == 0
    before = segments(workspace)
    assert "all segments lie in their clips" in capsys.readouterr().out
    in_frames = {"one": [(1, 60, "cut"), (90, 120, "stir"), (3, 3, "cut"), (5, 4, "cut")], "three": [(-9, -2, "cut")]}
    assert imported(workspace, in_frames) == 2
    shown = capsys.readouterr()
    assert "segments outside the clip" in shown.out and "one: 1.00 to 60.00 s of 20.00 s" in shown.out
    assert "5 segments in the table lie outside their clips or would be left out; are its times seconds?" in shown.err
    assert segments(workspace) == before
    assert imported(workspace, in_frames, "--allow-missing", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["segments"], document["clips"], document["clips_not_in_workspace"]) == (3, 2, 0)
    assert {(row["found"], row["number"]) for row in document["findings"]} == {
        ("segments outside the clip", 3),
        ("segments without length", 1),
        ("segments that end before they start", 1),
    }
    assert len(document["each"]) == 5
    assert segments(workspace) == [["one", 1, 60, 0], ["one", 90, 120, 1], ["three", -9, -2, 0]]


def test_a_file_about_other_clips_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(workspace, {"four": [(1, 2, "cut")]}) == 2
    assert "a.json: none of its 1 clips is in the workspace" in capsys.readouterr().err
