"""What a page says where no run is there to be shown."""

from __future__ import annotations

import streamlit as st

from mravff_core.workspace import Workspace


def say_no_runs(workspace: Workspace, headline: str, need: str, *, detections: bool = False) -> None:
    """A headline, what the page needs, and the commands that get it.

    Args:
        detections: whether another tool's would do.
    """
    ways = {
        "train a detector": "train RECIPE",
        "take over a checkpoint": "import checkpoint PATH --run NAME",
        "take over another tool's detections": "import detections FILE --run NAME",
    }
    if not detections:
        ways.popitem()
    st.subheader(headline, anchor=False)
    st.write("\n".join([need, "", *(f"- {way}: `{workspace.command(words)}`" for way, words in ways.items())]))
