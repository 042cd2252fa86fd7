"""The app served to a browser, for benchmarks."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mravff_core import Workspace
from tests.browser_launch import FIND_PLAYER, launch_chromium

ROOT = Path(__file__).parents[1]
# Resolves with the milliseconds until a test of the player holds.
UNTIL = """
window.__until = (test) => new Promise((resolve) => {
  const begin = performance.now();
  const look = () => (test(window.__find()) ? resolve(performance.now() - begin) : requestAnimationFrame(look));
  look();
});
"""


@contextmanager
def chromium(playwright: Any) -> Iterator[Any]:
    """A browser that is closed afterwards."""
    browser = launch_chromium(playwright)
    try:
        yield browser
    finally:
        browser.close()


def player_page(browser: Any) -> Any:
    """A page whose scripts can find the player and wait for it."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(FIND_PLAYER + UNTIL)
    page.set_default_timeout(120_000)
    return page


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The app on a workspace: its address and its process, which ends afterwards."""
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    command = [sys.executable, "-m", "app", "--workspace", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def copied(demo: Path, folder: Path) -> Workspace:
    """The demo without its videos, which are linked, and without caches, so that first visits are first."""
    shutil.copytree(demo, folder, ignore=shutil.ignore_patterns("media", "cache", ".lock"))
    (folder / "media").symlink_to((demo / "media").resolve(), target_is_directory=True)
    return Workspace(folder)
