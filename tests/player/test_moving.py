"""How one moves about: pointer, keys, playing, zoom, selection, and what the page is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.player.harness import Site, Stand


def empty_moment(stand: Stand) -> float:
    """A time at which no true segment is."""
    moment: float = stand.state("""(() => { for (let t = 0.3; t < 7.9; t += 0.05)
        if (!p.data.truth.some((s) => s.start_s - 0.1 < t && t < s.end_s + 0.1)) return t; })()""")
    return moment


def test_a_click_seeks_and_the_page_hears_of_it_once(painted: Stand) -> None:
    painted.page.mouse.click(*painted.point(3.0, "waveform"))
    painted.wait("Math.abs(p.video.currentTime - 3) < 0.03")
    (told,) = painted.told(1)
    assert told["clip_id"] == "one" and told["selected"] is None
    assert told["time_s"] == pytest.approx(3.0, abs=0.11)
    assert painted.get("clock").inner_text().startswith(("0:03.0", "0:02.9"))


def test_a_click_on_a_segment_selects_it_and_shades_it_through_all_tracks(painted: Stand) -> None:
    segment = painted.state("p.trueTrack.segments[3]")
    middle_s = (segment["start_s"] + segment["end_s"]) / 2
    lane_y = 3 + 20 * segment["lane"] + 9
    x, y = painted.point(middle_s, "true", lane_y)
    painted.page.mouse.click(x, y)
    painted.wait(f"p.selected === '{segment['id']}'")
    told = painted.told(1)
    assert told[-1]["selected"] == segment["id"] and len(told) == 1
    painted.page.mouse.move(10, 10)
    alpha = """p.stage.places.map(({ top, height }) => [%f, %f].map((t) => { const c = p.stage.overlay.canvas;
        const r = c.width / p.stage.wide;
        return p.stage.overlay.context.getImageData(p.frame.x(t) * r, (top + height - 6) * r, 1, 1).data[3]; }))"""
    quarter_s = segment["start_s"] + 0.9 * (segment["end_s"] - segment["start_s"])
    outside_s = empty_moment(painted)
    assert all(inside > 0 and outside == 0 for inside, outside in painted.state(alpha % (quarter_s, outside_s)))


def test_escape_selects_nothing_and_tells(painted: Stand) -> None:
    painted.page.locator(".mv-item").first.click()
    assert painted.told(1)[-1]["selected"] == "d0"
    painted.page.keyboard.press("Escape")
    assert painted.told(2)[-1]["selected"] is None
    assert "Nothing selected" in painted.get("details").inner_text()


def test_playing_tells_nothing_until_it_stops(painted: Stand) -> None:
    painted.get("play").click()
    painted.wait("p.time_s > 0.6")
    painted.page.keyboard.press("ArrowRight")
    painted.page.wait_for_timeout(350)
    assert painted.page.evaluate("window.told") == [], "a step while playing must not rerun the page"
    painted.page.keyboard.press("Space")
    (told,) = painted.told(1)
    assert told["time_s"] == pytest.approx(painted.state("p.time_s"), abs=0.11)
    assert told["time_s"] >= 0.5


def test_playing_draws_only_the_overlay(painted: Stand) -> None:
    painted.state(
        "(() => { window.draws = 0; const draw = p.melTrack.draw.bind(p.melTrack);"
        "p.melTrack.draw = (...all) => { window.draws += 1; return draw(...all); }; })()"
    )
    painted.get("play").click()
    painted.wait("p.time_s > 0.5")
    assert painted.page.evaluate("window.draws") == 0
    painted.page.keyboard.press("Space")
    head = painted.state("""(() => { const c = p.stage.overlay.canvas, r = c.width / p.stage.wide;
        const x = Math.round(p.frame.x(p.time_s) * r);
        const pixels = p.stage.overlay.context.getImageData(x - 2, 60 * r, 4, 1).data;
        return Math.max(...pixels.filter((v, k) => k % 4 === 3)); })()""")
    assert head > 100, "the playhead is where the time is"


def test_the_page_of_the_timeline_turns_while_playing(painted: Stand) -> None:
    painted.state("p.timeline.show(0, 0.5)")
    painted.get("play").click()
    painted.wait("p.timeline.start_s > 0.3 && p.time_s <= p.timeline.end_s && p.time_s >= p.timeline.start_s")
    assert painted.state("p.timeline.span_s") == pytest.approx(0.5)


def test_a_change_of_view_fetches_nothing_and_does_not_interrupt(
    painted: Stand, data: dict[str, Any], site: Site
) -> None:
    painted.state("(() => { window.video = p.video; p.seek(2); p.timeline.show(1, 5); p.toggleFold(p.melTrack); })()")
    painted.get("play").click()
    painted.wait("p.time_s > 2.2")
    asked = len(site.requests)
    events = "['pause', 'emptied', 'seeking'].forEach((n) => p.video.addEventListener(n, () => window.broken = n))"
    painted.state(events)
    before_s = painted.state("p.time_s")
    for step in range(5):
        data["view"]["threshold"] = 0.1 * step
        painted.show(data)
    painted.wait(f"p.time_s > {before_s} + 0.3")
    assert painted.state("[p.video === window.video, p.video.paused, window.broken ?? null]") == [True, False, None]
    assert painted.state("[p.timeline.start_s, p.timeline.end_s, p.melTrack.folded]") == [1, 5, True]
    assert [path for path in site.requests[asked:] if "video" not in path] == []
    assert painted.state("p.selection.hiddenDetections") > 0


def test_another_run_fetches_its_own_data_and_drops_the_old_detection(
    painted: Stand, data: dict[str, Any], site: Site
) -> None:
    painted.page.locator(".mv-item").first.click()
    painted.told(1)
    site.answers["/data/one/other"] = site.answers["/data/one/segments"]
    signals = len(site.asked("/signal"))
    data["sources"]["segments"] = "/data/one/other?run=two"
    painted.show(data)
    assert painted.told(2)[-1]["selected"] is None, "rank 0 of another run is another detection"
    assert len(site.asked("/other")) == 1 and len(site.asked("/signal")) == signals


def test_another_clip_takes_the_place_of_the_first(painted: Stand, site: Site, silent_video: bytes) -> None:
    painted.state("(() => { p.timeline.show(2, 3); p.seek(2.5); window.video = p.video; })()")
    painted.page.locator(".mv-item").first.click()
    painted.get("play").click()
    painted.wait("!p.video.paused")
    painted.show(site.add_clip("two", silent_video, 3.0, truth=2, detections=3, sound=False))
    painted.wait("p.root.dataset.painted === 'true' && p.video.readyState >= 2 && p.video.duration < 4")
    assert painted.state("[p.selected, p.timeline.isFit, p.video.paused, p.video === window.video]") == [
        None,
        True,
        True,
        True,
    ]
    assert painted.state("p.time_s") < 0.05
    assert painted.get("play").get_attribute("aria-label") == "Play (Space)"
    assert painted.get("clock").inner_text() == "0:00.00 / 0:03.00"
    assert painted.state("p.foundTrack.segments.length") == 3


def test_an_address_leads_to_its_segment_and_time(stand: Stand, data: dict[str, Any]) -> None:
    data["view"] |= {"selected": "t5", "time_s": 4.2}
    stand.open(data)
    stand.wait("p.selected === 't5' && Math.abs(p.video.currentTime - 4.2) < 0.01")
    assert stand.page.evaluate("window.told") == [], "the page knows it already"
    stand.page.keyboard.press("Home")
    stand.wait("p.time_s === 0")
    stand.show(data)
    stand.page.wait_for_timeout(100)
    assert stand.state("p.time_s") == 0, "a rerun does not drag the player back"
    data["view"] |= {"jump": 2, "selected": "t1", "time_s": 2.0}
    stand.show(data)
    stand.wait("p.selected === 't1' && Math.abs(p.time_s - 2) < 0.06")


def test_a_first_frame_that_comes_early_does_not_lose_the_time_of_an_address(
    painted: Stand, data: dict[str, Any]
) -> None:
    data["view"]["time_s"] = 4.2
    # Browsers may show frame 0 before they tell that the video can be sought.
    painted.page.evaluate("data => { window.unmount(); window.show(data); window.player.playback.onFrame(0); }", data)
    painted.wait("Math.abs(p.video.currentTime - 4.2) < 0.01 && Math.abs(p.time_s - 4.2) < 0.06")


def test_ctrl_and_wheel_zoom_about_the_pointer_and_a_plain_wheel_scrolls(painted: Stand) -> None:
    x, y = painted.point(2.0, "gates")
    painted.page.evaluate("document.body.style.height = '3000px'")
    painted.page.mouse.move(x, y)
    painted.page.mouse.wheel(0, 100)
    painted.page.wait_for_function("window.scrollY > 50")
    assert painted.state("p.timeline.isFit")
    painted.page.evaluate("window.scrollTo(0, 0)")
    painted.page.wait_for_function("window.scrollY === 0")
    painted.page.keyboard.down("Control")
    painted.page.mouse.wheel(0, -300)
    painted.page.keyboard.up("Control")
    painted.wait("p.timeline.span_s < 4")
    assert painted.state(f"p.timeline.toTime({x} - p.root.getBoundingClientRect().left - 132, p.stage.frameWidth)") == (
        pytest.approx(2.0, abs=0.02)
    )
    start_s, span_s = painted.state("[p.timeline.start_s, p.timeline.span_s]")
    painted.page.keyboard.down("Shift")
    painted.page.mouse.wheel(0, 200)
    painted.page.keyboard.up("Shift")
    painted.wait(f"p.timeline.start_s > {start_s}")
    assert painted.state("p.timeline.span_s") == pytest.approx(span_s)
    assert painted.page.evaluate("window.scrollY") == 0


def test_two_fingers_zoom_about_what_lies_between_them(painted: Stand) -> None:
    """And neither seek nor select, however short the touch."""
    touch = painted.page.context.new_cdp_session(painted.page)
    x, y = painted.point(4.0, "waveform")

    def fingers(kind: str, apart: float) -> None:
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if apart else []})

    fingers("touchStart", 40)
    for apart in (50, 60, 70, 80):
        fingers("touchMove", apart)
    painted.wait("p.timeline.span_s < 5")
    assert painted.state("p.timeline.span_s") == pytest.approx(4.0, rel=0.15)
    middle = painted.state(
        f"p.timeline.toTime({x - painted.get('stage').bounding_box()['x'] - 132}, p.stage.frameWidth)"
    )
    assert middle == pytest.approx(4.0, abs=0.1), "what lay between the fingers stays there"
    fingers("touchEnd", 0)
    painted.page.wait_for_timeout(400)
    assert painted.state("[p.time_s, p.selected]") == [0, None]
    assert painted.page.evaluate("window.told") == []


def test_bitmaps_of_finer_levels_are_painted_ahead(painted: Stand) -> None:
    painted.wait("p.melTrack.pyramid.levels.every((l, n) => p.melTrack.pyramid.tiles.has(n * 1e6))")


def test_dragging_pans_without_seeking(painted: Stand) -> None:
    painted.state("p.timeline.show(2, 4)")
    painted.page.wait_for_timeout(50)
    x, y = painted.point(3.0, "waveform")
    painted.page.mouse.move(x, y)
    painted.page.mouse.down()
    painted.page.mouse.move(x - 100, y, steps=4)
    painted.page.mouse.up()
    width = painted.state("p.stage.frameWidth")
    assert painted.state("p.timeline.start_s") == pytest.approx(2 + 100 / width * 2, abs=0.02)
    assert painted.state("p.time_s") == 0


def test_the_overview_shows_the_whole_clip_and_moves_the_window(painted: Stand) -> None:
    painted.state("p.timeline.show(0, 2)")
    painted.page.wait_for_timeout(50)
    box = painted.get("overview").bounding_box()
    at = painted.state("[1, 5, 2].map((t) => p.stage.overview.x(t))")
    y = box["y"] + box["height"] / 2
    painted.page.mouse.move(box["x"] + at[0], y)
    painted.page.mouse.down()
    painted.page.mouse.move(box["x"] + at[1], y, steps=4)
    painted.page.mouse.up()
    assert painted.state("[p.timeline.start_s, p.timeline.end_s]") == pytest.approx([4, 6], abs=0.03)
    edge = painted.state("p.stage.overview.x(6)")
    painted.page.mouse.move(box["x"] + edge, y)
    painted.page.mouse.down()
    painted.page.mouse.move(box["x"] + edge + (at[2] - at[0]), y, steps=4)
    painted.page.mouse.up()
    assert painted.state("[p.timeline.start_s, p.timeline.end_s]") == pytest.approx([4, 7], abs=0.05)


def test_every_track_reads_out_the_values_of_the_data(painted: Stand) -> None:
    painted.page.mouse.move(*painted.point(2.0, "gates"))
    painted.wait("p.pointer && Math.abs(p.pointer.time_s - 2) < 0.02")
    gates, expected = painted.state("""[p.gateTrack.readings(2, null).map((r) => r.text),
        p.gateTrack.levels.map((l) => l.values[Math.round((2 - l.first_s) / l.step_s)].toFixed(2))]""")
    assert gates == expected and len(gates) == 6
    loudest = painted.state("p.melTrack.readings(2, null)[0].text")
    band = painted.state("""(() => { const c = Math.floor(2 / 0.02); let best = 0;
        for (let b = 0; b < 64; b++) if (p.melTrack.values[b * p.melTrack.columns + c] >
            p.melTrack.values[best * p.melTrack.columns + c]) best = b; return best; })()""")
    hertz = painted.state(f"p.melTrack.meta.mel_frequencies_hz[{band}]")
    assert str(round(hertz) if hertz < 1000 else round(hertz / 1000, 1)) in loudest
    segment = painted.state("p.foundTrack.segments.find((s) => s.lane === 0)")
    (reading,) = painted.state(f"p.foundTrack.readings({segment['start_s'] + 0.01}, 12)")
    assert f"{segment['score']:.2f}" in reading["text"]
    named = painted.state(f"p.trueTrack.readings({painted.state('p.data.truth[2].start_s')} + 0.01, null)[0].text")
    assert painted.state("p.data.labels[p.data.truth[2].label]") in named
    drawn = painted.state("""(() => { const c = p.stage.overlay.canvas, r = c.width / p.stage.wide;
        const drawnAt = (x, y) => p.stage.overlay.context.getImageData(x * r, y * r, 20 * r, 8 * r)
            .data.some((v, k) => k % 4 === 3 && v > 150);
        return p.stage.places.slice(2).map(({ top, height }) =>
            drawnAt(p.frame.x(2) + 8, top + height / 2 - 4)); })()""")
    assert drawn == [True] * 4, "the values are drawn beside the pointer"


def test_the_keyboard_reaches_everything(painted: Stand) -> None:
    keys = painted.page.keyboard
    first = painted.state("[...p.selection.detections].sort((a, b) => a.start_s - b.start_s).map((d) => d.id)")
    keys.press("]")
    painted.wait("p.selected !== null")
    at = first.index(painted.state("p.selected"))
    keys.press("]")
    assert painted.state("p.selected") == first[at + 1]
    keys.press("[")
    assert painted.state("p.selected") == first[at]
    keys.press("Escape")
    keys.press("}")
    assert painted.state("p.selected")[0] == "t"
    keys.press("e")
    assert painted.state("p.selectedSegment.error")
    keys.press("z")
    segment = painted.state("p.selectedSegment")
    assert painted.state("p.timeline.start_s") <= segment["start_s"]
    assert painted.state("p.timeline.span_s") < 8
    keys.press("0")
    assert painted.state("p.timeline.isFit")
    keys.press("+")
    assert painted.state("p.timeline.span_s") == pytest.approx(5.0)
    keys.press("Home")
    keys.press("Shift+ArrowRight")
    assert painted.state("p.time_s") == pytest.approx(5.0, abs=0.1)
    keys.press("ArrowLeft")
    painted.wait("Math.abs(p.time_s - 4) < 0.1")
    keys.press(".")
    painted.wait("Math.abs(p.video.currentTime - 4.15) < 0.02")
    keys.press(",")
    painted.wait("Math.abs(p.video.currentTime - 4.05) < 0.02")
    keys.press(">")
    assert painted.state("p.video.playbackRate") == 1.25
    assert painted.get("speed").input_value() == "1.25"
    keys.press("m")
    assert painted.state("p.video.muted")
    keys.press("?")
    assert painted.get("help").is_visible() and "next error" in painted.get("help").inner_text()
    keys.press("Escape")
    assert not painted.get("help").is_visible()


def test_keys_are_left_to_those_who_type(painted: Stand) -> None:
    painted.page.evaluate("document.body.prepend(Object.assign(document.createElement('input'), { id: 'words' }))")
    painted.page.locator("#words").fill("")
    painted.page.locator("#words").press_sequentially("e ]?")
    assert painted.page.locator("#words").input_value() == "e ]?"
    assert painted.state("[p.selected, p.help.isOpen, p.video.paused]") == [None, False, True]


def test_a_segment_plays_to_its_end_or_again_and_again(painted: Stand) -> None:
    painted.state("p.tour.visit([...p.data.truth].sort((a, b) => (a.end_s - a.start_s) - (b.end_s - b.start_s))[0])")
    segment = painted.state("p.selectedSegment")
    painted.state("p.video.addEventListener('playing', () => window.played = true)")
    painted.get("play-segment").click()
    # A short segment may be over before anyone sees it play.
    painted.wait("window.played && !p.playback.range && p.video.paused && !p.video.seeking")
    assert painted.state("p.time_s") == pytest.approx(segment["end_s"], abs=0.16)
    painted.state("p.video.playbackRate = 4")
    painted.get("loop-selected").click()
    painted.state("(() => { window.turns = 0; p.video.addEventListener('seeking', () => window.turns++); })()")
    painted.wait("window.turns >= 2")
    assert painted.state("p.looping && !p.video.paused")
    assert segment["start_s"] - 0.1 <= painted.state("p.time_s") <= segment["end_s"] + 0.3


@pytest.mark.parametrize("looping", [False, True])
def test_a_video_that_ends_before_a_frame_was_seen_leaves_the_segment_as_any_other(
    painted: Stand, looping: bool
) -> None:
    painted.state("p.tour.visit(p.data.truth[0])")
    segment = painted.state("p.selectedSegment")
    painted.state("p.video.playbackRate = 0.1")
    painted.get("loop-selected" if looping else "play-segment").click()
    painted.wait("!p.video.paused")
    painted.state("p.video.addEventListener('ended', () => window.ended = true)")
    # As on a machine too busy to show any frame until the very end.
    painted.state("p.playback.stopWatching()")
    painted.state("p.video.currentTime = p.video.duration")
    painted.wait("window.ended && !p.video.ended && !p.video.seeking")
    if looping:
        painted.wait("!p.video.paused && p.playback.range !== null")
        assert painted.state("p.video.currentTime < p.video.duration - 0.5")
    else:
        assert painted.state("p.video.paused && p.playback.range === null")
        assert painted.state("p.time_s") == pytest.approx(segment["end_s"], abs=0.01)


def test_controls_do_what_they_say(painted: Stand) -> None:
    painted.get("speed").select_option("0.25")
    assert painted.state("p.video.playbackRate") == 0.25
    painted.get("volume").fill("0.4")
    assert painted.state("p.video.volume") == pytest.approx(0.4)
    painted.get("mute").click()
    assert painted.state("p.video.muted")
    painted.get("zoom-in").click()
    assert painted.state("p.timeline.span_s") == pytest.approx(5.0)
    painted.get("zoom-out").click()
    painted.get("zoom-in").click()
    painted.get("fit").click()
    assert painted.state("p.timeline.isFit")
    errors = painted.state("p.choice.errors.length")
    assert errors > 1 and painted.get("error-kind").inner_text().startswith(f"{errors} errors")
    painted.get("next-error").click()
    one = painted.state("p.selected")
    painted.get("next-error").click()
    painted.get("previous-error").click()
    assert painted.state("p.selected") == one and painted.state("p.selectedSegment.error")
    painted.get("show-help").click()
    assert painted.get("help").is_visible()


def test_folding_and_order_survive_a_reload(painted: Stand, data: dict[str, Any]) -> None:
    painted.get("fold-spectrogram").click()
    for _ in range(2):
        painted.get("track-waveform").hover(position={"x": 20, "y": 8})
        painted.get("move-up-waveform").click()
    painted.open(data)
    assert painted.state("p.tracks.map((t) => t.name)") == [
        "true",
        "predicted",
        "gates",
        "waveform",
        "attention",
        "spectrogram",
    ]
    names = painted.page.locator(".mv-rows > .mv-row").evaluate_all("rows => rows.map((r) => r.dataset.testid)")
    assert names[3] == "track-waveform"
    assert painted.get("track-spectrogram").bounding_box()["height"] == pytest.approx(22, abs=1.5)
    painted.get("fold-spectrogram").click()
    painted.wait("p.melTrack.drawable && p.melTrack.height > 60")


def test_damaged_settings_are_no_hindrance(painted: Stand, data: dict[str, Any]) -> None:
    painted.page.evaluate('localStorage.setItem(\'mravff.player\', \'{"order": 3, "folded": [7], "volume": "loud"}\')')
    painted.open(data)
    assert painted.state("[p.tracks.length, p.tracks.some((t) => t.folded), p.video.volume]") == [6, False, 1]


def test_mounting_again_and_again_leaves_nothing_behind(painted: Stand, data: dict[str, Any]) -> None:
    counted = """(data) => {
        const live = new Map();
        for (const target of [window, document]) {
            const add = target.addEventListener, remove = target.removeEventListener;
            const count = (change, inner) => function (name, ...rest) {
                live.set(name, (live.get(name) ?? 0) + change);
                return inner.call(this, name, ...rest);
            };
            target.addEventListener = count(1, add);
            target.removeEventListener = count(-1, remove);
        }
        window.unmount();
        const first = window.player;
        live.clear();
        window.gone = [];
        for (let k = 0; k < 3; k += 1) {
            window.show(data);
            window.gone.push(window.player);
            window.unmount();
        }
        return [first ?? null, [...live.values()].filter((count) => count !== 0).length, live.size,
            document.getElementById("host").shadowRoot.children.length];
    }"""
    left, unbalanced, kinds, children = painted.page.evaluate(counted, data)
    assert left is None and unbalanced == 0 and kinds >= 2 and children == 1, "only the style sheet remains"
    painted.page.keyboard.press("Space")
    painted.page.wait_for_timeout(300)
    assert painted.page.evaluate("window.gone.every((p) => p.closed && p.video.paused && !p.video.getAttribute('src'))")
    assert painted.page.evaluate("window.told") == []
    painted.show(data)
    painted.painted()
    assert painted.get("player").count() == 1


def test_its_state_is_there_to_be_read(painted: Stand) -> None:
    state = painted.state("p.state()")
    assert state["clip_id"] == "one" and state["painted"] is True and state["playing"] is False
    assert [state["start_s"], state["end_s"]] == [0, 8]
    assert painted.state("p.lastDrawMs > 0 && p.video instanceof HTMLVideoElement && p.timeline.span_s === 8")


def test_the_clips_beside_are_fetched_beforehand_once_and_in_peace(
    stand: Stand, data: dict[str, Any], site: Site, silent_video: bytes
) -> None:
    following = site.add_clip("two", silent_video, 3.0, truth=2, detections=3, sound=False)
    data["next"] = [
        {
            "sources": following["sources"],
            "others": [],
            "video_url": following["clip"]["video_url"],
            "poster_url": None,
        }
    ]
    stand.open(data)
    stand.page.wait_for_function(
        "performance.getEntriesByType('resource').filter((e) => e.name.includes('/data/two/')).length === 3"
    )
    painted_with = [path for path in site.requests if path.startswith("/data/one/")]
    first = site.requests.index(next(path for path in site.requests if path.startswith("/data/two/")))
    assert all(site.requests.index(path) < first for path in painted_with), "what is wanted now comes first"
    assert [path.split("?")[0] for path in site.asked("/data/two/")] == [
        "/data/two/segments",
        "/data/two/signal",
        "/data/two/video",
    ]
    stand.show(data)
    stand.page.wait_for_timeout(150)
    assert len(site.asked("/data/two/")) == 3
