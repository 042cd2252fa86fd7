"""Which addresses a page wrote itself, and which came by other hands: a link, the back button."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.plain_text import plain

_MOST = 21
_PAGE = "page of the address"


def current() -> dict[str, str]:
    """The query parameters of now; of a repeated one, the last."""
    return {name: st.query_params[name] for name in st.query_params}


def enter(page: str) -> None:
    """Begin a run of `page`; where another was shown before, an address that it wrote in between is a link's now."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_key(page)] = _written(page)[-1:]


def is_ours(page: str, query: dict[str, str]) -> bool:
    """Whether an address is the one that `page` wrote last, or an older one that comes with an input.

    A busy browser sends what a person presses with the address that it had until then, seconds
    after it was replaced here. Only steps through its history lead back to an older one.
    """
    written = _written(page)
    return query == written[-1] if written and _by_history() else query in written


def note(page: str, query: dict[str, str]) -> None:
    """Remember an address as written, or as followed, by `page`."""
    written = _written(page)
    if not written or written[-1] != query:
        st.session_state[_key(page)] = [*written[-_MOST:], query]


def write(page: str, query: dict[str, str]) -> None:
    """Put an address into the browser."""
    if query != current():
        st.query_params.from_dict(query)
    note(page, query)


def complain(sentences: Sequence[str]) -> None:
    """Say what of an address could not be followed, all of it in one message."""
    if sentences:
        told = [plain(sentence) for sentence in sentences]
        words = told[0] if len(told) == 1 else "\n".join(f"- {sentence}" for sentence in told)
        st.toast(words, icon=":material/link_off:", duration="long")


def _by_history() -> bool:
    """Whether the browser asks for this run because of a step back or forward."""
    script = get_script_run_ctx()
    return script is not None and script.is_history_navigation


def _written(page: str) -> list[dict[str, str]]:
    return st.session_state.get(_key(page), [])


def _key(page: str) -> str:
    return f"addresses of {page}"
