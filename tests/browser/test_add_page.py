"""The Add page as a person uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Server, Watched
from tests.media.factory import make_video, tone

pytestmark = pytest.mark.browser


@pytest.fixture
def add_page(watched: Watched, server: Server) -> Watched:
    watched.page.goto(f"{server.url}/add")
    watched.page.get_by_test_id("uploader").wait_for()
    return watched


def choose(watched: Watched, *paths: Path) -> None:
    watched.page.locator("#up-input").set_input_files([str(path) for path in paths])


def test_an_uploaded_video_is_searched_and_opens(add_page: Watched, server: Server, tmp_path: Path) -> None:
    video = tmp_path / "my kitchen.mkv"
    make_video(video, 2.0, audio=tone(2.0))
    clips = len(server.workspace.clips)
    choose(add_page, video)
    add_page.page.get_by_text("Added with").wait_for(timeout=60_000)
    add_page.page.get_by_test_id("stSidebar").get_by_text(f"{clips + 1} clips").wait_for()
    assert not list((server.workspace.cache_folder / "uploads").glob("*")), "the upload itself is gone"
    add_page.page.get_by_test_id("stPageLink").get_by_text("Open").click()
    add_page.painted()
    assert add_page.state("p.clip.id") == "my_kitchen"
    add_page.wait("p.data.detections.length > 0")
    add_page.page.reload()
    add_page.painted()
    assert add_page.state("p.clip.id") == "my_kitchen"


def test_each_file_of_several_gets_its_own_answer(add_page: Watched, server: Server, tmp_path: Path) -> None:
    good, empty, wrong = tmp_path / "good.mp4", tmp_path / "empty.mp4", tmp_path / "wrong.mp4"
    make_video(good, 1.5)
    empty.write_bytes(b"")
    wrong.write_bytes(b"these are words, no pictures" * 50)
    before = set(server.workspace.clip_ids())
    choose(add_page, good, empty, wrong)
    add_page.page.get_by_text("The file is empty").wait_for()
    done = add_page.page.get_by_test_id("stHorizontalBlock").filter(has_text="good.mp4").get_by_text("Added with")
    done.wait_for(timeout=60_000)
    alert = add_page.page.get_by_test_id("stAlert").filter(has_text="wrong")
    alert.first.wait_for()
    assert set(server.workspace.clip_ids()) - before == {"good"}


def test_a_reload_keeps_what_is_known_of_the_work(add_page: Watched, tmp_path: Path) -> None:
    missing = tmp_path / "not_here.mp4"
    add_page.page.get_by_role("tab", name="From this machine").click()
    add_page.page.get_by_role("textbox", name="Paths of video files").fill(str(missing))
    add_page.page.get_by_test_id("stBaseButton-primaryFormSubmit").click()
    alert = add_page.page.get_by_test_id("stAlert").filter(has_text="not_here.mp4")
    alert.first.wait_for()
    add_page.page.reload()
    alert.first.wait_for()


def test_a_file_under_way_or_waiting_is_cancelled_and_its_line_dismissed(
    add_page: Watched, server: Server, tmp_path: Path
) -> None:
    page = add_page.page
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    make_video(first, 1.0)
    make_video(second, 1.0)
    before = set(server.workspace.clip_ids())
    page.route("**/av/upload/**", lambda route: None)
    choose(add_page, first, second)
    for name in ("second.mp4", "first.mp4"):
        page.get_by_role("button", name=f"Cancel {name}").click()
        line = page.get_by_test_id("upload-file").filter(has_text=name)
        assert "Cancelled" in line.inner_text()
        page.get_by_role("button", name=f"Dismiss {name}").click()
        line.wait_for(state="detached")
    assert page.get_by_test_id("upload-file").count() == 0
    assert set(server.workspace.clip_ids()) == before
