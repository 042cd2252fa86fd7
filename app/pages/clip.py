"""The Clip page: one clip with all that is known of it on one time axis."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import sidebar
from app.context import AppContext, context
from app.detecting import detecting
from app.explaining import NO_LOGIT
from app.jobs import Job
from app.plain_text import plain
from app.player import player
from app.says_errors import says_errors
from app.session import go_to_clip, jump, keep_view, open_view, put_beside, widget_key
from app.sides import Side, usual_side
from app.sources import attribution_source, likely_next, segments_source, shown_clip, sources
from app.view import View, clips_in_order, preferred
from mravff_core.segments import ACTION
from mravff_core.workspace import Clip

_BLINK_S = 0.3


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    view = open_view(app.workspace)
    view = sidebar.show(app, view)
    if view.clip is None:
        _welcome()
        keep_view(view)
        return
    view, line = _choose_clip(app, view)
    view = keep_view(view)
    clip = app.workspace.clip(view.clip or "")
    predicted = view.main is not None and _detect(app, view.main, clip)
    beside = [side for side in view.others if _detect(app, side, clip)]
    view = _play(app, view, clip, predicted, beside)
    keep_view(view)
    with line:
        _link_to_explanation(app, view)


def _link_to_explanation(app: AppContext, view: View) -> None:
    """A way from the selected detection to what it rests on."""
    selected, page = view.selected or "", st.session_state["pages"].get("explain")
    if view.run is None or not selected.startswith("d") or not app.workspace.run(view.run).has_detector:
        return
    if view.label_set == ACTION:
        st.caption(NO_LOGIT)
        return
    if page is None:
        return
    query = {"run": view.run, "clip": view.clip or "", "n": selected[1:]}
    if not view.usual_labels:
        query["labels"] = view.label_set
    if str(view.audio) != "on":
        query["audio"] = str(view.audio)
    st.page_link(page, label="Open in Explain", icon=":material/psychology_alt:", query_params=query)


def _welcome() -> None:
    st.subheader("No clips yet", anchor=False)
    st.write("Add a video of your own, or make the demo kitchen with `python -m mravff_core demo`.")
    st.page_link(st.session_state["pages"]["add"], label="Add videos", icon=":material/add_circle:")


def _choose_clip(app: AppContext, view: View) -> tuple[View, DeltaGenerator]:
    """The line above the player: which clip, the ones beside it, and warnings.

    Returns: the view, and the rest of the line.
    """
    shown = view.clip or ""
    table = app.workspace.clips
    titles = dict(zip(table["clip_id"], table["title"], strict=True))
    splits = dict(zip(table["clip_id"], table["split"], strict=True))
    ids = clips_in_order(app.workspace)
    key = widget_key("clip")
    if st.session_state.get(key, shown) not in titles:
        st.session_state[key] = shown
    choose, before, after, note = st.columns([5, 0.6, 0.6, 5.8], vertical_alignment="center")
    place = ids.index(st.session_state.get(key, shown))
    _step_button(before, "previous_clip", "Previous clip", ":material/chevron_left:", ids, place - 1)
    _step_button(after, "next_clip", "Next clip", ":material/chevron_right:", ids, place + 1)
    with choose:
        chosen = st.selectbox(
            "Clip",
            ids,
            index=ids.index(shown),
            key=key,
            label_visibility="collapsed",
            format_func=lambda clip_id: f"{titles[clip_id]} · {splits[clip_id]}",
        )
    line = note.container(horizontal=True, vertical_alignment="center")
    with line:
        _warn(app.workspace.clip(chosen))
    return replace(view, clip=chosen), line


def _step_button(column: DeltaGenerator, key: str, words: str, icon: str, ids: list[str], place: int) -> None:
    there = 0 <= place < len(ids)
    target = ids[place] if there else ""
    column.button(
        words, icon=icon, help=words, key=key, disabled=not there, width="stretch", on_click=go_to_clip, args=(target,)
    )


def _warn(clip: Clip) -> None:
    lines = [line for line in clip.warnings.splitlines() if line]
    if not clip.has_audio:
        lines.append("There is no sound track: detectors work from the picture alone.")
    if len(lines) == 1 and len(lines[0]) < 90:
        st.caption(f":orange[:material/warning:] {plain(lines[0])}")
    elif lines:
        with st.popover(f"{len(lines)} warning{'s' * (len(lines) > 1)}", icon=":material/warning:"):
            for line in lines:
                st.markdown(plain(line))


def _detect(app: AppContext, side: Side, clip: Clip) -> bool:
    """Whether a side's detections are stored; if not, have them made and show how far that is."""
    run = app.workspace.run(side.run)
    if run.has(side.audio, clip.clip_id):
        return True
    if not run.has_detector:
        st.info(
            f"The stored detections of {plain(run.name)} say nothing of this clip, and there is no detector to ask.",
            icon=":material/file_open:",
        )
        return False
    name = f"detect {side.run} {side.audio} {clip.clip_id}"
    job = app.jobs.find(name)
    if job is None or job.state == "done":
        work = detecting(app, side.run, side.audio, [clip.clip_id])
        job = app.jobs.submit("detect", name, f"Detecting in {clip.clip_id}", work)
    # A short clip takes no longer than a blink: nobody needs to see a bar for that.
    drawn_s = time.monotonic()
    while not job.ended and time.monotonic() - drawn_s < _BLINK_S:
        time.sleep(0.02)
    if job.state == "done" and run.has(side.audio, clip.clip_id):
        return True
    _progress(app, job, name, time.monotonic())
    return False


