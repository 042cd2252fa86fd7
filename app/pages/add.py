"""The Add page: videos of one's own, uploaded or from a path on the server's machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import sidebar, urls
from app.context import AppContext, context
from app.jobs import Job
from app.pages.add_actions import offer_merge
from app.pages.add_labels import offer_labels
from app.plain_text import plain
from app.says_errors import says_errors
from app.uploader import uploader
from app.view import preferred
from mravff_core.errors import MravffError
from mravff_core.media.encoders import ENCODERS
from mravff_core.media.probe import probe

if TYPE_CHECKING:
    from mravff_core.inference.add_video import AddedVideo

_NO_RUN = "None: add the video only"
_KIND = "add"
_WIDTH = 980


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    with st.sidebar:
        sidebar.about(app)
    with st.container(width=_WIDTH):
        _page(app)


def _page(app: AppContext) -> None:
    st.subheader("Add videos", anchor=False)
    foreign = sorted(set(app.workspace.settings.encoders.values()) - ENCODERS.keys())
    if foreign:
        st.info(
            f"A video needs features first, and those of this workspace ({', '.join(map(plain, foreign))}) are made by "
            "another tool. Make the video's own there, beside the others, and import the data set again.",
            icon=":material/input:",
        )
    else:
        _videos(app)
    _list_jobs(app, _done(app))
    offer_merge(app)
    offer_labels(app)


def _videos(app: AppContext) -> None:
    """Ways to bring videos in, which are encoded here."""
    st.caption("Each becomes a clip of this workspace: checked, converted if browsers cannot play it, and searched.")
    run = _choose_run(app)
    upload, paths = st.tabs([":material/upload: Upload", ":material/folder_open: From this machine"])
    with upload:
        _upload(app, run)
    with paths:
        _from_paths(app, run)


def _choose_run(app: AppContext) -> str | None:
    infos = {info.run: info for info in preferred(app.workspace.readable_runs()[0]) if info.has_detector}
    choices = [*infos, _NO_RUN]
    chosen = st.selectbox(
        "Detect with",
        choices,
        key="add_run",
        width=420,
        format_func=lambda name: sidebar.run_title(infos[name]) if name in infos else name,
    )
    return chosen if chosen in infos else None


def _upload(app: AppContext, run: str | None) -> None:
    if "upload_token" not in st.session_state:
        st.session_state["upload_token"] = app.uploads.issue()
    token = st.session_state["upload_token"]
    uploader(urls.upload(token), limit_bytes=app.uploads.limit_bytes, key="uploader")
    for upload in app.uploads.take(token):
        _submit(app, upload.path, upload.name, run, keep=True)


def _from_paths(app: AppContext, run: str | None) -> None:
    with st.form("paths", border=False, clear_on_submit=False):
        text = st.text_area(
            "Paths of video files, one a line",
            key="paths",
            height=120,
            placeholder="/data/videos/P01_01.MP4",
            help="The files stay where they are; only features and detections are written into the workspace.",
        )
        if not st.form_submit_button("Add", type="primary", icon=":material/add:"):
            return
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        st.warning("Write at least one path first.", icon=":material/edit:")
    for line in lines:
        path = Path(line).expanduser()
        _submit(app, path, path.name, run, keep=False)


def _submit(app: AppContext, path: Path, title: str, run: str | None, *, keep: bool) -> None:
    app.jobs.submit(_KIND, f"add {path}", title, _work(app, path, title, run, keep))


def _work(app: AppContext, path: Path, title: str, run: str | None, keep: bool) -> Callable[[Job], AddedVideo]:
    def work(job: Job) -> AddedVideo:
        try:
            # A file that is no video shall not wait for PyTorch to be told so.
            probe(path)
            from mravff_core.inference.add_video import add_video

            return add_video(
                app.workspace,
                path,
                run_name=run,
                title=title,
                detector=app.detectors.get(run) if run else None,
                keep=keep,
                progress=job.report,
                cancel=lambda: job.cancelled,
            )
        except MravffError as error:
            # An upload's place on this disk means nothing to whoever sent it.
            raise type(error)(str(error).replace(str(path), title) if keep else str(error)) from error
        finally:
            if keep:
                path.unlink(missing_ok=True)

    return work


def _done(app: AppContext) -> int:
    return sum(job.state == "done" for job in app.jobs.of(_KIND))


@st.fragment(run_every=0.5)
def _list_jobs(app: AppContext, done: int) -> None:
    """All videos being added on this server, whoever asked for them; they survive a reload.

    Args:
        done: how many were, when the page around this was drawn, which counts clips.
    """
    if _done(app) > done:
        st.rerun()
    jobs = app.jobs.of(_KIND)
    if not jobs:
        return
    st.markdown("**On their way and done**")
    for job in jobs:
        with st.container(border=True):
            _show_job(app, job)


def _show_job(app: AppContext, job: Job) -> None:
    name, state, button = st.columns([3, 5, 1.3], vertical_alignment="center")
    name.markdown(f"**{plain(job.title)}**")
    if not job.ended:
        state.progress(job.share, text=f"{job.stage} …" if job.state == "running" else "Waiting …")
        if button.button("Cancel", key=f"cancel {job.number}", disabled=job.cancelled, width="stretch"):
            job.cancel()
        return
    if job.state == "done":
        _show_done(job, state, button)
        return
    if job.state == "failed":
        state.error(plain(job.error), icon=":material/error:")
    else:
        state.caption("Cancelled; nothing was kept.")
    if button.button("Dismiss", key=f"dismiss {job.number}", width="stretch"):
        app.jobs.forget(job)
        st.rerun(scope="fragment")


def _show_done(job: Job, state: DeltaGenerator, button: DeltaGenerator) -> None:
    added: AddedVideo = job.result
    state.markdown(f":green[:material/check:] Added with {added.detections} detections")
    for warning in added.warnings:
        state.caption(f":orange[:material/warning:] {plain(warning)}")
    page = st.session_state["pages"]["clip"]
    button.page_link(page, label="Open", icon=":material/play_circle:", query_params={"clip": added.clip_id})
