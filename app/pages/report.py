"""The Report page: choose what to present, look at it, take it away as HTML, figures, tables or a film."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import addresses, sidebar, urls
from app.context import AppContext, context
from app.exports import export_name, export_path, sources_of, zipped
from app.jobs import Job
from app.marks import marks_of
from app.no_runs import say_no_runs
from app.page_state import PageState, open_page
from app.says_errors import says_errors
from app.snippet import snippet
from app.view import clips_in_order
from app.work import show_progress
from mravff_core.analysis.side import Side, shared_label_sets
from mravff_core.report.document import Document
from mravff_core.report.film import FilmPlan, write_film
from mravff_core.report.plan import SECTIONS, USUAL, ReportPlan, usual_sides
from mravff_core.workspace import RunInfo

_PREVIEW_PX = 760
_ASKED = "report asked for"
_SHOWN_PARTS = {"html": "HTML, opens anywhere", "figures": "Figures (SVG, PNG)", "tables": "Tables (CSV)"}
_PART_ICONS = {"html": ":material/description:", "figures": ":material/bar_chart:", "tables": ":material/table:"}


# Reports made since the server started, by file name: their figures can be drawn without making them again.
_DOCUMENTS: dict[str, Document] = {}


@dataclass(frozen=True)
class ReportChoices:
    """Names are those of the address.

    Attributes:
        part: `report` or `film`.
        title, sections, classes, sets, notes, films, tiou, min: as of `ReportPlan`.
        about, against: sides as text; `against` may be empty.
        labels: label set, where there are several.
        made: the report made last.
        clip, start, end: stretch of a film; an end of 0 is the clip's.
        score: least score of detections in a film.
        theme: of a film.
    """

    part: str = "report"
    title: str = "Error analysis"
    about: str = ""
    against: str = ""
    labels: str = ""
    sections: tuple[str, ...] = USUAL
    classes: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    notes: bool = True
    films: bool = True
    tiou: float = 0.5
    min: float = 0.2
    clip: str = ""
    start: float = 0.0
    end: float = 0.0
    score: float = 0.2
    theme: str = "dark"


State = PageState[ReportChoices]


@says_errors
def show() -> None:
    """Draw the page."""
    app = context()
    with st.sidebar:
        sidebar.about(app)
    if not app.workspace.readable_runs()[0]:
        say_no_runs(app.workspace, "Nothing to report on yet", "Reports are about runs.", detections=True)
        return
    state = open_page("report", ReportChoices)
    _mend(app, state)
    state.segmented(
        "part", "What to make", {"report": "Report", "film": "Film of a clip"}, label_visibility="collapsed"
    )
    if state.choices.part == "film":
        _film(app, state)
    else:
        _report(app, state)
    state.keep()


def ask_for_report() -> None:
    """Have the next report that this page shows made without another press."""
    st.session_state[_ASKED] = True


def _mend(app: AppContext, state: State) -> None:
    """Sides that are there: the usual ones at first."""
    offered = _sides(app)
    if state.choices.about not in offered:
        *before, last = usual_sides(app.workspace)
        if state.choices.about:
            words = f"The run and sound {state.choices.about!r}, which was asked for, is not here; {last!r} is shown."
            addresses.complain([words])
        state.change("page", about=last, against=before[0] if before else "")
    if state.choices.against not in ("", *offered):
        state.change("page", against="")


def _sides(app: AppContext) -> list[str]:
    """Every run under every sound that is stored, and gated runs without sound."""
    sides = []
    for info in app.workspace.readable_runs()[0]:
        off = ("off",) if info.listens else ()
        sides += [str(Side.parse(f"{info.run}@{sound}")) for sound in ("on", *info.conditions, *off)]
    return list(dict.fromkeys(sides))


# --- report --------------------------------------------------------------------


def _report(app: AppContext, state: State) -> None:
    left, right = st.columns([4, 9], gap="medium")
    with left:
        plan = _choose_plan(app, state)
        state.keep()
    if plan is None:
        right.info("Choose at least one section; a report of none shows nothing.", icon=":material/checklist:")
        return
    with left:
        about = (plan, *sources_of(app, [side.run for side in plan.parsed]))
        names = {
            "html": export_name("report", *about, ending="html"),
            "figures": export_name("report", *about, ending="zip", part="figures"),
            "tables": export_name("report", *about, ending="zip", part="tables"),
        }
        _make(app, names["html"], f"Report “{plan.title}”", "Make the report", _writing(app, plan, names))
        there = export_path(app, names["html"]).is_file()
        if there:
            _figures(app, names)
            _links({part: name for part, name in names.items() if export_path(app, name).is_file()})
            with st.popover("Make it again by command", icon=":material/terminal:"):
                st.code(plan.command(app.workspace), language="sh", wrap_lines=True)
    with right:
        if there:
            st.iframe(urls.export(names["html"]), height=_PREVIEW_PX)
        else:
            st.info(
                "Choose what to show and press “Make the report”; it appears here and can be saved as one file.",
                icon=":material/preview:",
            )


def _choose_plan(app: AppContext, state: State) -> ReportPlan | None:
    """What was chosen; None while there is no section."""
    offered = _sides(app)
    state.text("title", "Title")
    titles = {side: sidebar.side_title(Side.parse(side)) for side in offered}
    state.select("about", "Report on", titles, help="A run and what it heard; gates and errors are its own.")
    infos = {side: app.workspace.run(Side.parse(side).run).info for side in offered}
    about = state.choices.about
    alike = [side for side in offered if side != about and shared_label_sets([infos[about], infos[side]])]
    state.select("against", "Compared with", {"": "nothing", **{side: titles[side] for side in alike}})
    label_set = _choose_labels(state, [infos[side] for side in filter(None, (about, state.choices.against))])
    state.several("sections", "Sections", SECTIONS)
    names = list(app.workspace.classes(label_set).values())
    state.multiselect("classes", "Classes", names, placeholder="All classes")
    sets = marks_of(app).sets()
    state.multiselect("sets", "Saved sets", list(sets), placeholder="None" if sets else "Save one on the Errors page")
    state.toggle("notes", "Segments with notes", help="Besides those of the saved sets.")
    state.toggle("films", "Playable segments", help="Without them the file is smaller.")
    with st.expander("Thresholds"):
        state.slider("tiou", "Right from tIoU", 0.1, 0.5, 0.1)
        state.slider("min", "Score threshold", 0.0, 1.0, 0.01, help="Least score of detections in lists.")
    chosen = state.choices
    if not chosen.sections:
        return None
    sides = (chosen.against, chosen.about) if chosen.against else (chosen.about,)
    plan = ReportPlan(
        sides=sides,
        title=chosen.title.strip() or "Error analysis",
        sections=chosen.sections,
        label_set=label_set,
        classes=chosen.classes,
        sets=chosen.sets,
        notes=chosen.notes,
        films=chosen.films,
        tiou=chosen.tiou,
        min_score=chosen.min,
    )
    return plan.checked(app.workspace)


def _choose_labels(state: State, infos: Sequence[RunInfo]) -> str:
    """Whose classes, of those that all runs know."""
    shared = shared_label_sets(infos)
    if len(shared) > 1:
        return str(state.select("labels", "Label set", shared))
    state.change("page", labels="")
    return shared[0]


def _make(app: AppContext, name: str, title: str, label: str, work: Callable[[Job], object]) -> None:
    """A button that makes a file, or makes it again; its progress while that lasts."""
    job = app.jobs.find(name)
    there = export_path(app, name).is_file()
    if job is not None and job.state != "done":
        show_progress(app, job)
        return
    asked = st.session_state.pop(_ASKED, False) and not there
    if asked or st.button(
        f"{label} again" if there else label,
        key=f"make {name}",
        icon=":material/play_arrow:",
        type="secondary" if there else "primary",
        width="stretch",
    ):
        app.jobs.submit("export", name, title, work)
        st.rerun()


def _writing(app: AppContext, plan: ReportPlan, names: dict[str, str]) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        from mravff_core.report.build import build_report
        from mravff_core.report.files import write_tables
        from mravff_core.report.html import write_html

        document = build_report(
            app.workspace,
            plan,
            device=app.detectors.device_name or "auto",
            progress=lambda share, words: job.report(0.95 * share, words),
            cancel=lambda: job.cancelled,
        )
        with tempfile.TemporaryDirectory() as folder:
            zipped(write_tables(document, folder), export_path(app, names["tables"]))
        write_html(document, export_path(app, names["html"]))
        _DOCUMENTS[names["html"]] = document

    return work


def _figures(app: AppContext, names: dict[str, str]) -> None:
    """Offer to draw the figures as files, which takes a browser some seconds."""
    document = _DOCUMENTS.get(names["html"])
    path = export_path(app, names["figures"])
    if path.is_file() or document is None or not any(section.figures for section in document.sections):
        return

    def work(job: Job) -> None:
        from mravff_core.report.files import write_figures

        with tempfile.TemporaryDirectory() as folder:
            written = write_figures(
                document,
                folder,
                progress=lambda share: job.report(share, "drawing"),
                cancel=lambda: job.cancelled,
            )
            zipped(written, path)

    _make(app, names["figures"], "Figures", "Draw figures as SVG and PNG", work)


def _links(names: dict[str, str]) -> None:
    for part, name in names.items():
        st.link_button(
            f"Save {_SHOWN_PARTS[part]}", urls.export(name, save=True), icon=_PART_ICONS[part], width="stretch"
        )


# --- film ----------------------------------------------------------------------


def _film(app: AppContext, state: State) -> None:
    left, right = st.columns([4, 9], gap="medium")
    with left:
        clips = [clip_id for clip_id in clips_in_order(app.workspace) if app.workspace.clip(clip_id).path]
        if not clips:
            st.info("No clip of this workspace has a video.", icon=":material/videocam_off:")
            return
        state.select("clip", "Clip", clips)
        sides = {side: sidebar.side_title(Side.parse(side)) for side in _sides(app)}
        about = state.select("about", "Detections of", sides)
        label_set = _choose_labels(state, [app.workspace.run(Side.parse(about).run).info])
        duration_s = app.workspace.clip(state.choices.clip).duration_s
        one, two = st.columns(2)
        with one:
            _seconds(state, "start", "From (s)", duration_s)
        with two:
            _seconds(state, "end", "To (s)", duration_s, "0 for the clip's end.")
        state.slider("score", "Score threshold", 0.0, 1.0, 0.01)
        state.segmented("theme", "Colours", {"dark": "Dark", "light": "Light"})
        state.keep()
        plan = _film_plan(state.choices, label_set)
        name = export_name("film", plan, *sources_of(app, [plan.run or ""]), ending="mp4")
        _make(app, name, f"Film of {plan.clip_id}", "Make the film", _filming(app, plan, name))
        there = export_path(app, name).is_file()
        if there:
            st.link_button(
                "Save the film (MP4)", urls.export(name, save=True), icon=":material/movie:", width="stretch"
            )
    with right:
        if there:
            length_s = (plan.end_s or duration_s) - plan.start_s
            snippet(urls.export(name), start_s=0.0, end_s=length_s, duration_s=length_s)
        else:
            st.info(
                "The film shows the picture with true and predicted segments, gates and spectrogram moving under it.",
                icon=":material/movie:",
            )


def _seconds(state: State, field: str, label: str, most: float, help_: str | None = None) -> None:
    value = min(getattr(state.choices, field), most)
    key = state.key(field)
    chosen = st.number_input(label, min_value=0.0, max_value=most, value=value, step=1.0, key=key, help=help_)
    if chosen != getattr(state.choices, field):
        state.change("input", **{field: chosen})


def _film_plan(chosen: ReportChoices, label_set: str) -> FilmPlan:
    side = Side.parse(chosen.about)
    return FilmPlan(
        clip_id=chosen.clip,
        run=side.run,
        condition=side.audio,
        label_set=label_set,
        start_s=chosen.start,
        end_s=chosen.end or None,
        min_score=chosen.score,
        theme=chosen.theme,
    )


def _filming(app: AppContext, plan: FilmPlan, name: str) -> Callable[[Job], Path]:
    def work(job: Job) -> Path:
        run = app.workspace.run(plan.run or "")
        if run.has_detector and not run.has(plan.condition, plan.clip_id):
            from mravff_core.inference.run_predict import predict

            job.report(0.0, "detecting")
            detector = app.detectors.get(run.name)
            predict(app.workspace, run.name, condition=plan.condition, clip_ids=[plan.clip_id], detector=detector)
        job.report(0.05, "drawing")
        return write_film(
            app.workspace,
            plan,
            export_path(app, name),
            progress=lambda share: job.report(0.05 + 0.95 * share, "drawing"),
            cancel=lambda: job.cancelled,
        )

    return work
