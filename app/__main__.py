"""`python -m app`: serve the app for one workspace."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mravff_core.errors import MravffError

DEFAULT_PORT = 8501
# Paths of the pages; that of the first is empty.
PAGES = ("", "gates", "compare", "explain", "errors", "report", "add")
_LIGHT = {
    "primaryColor": "#0f766e",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f3f5f7",
    "textColor": "#1b2430",
    "borderColor": "#dde2e8",
}
_DARK = {
    "primaryColor": "#2dd4bf",
    "backgroundColor": "#12161c",
    "secondaryBackgroundColor": "#1c222b",
    "textColor": "#e6eaf0",
    "borderColor": "#303946",
}


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped. Returns: 0, or 2 for bad input."""
    args = _parser().parse_args(arguments)
    try:
        return serve(args)
    except MravffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def serve(args: argparse.Namespace) -> int:
    """Open the workspace and run the server. Raises: MravffError for a workspace or port that cannot be used."""
    from app import context

    _check_port(args.host, args.port)
    context.start(args.workspace, device=args.device, upload_limit_bytes=int(args.upload_limit_gb * (1 << 30)))
    from starlette.middleware import Middleware
    from streamlit import App

    # It would warn that options of a running server changed, before there is any.
    logging.getLogger("streamlit.config").addFilter(lambda record: "config option section" not in str(record.msg))
    from app import urls
    from app.connecting import connecting_script
    from app.head_scripts import HeadScripts
    from app.preload import Preloading
    from app.routes import routes
    from app.shutdown import stop_promptly

    stop_promptly()
    print(f"Workspace {args.workspace} at http://{args.host}:{args.port} (stop with Ctrl+C)", flush=True)
    sys.argv = sys.argv[:1]
    script = Path(__file__).parent / "entry" / "main.py"
    scripts = [connecting_script(PAGES), (Path(__file__).parent / "history.js").read_text(encoding="utf-8")]
    middleware = [Middleware(HeadScripts, scripts=scripts, but=urls.prefix()), Middleware(Preloading)]
    App(script, routes=routes(), lifespan=_warmed_up, middleware=middleware).run(config=_settings(args))
    return 0


@asynccontextmanager
async def _warmed_up(_app: Any) -> AsyncIterator[None]:
    """A server that loads what it will need as soon as it listens."""
    from app import context

    context.warm_up()
    yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="Serve the app for one workspace.")
    parser.add_argument("--workspace", default="workspaces/demo", metavar="DIR", help="workspace folder")
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help=f"port (default: {DEFAULT_PORT})")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute")
    parser.add_argument(
        "--upload-limit-gb", type=_positive, default=2.0, metavar="GB", help="largest upload (default: 2)"
    )
    return parser


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "server.port": args.port,
        "server.address": args.host,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        # It would hold up every answer of a page, which is not sent before it is through.
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
    }
    for name, theme in (("light", _LIGHT), ("dark", _DARK)):
        settings |= {f"theme.{name}.{key}": value for key, value in theme.items()}
    return settings


def _check_port(host: str, port: int) -> None:
    """Refuse a port that is taken before anything is loaded. Raises: MravffError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MravffError(
                f"port {port} at {host} cannot be used ({error.strerror}); is the app running already? "
                "Choose another with --port"
            ) from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 1 to 65535")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; expected gigabytes above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
