"""The data-set pages at EPIC-Kitchens-100's size in a real browser: first paint, filters, memory with three people.

Run with `python -m benchmarks.pages --annotations DIR`, where DIR holds EPIC-Kitchens-100's
validation CSVs; without them there is nothing to measure. "Cold" is the first visit to a page
on a server that has just started, on a workspace with an empty cache.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.app import _browser, _server
from mravff_core.inference.epic_size import make_epic_size

ROOT = Path(__file__).parents[1]
DEFAULT_ANNOTATIONS = ROOT.parent / "shared" / "data" / "epic100"
PAGES = ("gates", "compare", "errors")
Row = tuple[str, list[float], str, str]
PAINTED = ".js-plotly-plot .plot, .js-plotly-plot .barlayer"
# Resolves with the milliseconds from now until another figure than the one before is drawn.
REDRAWN = """
() => {
  const drawn = () => [...document.querySelectorAll('.js-plotly-plot .plot')].map((n) => n.innerHTML.length).join();
  const before = drawn();
  const began = performance.now();
  window.__redrawn = new Promise((resolve) => {
    const look = () => {
      const passed = performance.now() - began;
      if (drawn() !== before || passed > 20000) resolve(passed);
      else requestAnimationFrame(look);
    };
    look();
  });
}
"""


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--annotations", default=str(DEFAULT_ANNOTATIONS), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if not Path(args.annotations).is_dir():
        print(f"error: {args.annotations}: no EPIC-Kitchens-100 annotations; name their folder", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        make_epic_size(args.annotations, Path(folder) / "epic")
        rows = _measure(Path(folder) / "epic", args.repeats)
    print("| what | median | worst | wanted |\n| --- | ---: | ---: | ---: |")
    for name, values, unit, wanted in rows:
        print(f"| {name} | {statistics.median(values):.4g} {unit} | {max(values):.4g} {unit} | {wanted} |")
    return 0


def _measure(workspace: Path, repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    rows: list[Row] = []
    with sync_playwright() as playwright, _browser(playwright) as browser, _server(workspace) as (url, process):
        # A person's browser has Streamlit's own files from the Clip page, and the server its warm-up behind it.
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        page.get_by_test_id("stSidebarNav").wait_for()
        page.wait_for_timeout(10_000)
        for name in PAGES:
            cold = [_open(page, f"{url}/{name}")]
            page.wait_for_timeout(12_000)
            warm = [_open(page, f"{url}/{name}") for _ in range(repeats)]
            rows.append((f"{name}: first paint, cold", cold, "s", "< 3 s"))
            rows.append((f"{name}: first paint, warm", warm, "s", "< 1 s"))
        page.goto(f"{url}/gates")
        page.wait_for_selector(PAINTED)
        page.wait_for_timeout(2000)
        rows.append(("gates: a filter changed", _filters(page, repeats), "ms", "< 500 ms"))
        rows.append(("server memory with three people", [_three_people(browser, url, process)], "MB", "< 1500 MB"))
    return rows


def _open(page: Any, url: str) -> float:
    """Seconds from the address to the first figure with marks."""
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(PAINTED)
    return time.perf_counter() - began


def _filters(page: Any, repeats: int) -> list[float]:
    """From a click on a switch to other figures."""
    switch = page.get_by_text("Sound not shown to help")
    times = []
    for _ in range(repeats):
        page.evaluate(REDRAWN)
        switch.click()
        times.append(page.evaluate("window.__redrawn"))
        page.wait_for_timeout(800)
    return times


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
