"""The Compare page: two runs or two sounds against each other, and runs under stress."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import sidebar
from app.comparing import answers
from app.comparing.choices import SECTIONS, CompareChoices
from app.comparing.classes import by_class, by_clip
from app.comparing.listed import listed
from app.comparing.overview import overview
from app.comparing.sides import choose_sides
from app.comparing.stress import stress_section
from app.context import AppContext, context
from app.jobs import Job
from app.no_runs import say_no_runs
from app.pacing import first_figures_first
from app.page_state import PageState, open_page
from app.plain_text import plain
from app.says_errors import says_errors
from app.work import offer
from mravff_core.analysis.compare import (
    Compared,
    sides_of,
)
from mravff_core.analysis.lacking import detect_lacking

State = PageState[CompareChoices]


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    with st.sidebar:
        sidebar.about(app)
    infos = app.workspace.readable_runs()[0]
    if not infos:
        say_no_runs(
            app.workspace, "No runs to compare yet", "Compared are runs, or sounds that a run hears.", detections=True
        )
        return
    state = open_page("compare", CompareChoices)
    state.segmented("section", "Section", SECTIONS, label_visibility="collapsed")
    if state.choices.section == "stress":
        stress_section(app, state, infos)
    else:
        choose_sides(state, infos)
        state.keep()
        _compare(app, state)
    state.keep()


def _compare(app: AppContext, state: State) -> None:
    chosen = state.choices
    compared = sides_of(app.workspace, *chosen.sides, label_set=chosen.labels or None)
    if compared.a == compared.b:
        _say_alike(app)
    _offer_missing(app, compared)
    if not compared.clip_ids:
        return
    happened = answers.happened(app.workspace, compared, chosen.settings)
    scored, waiting = answers.precision(app, compared)
    overview(app, state, compared, scored, waiting, happened)
    first_figures_first("compare")
    worse = bool(scored.overall["difference"] < 0)
    left, right = st.columns(2)
    with left:
        by_class(state, happened, scored, worse=worse)
    with right:
        by_clip(state, happened.per_clip, worse=worse)
    head, thresholds = st.columns([8, 2], vertical_alignment="bottom")
    head.markdown("**The detections**")
    with thresholds:
        _thresholds(state)
    listed(app, state, compared, happened.events)


def _say_alike(app: AppContext) -> None:
    """Both sides are one; say what else there could be."""
    infos = app.workspace.readable_runs()[0]
    if len(infos) > 1 or infos[0].listens:
        st.info("Both sides are the same; choose another run or sound for one of them.", icon=":material/equal:")
    else:
        st.info(
            "There is one run and it never listens, so nothing differs from it yet. Train another, or import "
            f"another tool’s detections with `{app.workspace.command('import detections FILE --run NAME')}`.",
            icon=":material/equal:",
        )


def _thresholds(state: State) -> None:
    with st.popover("Thresholds", icon=":material/tune:", width="stretch"):
        state.slider("min", "Score threshold", 0.0, 1.0, 0.01, help="Detections of a lower score count as not there.")
        state.slider("match", "One event from tIoU", 0.05, 1.0, 0.05, help="Least overlap of A's and B's detection.")
        state.slider("moved", "Moved below tIoU", 0.05, 1.0, 0.05, help="The two overlap by less than this.")
        state.slider("correct", "Correct from tIoU", 0.05, 1.0, 0.05, help="Least overlap with a true segment.")


def _offer_missing(app: AppContext, compared: Compared) -> None:
    """Say what is not computed yet, and offer to compute it."""
    sides = ((compared.a, compared.missing_a), (compared.b, compared.missing_b))
    todo = {sidebar.side_title(side): clips for side, clips in sides if clips}
    if not todo:
        return
    possible = all(app.workspace.run(side.run).has_detector for side, clips in sides if clips)
    count = sum(len(clips) for clips in todo.values())
    lack = " and ".join(f"**{plain(name)}** in {len(clips)}" for name, clips in todo.items())
    total = len(set(compared.clip_ids) | set(compared.missing_a) | set(compared.missing_b))
    if not possible:
        st.warning(
            f"There are no detections of {lack} of {total} clips, and no detector to make them: "
            f"{len(compared.clip_ids)} clips are compared.",
            icon=":material/rule:",
        )
        return
    st.info(f"Not computed yet: {lack} of {total} clips.", icon=":material/hourglass_empty:")
    name = f"compare {' and '.join(todo)}"
    label = f"Detect in {count} clip{'s' * (count != 1)}"
    offer(app, "compare", name, f"Detecting for {' and '.join(todo)}", label, _work(app, compared))


def _work(app: AppContext, compared: Compared) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        job.report(0.0, "loading the detector")
        detect_lacking(
            app.workspace,
            compared.lacking,
            progress=lambda share, _side: job.report(share, "detecting"),
            cancel=lambda: job.cancelled,
            detector_of=app.detectors.get,
        )

    return work
