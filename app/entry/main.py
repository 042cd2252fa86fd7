"""The script that Streamlit runs for every session: look, pages, navigation."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.charts import add_image_buttons
from app.pages import add, clip, compare, error_analysis, report

_ICON = Path(__file__).parent / "icon.svg"
# Streamlit leaves a hand's width above the first line; the tracks need that room.
_STYLE = """
<style>
  [data-testid="stMainBlockContainer"] { padding: 2.9rem 1.75rem 1.5rem; max-width: 2400px; }
  [data-testid="stHeader"] { height: 2.6rem; min-height: 2.6rem; }
  [data-testid="stSidebarHeader"] { height: 2.8rem; margin-bottom: 0; }
  [data-testid="stMain"] [data-testid="stVerticalBlock"] { gap: 0.6rem; }
  [data-testid="stSidebar"] [data-testid="stVerticalBlock"] { gap: 0.75rem; }
  /* A video must not grow pale whenever the page thinks. */
  [data-stale="true"] { opacity: 1 !important; }
</style>
"""


def main() -> None:
    """Show the page that the address asks for."""
    st.set_page_config(page_title="MRAV-FF Explorer", page_icon=str(_ICON), layout="wide")
    st.html(_STYLE)
    add_image_buttons()
    # In the order of the menu; pages find each other by these names.
    pages = {
        "clip": st.Page(clip.show, title="Clip", icon=":material/movie:", url_path="clip", default=True),
        "compare": st.Page(compare.show, title="Compare", icon=":material/compare_arrows:", url_path="compare"),
        "errors": st.Page(error_analysis.show, title="Errors", icon=":material/troubleshoot:", url_path="errors"),
        "report": st.Page(report.show, title="Report", icon=":material/summarize:", url_path="report"),
        "add": st.Page(add.show, title="Add", icon=":material/add_circle:", url_path="add"),
    }
    st.session_state["pages"] = pages
    st.navigation(list(pages.values())).run()


main()
