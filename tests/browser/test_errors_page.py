"""The Errors page as a person uses it: a mark, its segments heard, noted and saved, and a report that opens alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mravff_core.workspace import Bookmarks
from tests.browser.conftest import Server, Watched

pytestmark = pytest.mark.browser
NOTE = "too late by a breath"


def test_from_a_mark_to_a_report_that_opens_alone(watched: Watched, server: Server, tmp_path: Path) -> None:
    page = watched.page
    page.set_default_timeout(30_000)
    page.goto(f"{server.url}/errors?run=verb_mrav&min=0")
    chart = page.locator(".js-plotly-plot").filter(has_text="mAP gained without them")
    chart.locator(".ytick text", has_text="localization").wait_for()
    number = chart.locator(".barlayer .point text, .bartext").first.bounding_box()
    row = chart.locator(".ytick text", has_text="localization").bounding_box()
    page.mouse.click(number["x"] + number["width"] / 2, row["y"] + row["height"] / 2)
    page.wait_for_url("**mark=kind%3Dlocalization**")
    video = page.locator("video").first
    video.wait_for()
    assert video.evaluate("video => video.play().then(() => !video.paused)")
    note = page.get_by_label("Note", exact=True)
    note.fill(NOTE)
    note.press("Control+Enter")
    page.get_by_text("The note is kept").wait_for()
    save_set = page.get_by_role("button", name=re.compile(r"Save \d+ segment"))
    count = int(re.search(r"\d+", save_set.inner_text())[0])  # type: ignore[index]
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
