"""From a detection in the player to what it rests on, and back to the player at its start."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Server, Watched

pytestmark = pytest.mark.browser


def test_from_a_detection_to_what_it_rests_on_and_back(clip_page: Watched, server: Server) -> None:
    clip_page.state("p.tour.visit(p.data.detections.find((d) => d.id === 'd0'))")
    page = clip_page.page
    page.get_by_role("link", name="Open in Explain").click()
    page.get_by_text("Can these explanations be trusted?").wait_for()
    page.get_by_text("compared with digital silence").wait_for()
    page.get_by_text("Over time.").wait_for()
    page.get_by_role("link", name="Open in the player").click()
    page.wait_for_function("/segment=d0/.test(location.search)")
    clip_page.painted()
    clip_page.wait("p.selected === 'd0'")
