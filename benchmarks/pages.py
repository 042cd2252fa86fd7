"""The data-set pages at EPIC-Kitchens-100's size in a real browser: first paint, filters, memory with three people.

Run with `python -m benchmarks.pages --annotations DIR`, where DIR holds EPIC-Kitchens-100's
validation CSVs; without them there is nothing to measure. "Cold" is the first visit to a page
on a server that has just started, on a workspace with an empty cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks.epic_size import measure_at_epic_size
from benchmarks.served import chromium, server
from benchmarks.table import Row
from mravff_core import Workspace

PAGES = ("gates", "compare", "errors")
PAINTED = ".js-plotly-plot .points .point"
# When, in milliseconds since the page was asked for, the first frame with marks of a figure was shown.
WATCH = f"""
window.__painted = new Promise((resolve) => {{
  const look = () => {{
    if (document.querySelector('{PAINTED}')) setTimeout(() => resolve(performance.now()), 0);
    else requestAnimationFrame(look);
  }};
  requestAnimationFrame(look);
}});
"""
# Resolves with the milliseconds from the next click or key until what is watched is shown changed.
CHANGED = """
(watched) => {
  const shown = () => [...document.querySelectorAll(watched)].map((node) => node.innerHTML).join();
  const before = shown();
  window.__changed = new Promise((resolve) => {
    const begin = () => {
      const began = performance.now();
      const look = () => {
        const passed = performance.now() - began;
        if (shown() !== before || passed > 20000) setTimeout(() => resolve(performance.now() - began), 0);
        else requestAnimationFrame(look);
      };
      look();
    };
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, begin, { once: true, capture: true });
  });
}
"""
DRAWN = ".js-plotly-plot .cartesianlayer"
WRITTEN = '[data-testid="stMain"] [data-testid="stMarkdownContainer"]'


def main() -> int:
    """Measure and print one table."""
    return measure_at_epic_size("benchmarks.pages", (__doc__ or "").splitlines()[0], _measure)


def _measure(workspace: Workspace, repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    rows: list[Row] = []
    with sync_playwright() as playwright, chromium(playwright) as browser, server(workspace.folder) as (url, process):
        # A person's browser has Streamlit's own files from the Clip page, and the server its warm-up behind it.
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(WATCH)
        page.goto(url)
        page.get_by_test_id("stSidebarNav").wait_for()
        page.wait_for_timeout(10_000)
        for name in PAGES:
            cold = [_open(page, f"{url}/{name}")]
            page.wait_for_timeout(12_000)
            warm = [_open(page, f"{url}/{name}") for _ in range(repeats)]
            rows.append((f"{name}: first paint, cold", cold, "s", "< 3 s"))
            rows.append((f"{name}: first paint, warm", warm, "s", "< 1 s"))
        rows += _filters(page, url, repeats)
        rows.append(("server memory with three people", [_three_people(browser, url, process)], "MB", "< 1500 MB"))
    return rows


def _open(page: Any, url: str) -> float:
    """Seconds from the address to the first figure with marks, by the page's own clock."""
    page.goto(url, wait_until="commit")
    return page.evaluate("window.__painted") / 1000


def _filters(page: Any, url: str, repeats: int) -> list[Row]:
    """From a click or a key to what follows from it: other figures, and on the Errors page another list."""
    rows = []
    for name, what, watched, ready in (
        ("gates", "only classes not helped", DRAWN, _of_gates),
        ("compare", "score threshold", DRAWN, _of_compare),
        ("errors", "score threshold", WRITTEN, _of_errors),
    ):
        page.goto(f"{url}/{name}")
        page.wait_for_selector(PAINTED)
        page.wait_for_timeout(3000)
        change = ready(page)
        times = []
        for number in range(repeats):
            page.wait_for_timeout(1200)
            page.evaluate(CHANGED, watched)
            change(number)
            times.append(page.evaluate("window.__changed"))
        rows.append((f"{name}: a filter changed ({what})", times, "ms", "< 500 ms"))
    return rows


def _of_gates(page: Any) -> Callable[[int], None]:
    switch = page.get_by_text("Sound not shown to help")
    return lambda _number: switch.click()


def _of_compare(page: Any) -> Callable[[int], None]:
    page.get_by_role("button", name="Thresholds").click()
    return _of_errors(page)


def _of_errors(page: Any) -> Callable[[int], None]:
    """A slider that goes on by one step each time, so that no value comes twice."""
    slider = page.get_by_role("slider", name="Score threshold").first
    slider.focus()
    return lambda _number: slider.press("ArrowRight")


def _three_people(browser: Any, url: str, process: psutil.Process) -> float:
    """Megabytes of the server while three people have each looked at every page."""
    people = [browser.new_context().new_page() for _ in range(3)]
    for name in PAGES:
        for page in people:
            page.goto(f"{url}/{name}")
        for page in people:
            page.wait_for_selector(PAINTED, timeout=120_000)
    return process.memory_info().rss / 1e6


if __name__ == "__main__":
    sys.exit(main())
