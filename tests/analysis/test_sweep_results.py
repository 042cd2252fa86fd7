"""The page of results says what the stored sweeps say, and tells misleading sound from clear."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mravff_core import Workspace
from mravff_core.analysis.sweep import members_of, sweep
from mravff_core.analysis.sweep_naming import misled, naming, rightly_named
from mravff_core.cli import main
from mravff_core.report.results_page import PUBLISHED
from tests.analysis.test_sweep import RECIPE
from tests.small_workspace import small_workspace


def truth() -> pd.DataFrame:
    return pd.DataFrame(
        {"clip_id": ["a", "a", "b"], "start_s": [0.0, 5.0, 0.0], "end_s": [4.0, 9.0, 4.0], "label": [0, 1, 0]}
    )


def test_the_best_detection_at_a_place_decides() -> None:
    found = pd.DataFrame(
        [("a", 0.0, 3.0, 0, 0.5), ("a", 0.0, 1.0, 1, 0.9), ("a", 5.0, 9.0, 1, 0.3), ("a", 5.0, 8.0, 0, 0.4)],
        columns=["clip_id", "start_s", "end_s", "label", "score"],
    )
    # The second is better but too short to count; the third has the right name but not the best score.
    assert rightly_named(truth(), found).tolist() == [True, False, False]
    assert rightly_named(truth(), found.sample(frac=1, random_state=1)).tolist() == [True, False, False]


def test_sound_misleads_from_a_quarter_of_a_segment_on() -> None:
    events = pd.DataFrame(
        [("a", 0.0, 0.5, False), ("a", 3.5, 5.9, False), ("a", 6.0, 9.0, True), ("b", 9.0, 10.0, False)],
        columns=["clip_id", "start_s", "end_s", "on_screen"],
    )
    assert misled(truth(), events).tolist() == [True, False, False]
    assert misled(truth(), events.assign(end_s=events["end_s"] + 0.2)).tolist() == [True, True, False]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = small_workspace(tmp_path_factory.mktemp("results") / "small", clips=2)
    found.set_sound_events(
        pd.DataFrame({"clip_id": ["clip_0"], "start_s": [0.0], "end_s": [1.0], "sound": "tap", "on_screen": False})
    )
    sweep(found, members_of(RECIPE, seeds=3, fusions=["none", "mrav"]), device="cpu")
    return found


def written(folder: Path) -> dict[Path, int]:
    """When each file was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_page_says_what_is_stored(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out, before = tmp_path / "results.md", written(workspace.folder)
    assert main(["results", "--workspace", str(workspace.folder), "--out", str(out), "--json"]) == 0
    assert written(workspace.folder) == before, "a workspace that can only be read will do"
    (result,) = json.loads(capsys.readouterr().out)
    page = out.read_text()
    assert result["misled_segments"] == 1
    assert result["fusion"] == "mrav"
    for row in result["table"]["rows"]:
        mean, low, high = (100 * row["average"][name] for name in ("mean", "low", "high"))
        interval = f"{mean:.1f} ({max(0.0, low):.1f} to {min(100.0, high):.1f})"
        assert f"| {row['base']} | {row['fusion']} | {row['audio']} | 3 | {interval} |" in page
    shares = naming(workspace, "tiny", split="validation")
    clear = shares[(shares["fusion"] == "mrav") & ~shares["misled"]].groupby("seed")["right"].mean().mean()
    named = next(row for row in result["named"] if row["fusion"] == "mrav")
    assert named["clear"]["share"]["mean"] == pytest.approx(clear)
    assert named["clear"]["segments"] == 3


def test_published_numbers_are_marked_and_sourced(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "results.md"
    main(["results", "--workspace", str(workspace.folder), "--out", str(out)])
    page = out.read_text().split("## What others published")[1]
    assert "published and not reproduced here" in page
    tables = yaml.safe_load(PUBLISHED.read_text())
    assert all(table["columns"][-1] == "source" and all(row[-1] for row in table["rows"]) for table in tables)
    assert all(len(row) == len(table["columns"]) for table in tables for row in table["rows"])
    assert "| TriDet | SlowFast | separate | 25.51 | 23.76 |  | TriDet README |" in page


def test_they_agree_with_the_list_of_published_numbers(shared: Path) -> None:
    known = set(re.findall(r"\d+\.\d+", (shared / "published.md").read_text()))
    ours = {
        number
        for table in yaml.safe_load(PUBLISHED.read_text())
        for row in table["rows"]
        for value in row[1:-1]
        for number in re.findall(r"\d+\.\d+", f"{value:.2f}" if isinstance(value, float) else str(value or ""))
    }
    assert ours <= known
    assert len(ours) > 50


def test_without_a_sweep_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    Workspace.create(tmp_path, name="empty", label_sets={"verb": ["cut"]})
    assert main(["results", "--workspace", str(tmp_path), "--out", str(tmp_path / "x.md")]) == 2
    assert "has no sweep; make one with" in capsys.readouterr().err
