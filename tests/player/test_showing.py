"""What the player shows: tracks, details, messages, and text that stays text."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.player.conftest import DURATION_S
from tests.player.harness import DARK, Site, Stand
from tests.player.made_up import MARKUP

NAMES = ["true", "predicted", "gates", "attention", "spectrogram", "waveform"]
COLOURS = "(t) => new Set(new Uint32Array(t.context.getImageData(140, 4, 600, t.height - 8).data.buffer)).size"


def test_every_track_is_painted_with_its_own_picture(painted: Stand) -> None:
    assert painted.state("p.tracks.map((t) => t.name)") == NAMES
    counts = dict(zip(NAMES, painted.state(f"p.tracks.map({COLOURS})"), strict=True))
    assert all(count > 1 for count in counts.values())
    assert counts["spectrogram"] > 100 and counts["gates"] > 20 and counts["attention"] > 20
    assert painted.state("p.gateTrack.levels.length") == 6


def test_a_gate_drawn_is_the_colour_of_its_value(painted: Stand) -> None:
    # Viridis runs from dark violet to light yellow: its green channel grows with the value.
    greens, values = painted.state("""(() => {
        const level = p.gateTrack.levels[3], ratio = p.gateTrack.canvas.width / p.stage.wide;
        const at = (step) => p.frame.x(level.first_s + step * level.step_s) * ratio;
        const green = (step) => p.gateTrack.context.getImageData(at(step), (2 + 3.5 * 14) * ratio, 1, 1).data[1];
        const steps = level.values.map((_, step) => step);
        return [[...steps].map(green), [...level.values]];
    })()""")
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [greens[step] for step in order] == sorted(greens) and len(set(greens)) > 3


def test_everything_fits_a_laptops_window_beside_a_sidebar(stand: Stand, data: dict[str, Any]) -> None:
    stand.open(data, side=300, above=90)
    box = stand.get("track-waveform").bounding_box()
    assert box["y"] + box["height"] <= 900
    assert stand.get("video").bounding_box()["height"] >= 240
    panel = stand.get("details").bounding_box()
    assert panel["x"] > stand.get("video").bounding_box()["x"] + stand.get("video").bounding_box()["width"]


def test_a_narrow_window_puts_the_panel_under_the_picture(stand: Stand, data: dict[str, Any]) -> None:
    stand.page.set_viewport_size({"width": 600, "height": 900})
    stand.open(data)
    video, panel = stand.get("video").bounding_box(), stand.get("details").bounding_box()
    assert panel["y"] >= video["y"] + video["height"]
    assert stand.page.evaluate("document.documentElement.scrollWidth") <= 600


def test_details_give_the_facts_of_the_data(painted: Stand, site: Site) -> None:
    best = site.rows("one")["detections"][0]
    painted.page.locator(".mv-item").first.click()
    text = painted.get("details").inner_text()
    assert f"{best['score']:.3f}" in text
    assert f"{best['start_s']:.2f} – {best['end_s']:.2f} s" in text
    assert f"{best['best_tiou']:.2f}" in text
    inside = painted.state("""p.gateTrack.levels.map((l) => {
        const d = p.data.detections[0], inside = [...l.values].filter((_, k) => {
            const t = l.first_s + k * l.step_s; return t >= d.start_s && t <= d.end_s; });
        return inside.length ? inside.reduce((a, b) => a + b) / inside.length : null; })""")
    bars = painted.get("details").locator(".mv-bar-value").all_inner_texts()
    assert len(bars) == 6
    assert all(mean is None or bar == f"{mean:.2f}" for bar, mean in zip(bars, inside, strict=True))


def test_details_of_a_true_segment_lead_to_the_detection_that_found_it(painted: Stand) -> None:
    found = painted.state("p.selection.truth.find((t) => !t.error)")
    painted.state(f"p.tour.select(p.data.truth.find((t) => t.id === '{found['id']}'))")
    details = painted.get("details")
    assert "true segment" in details.inner_text() and f"{found['audibility']:.2f}" in details.inner_text()
    details.locator(".mv-link").click()
    assert painted.state("p.selectedSegment.label") == found["label"]
    assert painted.state("p.selected")[0] == "d"


def test_hidden_detections_are_counted_and_gone(painted: Stand, data: dict[str, Any], site: Site) -> None:
    rows = site.rows("one")["detections"]
    hidden_label = rows[0]["label"]
    there = {row["label"] for row in [*rows, *site.rows("one")["truth"]]}
    data["view"] |= {"threshold": 0.5, "shown_labels": sorted(there - {hidden_label})}
    shown = [row for row in rows if row["score"] >= 0.5 and row["label"] != hidden_label]
    painted.show(data)
    painted.wait(f"p.selection.detections.length === {len(shown)}")
    assert f"{len(shown)} shown, {len(rows) - len(shown)} hidden" in painted.page.locator(".mv-count").inner_text()
    assert painted.get("note-predicted").inner_text() == f"+{len(rows) - len(shown)}"
    assert painted.page.locator(".mv-item").count() == len(shown)
    hidden_truth = sum(row["label"] == hidden_label for row in site.rows("one")["truth"])
    assert painted.get("note-true").inner_text() == (f"+{hidden_truth}" if hidden_truth else "")


def test_a_threshold_that_hides_all_says_which_would_not(painted: Stand, data: dict[str, Any], site: Site) -> None:
    data["view"]["threshold"] = 0.999
    painted.show(data)
    best = max(row["score"] for row in site.rows("one")["detections"])
    assert f"best score {best:.2f}" in painted.get("track-predicted").inner_text()


def test_a_class_named_by_markup_is_text_everywhere(painted: Stand, site: Site) -> None:
    content = site.rows("one")
    for row in [*content["truth"], *content["detections"]]:
        row["label"] = content["labels"].index(MARKUP)
    site.answers["/data/marked/segments"] = (json.dumps(content).encode(), "application/json")
    data = site.add_clip("marked", b"", DURATION_S)
    site.answers["/data/marked/segments"] = (json.dumps(content).encode(), "application/json")
    painted.open(data | {"clip": data["clip"] | {"video_url": None, "title": MARKUP}})
    painted.page.locator(".mv-item").first.click()
    painted.page.mouse.move(*painted.point(content["truth"][0]["start_s"] + 0.05, "true", 10))
    assert MARKUP in painted.get("details").inner_text()
    assert painted.page.locator(".mv-item", has_text=MARKUP).count() == len(content["detections"])
    assert painted.page.locator("img").count() == 0 and painted.page.title() == "player"


def test_true_segments_beyond_the_clip_stay_inside_the_overview(stand: Stand, site: Site) -> None:
    data = site.add_clip("beyond", b"", DURATION_S, truth=3)
    content = site.rows("beyond")
    bounds = [(-4.0, 0.5), (DURATION_S - 0.5, DURATION_S + 4), (DURATION_S + 2, DURATION_S + 3)]
    for row, (start_s, end_s) in zip(content["truth"], bounds, strict=True):
        row |= {"start_s": start_s, "end_s": end_s}
    site.answers["/data/beyond/segments"] = (json.dumps(content).encode(), "application/json")
    stand.open(data | {"clip": data["clip"] | {"video_url": None}})
    # Whether anything is painted just outside the clip's two ends, and just inside them, in the row of true segments.
    painted = stand.state("""(() => { const overview = p.stage.overview, r = window.devicePixelRatio;
        return [0, p.timeline.duration_s].map((end) => [-3, -1, 1, 3].map((by) => {
            const x = (overview.x(end) + by * 2) * r;
            return overview.picture.getContext("2d").getImageData(x, 7 * r, 1, 1).data[3] > 0; })); })()""")
    assert painted == [[False, False, True, True], [True, True, False, False]]


def test_no_detections_is_a_state_and_no_fault(stand: Stand, site: Site, video: bytes) -> None:
    stand.open(site.add_clip("empty", video, DURATION_S, truth=3, detections=0))
    assert "finds nothing" in stand.get("track-predicted").inner_text()
    assert "No detections" in stand.get("list").inner_text()
    for key in ("]", "Enter", "r", "z"):
        stand.page.keyboard.press(key)
    assert stand.state("p.selected") is None and stand.state("p.trueTrack.segments.length") == 3
    assert stand.get("error-kind").locator("option").all_inner_texts() == ["3 errors", "3 missed"]
    stand.page.keyboard.press("e")
    assert stand.state("p.selectedSegment.error") == "missed", "what a run does not find, it has missed"


def test_a_silent_clip_says_so_in_the_rows_of_sound(stand: Stand, site: Site, silent_video: bytes) -> None:
    stand.open(site.add_clip("silent", silent_video, 3.0, truth=3, detections=5, sound=False))
    for row in ("gates", "attention", "spectrogram", "waveform"):
        assert "no sound" in stand.get(f"track-{row}").inner_text()
    assert stand.get("mute").is_disabled() and stand.get("volume").is_disabled()
    assert stand.state("p.foundTrack.drawable && p.trueTrack.drawable")
    assert site.asked("silent/gates") == [] and site.asked("silent/attention") == []


def test_two_thousand_detections_are_all_there(stand: Stand, site: Site, video: bytes) -> None:
    stand.open(site.add_clip("many", video, DURATION_S, truth=30, detections=2000))
    assert stand.state("p.foundTrack.segments.length") == 2000
    lanes, thin = stand.state("[p.foundTrack.lanes, p.foundTrack.laneHeight]")
    assert lanes > 20 and thin >= 4
    assert stand.state("p.foundTrack.height") <= 140
    apart = stand.state("""p.foundTrack.segments.every((one, k, all) => k === 0 ||
        all.slice(0, k).every((other) => other.lane !== one.lane || other.end_s <= one.start_s + 1e-5))""")
    assert apart, "no two of a lane overlap"
    assert stand.page.locator(".mv-item").count() == 200, "the list holds the best"
    stand.page.keyboard.press("+")
    stand.wait("p.timeline.span_s < 8 && p.lastDrawMs > 0")


@pytest.mark.parametrize("content", [b"MRVX", b"MRVT\xff\xff\xff\x7f{}", b"MRVT\x08\x00\x00\x00not json", b""])
def test_track_data_that_cannot_be_read_says_why_and_is_tried_again(
    stand: Stand, site: Site, data: dict[str, Any], content: bytes
) -> None:
    good = site.answers["/data/one/signal"]
    site.answers["/data/one/signal"] = (content, "application/vnd.mravff.tracks")
    stand.open(data)
    row = stand.get("track-waveform")
    assert "could not be loaded: " in row.inner_text() and "track data" in row.inner_text()
    assert stand.state("p.gateTrack.drawable"), "other tracks do not suffer"
    site.answers["/data/one/signal"] = good
    row.get_by_role("button", name="again").click()
    stand.wait("p.waveTrack.drawable && p.melTrack.drawable")


def test_a_refusal_is_shown_in_the_servers_own_words(stand: Stand, site: Site, data: dict[str, Any]) -> None:
    site.failures["/data/one/segments"] = (404, b'{"error": "/ws/annotations.parquet: <b>no such table</b>"}')
    stand.open(data)
    assert "/ws/annotations.parquet: <b>no such table</b>" in stand.get("track-true").inner_text()


def test_without_a_run_the_rows_of_a_run_say_so(stand: Stand, data: dict[str, Any]) -> None:
    data["view"]["run"] = None
    data["sources"] |= {"gates": None, "attention": None}
    stand.open(data)
    assert "come with a run" in stand.get("track-gates").inner_text()
    assert "comes with a run" in stand.get("track-attention").inner_text()


@pytest.mark.parametrize("wide", [1280, 1440])
def test_controls_and_the_meaning_of_shapes_keep_to_their_lines(stand: Stand, data: dict[str, Any], wide: int) -> None:
    stand.page.set_viewport_size({"width": wide, "height": 800})
    stand.open(data, side=300, above=90)
    first, last = stand.get("play").bounding_box(), stand.get("show-help").bounding_box()
    assert abs(first["y"] - last["y"]) < first["height"] / 2, "one line, the help at its end"
    guide = stand.page.locator(".mv-guide li")
    assert guide.count() >= 3 and all(mark.is_visible() for mark in guide.all())
    card = stand.get("details").bounding_box()
    marks = [mark.bounding_box() for mark in guide.all()]
    assert all(box["y"] + box["height"] <= card["y"] + card["height"] for box in marks), "none is cut off"


@pytest.mark.parametrize("gone", ["zz", "t999", "d999"])
def test_a_segment_that_an_address_invents_is_let_go(stand: Stand, data: dict[str, Any], gone: str) -> None:
    data["view"]["selected"] = gone
    stand.open(data)
    assert stand.state("p.selected") is None
    stand.page.wait_for_function("window.told.length && window.told.at(-1).selected === null")


def test_arrays_that_are_missing_fail_one_track(stand: Stand, site: Site, data: dict[str, Any]) -> None:
    site.answers["/data/one/gates"] = site.answers["/data/one/signal"]
    stand.open(data)
    assert "no gates" in stand.get("track-gates").inner_text()
    assert stand.state("p.melTrack.drawable && p.attentionTrack.drawable")


def test_a_server_that_fails_is_asked_again(stand: Stand, site: Site, data: dict[str, Any]) -> None:
    site.failures["/data/one/segments"] = 500
    stand.open(data)
    assert "(500)" in stand.get("track-predicted").inner_text()
    site.failures.clear()
    stand.get("retry-predicted").click()
    stand.wait("p.foundTrack.drawable && p.trueTrack.drawable")


def test_a_video_that_does_not_load_says_so_and_is_tried_again(stand: Stand, site: Site, data: dict[str, Any]) -> None:
    site.failures["/data/one/video"] = 404
    stand.open(data)
    alert = stand.page.get_by_role("alert")
    assert "The video is not there" in alert.inner_text()
    site.failures.clear()
    alert.get_by_role("button").click()
    stand.wait("p.video.readyState >= 2 && p.trouble.hidden")


def test_a_remembered_level_that_a_run_lacks_falls_back_to_the_finest(
    stand: Stand, site: Site, data: dict[str, Any]
) -> None:
    stand.open(data)
    stand.get("attention-level").select_option("4")
    stand.wait("p.attentionTrack.meta.level === 4 && p.attentionTrack.drawable")
    assert site.asked("attention")[-1].endswith("&level=4")
    good = site.answers["/data/one/attention"]
    assert callable(good)
    site.answers["/data/other/attention"] = lambda query: (
        good(query) if query["level"] == ["0"] else (b"", "text/plain")
    )
    data["sources"]["attention"] = "/data/other/attention?run=two"
    stand.show(data)
    stand.wait("p.attentionTrack.drawable && p.attentionTrack.meta.level === 0")


def test_colours_follow_the_theme_while_the_page_is_open(painted: Stand) -> None:
    assert painted.state("p.theme.dark") is False
    light = painted.state("getComputedStyle(p.details.root.querySelector('.mv-swatch')).backgroundColor")
    painted.page.evaluate("colours => window.theme(colours)", DARK)
    painted.wait("p.theme.dark && p.root.classList.contains('mv-dark')")
    dark = painted.state("getComputedStyle(p.details.root.querySelector('.mv-item .mv-swatch')).backgroundColor")
    assert light != dark


def test_a_clip_of_features_alone_says_so_and_offers_nothing_to_play(painted: Stand, data: dict[str, Any]) -> None:
    knobs = ("play", "speed", "mute", "volume", "loop-selected", "loop-around", "play-segment", "loop")
    painted.page.locator(".mv-item").first.click()
    assert not painted.get("no-video").is_visible()
    assert [name for name in knobs if painted.get(name).is_disabled()] == []
    clip, sources = data["clip"] | {"id": "bare", "video_url": None}, data["sources"] | {"signal": None}
    painted.open(data | {"clip": clip, "sources": sources})
    assert "features only, no video to show" in painted.get("no-video").inner_text()
    painted.page.locator(".mv-item").first.click()
    assert [name for name in knobs if painted.get(name).is_enabled()] == []
    assert painted.get("play").get_attribute("title") == "This clip has no video"
    painted.show(data)
    painted.painted()
    assert painted.get("play").is_enabled() and not painted.get("no-video").is_visible()


def test_detections_that_were_not_sent_are_counted(stand: Stand, site: Site, video: bytes) -> None:
    data = site.add_clip("many", video, DURATION_S, truth=3, detections=5)
    stand.open(data)
    assert "left out" not in stand.get("list").locator("xpath=..").inner_text()
    content = site.rows("many") | {"total": 1205}
    site.answers["/data/many/segments"] = (json.dumps(content).encode(), "application/json")
    stand.open(data)
    assert "5 shown, 1200 weaker left out" in stand.get("list").locator("xpath=..").inner_text()


def test_nothing_is_counted_before_it_has_come(stand: Stand, site: Site, video: bytes) -> None:
    data = site.add_clip("slow", video, DURATION_S, truth=3, detections=5)
    content, held = site.answers["/data/slow/segments"], threading.Event()
    assert isinstance(content, tuple)
    site.answers["/data/slow/segments"] = lambda _query: held.wait(10) and content
    stand.page.goto(f"{site.url}/page?theme=%7B%7D")
    stand.page.wait_for_function("window.ready")
    stand.show(data)
    panel = stand.get("list").locator("xpath=../..")
    assert "Loading" in panel.inner_text()
    assert "shown" not in panel.inner_text() and "0 true segments" not in panel.inner_text()
    held.set()
    stand.painted()
    assert "5 shown" in panel.inner_text() and "3 true segments" in panel.inner_text()
