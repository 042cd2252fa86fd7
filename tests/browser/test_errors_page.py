"""The Errors page as a person uses it: a mark, its segments heard, noted and saved, and a report that opens alone."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from mravff_core.workspace import Bookmarks
from tests.browser.conftest import COUNT_CLICKS, Server, Watched, settled

pytestmark = pytest.mark.browser
NOTE = "too late by a breath"


def test_from_a_mark_to_a_report_that_opens_alone(watched: Watched, server: Server, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"{server.url}/errors?run=verb_mrav&min=0")
    _choose_kind(page, "localization")
    video = page.locator("video").first
    video.wait_for()
    assert video.evaluate("video => video.play().then(() => !video.paused)")
    note = page.get_by_label("Note", exact=True)
    note.fill(NOTE)
    note.press("Control+Enter")
    page.get_by_text("The note is kept").wait_for()
    save_set = page.get_by_role("button", name=re.compile(r"Save \d+ segment"))
    count = _count(page)
    save_set.click()
    page.get_by_text("Report on the set").click()
    page.get_by_role("button", name="Make the report").click()
    save = page.get_by_role("link", name="Save HTML")
    save.wait_for()
    with page.expect_download() as download:
        save.click()
    marks = Bookmarks(server.workspace.folder)
    assert [len(segments) for segments in marks.sets().values()] == [count]
    assert [note.text for note in marks.notes()] == [NOTE]
    file = tmp_path / "report.html"
    download.value.save_as(file)
    _opens_alone(page.context.browser, file)


def test_errors_with_notes_become_a_report_in_six_clicks(watched: Watched, server: Server, tmp_path: Path) -> None:
    page = watched.page
    page.add_init_script(COUNT_CLICKS)
    page.goto(server.url)
    page.get_by_role("link", name="Errors").click()
    _choose_kind(page, "localization")
    page.locator("video").first.wait_for()
    page.locator(".stApp[data-test-script-state='notRunning']").wait_for()
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 60, box["y"] + 52)
    marks = Bookmarks(server.workspace.folder)
    notes = [f"off by a breath, {number}" for number in range(_count(page))]
    for note in notes:
        page.keyboard.press("Enter")
        page.locator("#portal textarea").wait_for()
        page.keyboard.type(note, delay=20)
        # What is typed reaches the cell a frame later.
        page.wait_for_timeout(200)
        page.keyboard.press("Enter")
        deadline = time.monotonic() + 20
        while note not in {stored.text for stored in marks.notes()}:
            assert time.monotonic() < deadline, f"{note!r} was not kept"
            page.wait_for_timeout(50)
    page.get_by_role("button", name="Save and make a report").click()
    save = page.get_by_role("link", name="Save HTML")
    save.wait_for(timeout=120_000)
    with page.expect_download() as download:
        save.click()
    assert int(page.evaluate("sessionStorage.n")) <= 6
    assert len(marks.sets()["Detections of kind “localization”"]) == len(notes) > 1
    file = tmp_path / "report.html"
    download.value.save_as(file)
    text = file.read_text(encoding="utf-8")
    assert all(note in text for note in notes)


def test_each_press_of_back_undoes_one_click(watched: Watched, server: Server) -> None:
    page = watched.page
    watched.open(f"{server.url}/?clip=clip_1&run=verb_mrav")
    page.get_by_role("link", name="Errors").click()
    page.wait_for_url("**/errors?run=verb_mrav")
    _choose_kind(page, "localization")
    page.wait_for_url("**picked=**")
    page.go_back()
    page.wait_for_url("**/errors?run=verb_mrav")
    page.get_by_role("button", name="All errors").wait_for(state="detached")
    page.go_back()
    watched.wait("p.clip.id === 'clip_1'")


def _count(page: Any) -> int:
    """Of segments that would be saved."""
    words = page.get_by_role("button", name=re.compile(r"Save \d+ segment")).inner_text()
    return int(re.search(r"\d+", words)[0])  # type: ignore[index]


def _choose_kind(page: Any, kind: str) -> None:
    """A click on a kind's bar, in the row of its name."""
    chart = page.locator(".js-plotly-plot").filter(has_text="mAP gained without them")
    chart.locator(".ytick text", has_text=kind).wait_for()
    settled(page)
    number = chart.locator(".barlayer .point text, .bartext").first.bounding_box()
    row = chart.locator(".ytick text", has_text=kind).bounding_box()
    page.mouse.click(number["x"] + number["width"] / 2, row["y"] + row["height"] / 2)
    page.wait_for_url(f"**mark=kind%3D{kind}**")


def _opens_alone(browser: object, file: Path) -> None:
    """Another machine: a fresh browser that may ask nobody for anything."""
    context = browser.new_context(offline=True)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
    assert page.get_by_text(NOTE).count()
    video = page.locator("video").first
    video.evaluate("video => { video.muted = true; video.load(); return video.play(); }")
    page.wait_for_function("document.querySelector('video').currentTime > 0.1", timeout=30_000)
    context.close()


def test_the_open_tab_is_in_the_address_and_survives_a_reload_and_the_way_back(
    watched: Watched, server: Server
) -> None:
    page = watched.page
    page.goto(f"{server.url}/errors?run=verb_mrav&min=0")
    page.get_by_role("tab", name="Confusions").click()
    page.wait_for_url("**tab=Confusions**")
    page.get_by_text("Where true").first.wait_for(state="attached")
    page.reload()
    page.get_by_text("Where true").first.wait_for(state="attached")
    assert page.get_by_role("tab", name="Confusions").get_attribute("aria-selected") == "true"
    settled(page)
    page.get_by_role("tab", name="Boundaries").click()
    page.wait_for_url("**tab=Boundaries**")
    page.go_back()
    page.wait_for_url("**tab=Confusions**")
    page.get_by_text("Where true").first.wait_for(state="attached")


def test_buttons_and_tags_are_readable_in_the_dark(watched: Watched, server: Server) -> None:
    page = watched.page
    page.emulate_media(color_scheme="dark")
    page.goto(f"{server.url}/compare?section=stress&runs=verb_mrav")
    tag = page.locator("[data-tag]").last
    tag.wait_for()
    for words, ground in ((tag.locator("[title]"), tag), (tag.locator("button"), tag)):
        assert words.evaluate("node => getComputedStyle(node).color") == "rgb(18, 22, 28)"
        assert ground.evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(45, 212, 191)"
    begin = page.get_by_test_id("stBaseButton-primary").first
    assert begin.locator("p").evaluate("node => getComputedStyle(node).color") == "rgb(18, 22, 28)"
