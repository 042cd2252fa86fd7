"""One person's view, carried between runs of the script, pages and the address bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from app import addresses
from app.sides import Side
from app.view import View
from mravff_core.workspace import Workspace

_VIEW, _JUMP, _PAGE = "view", "jump", "clip"
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
    query = addresses.current()
    known = st.session_state.get(_VIEW)
    if known is not None and (not query or addresses.is_ours(_PAGE, query)):
        if _still_there(known, workspace):
            return known
        query = known.to_query()
    view, complaints = View.from_query(query, workspace)
    st.session_state[_VIEW] = view
    st.session_state[_JUMP] = Jump(view.time_s, view.selected, jump().number + 1)
    addresses.note(_PAGE, query)
    _renew(_ALL)
    addresses.complain(complaints)
    return view


def keep_view(view: View) -> View:
    """Remember the view and write it into the address bar. Returns: it without the selection of what is gone."""
    before = st.session_state.get(_VIEW)
    if before is not None and before.clip != view.clip:
        view = replace(view, time_s=0.0, selected=None)
        st.session_state[_JUMP] = Jump(number=jump().number + 1)
    elif before is not None and _found_by(before) != _found_by(view):
        # Other detections have other ids; true segments keep theirs.
        view = _without(view, "d")
    if before is not None and before.others != view.others:
        view = _without(view, "o")
    st.session_state[_VIEW] = view
    addresses.write(_PAGE, view.to_query())
    return view


def _found_by(view: View) -> tuple[object, ...]:
    return view.run, view.audio, view.label_set


def put_beside(others: tuple[Side, ...]) -> None:
    """Show other runs or sounds beside the first row; for callbacks."""
    view: View = st.session_state[_VIEW]
    st.session_state[_VIEW] = _without(replace(view, others=others), "o")
    _renew("beside")


def _without(view: View, letter: str) -> View:
    """The view without the selection of a row that is another one now."""
    return replace(view, selected=None) if (view.selected or "").startswith(letter) else view


def go_to_clip(clip_id: str) -> None:
    """Show another clip from its beginning."""
    view: View = st.session_state[_VIEW]
    st.session_state[_VIEW] = replace(view, clip=clip_id, time_s=0.0, selected=None)
    st.session_state[_JUMP] = Jump(number=jump().number + 1)
    _renew("clip")


def send_to_player(workspace: Workspace, query: Mapping[str, str]) -> None:
    """Let the Clip page, when it is opened next, show what an address of it says."""
    view, _ = View.from_query(query, workspace)
    st.session_state[_VIEW] = view
    st.session_state[_JUMP] = Jump(view.time_s, view.selected, jump().number + 1)
    _renew(_ALL)


def shared_run() -> str | None:
    """The run that the Clip page shows; None before anyone has been there."""
    known: View | None = st.session_state.get(_VIEW)
    return known.run if known is not None else None


def share_run(workspace: Workspace, run: str) -> None:
    """Let the Clip page show the run that was chosen on another page."""
    view = st.session_state.get(_VIEW) or View.from_query({}, workspace)[0]
    if view.run == run:
        return
    label_set = workspace.run(run).info.label_set
    same = label_set == view.label_set
    changed = replace(
        view,
        run=run,
        label_set=label_set,
        classes=view.classes if same else (),
        others=tuple(side for side in view.others if same and side != Side(run, view.audio)),
    )
    st.session_state[_VIEW] = _without(_without(changed, "d"), "o")
    _renew(_ALL)


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


def _still_there(view: View, workspace: Workspace) -> bool:
    clips = set(workspace.clip_ids())
    there = workspace.has_run(view.run) if view.run else not workspace.readable_runs()[0]
    return there and (view.clip in clips if view.clip else not clips)
