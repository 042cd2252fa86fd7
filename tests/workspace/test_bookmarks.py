"""Notes and saved sets: kept, changed, removed, and never half written."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mravff_core.errors import MravffError, WorkspaceError
from mravff_core.workspace.bookmarks import Bookmarks, MarkedSegment

CUT = MarkedSegment("clip_0", 1.0, 2.5, "verb", "cut")
FOUND = MarkedSegment("clip_0", 1.1, 2.4, "verb", "cut", "detection", "verb_mrav", "off", 0.75)


def test_a_note_is_kept_changed_and_removed(tmp_path: Path) -> None:
    Bookmarks(tmp_path).set_note(CUT, "first")
    Bookmarks(tmp_path).set_note(FOUND, "<b>löffel</b>")
    Bookmarks(tmp_path).set_note(CUT, "second")
    reopened = Bookmarks(tmp_path)
    assert [(note.segment, note.text) for note in reopened.notes()] == [(CUT, "second"), (FOUND, "<b>löffel</b>")]
    assert reopened.note(FOUND) == "<b>löffel</b>"
    reopened.set_note(CUT, "  ")
    assert [note.segment for note in reopened.notes()] == [FOUND]


def test_a_segment_is_the_same_to_the_millisecond_whatever_its_score(tmp_path: Path) -> None:
    marks = Bookmarks(tmp_path)
    marks.set_note(FOUND, "late")
    assert marks.note(replace(FOUND, start_s=1.1000004, score=0.5)) == "late"
    assert marks.note(replace(FOUND, start_s=1.102)) == ""
    assert marks.note(replace(FOUND, audio="on")) == ""


def test_a_set_holds_each_segment_once_and_goes_when_empty(tmp_path: Path) -> None:
    marks = Bookmarks(tmp_path)
    assert marks.add_to_set("ends too late", [CUT]) == 1
    assert marks.add_to_set(" ends too late ", [CUT, FOUND]) == 2
    marks.add_to_set("another", [CUT])
    assert marks.sets() == {"another": [CUT], "ends too late": [CUT, FOUND]}
    marks.remove_from_set("ends too late", [CUT])
    assert marks.sets()["ends too late"] == [FOUND]
    marks.remove_from_set("ends too late", [FOUND])
    marks.remove_set("another")
    assert marks.sets() == {}


def test_several_people_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(number: int) -> None:
        Bookmarks(tmp_path).add_to_set("all", [replace(CUT, clip_id=f"clip_{number}")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Bookmarks(tmp_path).sets()["all"]) == 8


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "notes.json: not readable as JSON"),
        ("{}", "holds a dict, expected a list"),
        ('[{"text": "x"}]', "a note lacks its segment, text or date"),
        ('[{"segment": {"clip_id": "a"}, "text": "x", "changed": ""}]', "a segment lacks what describes it"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.json").write_text(text)
    with pytest.raises(MravffError, match=sentence):
        Bookmarks(tmp_path).notes()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_set_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkspaceError, match="no name for a set"):
        Bookmarks(tmp_path).add_to_set(name, [CUT])
    assert not (tmp_path / "notes" / "sets.json").exists()
