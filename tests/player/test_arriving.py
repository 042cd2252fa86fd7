"""From clip to clip, run to run and address to place: what is kept, fetched and let go."""

from __future__ import annotations

from typing import Any

from tests.player.harness import Site, Stand


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
    assert len(site.asked("/data/one/other")) == 1 and len(site.asked("/signal")) == signals


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
