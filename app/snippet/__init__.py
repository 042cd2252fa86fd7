"""A small player for one segment, beside a table: it plays at once, over and over."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


def snippet(video_url: str, *, start_s: float, end_s: float, duration_s: float, around_s: float = 1.0) -> None:
    """Play a segment in a loop with a little of what comes before and after.

    Args:
        video_url: as the browser fetches it.
        start_s, end_s: the segment.
        duration_s: of the clip.
        around_s: seconds shown before and after.
    """
    data = {
        "video_url": video_url,
        "start_s": start_s,
        "end_s": end_s,
        "from_s": max(0.0, start_s - around_s),
        "to_s": min(duration_s, end_s + around_s),
    }
    _component()(data=data, key="snippet")


@functools.cache
def _component() -> Any:
    js, css = (_FOLDER / name for name in ("snippet.js", "snippet.css"))
    return st.components.v2.component(
        "mravff_snippet",
        html='<div class="snippet"></div>',
        js=js.read_text(encoding="utf-8"),
        css=css.read_text(encoding="utf-8"),
        isolate_styles=True,
    )
