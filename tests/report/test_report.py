"""Reports hold what the commands print, say how to be made again, and leave nothing half-made."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from mravff_core.analysis.compare import compare
from mravff_core.analysis.errors import analyse_errors
from mravff_core.cli import main
from mravff_core.errors import CancelledError, ConfigError, MravffError
from mravff_core.report.build import build_report
from mravff_core.report.document import Document, Table
from mravff_core.report.plan import ReportPlan, usual_sides
from mravff_core.workspace import Bookmarks, MarkedSegment, Workspace
from tests.small_workspace import small_workspace

SIDES = ("verb_mrav@off", "verb_mrav")
CUT = MarkedSegment("clip_0", 0.2, 1.2, "verb", "cut")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return small_workspace(tmp_path_factory.mktemp("report") / "ws")


@pytest.fixture(scope="module")
def document(workspace: Workspace) -> Document:
    marks = Bookmarks(workspace.folder)
    marks.add_to_set("odd ones", [CUT])
    marks.set_note(CUT, "look here")
    return build_report(workspace, ReportPlan(SIDES, sets=("odd ones",), min_score=0.0, resamples=20))


def table_of(document: Document, section: str, name: str) -> pd.DataFrame:
    tables: list[Table] = [table for part in document.sections if part.name == section for table in part.tables]
    return next(table.table for table in tables if table.name == name)


def test_its_numbers_are_those_of_the_analysis(workspace: Workspace, document: Document) -> None:
    found = compare(workspace, *SIDES, resamples=20)
    runs = table_of(document, "overview", "runs").set_index("sound")["mAP"]
    assert runs["off"] == pytest.approx(found.precision.overall["a"])
    assert runs["on"] == pytest.approx(found.precision.overall["b"])
    classes = table_of(document, "compare", "classes").set_index("name")["difference"]
    own = found.precision.per_class.set_index("name")["difference"]
    pd.testing.assert_series_equal(classes.sort_index(), own.sort_index())
    wrong = analyse_errors(workspace, "verb_mrav").detections(0.5).query("kind != 'true positive'")
    assert len(table_of(document, "errors", "wrong detections")) == min(300, len(wrong))


def test_one_clip_decides_nothing(tmp_path: Path) -> None:
    document = build_report(small_workspace(tmp_path / "ws", clips=1), ReportPlan(SIDES, resamples=20))
    (said,) = (part.text for part in document.sections if part.name == "compare")
    assert "there is no interval" in said and "holds 0" not in said


def test_a_segment_of_a_set_with_a_note_is_shown_once_with_both(document: Document) -> None:
    (scene,) = document.sections[-1].scenes
    assert scene.segment == CUT and scene.note == "look here" and scene.film


def test_it_says_what_it_is_about_and_how_to_make_it_again(
    workspace: Workspace, document: Document, tmp_path: Path
) -> None:
    assert document.facts["Clips and true segments"] == "3 clips, 6 verb segments"
    assert re.search(r"verb_mrav \([0-9a-f]{12}\)", document.facts["Runs (start of the weights' SHA-256)"])
    assert "torch" in document.facts["Versions"].lower() and document.facts["Date"].startswith("20")
    python, dash_m, package, *arguments = shlex.split(document.commands[0])
    assert (python, dash_m, package) == ("python", "-m", "mravff_core")
    arguments[arguments.index("--out") + 1] = str(tmp_path / "again.html")
    assert main([*arguments, "--tables", str(tmp_path / "tables"), "--device", "cpu"]) == 0
    again = pd.read_csv(tmp_path / "tables" / "compare-classes.csv")
    pd.testing.assert_frame_equal(again, table_of(document, "compare", "classes"), check_dtype=False)
    assert "look here" in (tmp_path / "again.html").read_text(encoding="utf-8")


def test_chosen_classes_are_the_only_ones(workspace: Workspace) -> None:
    plan = ReportPlan(SIDES, sections=("compare", "gates", "errors"), classes=("cut",), min_score=0.0, resamples=5)
    document = build_report(workspace, plan)
    for section, name in (("compare", "classes"), ("gates", "classes"), ("errors", "wrong detections")):
        assert set(table_of(document, section, name)["name"]) == {"cut"}


def test_a_single_deaf_run_has_a_report_too(workspace: Workspace) -> None:
    document = build_report(workspace, ReportPlan(("verb_visual",), notes=False, resamples=5))
    texts = {section.name: section.text for section in document.sections}
    assert "nothing to compare" in texts["compare"]
    assert "has no gates" in texts["gates"]
    assert "No segments were chosen" in texts["segments"]


def test_the_usual_report_is_about_what_sound_adds(workspace: Workspace) -> None:
    assert usual_sides(workspace) == SIDES


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sides": ()}, "at least one run"),
        ({"sections": ()}, "at least one section; found none, choose among overview"),
        ({"sides": ("nobody",)}, "has no run 'nobody'"),
        ({"sections": ("poems",)}, "asks for the section 'poems', which is not there; there are overview"),
        ({"classes": ("juggle",)}, "asks for the verb class 'juggle'"),
        ({"sets": ("none such",)}, "asks for the saved set 'none such'"),
        ({"label_set": "noun"}, "do not share the label set 'noun'"),
        ({"tiou": 7.0}, "tIoU is 7, expected 0 to 1"),
    ],
)
def test_what_is_not_there_is_said(workspace: Workspace, changes: dict, sentence: str) -> None:
    with pytest.raises(MravffError, match=re.escape(sentence)):
        build_report(workspace, ReportPlan(**{"sides": SIDES, **changes}))


def test_it_stops_when_asked_and_refuses_odd_names(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        build_report(workspace, ReportPlan(SIDES), cancel=lambda: True)
    arguments = ["report", "--workspace", str(workspace.folder), "--out", str(tmp_path / "report.pdf")]
    assert main(arguments) == 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError):
        ReportPlan(("verb_mrav@loud",)).checked(workspace)
