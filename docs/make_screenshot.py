"""Make the README's picture from the demo workspace: `python docs/make_screenshot.py`."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
VIEW = "?clip=kitchen_val_003&run=verb_mrav&t=9.6"


def main() -> int:
    """Serve the workspace, open one clip, play to a moment with a selection, save what is seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", default=str(ROOT / "workspaces/demo"), metavar="DIR")
    parser.add_argument("--out", default=str(ROOT / "docs/clip-page.png"), metavar="FILE")
    parser.add_argument("--view", default=VIEW, help="query of the address to show")
    parser.add_argument("--size", default="1440x900", help="window in pixels")
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "--workspace", args.workspace, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", process)
        width, height = (int(number) for number in args.size.split("x"))
        _shoot(f"http://127.0.0.1:{port}/{args.view}", Path(args.out), (width, height), args.dark)
    finally:
        process.terminate()
        process.wait(20)
    print(args.out)
    return 0


def _shoot(url: str, out: Path, size: tuple[int, int], dark: bool) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser_launch import launch_chromium

    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_page(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        page.goto(url)
        page.wait_for_selector('[data-testid="player"][data-painted="true"]', timeout=60_000)
        page.keyboard.press("]")
        page.wait_for_timeout(1500)
        page.screenshot(path=str(out))
        browser.close()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            if process.poll() is not None:
                raise SystemExit("the app did not start; is the workspace there?") from None
            time.sleep(0.1)
    raise SystemExit("the app did not start within a minute")


if __name__ == "__main__":
    sys.exit(main())
