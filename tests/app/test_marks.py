"""Notes and sets in the app: kept at once, read back, and told in words."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.context import AppContext
from mravff_core.workspace import Bookmarks, MarkedSegment

CUT = MarkedSegment("clip_0", 0.2, 1.2, "verb", "cut")


def page() -> None:
    from dataclasses import replace

    from app.context import context
    from app.marks import note_input, set_input
    from mravff_core.workspace import MarkedSegment

    cut = MarkedSegment("clip_0", 0.2, 1.2, "verb", "cut")
    note_input(context(), cut)
    set_input(context(), [cut, replace(cut, start_s=0.4)], name="test")


@pytest.fixture
def marks(app_context: AppContext) -> Bookmarks:
    marks = Bookmarks(app_context.workspace.folder)
    marks.set_note(CUT, "")
    for name in marks.sets():
        marks.remove_set(name)
    return marks


def test_a_note_is_kept_when_the_field_is_left_and_gone_when_emptied(marks: Bookmarks) -> None:
    script = AppTest.from_function(page).run()
    script.text_area[0].set_value("  starts too early ").run()
    assert marks.note(CUT) == "starts too early"
    assert AppTest.from_function(page).run().text_area[0].value == "starts too early"
    script.text_area[0].set_value("").run()
    assert marks.notes() == []


def test_what_another_person_wrote_is_shown(marks: Bookmarks) -> None:
    script = AppTest.from_function(page).run()
    marks.set_note(CUT, "by another")
    assert script.run().text_area[0].value == "by another"


def test_a_set_is_saved_under_its_name(marks: Bookmarks) -> None:
    script = AppTest.from_function(page).run()
    assert script.button[0].label == "Save 2 segments" and script.button[0].disabled
    marks.add_to_set("early", [CUT])
    script.run().selectbox[0].select("early").run()
    script.button[0].click().run()
    assert not script.exception
    assert len(marks.sets()["early"]) == 2
    assert "holds 2 segments" in script.toast[0].value
