"""Show what a page is about before its rest.

A browser that receives a whole page draws it in one go, tables and all, and shows nothing until
that is done. What arrives a moment later than the first figure does not keep that waiting.
"""

from __future__ import annotations

import time

import streamlit as st

# As long as a browser takes to begin drawing what it has.
_MOMENT_S = 0.25


def first_figures_first(page: str) -> None:
    """Hold the rest of a page back for a moment, the first time that a session draws it."""
    key = f"{page} was drawn"
    if not st.session_state.get(key):
        st.session_state[key] = True
        time.sleep(_MOMENT_S)
