"""Which addresses a page wrote itself, and which came by other hands: a link, the back button."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

# A browser may still send an address that we have just replaced; nobody goes back that quickly.
_STALE_S = 1.0
_MOST = 21


def current() -> dict[str, str]:
    """The query parameters of now; of a repeated one, the last."""
    return {name: st.query_params[name] for name in st.query_params}


def is_ours(page: str, query: dict[str, str]) -> bool:
    """Whether an address is the one that `page` wrote last, or was until a moment ago."""
    written = _written(page)
    last = len(written) - 1
    now_s = time.monotonic()
    return any(
        query == other and (number == last or now_s - written[number + 1][1] < _STALE_S)
        for number, (other, _) in enumerate(written)
    )


def note(page: str, query: dict[str, str]) -> None:
    """Remember an address as written, or as followed, by `page`."""
    written = _written(page)
    if not written or written[-1][0] != query:
        st.session_state[_key(page)] = [*written[-_MOST:], (query, time.monotonic())]


def write(page: str, query: dict[str, str]) -> None:
    """Put an address into the browser."""
    if query != current():
        st.query_params.from_dict(query)
    note(page, query)


def complain(sentences: Sequence[str]) -> None:
    """Say what of an address could not be followed, all of it in one message."""
    if sentences:
        words = sentences[0] if len(sentences) == 1 else "\n".join(f"- {sentence}" for sentence in sentences)
        st.toast(words, icon=":material/link_off:", duration="long")


def _written(page: str) -> list[tuple[dict[str, str], float]]:
    return st.session_state.get(_key(page), [])


def _key(page: str) -> str:
    return f"addresses of {page}"
