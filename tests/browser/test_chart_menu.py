"""What a chart's own menu saves: pictures that stand alone, in the page's colours and with all their words."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from mravff_core.inference.run_predict import predict
from mravff_core.plots.theme import Theme
from tests.browser.conftest import Server, Watched, settled

pytestmark = pytest.mark.browser
CUT_WORDS = """
(svg) => {
  document.body.innerHTML = svg;
  const whole = document.querySelector("svg").getBoundingClientRect();
  const inside = (box) => box.left >= whole.left - 1 && box.right <= whole.right + 1;
  return [...document.querySelectorAll("text")].filter((text) => !inside(text.getBoundingClientRect()))
    .map((text) => text.textContent);
}
"""


@pytest.mark.parametrize(
    ("address", "colours"), [("gates?run=verb_mrav&name=cut", "light"), ("compare", "dark"), ("errors", "dark")]
)
def test_every_chart_saves_as_svg_and_png(
    watched: Watched, server: Server, tmp_path: Path, address: str, colours: str
) -> None:
    predict(server.workspace, "verb_mrav", condition="off")
    page = watched.page
    page.emulate_media(color_scheme=colours)
    page.goto(f"{server.url}/{address}")
    page.locator(".js-plotly-plot .modebar").nth(1).wait_for(state="attached")
    settled(page)
    alone = page.context.new_page()
    charts, number = page.locator(".js-plotly-plot"), 0
    while number < charts.count():
        chart = charts.nth(number)
        number += 1
        svg, png = _saved(page, chart, "SVG", tmp_path), _saved(page, chart, "PNG", tmp_path)
        assert svg.suffix == ".svg" and png.suffix == ".png"
        assert alone.evaluate(CUT_WORDS, svg.read_text(encoding="utf-8")) == []
        picture = Image.open(png).convert("RGBA")
        paper = tuple(int(Theme.of(colours).paper[at : at + 2], 16) for at in (1, 3, 5))
        assert picture.getpixel((1, 1)) == (*paper, 255)
        assert len(picture.getcolors(1 << 20) or []) > 10
    assert number > 1
    alone.close()


def test_the_menu_of_a_chart_is_one_line_and_every_button_has_a_name(watched: Watched, server: Server) -> None:
    page = watched.page
    page.goto(f"{server.url}/errors")
    chart = page.locator(".js-plotly-plot").first
    chart.locator(".modebar .save-png").wait_for(state="attached")
    settled(page)
    chart.hover(position={"x": 200, "y": 100})
    buttons = chart.locator(".modebar-btn").all()
    tops = [button.bounding_box()["y"] for button in buttons]
    assert max(tops) - min(tops) < 5
    for kind in ("SVG", "PNG"):
        chart.get_by_role("button", name=f"Download plot as {kind}", exact=True).focus()
        assert page.evaluate("document.activeElement.ariaLabel") == f"Download plot as {kind}"


def _saved(page, chart, kind: str, folder: Path) -> Path:  # type: ignore[no-untyped-def]
    chart.scroll_into_view_if_needed()
    chart.hover(position={"x": 200, "y": 100})
    with page.expect_download() as download:
        chart.locator(f"[data-title='Download plot as {kind}']").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path
