"""The Compare page as a person uses it: from a class to its detections and on to the player, and back."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from mravff_core.inference.run_predict import predict
from tests.browser.conftest import Server, Watched, settled

pytestmark = pytest.mark.browser


def test_from_a_class_to_its_detections_in_the_player(watched: Watched, server: Server) -> None:
    predict(server.workspace, "verb_mrav", condition="off")
    page = watched.page
    page.goto(f"{server.url}/compare")
    chart = page.locator(".js-plotly-plot").filter(has_text="AP of B minus A")
    page.get_by_text("95 % interval").wait_for(timeout=60_000)
    # While the page is drawn anew the old chart may stand beside the new one.
    expect(chart).to_have_count(1, timeout=30_000)
    settled(page)
    row = chart.locator(".ytick text", has_text="stir").bounding_box()
    plot = chart.locator(".cartesianlayer .bglayer, .draglayer .nsewdrag").last.bounding_box()
    page.mouse.click(plot["x"] + plot["width"] * 0.7, row["y"] + row["height"] / 2)
    page.wait_for_url("**name=stir**")
    page.wait_for_url("**event=**")
    clip_id, a_place, b_place = re.search(r"event=([^&]*)", unquote(page.url))[1].split(":")
    page.get_by_test_id("stPageLink").get_by_text("Open in the player").click()
    watched.painted()
    assert "with=verb_mrav" in page.url and "audio=off" in page.url and "run=verb_mrav" in page.url
    # A lies in the first row, B in the one below; what was chosen is selected in its own row.
    assert watched.state("p.clip.id") == clip_id
    watched.wait(f"['d{a_place}', 'o1d{b_place}'].includes(p.selected) && p.selectedSegment")
    named = watched.state("p.data.labels[p.selectedSegment.label]")
    assert named == "stir"
    page.go_back()
    chart.wait_for()
    assert "name=stir" in page.url


def test_a_question_nobody_has_asked_yet_is_answered_from_here(watched: Watched, server: Server) -> None:
    page, run = watched.page, server.workspace.run("verb_mrav")
    run.forget("shift:+2", sorted(run.predicted_clips("shift:+2")))
    page.goto(f"{server.url}/compare?section=sides&a=verb_mrav&b=verb_mrav")
    page.get_by_text("Both sides are the same").wait_for(timeout=60_000)
    page.get_by_text("On → 2 s late").click()
    page.get_by_role("button", name=re.compile("Detect in 3 clips")).click()
    page.get_by_text("95 % interval").wait_for(timeout=60_000)
    assert "b_sound=shift" in page.url
    assert len(run.predicted_clips("shift:+2")) == 3
