"""The script that Streamlit runs for every session: look, pages, navigation."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import streamlit as st

from app import addresses

_ICON = Path(__file__).parent / "icon.svg"
# Streamlit leaves a hand's width above the first line; the tracks need that room.
_STYLE = """
<style>
  [data-testid="stMainBlockContainer"] { padding: 2.9rem 1.75rem 0.6rem; max-width: 2400px; }
  [data-testid="stHeader"] { height: 2.6rem; min-height: 2.6rem; }
  [data-testid="stSidebarHeader"] { height: 2.8rem; margin-bottom: 0; }
  [data-testid="stMain"] [data-testid="stVerticalBlock"] { gap: 0.6rem; }
  [data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: 0.75rem; }
  /* Buttons of a sign alone still have a name for those who do not see it. */
  .st-key-previous_clip p, .st-key-next_clip p {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  .st-key-previous_clip [data-testid="stIconMaterial"], .st-key-next_clip [data-testid="stIconMaterial"] { margin: 0; }
  /* On a low screen the tracks need the room beside the menu, too, where nothing stands under it. */
  @media (max-height: 799px) {
    .stApp:has(.st-key-previous_clip):has([data-testid="stSidebar"][data-collapsed="false"]) {
      [data-testid="stMainBlockContainer"] { padding-top: 0.5rem; }
      [data-testid="stHeader"] { background: none; }
      [data-testid="stHeader"], [data-testid="stHeader"] * { pointer-events: none; }
      [data-testid="stHeader"] button, [data-testid="stHeader"] button * { pointer-events: auto; }
    }
  }
  /* A video must not grow pale whenever the page thinks. */
  [data-stale="true"] { opacity: 1 !important; }
</style>
"""
# Streamlit writes in white on the first colour, which is light in the dark theme.
_DARK_STYLE = """
<style>
  [data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stMultiSelect"] [data-tag] {
    color: #12161c !important;
  }
</style>
"""


def main() -> None:
    """Show the page that the address asks for."""
    st.set_page_config(page_title="MRAV-FF Explorer", page_icon=str(_ICON), layout="wide")
    st.html(_STYLE + (_DARK_STYLE if st.context.theme.type == "dark" else ""))
    # In the order of the menu; pages find each other by these names.
    pages = {
        "clip": _page("clip", "Clip", "movie", default=True),
        "gates": _page("gates", "Gates", "tune", charts=True),
        "compare": _page("compare", "Compare", "compare_arrows", charts=True),
        "explain": _page("explain", "Explain", "psychology_alt", charts=True),
        "errors": _page("errors", "Errors", "troubleshoot", charts=True),
        "report": _page("report", "Report", "summarize"),
        "add": _page("add", "Add", "add_circle"),
    }
    st.session_state["pages"] = pages
    st.navigation(list(pages.values())).run()


def _page(name: str, title: str, icon: str, *, charts: bool = False, default: bool = False) -> Any:
    """A page of `app.pages`, loaded when somebody opens it, so that the first one need not wait for the others."""

    def show() -> None:
        addresses.enter(name)
        if charts:
            importlib.import_module("app.charts").add_image_buttons()
        importlib.import_module(f"app.pages.{name}").show()

    return st.Page(show, title=title, icon=f":material/{icon}:", url_path=name, default=default)


main()
