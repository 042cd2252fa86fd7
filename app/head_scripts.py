"""Scripts that stand in a document before any of Streamlit's own run."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"


class HeadScripts:
    """Middleware that begins the head of every document with scripts.

    Args:
        scripts: JavaScript, run in this order.
        but: documents under this path are people's own files, such as reports, and stay as they are.
    """

    def __init__(self, app: ASGIApp, *, scripts: Iterable[str], but: str) -> None:
        self._app, self._but = app, f"{but}/"
        self._added = "".join(f"<script>\n{script.strip()}\n</script>" for script in scripts).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the wrapped app does; see the class."""
        document = scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")
        if not document or scope["path"].startswith(self._but):
            await self._app(scope, receive, send)
            return
        # Compressed, or said to be unchanged, a document could not be added to.
        left_out = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name not in left_out]}
        begun: list[Message] = []
        body = b""

        async def with_scripts(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start" and _is_document(message):
                begun.append(message)
            elif begun and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await send(_lengthened(begun.pop(), len(body := self._begun(body))))
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self._app(scope, receive, with_scripts)

    def _begun(self, body: bytes) -> bytes:
        return body.replace(_HEAD, _HEAD + self._added, 1)


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
