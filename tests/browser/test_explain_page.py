"""From a detection in the player to what it rests on, heard and seen, and back to the player at its start."""

from __future__ import annotations

import pytest

from mravff_core.analysis.explain_run import Question, explain_detection
from tests.browser.conftest import Server, Watched

pytestmark = pytest.mark.browser
# How opaque the overlay is on the left of the ring of the attention map's crosshair at a moment.
INK = """(time_s) => {
  const { canvas, context } = p.stage.overlay;
  const { top } = p.stage.places.find(({ track }) => track === p.attentionTrack);
  const ratio = canvas.width / p.stage.wide;
  const y = top + p.attentionTrack.crosshair(time_s).most;
  const data = context.getImageData((p.frame.x(time_s) - 4.5) * ratio, (y - 2) * ratio, 2, 4 * ratio).data;
  return Math.max(...data.filter((_, k) => k % 4 === 3));
}"""
PLAYS = "async (audio) => { await audio.play(); while (!audio.currentTime) await new Promise(requestAnimationFrame); }"


def test_from_a_detection_to_what_it_rests_on_and_back(clip_page: Watched, server: Server) -> None:
    page, watched = clip_page.page, clip_page
    watched.state("p.tour.visit(p.data.detections.find((d) => d.id === 'd0'))")
    page.get_by_test_id("explain").click()
    watched.wait("p.explaining.explained.state === 'ready'", timeout_ms=30_000)
    watched.wait("p.stage.places.some(({ track }) => track.name === 'attribution')")
    # The shares are those that the command line prints.
    found = explain_detection(server.workspace, Question("verb_mrav", "clip_0", 0), device="cpu").attribution
    share = found.share.audio_share
    assert share is not None
    told = page.get_by_test_id("explained").inner_text()
    assert f"{round(100 * share)} %" in told and "against digital silence" in told

    page.get_by_role("link", name="Open in Explain").click()
    page.get_by_text("Can these explanations be trusted?").wait_for(timeout=20_000)
    page.get_by_text("compared with digital silence").wait_for(timeout=20_000)
    page.get_by_text("Over time.").wait_for()
    page.get_by_text(f"{share:.0%} sound, {1 - share:.0%} sight").wait_for()

    # What mattered can be heard, alone and taken away.
    page.get_by_text("Listen to what mattered:").wait_for(timeout=20_000)
    sounds = page.locator("audio")
    assert sounds.count() == 2
    sounds.first.evaluate(PLAYS)
    page.get_by_text("Score with these moments muted").wait_for()

    # The crosshair over the attention map stands where the playhead does, its ring on the sound asked for most.
    watched.wait("p.attentionTrack.drawable && p.data.detections.length")
    for here_s, gone_s in ((0.4, 1.6), (1.6, 0.4)):
        watched.state(f"p.seek({here_s})")
        watched.wait(f"Math.abs(p.time_s - {here_s}) < 0.05 && ({INK})({here_s}) > 200")
        assert watched.state(f"({INK})({gone_s})") < 200

    page.get_by_role("link", name="Open in the player").click()
    page.wait_for_function("/segment=d0/.test(location.search)")
    watched.painted()
    watched.wait("p.selected === 'd0'")
