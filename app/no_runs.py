"""What a page says where no run is there to be shown."""

from __future__ import annotations

import streamlit as st


def say_no_runs(headline: str) -> None:
    """A headline, and how to get a run."""
    st.subheader(headline, anchor=False)
    st.write(
        "Train a detector with `python -m mravff_core train RECIPE`, import detections of another tool with "
        "`python -m mravff_core import`, or make the demo kitchen with `python -m mravff_core demo`."
    )
