"""Upload of large files: a drop zone that streams to the server's disk, with progress and cancel."""

from __future__ import annotations

import functools
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Arrived:
    """A file that has arrived: its id for `Uploads.take`, and its name."""

    file_id: str
    name: str


def uploader(upload_url: str, *, limit_bytes: int, key: str) -> list[Arrived]:
    """Show the drop zone.

    Args:
        upload_url: where this session sends files.
        limit_bytes: shown, and checked before sending.
    Returns: files that have arrived since the last run.
    """
    data = {
        "module_url": _assets.url("uploader.js"),
        "upload_url": upload_url,
        "limit_bytes": limit_bytes,
    }
    result = _component()(data=data, key=key, on_arrived_change=lambda: None)
    return [Arrived(str(entry["file_id"]), str(entry["name"])) for entry in (result.arrived or [])]


@functools.cache
def _component() -> Any:
    css = (_FOLDER / "uploader.css").read_text(encoding="utf-8")
    return st.components.v2.component("mravff_uploader", js=_SHIM, css=css, isolate_styles=True)
