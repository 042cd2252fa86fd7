"""The real server on a small workspace, and a real browser."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mravff_core import Workspace
from mravff_core.inference.run_predict import predict
from tests.browser_launch import FIND_PLAYER
from tests.small_workspace import small_workspace

MARKUP = "<img src=x onerror=document.title='broken'>"
COUNT_CLICKS = "addEventListener('pointerdown', () => { sessionStorage.n = 1 + +(sessionStorage.n || 0); }, true);"
VIEWPORT = {"width": 1440, "height": 900}
PLAYER = '[data-testid="player"][data-painted="true"]'


@dataclass
class Server:
    """A running app: its address, workspace and process."""

    url: str
    workspace: Workspace
    process: subprocess.Popen[bytes]

    def wait_until_stored(self, run: str, condition: str, clip_id: str) -> None:
        """Until the server has made detections; the first ones wait for PyTorch, on a busy machine for long."""
        deadline = time.monotonic() + 120
        while not self.workspace.run(run).has(condition, clip_id):
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)


@dataclass
class Watched:
    """A page, what it asked the server for, and what it complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def tracks(self, kind: str = "") -> list[str]:
        return [url for url in self.requests if "/av/tracks/" in url and kind in url]

    def state(self, expression: str) -> Any:
        return self.page.evaluate("e => { const p = window.__find(); return eval(e); }", expression)

    def wait(self, expression: str, timeout_ms: float = 30_000) -> None:
        self.page.wait_for_function(
            "e => { const p = window.__find(); return Boolean(p) && Boolean(eval(e)); }",
            arg=expression,
            timeout=timeout_ms,
        )

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.painted()

    def painted(self) -> None:
        self.page.wait_for_selector(PLAYER, timeout=30_000)

    def point(self, time_s: float, row: str) -> tuple[float, float]:
        """Where on the screen a moment lies in a track's row."""
        box = self.page.get_by_test_id(f"track-{row}").bounding_box()
        x = self.state(f"p.frame.x({time_s})")
        return box["x"] + x, box["y"] + min(box["height"] / 2, 12)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    workspace = small_workspace(tmp_path_factory.mktemp("browser") / "small")
    settings = workspace.folder / "workspace.yaml"
    # One class is named by markup, which must appear as text everywhere.
    for path in (settings, *workspace.runs_folder.glob("*/config.yaml")):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("- pour\n", f'- "{MARKUP}"\n'), encoding="utf-8")
    workspace = Workspace(workspace.folder)
    assert MARKUP in workspace.label_sets["verb"]
    for run in ("verb_mrav", "verb_visual"):
        predict(workspace, run)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "app",
        "--workspace",
        str(workspace.folder),
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    log = (workspace.folder / "server.log").open("wb")
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_server(url, process, workspace.folder / "server.log")
        yield Server(url, workspace, process)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def wait_for_server(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.1)


# Half a second without a script running, rather than half a second after the first has ended.
STAND_STILL = """
() => new Promise((resolve, reject) => {
  const begin = performance.now();
  let since = begin;
  const look = () => {
    const now = performance.now();
    if (!document.querySelector(".stApp[data-test-script-state='notRunning']")) since = now;
    if (now - since > 500) resolve();
    else if (now - begin > 30000) reject(new Error("the page never stands still"));
    else setTimeout(look, 20);
  };
  look();
})
"""


def settled(page: Any) -> None:
    """Until the page is drawn and stands still: what is pressed by its place must not move meanwhile."""
    page.locator(".stApp[data-test-script-state='notRunning']").wait_for()
    page.evaluate(STAND_STILL)


def watched_page(context: Any) -> Watched:
    watched = Watched(context.new_page())
    watched.page.set_default_timeout(30_000)
    watched.page.add_init_script(FIND_PLAYER)
    watched.page.on("request", lambda request: watched.requests.append(request.url))
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    return watched


@pytest.fixture(scope="session")
def context(browser: Any) -> Any:
    """One person's browser; its cache spares every test but the first the loading of Streamlit."""
    return browser.new_context(viewport=VIEWPORT)


@pytest.fixture
def watched(context: Any, server: Server) -> Iterator[Watched]:
    """A fresh page that remembers nothing; it fails the test if any script on it failed."""
    watched = watched_page(context)
    yield watched
    if watched.page.url.startswith(server.url):
        watched.page.evaluate("localStorage.clear()")
    watched.page.close()
    assert watched.complaints == []


@pytest.fixture
def clip_page(watched: Watched, server: Server) -> Watched:
    """The Clip page, painted."""
    watched.open(f"{server.url}/?clip=clip_0")
    return watched
