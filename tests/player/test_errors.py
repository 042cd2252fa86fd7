"""What counts as which error, and the way through the errors of one kind."""

from __future__ import annotations

import json
from typing import Any

from tests.player.harness import Site, Stand

# By hand: what each detection is, given the true segments below; labels are numbers.
TRUTH = [("t0", 0.0, 1.0, 0), ("t1", 2.0, 3.0, 0), ("t2", 4.0, 5.0, 1), ("t3", 6.0, 7.0, 2)]
FOUND = [
    ("d0", 0.0, 1.0, 0, 0.9, ""),
    ("d1", 0.1, 1.0, 0, 0.8, "duplicate"),
    ("d2", 2.6, 3.6, 0, 0.7, "boundaries"),
    ("d3", 4.0, 5.0, 0, 0.6, "class"),
    ("d4", 4.7, 5.7, 0, 0.5, "both"),
    ("d5", 7.2, 7.8, 2, 0.4, "background"),
    ("d6", 6.95, 7.9, 2, 0.3, "background"),
]


def offer(site: Site, data: dict[str, Any], *, looked: bool = True) -> None:
    rows = {
        "labels": ["cut", "stir", "pour"],
        "truth": [{"id": i, "start_s": s, "end_s": e, "label": n, "audibility": None} for i, s, e, n in TRUTH],
        "detections": [
            {"id": i, "start_s": s, "end_s": e, "label": n, "score": p, "best_tiou": 0.0, "best_truth": None}
            for i, s, e, n, p, _ in FOUND
            if looked
        ],
        "total": len(FOUND) * looked,
        "looked": looked,
    }
    site.answers["/data/one/segments"] = (json.dumps(rows).encode(), "application/json")


def test_every_error_is_of_the_kind_that_it_is_by_hand(stand: Stand, data: dict[str, Any], site: Site) -> None:
    offer(site, data)
    stand.open(data)
    kinds = stand.state("Object.fromEntries(p.selection.detections.map((d) => [d.id, d.error]))")
    assert kinds == {name: kind for name, *_, kind in FOUND}
    assert stand.state("Object.fromEntries(p.selection.truth.map((t) => [t.id, t.error]))") == {
        "t0": "",
        "t1": "missed",
        "t2": "missed",
        "t3": "missed",
    }
    # A threshold that hides the better one makes the duplicate the finder.
    data["view"]["threshold"] = 0.85
    stand.show(data)
    assert stand.state("p.selection.detections.map((d) => d.error)") == [""]
    counts = stand.state("p.choice.errorCounts")
    assert counts["any"] == 3 == counts["missed"]


def test_nothing_is_missed_where_no_detector_has_looked(stand: Stand, data: dict[str, Any], site: Site) -> None:
    offer(site, data, looked=False)
    data["view"]["run"] = None
    stand.open(data)
    assert stand.state("p.selection.truth.map((t) => t.error)") == ["", "", "", ""]
    assert stand.state("p.choice.errorCounts.any") == 0
    assert "come with a run" in stand.get("track-predicted").inner_text()
    assert not stand.get("error-kind").is_visible()


def test_one_kind_of_error_is_chosen_and_gone_through_by_keys(stand: Stand, data: dict[str, Any], site: Site) -> None:
    offer(site, data)
    stand.open(data)
    keys = stand.page.keyboard
    assert stand.get("error-kind").locator("option").all_inner_texts() == [
        "9 errors",
        "3 missed",
        "1 boundaries off",
        "1 wrong class",
        "1 class and boundaries",
        "1 duplicate",
        "2 nothing there",
    ]
    keys.press("x")
    visited = []
    for _ in range(4):
        keys.press("e")
        visited.append(stand.state("p.selected"))
    assert visited == ["t1", "t2", "t3", "t1"], "from the last it goes on to the first"
    keys.press("X")
    keys.press("X")
    assert stand.get("error-kind").input_value() == "background"
    keys.press("E")
    assert stand.state("p.selected") in ("d5", "d6")
    assert "nothing there: no true segment overlaps it by a tenth" in stand.get("details").inner_text()
    stand.get("error-kind").select_option("duplicate")
    stand.get("next-error").click()
    assert stand.state("p.selected") == "d1"


def test_without_truth_nothing_is_wrong(stand: Stand, site: Site, video: bytes) -> None:
    stand.open(site.add_clip("bare", video, 8.0, truth=0, detections=5))
    assert stand.state("p.selection.detections.some((d) => d.error)") is False
    assert not stand.get("error-kind").is_visible()
