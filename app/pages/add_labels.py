"""Part of the Add page: class scores of whole videos for proposals, as a run that every page can show."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import sidebar
from app.context import AppContext
from app.jobs import Job
from app.pages.add_actions import to_be_replaced
from app.view import preferred
from app.work import offer
from mravff_core.errors import MravffError
from mravff_core.segments import ACTION

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_BY_NUMBER = "the set with as many classes"


def offer_labels(app: AppContext) -> None:
    """Draw choices and button, where there is a run of proposals with something stored."""
    infos = {
        info.run: info
        for info in preferred(app.workspace.readable_runs()[0])
        if info.classes == 1 and info.conditions and ACTION not in info.label_sets
    }
    if not infos:
        return
    with st.expander("Classes for a run of proposals", icon=":material/label:"):
        st.caption(
            "Another classifier's scores of whole videos give proposals their classes, as ActivityNet's published "
            "numbers have it: a clip's best proposals get each of its best classes, under every sound that is stored."
        )
        left, middle, right = st.columns(3)
        run = left.selectbox("Proposals of", list(infos), format_func=lambda name: sidebar.run_title(infos[name]))
        sets = [_BY_NUMBER, *app.workspace.label_sets]
        label_set = middle.selectbox("Classes of", sets, help="Whose classes the file scores.")
        name = right.text_input("Name of the run", f"{run}_labelled", key=f"labelled {run}").strip()
        scores = st.file_uploader(
            "Class scores",
            ["json", "pkl", "pickle", "npy"],
            help="`results` with scores by video, and maybe `class` with the names of the classes.",
        )
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        settings = {
            "label_set": None if label_set == _BY_NUMBER else label_set,
            "classes_per_clip": int(left.number_input("Best classes of a clip", 1, value=2)),
            "proposals_per_clip": int(middle.number_input("Best proposals of a clip", 1, value=200)),
            "logits": right.checkbox("Scores are logits", help="As for HACS: the softmax is taken."),
            "allow_missing": right.checkbox("Leave out clips without scores"),
        }
        _label(app, run, name, scores, settings)


def _label(app: AppContext, run: str, name: str, scores: UploadedFile | None, settings: dict) -> None:
    replace = to_be_replaced(app, name, lambda info: info.label_set != ACTION)
    if replace is None:
        return
    if scores is None:
        st.button("Label", disabled=True, icon=":material/play_arrow:", help="Choose a file of class scores first.")
        return

    def work(job: Job) -> None:
        from mravff_core.workspace.merge_proposals import merge_proposals

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(scores.name).name
            path.write_bytes(scores.getvalue())
            try:
                merge_proposals(app.workspace, run, path, name, replace=replace, **settings)
            except MravffError as error:
                # An upload's place on this disk means nothing to whoever sent it.
                raise type(error)(str(error).replace(str(path), path.name)) from error

    label = "Label again" if replace else "Label"
    # Another file or setting after one that failed is work of its own.
    offer(app, "merge", f"label {run} {name} {scores.file_id} {settings}", f"Labelling into {name}", label, work)
