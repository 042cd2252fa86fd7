"""The Clip page as a person uses it: the real server, a real browser, real clicks and keys."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import MARKUP, PLAYER, VIEWPORT, Server, Watched, watched_page

pytestmark = pytest.mark.browser


def address(watched: Watched) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(watched.page.url).query).items()}


def wait_for_address(watched: Watched, name: str, pattern: str) -> None:
    watched.page.wait_for_function(f"/[?&]{name}={pattern}(&|$)/.test(location.search)")


def raise_threshold_to_one(watched: Watched) -> None:
    watched.page.get_by_role("slider", name="Score threshold").first.press("End")


def test_all_tracks_are_painted(clip_page: Watched) -> None:
    names = [row.get_attribute("data-testid") for row in clip_page.page.locator(".mv-rows > .mv-row").all()]
    assert names == [f"track-{n}" for n in ("true", "predicted", "gates", "attention", "spectrogram", "waveform")]
    assert clip_page.state("p.tracks.every((track) => track.drawable)")
    assert clip_page.state("p.gateTrack.levels.length") == 3
    assert clip_page.state("p.video.readyState") >= 2
    blank = "p.tracks.filter((t) => !t.context.getImageData(140, 0, 200, 20).data.some((v) => v)).map((t) => t.name)"
    assert clip_page.state(blank) == []


def test_everything_is_in_view_at_a_laptops_size(clip_page: Watched) -> None:
    box = clip_page.page.get_by_test_id("track-waveform").bounding_box()
    assert box["y"] + box["height"] <= 900


def test_playing_moves_the_playhead_and_asks_the_server_for_nothing(clip_page: Watched) -> None:
    own = f"/{clip_page.state('p.clip.id')}/"
    before = len(clip_page.tracks(own))
    clip_page.page.get_by_test_id("play").click()
    clip_page.wait("p.time_s > 0.4")
    assert clip_page.state("!p.video.paused")
    assert clip_page.page.get_by_test_id("clock").inner_text() != "0:00.00 / 0:02.00"
    clip_page.page.keyboard.press("Space")
    clip_page.wait("p.video.paused")
    wait_for_address(clip_page, "t", r"[01]\.\d+")
    assert len(clip_page.tracks(own)) == before


def test_the_threshold_hides_detections_without_interrupting_playback(clip_page: Watched) -> None:
    clip_page.state("p.video.loop = true")
    clip_page.state("window.__video = p.video")
    hidden = clip_page.state("p.selection.hiddenDetections")
    clip_page.page.keyboard.press("Space")
    clip_page.wait("!p.video.paused && p.time_s > 0.1")
    asked = len(clip_page.requests)
    raise_threshold_to_one(clip_page)
    wait_for_address(clip_page, "min", "1")
    clip_page.wait(f"p.selection.hiddenDetections > {hidden}")
    assert clip_page.state("p.video === window.__video && !p.video.paused")
    # Data of other clips may be fetched ahead at any time.
    own = f"/{clip_page.state('p.clip.id')}/"
    assert [url for url in clip_page.requests[asked:] if url in clip_page.tracks(own)] == []
    shown = clip_page.state("p.selection.detections.length")
    assert f"{shown} shown" in clip_page.page.locator(".mv-count").inner_text()


def test_a_click_seeks_and_selects_and_the_address_brings_it_back(clip_page: Watched, server: Server) -> None:
    x, y = clip_page.point(0.5, "true")
    clip_page.page.mouse.click(x, y)
    clip_page.wait("p.selected === 't0' && Math.abs(p.time_s - 0.5) < 0.05")
    assert clip_page.page.get_by_test_id("details").get_by_text("true segment").is_visible()
    wait_for_address(clip_page, "segment", "t0")
    clip_page.page.reload()
    clip_page.painted()
    clip_page.wait("p.selected === 't0' && Math.abs(p.time_s - 0.5) < 0.05")


def test_details_of_a_detection_agree_with_the_data(clip_page: Watched) -> None:
    clip_page.page.locator(".mv-item").first.click()
    best = clip_page.state("p.data.detections[0]")
    clip_page.wait("p.selected === 'd0'")
    text = clip_page.page.get_by_test_id("details").inner_text()
    assert f"{best['score']:.3f}" in text
    assert f"{best['start_s']:.2f} – {best['end_s']:.2f} s" in text
    assert f"{best['best_tiou']:.2f}" in text
    bars = clip_page.page.locator(".mv-bar-value").all_inner_texts()
    means = clip_page.state(
        "p.gateTrack.meansWithin(p.data.detections[0].start_s, p.data.detections[0].end_s).map((m) => m.mean)"
    )
    assert bars == [f"{mean:.2f}" for mean in means] and len(bars) == 3


def test_the_keyboard_reaches_everything(clip_page: Watched) -> None:
    keys = clip_page.page.keyboard
    keys.press("]")
    clip_page.wait("p.selected && p.selected.startsWith('d')")
    keys.press("}")
    clip_page.wait("p.selected && p.selected.startsWith('t')")
    keys.press("Escape")
    clip_page.wait("p.selected === null")
    keys.press("e")
    clip_page.wait("p.selectedSegment && p.selectedSegment.error")
    keys.press("End")
    clip_page.wait("p.time_s > 1.9")
    keys.press("Home")
    clip_page.wait("p.time_s === 0")
    keys.press("ArrowRight")
    clip_page.wait("Math.abs(p.time_s - 1) < 0.02")
    keys.press(".")
    clip_page.wait("Math.abs(p.time_s - 1.05) < 0.02")
    keys.press("+")
    clip_page.wait("p.timeline.span_s < 1.5")
    keys.press("0")
    clip_page.wait("p.timeline.isFit")
    keys.press(">")
    clip_page.wait("p.video.playbackRate === 1.25")
    keys.press("m")
    clip_page.wait("p.video.muted")
    keys.press("?")
    assert clip_page.page.get_by_test_id("help").is_visible()
    keys.press("Escape")
    assert not clip_page.page.get_by_test_id("help").is_visible()


def test_streamlits_own_keys_do_not_fire(clip_page: Watched) -> None:
    clip_page.page.keyboard.press("c")
    clip_page.page.wait_for_timeout(300)
    assert clip_page.page.get_by_role("dialog").count() == 0


def test_a_segment_plays_and_stops_at_its_end_or_repeats(clip_page: Watched) -> None:
    clip_page.page.keyboard.press("}")
    clip_page.wait("p.selected === 't0'")
    clip_page.state("p.video.addEventListener('playing', () => window.__played = true)")
    clip_page.page.keyboard.press("Enter")
    # On a busy machine the segment may be over before anyone sees it play.
    clip_page.wait("window.__played && !p.playback.range && p.video.paused && !p.video.seeking")
    assert clip_page.state("p.time_s") == pytest.approx(0.9, abs=0.12)
    clip_page.page.keyboard.press("r")
    clip_page.wait("p.looping && !p.video.paused")
    clip_page.state("window.__turns = 0")
    clip_page.state("p.video.addEventListener('seeking', () => window.__turns++)")
    clip_page.wait("window.__turns >= 2")
    assert clip_page.state("!p.video.paused")


def test_wheel_zooms_with_ctrl_and_drag_pans(clip_page: Watched) -> None:
    x, y = clip_page.point(1.0, "gates")
    mouse, keys = clip_page.page.mouse, clip_page.page.keyboard
    mouse.move(x, y)
    mouse.wheel(0, -240)
    clip_page.page.wait_for_timeout(150)
    assert clip_page.state("p.timeline.isFit"), "a plain wheel scrolls the page"
    keys.down("Control")
    mouse.wheel(0, -240)
    keys.up("Control")
    clip_page.wait("p.timeline.span_s < 1.6")
    middle = clip_page.state("(p.timeline.start_s + p.timeline.end_s) / 2")
    assert middle == pytest.approx(1.0, abs=0.05), "what is under the pointer stays there"
    mouse.down()
    mouse.move(x - 120, y, steps=4)
    mouse.up()
    clip_page.wait(f"(p.timeline.start_s + p.timeline.end_s) / 2 > {middle + 0.05}")
    assert clip_page.state("p.time_s") == 0, "dragging does not seek"


def test_the_overview_moves_the_window(clip_page: Watched) -> None:
    clip_page.state("p.timeline.show(0, 0.5)")
    box = clip_page.page.get_by_test_id("overview").bounding_box()
    clip_page.page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    clip_page.wait("p.timeline.start_s > 1")


def test_values_under_the_pointer_are_those_of_the_data(clip_page: Watched) -> None:
    readings = clip_page.state("p.gateTrack.readings(1.0, null).map((reading) => reading.text)")
    expected = clip_page.state(
        "p.gateTrack.levels.map((l) => l.values[Math.round((1.0 - l.first_s) / l.step_s)].toFixed(2))"
    )
    assert readings == expected and len(readings) == 3
    x, y = clip_page.point(1.0, "gates")
    clip_page.page.mouse.move(x, y)
    clip_page.wait("p.pointer && Math.abs(p.pointer.time_s - 1) < 0.02")


def test_folding_and_order_survive_a_reload(clip_page: Watched) -> None:
    clip_page.page.get_by_test_id("fold-spectrogram").click()
    clip_page.page.get_by_test_id("track-gates").hover(position={"x": 20, "y": 8})
    clip_page.page.get_by_test_id("move-up-gates").click()
    clip_page.page.reload()
    clip_page.painted()
    assert clip_page.state("p.tracks.map((t) => t.name)")[:3] == ["true", "gates", "predicted"]
    assert clip_page.state("p.melTrack.folded")
    assert clip_page.page.get_by_test_id("track-spectrogram").bounding_box()["height"] == pytest.approx(22, abs=1)


def test_another_clip_takes_the_place_of_the_first(clip_page: Watched) -> None:
    clip_page.page.keyboard.press("]")
    clip_page.wait("p.selected")
    clip_page.page.locator(".st-key-next_clip button:visible").first.click()
    clip_page.wait("p.clip.id === 'clip_1' && p.root.dataset.painted === 'true'")
    assert clip_page.state("[p.selected, p.time_s, p.timeline.isFit]") == [None, 0, True]
    assert clip_page.state("p.video.currentSrc").endswith("/av/video/clip_1")
    wait_for_address(clip_page, "clip", "clip_1")
    clip_page.page.go_back()
    clip_page.wait("p.clip.id === 'clip_0'", 15_000)


def test_an_address_put_right_takes_the_place_of_the_wrong_one(clip_page: Watched, server: Server) -> None:
    steps = clip_page.page.evaluate("history.length")
    clip_page.open(f"{server.url}/?clip=clip_1&t=9999&min=7")
    clip_page.page.wait_for_url("**/?clip=clip_1&run=verb_mrav")
    assert clip_page.page.evaluate("history.length") == steps + 1
    assert clip_page.page.get_by_test_id("stToast").count() == 1, "one message for one address"


def test_a_reload_amid_playback_goes_on_where_it_was(clip_page: Watched) -> None:
    clip_page.page.keyboard.press("Space")
    clip_page.wait("p.time_s > 0.7")
    played_s = clip_page.state("p.time_s")
    clip_page.page.reload()
    clip_page.painted()
    assert clip_page.state("p.time_s") >= played_s
    clip_page.page.wait_for_url("**t=*")
    clip_page.page.goto(clip_page.page.url.split("?")[0] + "?clip=clip_0")
    clip_page.painted()
    assert clip_page.state("p.time_s") == 0, "an address, unlike a reload, begins where it says"


def test_a_silent_clip_says_so_where_sound_would_be(watched: Watched, server: Server) -> None:
    watched.open(f"{server.url}/?clip=clip_2&run=verb_mrav")
    for row in ("spectrogram", "waveform"):
        assert "no sound" in watched.page.get_by_test_id(f"track-{row}").inner_text()
    assert "no gates" in watched.page.get_by_test_id("track-gates").inner_text()
    assert watched.page.get_by_test_id("mute").is_disabled()


def test_sound_off_is_computed_on_the_spot_and_shows_no_gates(watched: Watched, server: Server) -> None:
    watched.open(f"{server.url}/?clip=clip_1&run=verb_mrav&audio=off")
    server.wait_until_stored("verb_mrav", "off", "clip_1")
    watched.wait("p.data.detections.length > 0")
    assert "no gates" in watched.page.get_by_test_id("track-gates").inner_text()


def test_a_class_named_by_markup_is_text_everywhere(watched: Watched, server: Server) -> None:
    watched.open(f"{server.url}/?clip=clip_1&min=0")
    watched.wait("p.selection.detections.some((d) => d.label === 2)")
    item = watched.page.locator(".mv-item", has_text=MARKUP).first
    item.click()
    watched.wait("p.selected")
    assert MARKUP in watched.page.get_by_test_id("details").inner_text()
    watched.page.wait_for_timeout(200)
    assert watched.page.title() != "broken"
    assert watched.page.locator("img[src=x]").count() == 0


def test_a_track_that_fails_says_so_and_comes_back(watched: Watched, server: Server) -> None:
    broken = re.compile(r"/av/tracks/.*/gates")
    watched.page.route(broken, lambda route: route.fulfill(status=500, body="no"))
    watched.page.goto(f"{server.url}/?clip=clip_0")
    watched.page.wait_for_selector(PLAYER)
    row = watched.page.get_by_test_id("track-gates")
    assert "could not be loaded" in row.inner_text()
    watched.page.unroute(broken)
    row.get_by_role("button", name="again").click()
    watched.wait("p.gateTrack.drawable && p.gateTrack.levels.length === 3")


def test_track_data_that_is_none_is_refused_in_a_sentence(watched: Watched, server: Server) -> None:
    watched.page.route(re.compile(r"/av/tracks/.*/signal"), lambda route: route.fulfill(status=200, body="MRVX????"))
    watched.page.goto(f"{server.url}/?clip=clip_0")
    watched.page.wait_for_selector(PLAYER)
    assert "not track data" in watched.page.get_by_test_id("track-spectrogram").inner_text()


def test_a_video_that_is_gone_says_so_and_can_be_tried_again(watched: Watched, server: Server) -> None:
    gone = re.compile(r"/av/video/")
    watched.page.route(gone, lambda route: route.fulfill(status=404, body="{}"))
    watched.page.goto(f"{server.url}/?clip=clip_0")
    watched.page.wait_for_selector(PLAYER)
    assert watched.page.get_by_role("alert").get_by_text("The video is not there").is_visible()
    watched.page.unroute(gone)
    watched.page.get_by_test_id("retry-video").click()
    watched.wait("p.video.readyState >= 2 && p.trouble.hidden")


def test_two_people_work_independently(clip_page: Watched, browser: Any, server: Server) -> None:
    other = watched_page(browser.new_context(viewport=VIEWPORT))
    other.open(f"{server.url}/?clip=clip_1&run=verb_visual")
    clip_page.page.keyboard.press("]")
    clip_page.wait("p.selected")
    assert other.state("[p.clip.id, p.selected]") == ["clip_1", None]
    assert address(other)["run"] == "verb_visual" and address(clip_page)["run"] == "verb_mrav"
    other.page.context.close()


def test_dark_and_light_follow_the_system(browser: Any, server: Server) -> None:
    for scheme in ("dark", "light"):
        watched = watched_page(browser.new_context(viewport=VIEWPORT, color_scheme=scheme))
        watched.open(f"{server.url}/?clip=clip_0")
        assert watched.state("p.theme.dark") == (scheme == "dark")
        watched.page.context.close()


def test_leaving_the_page_closes_the_player_and_coming_back_makes_one(clip_page: Watched) -> None:
    clip_page.state("window.__first = p")
    clip_page.page.get_by_role("link", name="Add").click()
    clip_page.page.get_by_test_id("uploader").wait_for()
    assert clip_page.page.evaluate("window.__first.closed && window.__first.video.paused")
    clip_page.page.get_by_role("link", name="Clip").click()
    clip_page.painted()
    assert clip_page.page.get_by_test_id("player").count() == 1
    assert clip_page.state("p.clip.id") == "clip_0"
    assert address(clip_page)["clip"] == "clip_0"


def test_a_key_puts_the_same_without_sound_beside_and_the_address_keeps_it(clip_page: Watched, server: Server) -> None:
    clip_page.page.keyboard.press("b")
    server.wait_until_stored("verb_mrav", "off", "clip_0")
    clip_page.wait("p.others.rows[0]?.value && p.tracks[2].segments.length > 0")
    assert "with=verb_mrav%40off" in clip_page.page.url
    assert clip_page.page.get_by_test_id("track-other-1").inner_text().split()[-2:] == ["no", "sound"]
    clip_page.page.keyboard.press(")")
    clip_page.page.wait_for_url("**segment=o1d*")
    chosen = clip_page.state("p.selected")
    clip_page.open(clip_page.page.url)
    clip_page.wait(f"p.selected === '{chosen}' && p.selectedSegment !== null")
    clip_page.page.keyboard.press("b")
    clip_page.wait("!p.others.rows.length && p.selected === null")
    assert "with" not in clip_page.page.url


def test_a_low_screen_gives_the_tracks_the_room_beside_the_menu(watched: Watched, server: Server) -> None:
    page = watched.page
    page.set_viewport_size({"width": 1280, "height": 720})
    watched.open(f"{server.url}/?clip=clip_0&min=0.95")
    assert page.locator(".st-key-next_clip").bounding_box()["y"] < 20
    page.get_by_role("button", name="Next clip").click()
    page.wait_for_url("**clip=clip_1**")
    page.get_by_test_id("stMainMenu").click()
    page.get_by_text("Print").wait_for()
    page.keyboard.press("Escape")
    page.get_by_test_id("stSidebarNav").get_by_text("Report", exact=True).click()
    page.get_by_role("textbox", name="Title").wait_for()
    assert (
        page.get_by_test_id("stMainBlockContainer").evaluate("node => parseFloat(getComputedStyle(node).paddingTop)")
        > 40
    )
