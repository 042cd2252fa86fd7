"""Upload of large files: a drop zone that streams to the server's disk, with progress and cancel."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import streamlit as st

from app import urls
from app.assets import Assets

_FOLDER = Path(__file__).parent
_assets = Assets(_FOLDER, lambda: f"{urls.prefix()}/uploader")
asset = _assets.get

_SHIM = """
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const address = new URL(data.module_url, document.baseURI).href;
  import(address).then(({ mount }) => mount(parentElement, data, setTriggerValue));
}
"""


def uploader(upload_url: str, *, limit_bytes: int, key: str) -> None:
    """Show the drop zone; the script runs again whenever a file has arrived.

    Args:
        upload_url: where this session sends files.
        limit_bytes: shown, and checked before sending.
    """
    data = {
        "module_url": _assets.url("uploader.js"),
        "upload_url": upload_url,
        "limit_bytes": limit_bytes,
    }
    _component()(data=data, key=key, on_arrived_change=lambda: None)


@functools.cache
def _component() -> Any:
    css = (_FOLDER / "uploader.css").read_text(encoding="utf-8")
    return st.components.v2.component("mravff_uploader", js=_SHIM, css=css, isolate_styles=True)
