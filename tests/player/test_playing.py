"""What playing does, what it leaves alone, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.player.harness import Site, Stand


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
