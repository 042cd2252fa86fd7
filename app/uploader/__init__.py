"""Upload of large files: a drop zone that streams to the server's disk, with progress and cancel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app import urls
from app.assets import Assets

_assets = Assets(Path(__file__).parent, lambda: f"{urls.prefix()}/uploader")
asset = _assets.get

_SHIM = """
export default async function (component) {
  const root = component.parentElement;
  const { mount } = await import(component.data.module_url);
  mount(root, component.data, component.setTriggerValue);
}
"""
_render: Any = None


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
    global _render
    if _render is None:
        _render = st.components.v2.component("mravff_uploader", js=_SHIM, html="<div></div>", isolate_styles=True)
    data = {
        "module_url": _assets.url("uploader.js"),
        "style_url": _assets.url("uploader.css"),
        "upload_url": upload_url,
        "limit_bytes": limit_bytes,
    }
    result = _render(data=data, key=key, on_arrived_change=lambda: None)
    return [Arrived(str(entry["file_id"]), str(entry["name"])) for entry in (result.arrived or [])]
