"""One browser and one server for all tests of the player; a fresh page for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.media.factory import make_video, tone
from tests.player.harness import Site, Stand, serve

DURATION_S = 8.0


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Eight seconds, with sound; every frame shows its number."""
    path = tmp_path_factory.mktemp("player") / "clip.mp4"
    make_video(
        path,
        DURATION_S,
        frames_per_second=10,
        size=(160, 90),
        audio=tone(DURATION_S),
        options={"movflags": "faststart"},
    )
    return path.read_bytes()


@pytest.fixture(scope="session")
def silent_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("player") / "silent.mp4"
    make_video(path, 3.0, frames_per_second=10, size=(160, 90), options={"movflags": "faststart"})
    return path.read_bytes()


@pytest.fixture(scope="session")
def _served() -> Iterator[Site]:
    site = Site()
    server = serve(site)
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(_served: Site) -> Site:
    """The server, as new."""
    for kept in (_served.answers, _served.failures, _served.requests):
        kept.clear()
    return _served


@pytest.fixture(scope="session")
def profile(browser: Any) -> Iterator[Any]:
    """One browser profile for all pages, which keeps the modules it has fetched."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


@pytest.fixture
def stand(profile: Any, site: Site) -> Iterator[Stand]:
    """A page of its own, which fails the test if any script on it failed."""
    stand = Stand(profile.new_page(), site)
    stand.page.set_default_timeout(10_000)
    stand.page.on("pageerror", lambda error: stand.complaints.append(str(error)))
    yield stand
    stand.page.evaluate("localStorage.clear()")
    stand.page.close()
    assert stand.complaints == []


@pytest.fixture
def data(site: Site, video: bytes) -> dict[str, Any]:
    """A clip with everything: 8 true segments, 16 detections, six levels."""
    return site.add_clip("one", video, DURATION_S, truth=8, detections=16)


@pytest.fixture
def painted(stand: Stand, data: dict[str, Any]) -> Stand:
    """The player with `data`, painted."""
    stand.open(data)
    return stand
