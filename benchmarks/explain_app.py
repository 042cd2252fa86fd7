"""From the click on "Explain this detection" to attribution tracks painted in the player, in a real browser.

Detections of several clips of the demo, none explained before; then the same from the cache.
Run with `python -m benchmarks.explain_app`; the demo workspace must be there (`make app` makes it).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.served import chromium, copied, player_page, server
from benchmarks.table import Row, print_medians

_PAINTED = """(p) => p && p.explaining.explained.state === 'ready'
  && p.stage.places.some(({ track }) => track.name === 'attribution')"""


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.explain_app", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--workspace", default="workspaces/demo", metavar="DIR", help="demo workspace")
    parser.add_argument("--run", default="verb_mrav")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--detections", type=int, default=3, help="of each clip")
    args = parser.parse_args()
    demo = Path(args.workspace)
    if not (demo / "workspace.yaml").is_file():
        print(f"error: {demo}: no workspace; make it with 'python -m mravff_core demo'", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        rows = _measure(copied(demo, Path(folder) / "workspace"), args)
    print_medians(rows)
    return 0


def _measure(workspace: Any, args: argparse.Namespace) -> list[Row]:
    from playwright.sync_api import sync_playwright

    clips = workspace.clip_ids("validation")[: args.clips]
    with sync_playwright() as playwright, chromium(playwright) as browser, server(workspace.folder) as (url, _process):
        page = player_page(browser)
        first = [_explained(page, url, args.run, clip, n) for clip in clips for n in range(args.detections)]
        again = [_explained(page, url, args.run, clip, 0, known=True) for clip in clips]
    return [
        ("first explanation after the server's start", first[:1], "ms", ""),
        ("click on Explain to tracks painted", first[1:], "ms", "< 2000 ms"),
        ("detection explained before to tracks painted", again, "ms", "< 500 ms"),
    ]


def _explained(page: Any, url: str, run: str, clip: str, number: int, *, known: bool = False) -> float:
    """Milliseconds for one detection on the Clip page."""
    if known or f"clip={clip}&" not in f"{page.url}&":
        page.goto(f"{url}/?clip={clip}&run={run}")
        page.evaluate("window.__until((p) => p?.root.dataset.painted === 'true')")
        page.wait_for_timeout(1500)
    visit = f"((p) => p.tour.visit(p.data.detections.find((d) => d.id === 'd{number}')))(window.__find())"
    if known:
        return page.evaluate(f"{visit}; window.__until({_PAINTED})")
    page.evaluate(visit)
    page.evaluate("window.__until((p) => p.explaining.explained.state === 'missing')")
    page.wait_for_timeout(700)
    click = """window.__find().root.querySelector('[data-testid="explain"]').click()"""
    return page.evaluate(f"{click}; window.__until({_PAINTED})")


if __name__ == "__main__":
    sys.exit(main())
