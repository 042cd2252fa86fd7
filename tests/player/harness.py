"""A page with nothing but the player, a server that can be told to fail, and what both have seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.player import asset
from tests.player import made_up

Answer = tuple[bytes, str]
LIGHT = {"background": "#ffffff", "secondary-background": "#f3f5f7", "text": "#1b2430", "primary": "#0f766e"}
DARK = {"background": "#12161c", "secondary-background": "#1c222b", "text": "#e6eaf0", "primary": "#2dd4bf"}

# As in the app: inside a shadow root, under the variables of the theme, with the left side taken.
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>player</title></head>
<body style="margin:0"><div id="side"></div><div id="host"></div><script type="module">
import { mount } from "/player/player.js";
const host = document.getElementById("host");
const query = new URLSearchParams(location.search);
window.theme = (colours) => {
  for (const [name, colour] of Object.entries(colours)) host.style.setProperty(`--st-${name}-color`, colour);
  document.body.style.background = colours.background;
};
window.theme(JSON.parse(query.get("theme")));
host.style.setProperty("--st-font", "system-ui, sans-serif");
const side = Number(query.get("side") ?? 0);
host.style.padding = `${query.get("above") ?? 8}px 16px 8px ${side + 16}px`;
const shadow = host.attachShadow({ mode: "open" });
const sheet = document.createElement("link");
Object.assign(sheet, { rel: "stylesheet", href: "/player/player.css" });
shadow.append(sheet);
window.told = [];
window.wishes = [];
window.show = (data) => (window.unmount = mount(shadow, data, (moment) => window.told.push(moment),
  (wish) => window.wishes.push(wish)));
Object.defineProperty(window, "player", { get: () => shadow.querySelector(".mv-player")?.__player });
sheet.onload = () => (window.ready = true);
</script></body></html>"""


@dataclass
class Site:
    """What the server answers, by path; `failures` come first, `requests` are the paths with queries asked for."""

    answers: dict[str, Answer | Callable[[dict[str, list[str]]], Answer]] = field(default_factory=dict)
    failures: dict[str, int | tuple[int, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def asked(self, part: str) -> list[str]:
        """Requests so far whose address has `part` in it."""
        return [path for path in self.requests if part in path]

    def add_clip(self, clip_id: str, video: bytes, duration_s: float, **options: Any) -> dict[str, Any]:
        """Offer a clip. Returns: what the page is to be given to show it.

        Options: `sound` (False: a silent clip, which has neither gates nor attention), `levels`,
        and those of `made_up.segments`.
        """
        sound, levels = options.pop("sound", True), options.pop("levels", 6)
        rows = made_up.segments(duration_s, **options)
        base = f"/data/{clip_id}"
        binary = "application/vnd.mravff.tracks"
        signal = made_up.signal(duration_s, rows["truth"]) if sound else made_up.silent_signal(duration_s)
        self.answers |= {
            f"{base}/video": (video, "video/mp4"),
            f"{base}/segments": (json.dumps(rows).encode(), "application/json"),
            f"{base}/signal": (signal, binary),
            f"{base}/gates": (made_up.gates(duration_s, rows["truth"], levels=levels), binary),
            f"{base}/attention": lambda query: (
                made_up.attention(duration_s, int(query["level"][0]), levels=levels),
                binary,
            ),
        }
        return {
            "clip": {
                "id": clip_id,
                "title": clip_id,
                "duration_s": duration_s,
                "frames_per_second": 10.0,
                "has_audio": sound,
                "video_url": f"{base}/video",
                "poster_url": None,
            },
            "sources": {
                "segments": f"{base}/segments?run=one",
                "signal": f"{base}/signal",
                "gates": f"{base}/gates?run=one" if sound else None,
                "attention": f"{base}/attention?run=one" if sound else None,
            },
            "view": {
                "threshold": 0.0,
                "shown_labels": [],
                "selected": None,
                "time_s": 0.0,
                "jump": 1,
                "label_set": "verb",
            },
        }

    def rows(self, clip_id: str) -> dict[str, Any]:
        """The segments offered for a clip."""
        content = self.answers[f"/data/{clip_id}/segments"]
        assert isinstance(content, tuple)
        rows: dict[str, Any] = json.loads(content[0])
        return rows

    def find(self, path: str, query: dict[str, list[str]]) -> Answer | None:
        if path == "/page":
            return PAGE.encode(), "text/html; charset=utf-8"
        if path.startswith("/player/"):
            return asset(Path(path).name)
        answer = self.answers.get(path)
        return answer(query) if callable(answer) else answer


def serve(site: Site) -> ThreadingHTTPServer:
    """Serve `site` on a free port until the server is shut down."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            site.requests.append(self.path)
            failure = site.failures.get(parts.path, 200)
            status, body = failure if isinstance(failure, tuple) else (failure, b"broken")
            answer = site.find(parts.path, parse_qs(parts.query)) if status == 200 else (body, "text/plain")
            if answer is None:
                status, answer = 404, (b"not here", "text/plain")
            self.send(status, *answer)

        def send(self, status: int, body: bytes, kind: str) -> None:
            first, last = 0, len(body) - 1
            asked = self.headers.get("Range", "")
            if status == 200 and asked.startswith("bytes=") and body:
                begin, _, end = asked.removeprefix("bytes=").partition("-")
                first, last = int(begin), min(last, int(end)) if end else last
                status = 206
            part = body[first : last + 1]
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            # Modules do not change while tests run.
            lasting = self.path.startswith("/player/")
            self.send_header("Cache-Control", "max-age=3600" if lasting else "no-store")
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
            self.end_headers()
            # A browser that has seen enough of a video hangs up.
            try:
                self.wfile.write(part)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@dataclass
class Stand:
    """A page with the player on it; `p` in expressions is the player."""

    page: Any
    site: Site
    complaints: list[str] = field(default_factory=list)

    def open(self, data: dict[str, Any], *, theme: dict[str, str] = LIGHT, **query: object) -> None:
        """Load the page, show `data` and wait until all is painted."""
        extra = "".join(f"&{name}={value}" for name, value in query.items())
        self.page.goto(f"{self.site.url}/page?theme={json.dumps(theme).replace('#', '%23')}{extra}")
        self.page.wait_for_function("window.ready")
        self.show(data)
        self.painted()

    def show(self, data: dict[str, Any]) -> None:
        """Give the player data, as a run of the script does."""
        self.page.evaluate("data => { window.show(data); }", data)

    def painted(self) -> None:
        self.page.wait_for_selector('[data-testid="player"][data-painted="true"]')

    def state(self, expression: str) -> Any:
        return self.page.evaluate("e => { const p = window.player; return eval(e); }", expression)

    def wait(self, expression: str) -> None:
        self.page.wait_for_function("e => { const p = window.player; return Boolean(eval(e)); }", arg=expression)

    def get(self, test_id: str) -> Any:
        return self.page.get_by_test_id(test_id)

    def point(self, time_s: float, row: str, y: float | None = None) -> tuple[float, float]:
        """Where on the screen a moment lies in a track's row."""
        box = self.get(f"track-{row}").bounding_box()
        return box["x"] + self.state(f"p.frame.x({time_s})"), box["y"] + (box["height"] / 2 if y is None else y)

    def told(self, count: int) -> list[dict[str, Any]]:
        """What the page was told, once there are `count` messages; a little later still no more."""
        self.page.wait_for_function("count => window.told.length >= count", arg=count)
        self.page.wait_for_timeout(400)
        messages: list[dict[str, Any]] = self.page.evaluate("window.told")
        return messages
