"""What a detection rests on, beside the video: its track, the shaded spectrum, the shares; and the crosshair."""

from __future__ import annotations

from typing import Any

import pytest

from tests.player import made_up
from tests.player.conftest import DURATION_S
from tests.player.harness import Site, Stand

BINARY = "application/vnd.mravff.tracks"


@pytest.fixture
def explained(stand: Stand, site: Site, data: dict[str, Any]) -> Stand:
    """The player with every detection but the second explained, the first one selected."""
    best = site.rows("one")["detections"][0]
    answer = made_up.attribution(DURATION_S, best["start_s"], best["end_s"]), BINARY
    site.answers["/data/one/attribution"] = lambda query: None if query["n"] == ["1"] else answer  # type: ignore[return-value]
    data["sources"]["attribution"] = "/data/one/attribution?run=one"
    stand.open(data)
    stand.page.locator(".mv-item").first.click()
    stand.get("track-attribution").wait_for()
    stand.wait("p.stage.places.some(({ track }) => track.name === 'attribution')")
    return stand


def test_for_and_against_are_told_apart_without_colour(explained: Stand, site: Site) -> None:
    # Far below zero where it speaks against, between the hatches, the ground shows; above zero it is filled.
    shares = explained.state("""(() => {
        const { track } = p.explaining, ratio = track.canvas.width / p.stage.wide, best = p.data.detections[0];
        const filled = (time_s, y, high) => {
            const wide = Math.max(2, (p.frame.x(0.12) - p.frame.x(0)) * ratio);
            const left = p.frame.x(time_s) * ratio - wide / 2;
            const data = track.context.getImageData(left, y * ratio, wide, high * ratio).data;
            const alphas = data.filter((_, k) => k % 4 === 3);
            return alphas.filter((a) => a > 120).length / alphas.length;
        };
        const base = 3 + track.zero, { unitPixels } = track;
        return [filled(best.start_s, base - 0.3 * unitPixels, 0.2 * unitPixels),
            filled(best.end_s, base + 2, 0.12 * unitPixels),
            filled(best.end_s, base - 0.3 * unitPixels, 0.2 * unitPixels)];
    })()""")
    assert shares[0] > 0.7 and 0.1 < shares[1] < shares[0] and shares[2] < 0.2


def test_values_under_the_pointer_are_in_units_of_the_score(explained: Stand, site: Site) -> None:
    best = site.rows("one")["detections"][0]
    time_s = best["start_s"]
    texts = [each["text"] for each in explained.state(f"p.explaining.track.readings({time_s}, 20)")]
    values = explained.state(f"['audio', 'vision'].map((name) => p.explaining.track.valueAt(name, {time_s}))")
    assert texts[0].startswith("sound +0.") and texts[0].endswith(" logit") and texts[1].startswith("sight")
    assert float(texts[0].split()[1]) == pytest.approx(values[0], rel=2e-2)


def test_shares_name_their_baselines_and_say_what_to_doubt(explained: Stand) -> None:
    text = explained.get("explained").inner_text()
    for words in ("73 %", "27 %", "digital silence", "a still picture", "8 baselines", "The gate tells little."):
        assert words in text


def test_the_spectrum_is_darker_where_sound_did_not_matter_until_told_otherwise(explained: Stand) -> None:
    dark = """(() => { p.stage.draw(); const t = p.melTrack;
        const data = t.context.getImageData(140, 4, t.canvas.width - 160, t.canvas.height - 8).data;
        return data.reduce((sum, value, k) => sum + (k % 4 === 3 ? 0 : value), 0); })()"""
    shaded = explained.state(dark)
    explained.page.keyboard.press("a")
    plain = explained.state(dark)
    assert shaded < 0.7 * plain
    assert explained.get("shade").get_attribute("aria-pressed") == "false"


def test_no_spectrum_offers_no_darkening(explained: Stand, data: dict[str, Any]) -> None:
    assert explained.get("shade").is_visible()
    data["sources"]["signal"] = None
    explained.show(data | {"clip": data["clip"] | {"video_url": None}})
    explained.wait("p.melTrack.message.includes('features only')")
    assert not explained.get("shade").is_visible()


def test_the_track_goes_with_its_detection_and_folds_and_moves_like_others(explained: Stand, site: Site) -> None:
    names = "p.tracks.map((t) => t.name)"
    assert explained.state(names).index("attribution") == 2
    explained.get("track-attribution").hover()
    explained.get("move-up-attribution").click()
    assert explained.state(names).index("attribution") == 1
    explained.get("fold-attribution").click()
    assert explained.get("track-attribution").bounding_box()["height"] < 30
    explained.page.locator(".mv-item").nth(1).click()
    explained.get("explain").wait_for()
    assert "attribution" not in explained.state(names) and not explained.get("shade").is_visible()
    assert [url[-3:] for url in site.asked("one/attribution")] == ["n=0", "n=1"]
    explained.page.locator(".mv-item").first.click()
    explained.get("track-attribution").wait_for()
    assert explained.state(names).index("attribution") == 1 and explained.state("p.explaining.track.folded")


def test_the_crosshair_follows_the_playhead_over_the_whole_map(stand: Stand, site: Site, data: dict[str, Any]) -> None:
    full = made_up.full_attention(DURATION_S), BINARY
    site.answers["/data/one/attention"] = full
    stand.open(data)
    track = "p.attentionTrack"
    early, late = (stand.state(f"{track}.crosshair({time_s})") for time_s in (2.0, 5.0))
    assert late["y"] < early["y"], "later sounds lie higher"
    assert early["most"] < early["y"], "what is heard a second later lies above the very moment"
    second = (early["y"] - late["y"]) / 3
    assert early["y"] - early["most"] == pytest.approx(second, abs=second / 2)
    x, y = stand.point(6.0, "attention")
    stand.page.mouse.click(x, y)
    stand.wait("Math.abs(p.time_s - 6) < 0.1")
    stand.get("attention-head").select_option("2")
    stand.wait("p.attentionTrack.drawable")
    assert site.asked("attention")[-1].endswith("&head=2&level=0")


def test_a_local_maps_crosshair_marks_the_offset_attended_to_most(painted: Stand) -> None:
    rows, at = painted.state("""(() => { const t = p.attentionTrack; const c = t.crosshair(3.0);
        const column = t.columnAt(3.0);
        const values = Array.from({ length: t.rows }, (_, row) => t.values[row * t.columns + column]);
        return [values, [c.y, c.most, t.yOf((t.rows - 1) / 2), t.yOf(values.indexOf(Math.max(...values)))]]; })()""")
    assert len(rows) == 9 and at[0] == at[2] and at[1] == at[3]