@st.fragment(run_every=0.4)
def _progress(app: AppContext, job: Job, name: str, drawn_s: float) -> None:
    # Never in the very run that draws it first: the browser would get the rest of another page.
    if job.state == "done" and time.monotonic() - drawn_s > _BLINK_S:
        st.rerun()
    elif job.ended and job.state != "done":
        words, button = st.columns([8, 1], vertical_alignment="center")
        words.error(job.error or "Detection was stopped.", icon=":material/error:")
        if button.button("Try again", key=f"again {name}"):
            app.jobs.forget(job)
            st.rerun()
    else:
        words, button = st.columns([8, 1], vertical_alignment="center")
        words.progress(job.share, text=f"{job.title}: {job.stage or 'waiting'} …")
        if button.button("Cancel", key=f"cancel {name}"):
            job.cancel()


def _play(app: AppContext, view: View, clip: Clip, predicted: bool, beside: list[Side]) -> View:
    info = app.workspace.run(view.run).info if view.run else None
    names = app.workspace.classes(view.label_set) if view.classes else {}
    sent = jump()
    state = player(
        {
            "clip": shown_clip(app.workspace, clip.clip_id),
            "sources": sources(app.workspace, view, info, predicted=predicted),
            "view": {
                "threshold": view.threshold,
                "shown_labels": [label for label, name in names.items() if name in view.classes],
                "selected": sent.selected,
                "time_s": sent.time_s,
                "jump": sent.number,
                "label_set": view.label_set,
                "run": view.run,
            },
            "name": sidebar.side_title(view.main) if view.main else "",
            "others": [
                {
                    "name": sidebar.side_title(side),
                    "segments_url": segments_source(app.workspace, clip.clip_id, view.label_set, side),
                    "attribution_url": attribution_source(app.workspace, clip.clip_id, view.label_set, side),
                }
                for side in beside
            ],
            "next": likely_next(app.workspace, view, info),
        },
        key="player",
        on_beside=lambda: _toggle_beside(app, view),
    )
    # What it told before counts no more once an address or a link has sent it elsewhere.
    news = state != st.session_state.get("told")
    st.session_state["told"] = state
    if not news or state.clip_id != clip.clip_id:
        return view
    return replace(view, time_s=round(max(0.0, state.time_s), 3), selected=state.selected)


def _toggle_beside(app: AppContext, view: View) -> None:
    """Put the usual second side beside the first row, or clear what is there."""
    if view.main is None:
        return
    side = usual_side(preferred(app.workspace.readable_runs()[0]), view.label_set, view.main)
    put_beside(() if view.others or side is None else (side,))
