"""One person's view, carried between runs of the script, pages and the address bar."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import streamlit as st

from app.view import View
from mravff_core.workspace import Workspace

_VIEW, _WRITTEN, _JUMP = "view", "written_queries", "jump"
# A browser may still send an address that we have just replaced; nobody goes back that quickly.
_STALE_S = 1.0
_GENERATIONS, _ALL = "generations", "all"


@dataclass(frozen=True)
class Jump:
    """Where an address sends the player; constant until the address changes by other hands than ours."""

    time_s: float = 0.0
    selected: str | None = None
    number: int = 0


def open_view(workspace: Workspace) -> View:
    """The view to show now.

    An address that we did not write ourselves (a link, the back button) wins; moving
    between pages clears the address, and then the last view returns.
    """
    query = {name: st.query_params[name] for name in st.query_params}
    known = st.session_state.get(_VIEW)
    if known is not None and (not query or _is_ours(query)):
        if _still_there(known, workspace):
            return known
        query = known.to_query()
    view, complaints = View.from_query(query, workspace)
    st.session_state[_VIEW] = view
    st.session_state[_JUMP] = Jump(view.time_s, view.selected, jump().number + 1)
    _note_written(query)
    _renew(_ALL)
    for sentence in complaints:
        st.toast(sentence, icon=":material/link_off:")
    return view


def keep_view(view: View) -> None:
    """Remember the view and write it into the address bar."""
    before = st.session_state.get(_VIEW)
    if before is not None and before.clip != view.clip:
        view = replace(view, time_s=0.0, selected=None)
        st.session_state[_JUMP] = Jump(number=jump().number + 1)
    elif before is not None and (before.run, before.audio) != (view.run, view.audio):
        # Another run's detections have other ids; true segments keep theirs.
        view = replace(view, selected=None if (view.selected or "").startswith("d") else view.selected)
    st.session_state[_VIEW] = view
    query = view.to_query()
    if query != {name: st.query_params[name] for name in st.query_params}:
        st.query_params.from_dict(query)
    _note_written(query)


def go_to_clip(clip_id: str) -> None:
    """Show another clip from its beginning."""
    view: View = st.session_state[_VIEW]
    st.session_state[_VIEW] = replace(view, clip=clip_id, time_s=0.0, selected=None)
    st.session_state[_JUMP] = Jump(number=jump().number + 1)
    _renew("clip")


def widget_key(name: str) -> str:
    """Key of an input that shows a part of the view.

    It changes whenever the view is changed by anything but that input: a browser may still send
    the input's old value, which must then count for nothing.
    """
    generations: dict[str, int] = st.session_state.get(_GENERATIONS, {})
    return f"choose_{name}_{generations.get(_ALL, 0)}_{generations.get(name, 0)}"


def jump() -> Jump:
    """Where the player was last sent."""
    return st.session_state.get(_JUMP, Jump())


def _renew(name: str) -> None:
    generations: dict[str, int] = st.session_state.get(_GENERATIONS, {})
    st.session_state[_GENERATIONS] = {**generations, name: generations.get(name, 0) + 1}


def _is_ours(query: dict[str, str]) -> bool:
    """Whether an address is the one we wrote last, or was until a moment ago."""
    written: list[tuple[dict[str, str], float]] = st.session_state.get(_WRITTEN, [])
    last = len(written) - 1
    now_s = time.monotonic()
    return any(
        query == other and (number == last or now_s - written[number + 1][1] < _STALE_S)
        for number, (other, _) in enumerate(written)
    )


def _note_written(query: dict[str, str]) -> None:
    written: list[tuple[dict[str, str], float]] = st.session_state.get(_WRITTEN, [])
    if not written or written[-1][0] != query:
        st.session_state[_WRITTEN] = [*written[-20:], (query, time.monotonic())]


def _still_there(view: View, workspace: Workspace) -> bool:
    runs = {info.run for info in workspace.runs()}
    clips = set(workspace.clip_ids())
    return (view.clip in clips if view.clip else not clips) and (view.run in runs if view.run else not runs)
