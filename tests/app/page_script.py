"""One page of the app as a script of Streamlit's AppTest, and ways to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamlit.testing.v1 import AppTest


def page_script(name: str, query: Mapping[str, str] | None = None) -> AppTest:
    """A page of `app.pages` at an address, not run yet.

    It stands by itself, since such a test cannot stay on a page of a navigation; the pages that
    others lead to are there to be linked.
    """

    def script(name: str) -> None:
        import importlib

        import streamlit as st

        from app.pages import add, clip

        st.session_state["pages"] = {
            "clip": st.Page(clip.show, url_path="clip"),
            "add": st.Page(add.show, url_path="add"),
        }
        importlib.import_module(f"app.pages.{name}").show()

    page = AppTest.from_function(script, default_timeout=60, args=(name,))
    for parameter, value in (query or {}).items():
        page.query_params[parameter] = value
    return page


def open_page(name: str, /, **query: str) -> AppTest:
    """The same, run once. Raises: AssertionError if the page failed."""
    page = page_script(name, query).run()
    assert not page.exception
    return page


def labelled(widgets: Any, label: str) -> Any:
    """The one among widgets of a kind that bears a label."""
    return next(widget for widget in widgets if widget.label == label)


def addressed(page: AppTest) -> dict[str, str]:
    """Query parameters of the page's address."""
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}
