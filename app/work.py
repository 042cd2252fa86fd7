"""Long work that a page waits for: begun once, with progress and cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.context import AppContext
from app.jobs import Job
from app.plain_text import plain


def result_of(app: AppContext, kind: str, name: str, title: str, work: Callable[[Job], Any]) -> Any:
    """What the work gave, or None while it is under way; then its progress is shown.

    Args:
        kind: queue that it waits in.
        name: equal names are one piece of work, whoever asks; put all that the result depends on in it.
        title: for people.
        work: called with its job.
    """
    job = app.jobs.find(name) or app.jobs.submit(kind, name, title, work)
    if job.state == "done":
        return job.result
    show_progress(app, job)
    return None


def offer(app: AppContext, kind: str, name: str, title: str, label: str, work: Callable[[Job], Any]) -> None:
    """A button that begins the work, then its progress; the page is drawn anew when it is done."""
    job = app.jobs.find(name)
    if job is not None and job.state != "done":
        show_progress(app, job)
    elif st.button(label, key=f"begin {name}", icon=":material/play_arrow:", type="primary"):
        app.jobs.submit(kind, name, title, work)
        st.rerun()


@st.fragment(run_every=0.5)
def show_progress(app: AppContext, job: Job) -> None:
    """Progress with a button to cancel; what went wrong, with a button to try again."""
    # The button keeps its word in narrow columns, where it goes below.
    line = st.container(horizontal=True, vertical_alignment="center")
    if job.state == "done":
        st.rerun()
    elif job.ended:
        line.error(plain(job.error) or "It was stopped; nothing half-done was kept.", icon=":material/error:")
        if line.button("Try again", key=f"again {job.name}"):
            app.jobs.forget(job)
            st.rerun()
    else:
        line.progress(job.share, text=plain(f"{job.title}: {job.stage or 'waiting'} …"))
        if line.button("Cancel", key=f"cancel {job.name}", disabled=job.cancelled):
            job.cancel()
