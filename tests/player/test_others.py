"""Rows of other runs beside the first: their data, their names, and what only one of them has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.player.harness import Site, Stand


def put_beside(site: Site, data: dict[str, Any], *, drop: int = 3, name: str = "visual · no sound") -> list[str]:
    """A row like the first without `drop` detections that no other is like, and with one more.

    Returns: ids of what differs.
    """
    rows = site.rows("one")

    def touches(one: dict[str, Any], other: dict[str, Any]) -> bool:
        together = one["start_s"] < other["end_s"] and other["start_s"] < one["end_s"]
        return one is not other and one["label"] == other["label"] and together

    single = [row for row in rows["detections"] if not any(touches(row, other) for other in rows["detections"])]
    alone = [row["id"] for row in single[:drop]]
    assert len(alone) == drop
    rows["detections"] = [row for row in rows["detections"] if row["id"] not in alone]
    extra = {"start_s": 7.6, "end_s": 7.9, "label": 9, "score": 0.99, "best_tiou": 0.0, "best_truth": None}
    rows["detections"].insert(0, extra)
    for rank, row in enumerate(rows["detections"]):
        row["id"] = f"d{rank}"
    site.answers["/data/one/beside"] = (json.dumps(rows).encode(), "application/json")
    data["others"] = [{"name": name, "segments_url": "/data/one/beside?run=two"}]
    data["name"] = "mrav"
    return ["o1d0", *alone]


def test_a_row_comes_and_goes_while_the_first_stays(painted: Stand, data: dict[str, Any], site: Site) -> None:
    asked = len(site.requests)
    put_beside(site, data)
    painted.show(data)
    painted.wait("p.others.rows[0]?.value && p.tracks[2].name === 'other-1'")
    assert painted.get("track-other-1").inner_text().split() == ["visual", "no", "sound"]
    assert painted.get("track-predicted").inner_text().startswith("mrav")
    painted.wait("p.tracks[2].segments.length === p.foundTrack.segments.length - 2")
    assert [path for path in site.requests[asked:] if "video" not in path] == ["/data/one/beside?run=two"]
    boxes = [painted.get(f"track-{name}").bounding_box() for name in ("true", "predicted", "other-1", "gates")]
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
    data["others"] = []
    painted.show(data)
    assert painted.get("track-other-1").count() == 0
    assert painted.get("track-predicted").inner_text().startswith("Predicted")


def test_what_only_one_row_has_is_underlined_and_found_by_key(painted: Stand, data: dict[str, Any], site: Site) -> None:
    differing = put_beside(site, data)
    painted.show(data)
    painted.wait("p.others.rows[0]?.value")
    found = painted.state("p.choice.pool('differences').map((d) => d.id)")
    assert set(differing) == set(found)
    assert painted.get("difference-count").inner_text() == f"{len(found)} differences"
    visited = set()
    for _ in found:
        painted.page.keyboard.press("d")
        visited.add(painted.state("p.selected"))
    assert visited == set(found)
    painted.state("p.tour.select(p.choice.others[0].data.detections[0])")
    details = painted.get("details").inner_text()
    assert "visual · no sound" in details and "0.990" in details
    painted.page.keyboard.press(")")
    assert painted.state("p.selected").startswith("o1d")


def test_an_address_selects_in_the_row_beside(stand: Stand, data: dict[str, Any], site: Site) -> None:
    put_beside(site, data)
    data["view"] |= {"selected": "o1d0", "time_s": 7.7}
    stand.open(data)
    assert stand.state("[p.selected, p.selectedSegment.score]") == ["o1d0", 0.99]
    data["others"] = []
    stand.show(data)
    assert stand.state("p.selected") is None, "its row is gone"
    assert stand.told(1)[-1]["selected"] is None


def test_a_row_that_fails_says_so_and_is_tried_again(painted: Stand, data: dict[str, Any], site: Site) -> None:
    put_beside(site, data)
    site.failures["/data/one/beside"] = 500
    painted.show(data)
    painted.get("retry-other-1").wait_for()
    assert "visual · no sound could not be loaded" in painted.get("track-other-1").inner_text()
    site.failures.clear()
    painted.get("retry-other-1").click()
    painted.wait("p.tracks[2].segments.length > 0")


def test_the_page_is_asked_for_a_row_by_key(painted: Stand, data: dict[str, Any]) -> None:
    painted.page.evaluate("window.wishes = []")
    painted.page.keyboard.press("b")
    assert painted.page.evaluate("window.wishes") == ["beside"]


@pytest.mark.parametrize("knob", ["key", "button"])
def test_a_segment_repeats_with_one_second_around_it(painted: Stand, knob: str) -> None:
    painted.state("p.tour.visit(p.data.truth.find((t) => t.start_s > 1.5 && t.end_s < 6))")
    segment = painted.state("p.selectedSegment")
    painted.state("p.video.playbackRate = 4")
    painted.state("""(() => { window.starts = [];
        p.video.addEventListener('seeking', () => window.starts.push(p.video.currentTime)); })()""")
    if knob == "key":
        painted.page.keyboard.press("R")
    else:
        painted.get("loop-around").click()
    painted.wait("window.starts.length >= 3")
    starts = painted.page.evaluate("window.starts")
    assert starts[1:] == pytest.approx([segment["start_s"] - 1] * len(starts[1:]), abs=0.02)
    assert painted.get("loop-around").get_attribute("aria-pressed") == "true"
    assert painted.get("loop-selected").get_attribute("aria-pressed") == "false"
    painted.get("loop-selected").click()
    assert painted.state("[p.looping, p.playback.range.start_s]") == [True, segment["start_s"]]
