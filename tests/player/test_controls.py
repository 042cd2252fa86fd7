"""Keys and buttons reach everything, and what was set stays set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.player.harness import Stand


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
