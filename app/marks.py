"""Notes on segments and saved sets, as inputs that any page can show."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import streamlit as st

from app.context import AppContext
from mravff_core.errors import MravffError
from mravff_core.workspace import Bookmarks, MarkedSegment


def marks_of(app: AppContext) -> Bookmarks:
    """Notes and sets of the workspace."""
    return Bookmarks(app.workspace.folder)


def note_input(app: AppContext, segment: MarkedSegment) -> None:
    """A note on one segment; leaving the field keeps it, emptying it removes the note."""
    marks = marks_of(app)
    key = f"note {_digest(segment.key)}"
    known = marks.note(segment)
    if f"{key} known" not in st.session_state or st.session_state[f"{key} known"] != known:
        # Somebody else may have written here meanwhile; what is stored is shown.
        st.session_state[key] = st.session_state[f"{key} known"] = known

    def keep() -> None:
        text = st.session_state[key].strip()
        try:
            marks.set_note(segment, text)
        except MravffError as error:
            st.toast(str(error), icon=":material/error:")
        else:
            st.session_state[f"{key} known"] = text
            st.toast("The note is kept." if text else "The note is gone.", icon=":material/edit_note:")

    st.text_area(
        "Note",
        key=key,
        height=100,
        on_change=keep,
        placeholder="What is wrong here, and why? Kept in the workspace, shown in reports.",
    )


def set_input(app: AppContext, segments: Sequence[MarkedSegment], *, name: str, suggested: str = "") -> str:
    """Save segments under a name: a new one, or one that is there, which then holds these too.

    Args:
        name: unlike any other such input's on the page.
        suggested: name that stands there at first; what a person chose instead gives way when it changes.
    Returns: name of the set that was saved here last; empty before that.
    """
    marks = marks_of(app)
    key = f"set name {name}"
    if st.session_state.get(f"{key} suggested", "") != suggested:
        st.session_state[f"{key} suggested"] = suggested
        st.session_state[key] = suggested or None
    words, button = st.columns([3, 2], vertical_alignment="bottom")
    chosen = words.selectbox(
        "Save as a set",
        list(marks.sets()),
        index=None,
        accept_new_options=True,
        placeholder="Name a set, or choose one",
        key=key,
        help="Reports can show a set's segments with pictures, films and notes.",
    )
    count = len(segments)
    label = f"Save {count} segment{'s' * (count != 1)}"
    if button.button(
        label, key=f"save set {name}", icon=":material/bookmark_add:", disabled=not (chosen and count), width="stretch"
    ):
        held = marks.add_to_set(str(chosen), segments)
        st.toast(f"The set {chosen} holds {held} segment{'s' * (held != 1)} now.", icon=":material/bookmark_added:")
        st.session_state[f"{key} saved"] = str(chosen)
    return st.session_state.get(f"{key} saved", "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
