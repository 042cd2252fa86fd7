"""Tell the browser with the document where the server is, which Streamlit's page otherwise asks about first.

On `/compare` it asks for the server's health and settings under `/compare/` and, after these fail,
under `/`, before it connects. What it reads instead is described in Streamlit's own page as
`window.__streamlit`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A path that ends in none of our pages is left to Streamlit's own search.
_SCRIPT = """<script>
(() => {
  const found = /^(.*\\/)([^/]*)\\/?$/.exec(location.pathname);
  if (!found || !%s.includes(found[2])) return;
  window.__streamlit = {
    BACKEND_BASE_URL: location.origin + found[1],
    HOST_CONFIG: {
      allowedOrigins: [location.origin],
      useExternalAuthToken: false,
      enableCustomParentMessages: false,
      enforceDownloadInNewTab: false,
      blockErrorDialogs: false,
    },
  };
})();
</script>"""
_HEAD = b"<head>"


class Connecting:
    """Middleware that puts the server's place into documents. Args: pages: path of each, empty for the first."""

    def __init__(self, app: ASGIApp, *, pages: Iterable[str]) -> None:
        self._app = app
        self._script = (_SCRIPT % json.dumps(sorted(pages))).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped app does; see the class."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        # Compressed, or said to be unchanged, a document could not be added to.
        left_out = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in left_out]}
        begun: list[Message] = []
        body = b""

        async def with_script(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start" and _is_document(message):
                begun.append(message)
            elif begun and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await send(_lengthened(begun.pop(), len(body := self._added(body))))
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self._app(scope, receive, with_script)

    def _added(self, body: bytes) -> bytes:
        return body.replace(_HEAD, _HEAD + self._script, 1)


def _is_document(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("content-type", "").startswith("text/html") and "content-encoding" not in headers


def _lengthened(start: Message, size: int) -> Message:
    start = {**start, "headers": list(start["headers"])}
    headers = MutableHeaders(scope=start)
    headers["content-length"] = str(size)
    for name in ("etag", "last-modified", "accept-ranges"):
        if name in headers:
            del headers[name]
    return start
