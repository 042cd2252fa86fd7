"""How one moves about: pointer, zoom, selection and read-outs, and what the page is told of them."""

from __future__ import annotations

import pytest

from tests.player.harness import Stand


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
