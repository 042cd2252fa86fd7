"""Stopping the server although browsers still hold videos open."""

from __future__ import annotations

import threading
from types import FrameType

import uvicorn

PATIENCE_S = 2.0


def stop_promptly() -> None:
    """Let a server that was asked to stop wait only a moment for open connections.

    A paused video keeps its connection for as long as its page is open, and uvicorn would
    wait for it; Streamlit's runner offers no setting for that.
    """
    ask_to_stop = uvicorn.Server.handle_exit

    def handle_exit(server: uvicorn.Server, signal_number: int, frame: FrameType | None) -> None:
        ask_to_stop(server, signal_number, frame)
        timer = threading.Timer(PATIENCE_S, lambda: setattr(server, "force_exit", True))
        timer.daemon = True
        timer.start()

    uvicorn.Server.handle_exit = handle_exit  # type: ignore[assignment]
