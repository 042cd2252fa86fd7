"""What a page does with errors: it says them in one sentence and lives on."""

from __future__ import annotations

import functools
from collections.abc import Callable

import streamlit as st

from app.plain_text import plain
from mravff_core.errors import MravffError


def says_errors(show: Callable[[], None]) -> Callable[[], None]:
    """Let a page show bad input as a message instead of a stack trace."""

    @functools.wraps(show)
    def page() -> None:
        try:
            show()
        except MravffError as error:
            st.error(plain(str(error)), icon=":material/error:")
            if st.button("Try again", icon=":material/refresh:"):
                st.rerun()

    return page
