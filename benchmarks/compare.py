"""The Compare page and what stands behind it at EPIC-Kitchens-100's size: 138 clips x 2,000 detections.

Run with `python -m benchmarks.compare --annotations DIR`, where DIR holds EPIC-Kitchens-100's
validation CSVs; without them there is nothing to measure.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.epic_size import measure_at_epic_size
from benchmarks.served import chromium, server
from benchmarks.table import Row
from mravff_core import Workspace
from mravff_core.analysis.changes import MatchSettings, changes
from mravff_core.analysis.compare import found_of, precision_of, sides_of

SIDES = ("verb_mrav@off", "verb_mrav")
# Resolves with the milliseconds until the page's script has run and its charts are drawn.
SETTLED = """
(began) => new Promise((resolve) => {
  const app = document.querySelector('[data-testid="stApp"]');
  let ran = false;
  const look = () => {
    const running = app.getAttribute("data-test-script-state") !== "notRunning";
    ran = ran || running || performance.now() - began > 1500;
    if (ran && !running && document.querySelectorAll(".js-plotly-plot svg.main-svg").length >= 2) {
      resolve(performance.now() - began);
    } else requestAnimationFrame(look);
  };
  look();
})
"""


def main() -> int:
    """Measure and print one table."""
    return measure_at_epic_size("benchmarks.compare", (__doc__ or "").splitlines()[0], _measure)


def _measure(workspace: Workspace, repeats: int) -> list[Row]:
    return [*_analysis(workspace, repeats), *_page(workspace, repeats)]


def _analysis(workspace: Workspace, repeats: int) -> list[Row]:
    compared = sides_of(workspace, *SIDES)
    found = [found_of(workspace, side, compared, correct_tiou=0.5) for side in (compared.a, compared.b)]
    changes(found[0], found[1], MatchSettings())
    precision_of(workspace, compared, resamples=2)

    def forgotten(resamples: int) -> Callable[[], Any]:
        def compute() -> Any:
            shutil.rmtree(workspace.cache_folder / "compare", ignore_errors=True)
            return precision_of(workspace, compared, resamples=resamples)

        return compute

    def one_side() -> Any:
        return found_of(workspace, compared.a, compared, correct_tiou=0.5)

    rows = [
        ("one side's detections and what each rests on", _timed(one_side, repeats), "s", ""),
        (
            "events, score 0.2 and up",
            _timed(lambda: changes(found[0], found[1], MatchSettings()), repeats),
            "s",
            "< 0.5 s",
        ),
        ("events, all 552,000", _timed(lambda: changes(found[0], found[1], MatchSettings(min_score=0.0)), 2), "s", ""),
        ("average precision of both sides", _timed(forgotten(0), repeats), "s", ""),
        ("with intervals, 1,000 resamples", _timed(forgotten(1000), 2), "s", "< 20 s"),
    ]
    shutil.rmtree(workspace.cache_folder / "compare", ignore_errors=True)
    return rows


def _timed(function: Callable[[], Any], repeats: int) -> list[float]:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return seconds


def _page(workspace: Workspace, repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, chromium(playwright) as browser, server(workspace.folder) as (url, process):
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        # The browser has seen the app before; the server has not seen this page.
        page.goto(f"{url}/add")
        page.wait_for_selector('[data-testid="stFileUploader"], [data-testid="uploader"]', timeout=60_000)
        cold, warm = [_opened(page, f"{url}/compare")], []
        page.get_by_text("95 % interval").wait_for(timeout=120_000)
        for _ in range(repeats):
            warm.append(_opened(page, f"{url}/compare"))
        kinds = [_chosen(page, kind) for kind in (["Lost", "Gained"] * repeats)[:repeats]]
        sound = [_opened(page, f"{url}/compare?a={SIDES[1]}&b={SIDES[1]}&min=0.{place}") for place in range(1, 4)]
        memory = process.memory_info().rss / 1e6
    return [
        ("page opened, server and cache cold", cold, "ms", "< 3000 ms"),
        ("page opened, warm", warm, "ms", "< 1000 ms"),
        ("kind of events chosen", kinds, "ms", "< 500 ms"),
        ("page opened with another score threshold", sound, "ms", "< 1000 ms"),
        ("memory of the server", [memory], "MB", "< 1500 MB"),
    ]


def _opened(page: Any, url: str) -> float:
    page.goto(url, wait_until="commit")
    page.wait_for_selector('[data-testid="stApp"]', timeout=60_000)
    return page.evaluate(SETTLED, 0)


def _chosen(page: Any, kind: str) -> float:
    page.wait_for_timeout(1000)
    began = page.evaluate(
        """(kind) => {
          const began = performance.now();
          const all = [...document.querySelectorAll('[data-testid="stButtonGroup"] button')];
          all.find((button) => button.textContent.trim() === kind).click();
          return began;
        }""",
        kind,
    )
    return page.evaluate(SETTLED, began)


if __name__ == "__main__":
    sys.exit(main())
