"""Tell the browser with the page's first bytes which of Streamlit's modules the page will need.

Streamlit loads the code of an element when the element arrives, which for charts is a file of
several megabytes. Named in the head of the document's answer, it is fetched and compiled while
the server works on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, file_util

# By the first part of their files' names; what comes first is fetched first.
_OF_CHARTS = ("PlotlyChart",)
_OF_INPUTS = (
    "Selectbox",
    "Slider",
    "ButtonGroup",
    "Checkbox",
    "TextInput",
    "Multiselect",
    "DataFrame",
    "Html",
    "Button",
    "Metric",
)
_PAGES_WITH_CHARTS = ("gates", "compare", "errors", "explain")
# Modules name what they import in their first line, long before their own code.
_IMPORTS = re.compile(rb"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")
_HEAD_BYTES = 8192


class Preloading:
    """Middleware that adds a `Link` header to documents: fetch now where there are charts, when idle elsewhere."""

    def __init__(self, app: ASGIApp, *, static_folder: Path | None = None) -> None:
        self._app = app
        folder = Path(static_folder or file_util.get_static_dir())
        self._modules = modules_of(folder, (*_OF_CHARTS, *_OF_INPUTS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped app does; see the class."""
        if scope["type"] != "http" or not self._modules:
            await self._app(scope, receive, send)
            return

        async def with_links(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("link", self._links(scope["path"]))
            await send(message)

        await self._app(scope, receive, with_links)

    def _links(self, path: str) -> str:
        base = str(config.get_option("server.baseUrlPath") or "").strip("/")
        start = f"/{base}/static/js" if base else "/static/js"
        now = path.rstrip("/").rpartition("/")[2] in _PAGES_WITH_CHARTS
        how = "rel=modulepreload" if now else "rel=prefetch; as=script; crossorigin"
        return ", ".join(f"<{start}/{name}>; {how}" for name in self._modules)


def modules_of(static_folder: Path, stems: Iterable[str]) -> list[str]:
    """Files of the named modules and all that they import, less those that every document names itself.

    Args:
        static_folder: Streamlit's, with `index.html` and `static/js`.
        stems: names without the hash; those that are not there are left out.
    """
    folder = static_folder / "static" / "js"
    index = static_folder / "index.html"
    known = set(re.findall(r"static/js/([\w.-]+\.js)", index.read_text(encoding="utf-8"))) if index.is_file() else set()
    found: list[str] = []
    waiting = [path.name for stem in stems for path in sorted(folder.glob(f"{stem}.*.js"))]
    while waiting:
        name = waiting.pop(0)
        if name in known or name in found or not (folder / name).is_file():
            continue
        found.append(name)
        waiting += [imported.decode() for imported in _IMPORTS.findall(_head(folder / name))]
    return found


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)
