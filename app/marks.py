"""Notes on segments and saved sets, as inputs that any page can show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from app.context import AppContext
from app.plain_text import plain
from mravff_core.errors import MravffError
from mravff_core.workspace import Bookmarks, MarkedSegment

_TABLE_PX = 392


def marks_of(app: AppContext) -> Bookmarks:
    """Notes and sets of the workspace."""
    return Bookmarks(app.workspace.folder)


def note_input(app: AppContext, segment: MarkedSegment) -> None:
    """A note on one segment; leaving the field keeps it, emptying it removes the note."""
    marks = marks_of(app)
    known = marks.note(segment)
    held = st.session_state.setdefault(f"note {_digest(segment.key)}", {"count": 0, "text": known})
    if held["text"] != known:
        # Written by somebody else meanwhile: a new field, without what was typed into the last.
        held.update(count=held["count"] + 1, text=known)
    key = f"note {_digest(segment.key)} {held['count']}"

    def keep() -> None:
        text = st.session_state[key].strip()
        try:
            marks.set_note(segment, text)
        except MravffError as error:
            st.toast(plain(str(error)), icon=":material/error:")
        else:
            held["text"] = text
            st.toast("The note is kept." if text else "The note is gone.", icon=":material/edit_note:")

    st.text_area(
        "Note",
        known,
        key=key,
        height=100,
        on_change=keep,
        placeholder="What is wrong here, and why? Kept in the workspace, shown in reports.",
    )


def notes_table(app: AppContext, segments: Sequence[MarkedSegment], *, name: str) -> None:
    """Notes on several segments, one a row, to be typed one after the other; each is kept when its cell is left.

    Args:
        name: unlike any other such table's on the page.
    """
    if not segments:
        return
    marks = marks_of(app)
    known = {note.segment.key: note.text for note in marks.notes()}
    stored = [known.get(segment.key, "") for segment in segments]
    held = st.session_state.setdefault(f"notes {name}", {"count": 0, "keys": [], "base": []})
    keys, edited = [segment.key for segment in segments], f"notes {name} {held['count']}"
    typed = _typed(held["base"], st.session_state.get(edited, {}).get("edited_rows", {}))
    if keys != held["keys"] or typed != stored:
        # Other segments, or notes that were written elsewhere: a new table, without what was typed into the last.
        held.update(count=held["count"] + 1, keys=keys, base=stored)
        edited = f"notes {name} {held['count']}"

    def keep() -> None:
        now = _typed(held["base"], st.session_state[edited]["edited_rows"])
        try:
            for segment, before, text in zip(segments, stored, now, strict=True):
                if text != before:
                    marks.set_note(segment, text)
        except MravffError as error:
            st.toast(plain(str(error)), icon=":material/error:")

    st.data_editor(
        pd.DataFrame(
            {
                "clip": [segment.clip_id for segment in segments],
                "start_s": [segment.start_s for segment in segments],
                "label": [segment.label for segment in segments],
                "note": held["base"],
            }
        ),
        key=edited,
        on_change=keep,
        hide_index=True,
        width="stretch",
        height=min(_TABLE_PX, 38 + 35 * len(segments)),
        disabled=("clip", "start_s", "label"),
        column_config={
            "clip": st.column_config.TextColumn("Clip", width=130),
            "start_s": st.column_config.NumberColumn("Start (s)", format="%.2f", width=80),
            "label": st.column_config.TextColumn("Class", width=110),
            "note": st.column_config.TextColumn("Note", width="large", help="Choose a cell and type; Enter goes on."),
        },
    )


def _typed(base: Sequence[str], edited_rows: Mapping[int, Mapping[str, str | None]]) -> list[str]:
    """Notes after what was typed over them."""
    texts = list(base)
    for place, row in edited_rows.items():
        if "note" in row:
            texts[int(place)] = (row["note"] or "").strip()
    return texts


def set_input(
    app: AppContext, segments: Sequence[MarkedSegment], *, name: str, suggested: str = "", then: str = ""
) -> tuple[str, bool]:
    """Save segments under a name: a new one, or one that is there, which then holds these too.

    Args:
        name: unlike any other such input's on the page.
        suggested: name that stands there at first; what a person chose instead gives way when it changes.
        then: words of a second button, which saves and goes on with the set; none where empty.
    Returns: name of the set that was saved here last, empty before that; whether to go on with it now.
    """
    marks = marks_of(app)
    key = f"set name {name}"
    chosen = st.selectbox(
        "Save as a set",
        list(dict.fromkeys([*filter(None, [suggested]), *marks.sets()])),
        index=0 if suggested else None,
        accept_new_options=True,
        placeholder="Name a set, or choose one",
        key=f"{key} {suggested}",
        help="Reports can show a set's segments with pictures, films and notes.",
    )
    chosen = (chosen or "").strip()
    count, idle = len(segments), not (chosen and segments)
    label = f"Save {count} segment{'s' * (count != 1)}"
    save = st.button(label, key=f"save {key}", icon=":material/bookmark_add:", disabled=idle, width="stretch")
    go = bool(then) and st.button(
        then, key=f"go {key}", icon=":material/lab_profile:", type="primary", disabled=idle, width="stretch"
    )
    if save or go:
        try:
            held = marks.add_to_set(chosen, segments)
        except MravffError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return "", False
        words = f"The set {plain(chosen)} holds {held} segment{'s' * (held != 1)} now."
        st.toast(words, icon=":material/bookmark_added:")
        st.session_state[f"{key} saved"] = chosen
    return st.session_state.get(f"{key} saved", ""), go


def sets_input(app: AppContext) -> None:
    """Take segments out of a saved set, or remove it; nothing is shown where none is saved."""
    marks = marks_of(app)
    sets = marks.sets()
    if not sets:
        return
    with st.expander("Saved sets", icon=":material/bookmarks:"):
        left, right = st.columns([4, 7])
        name = left.selectbox(
            "Set", list(sets), key="set shown", format_func=lambda name: f"{name} ({len(sets[name])})"
        )
        segments = {segment.key: segment for segment in sets[name]}
        key = f"set parts {_digest(name)}"
        chosen = right.multiselect(
            "Segments to take out",
            list(segments),
            key=key,
            format_func=lambda segment: _described(segments[segment]),
            placeholder="Choose some of the set's",
        )

        def take_out() -> None:
            gone = [segments[segment] for segment in st.session_state[key]]
            st.session_state[key] = []
            _change(lambda: marks.remove_from_set(name, gone), f"{len(gone)} taken out of the set {plain(name)}.")

        def forget() -> None:
            _change(lambda: marks.remove_set(name), f"The set {plain(name)} is gone.")

        right.button(
            "Take out of the set",
            icon=":material/bookmark_remove:",
            disabled=not chosen,
            on_click=take_out,
            width="stretch",
        )
        with left.popover("Remove the set", icon=":material/delete:", width="stretch"):
            st.write(f"The set **{plain(name)}** goes; its segments and their notes stay.")
            st.button("Remove it", type="primary", on_click=forget)


def _change(change: Callable[[], None], words: str) -> None:
    try:
        change()
    except MravffError as error:
        st.toast(plain(str(error)), icon=":material/error:")
    else:
        st.toast(words, icon=":material/bookmark_remove:")


def _described(segment: MarkedSegment) -> str:
    """A segment in words: its clip, time and class, and whose detection it is."""
    heard = "" if segment.audio in ("", "on") else f"@{segment.audio}"
    whose = f"{segment.run}{heard}" if segment.run else segment.kind
    return f"{segment.clip_id}, {segment.start_s:.2f} to {segment.end_s:.2f} s, {segment.label} ({whose})"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
