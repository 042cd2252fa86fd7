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


def named(monkeypatch: pytest.MonkeyPatch, name: str) -> AppTest:
    """The inputs with a name typed that no set has; this kind of run knows only what is offered."""
    monkeypatch.setattr("streamlit.selectbox", lambda *_, **__: name)
    return AppTest.from_function(page).run()


def test_a_name_that_is_none_is_refused_where_it_is_typed(marks: Bookmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named(monkeypatch, "  ").button[0].disabled
    script = named(monkeypatch, "x" * 300)
    script.button[0].click().run()
    assert not script.exception and "has 300 characters" in script.error[0].value
    assert len(script.text_area) == 1 and marks.sets() == {}


def test_a_name_is_text_and_no_markup(marks: Bookmarks, monkeypatch: pytest.MonkeyPatch) -> None:
    script = named(monkeypatch, " [a](http://b.c) <i>ü</i>/.. ")
    script.button[0].click().run()
    assert list(marks.sets()) == ["[a](http://b.c) <i>ü</i>/.."]
    assert r"\[a\]\(http\://b\.c\) \<i\>ü\</i\>/\.\." in script.toast[0].value
