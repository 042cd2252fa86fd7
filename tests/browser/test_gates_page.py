"""The Gates page as a person uses it: the verb that listens most although sound does not help it, and how it sounds."""

from __future__ import annotations

import pytest

from mravff_core.analysis.gates import audio_effect, class_gates, with_effect
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.inference.run_predict import predict
from tests.browser.conftest import Server, Watched, settled

pytestmark = pytest.mark.browser


def test_five_clicks_to_hear_the_class_with_the_highest_gate_that_sound_does_not_help(
    watched: Watched, server: Server
) -> None:
    workspace = server.workspace
    predict(workspace, "verb_mrav", condition="off")
    segments = segment_gates(workspace, SegmentSource("verb_mrav"))
    table = with_effect(class_gates(segments, workspace.label_sets["verb"]), audio_effect(workspace, "verb_mrav"))
    wanted = table[~(table["effect_clear"] & (table["effect"] > 0))].iloc[0]
    own = segments[segments["label"] == wanted["label"]].sort_values("gate", ascending=False).iloc[0]
    page = watched.page
    watched.open(server.url)
    page.get_by_test_id("stSidebarNav").get_by_text("Gates").click()  # 1
    page.get_by_text("Sound not shown to help").click(timeout=30_000)  # 2
    page.wait_for_url("**unhelped=yes**")
    matrix = page.locator(".js-plotly-plot").filter(has_text="Mean gate × 100").first
    matrix.locator(".scatterlayer .points path").first.wait_for()
    box = matrix.locator(".scatterlayer .points path").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # 3: the first row's finest level
    page.wait_for_url("**name=**")
    rows = page.get_by_test_id("stDataFrame").first
    rows.wait_for()
    page.get_by_text("Choose a row to hear").wait_for()
    rows.scroll_into_view_if_needed()
    settled(page)
    box = rows.bounding_box()
    page.mouse.click(box["x"] + 22, box["y"] + 38 + 20)  # 4: play the most gated segment
    page.wait_for_url("**clip=**")
    watched.painted()
    assert watched.state("p.clip.id") == own["clip_id"]
    watched.wait(f"p.selected === '{own['player_segment']}'")
