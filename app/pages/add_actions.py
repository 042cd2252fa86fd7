"""Part of the Add page: actions of a verb run and a noun run, as a run that every page can show."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import sidebar
from app.context import AppContext
from app.jobs import Job
from app.plain_text import plain
from app.view import preferred
from app.work import offer
from mravff_core.segments import ACTION
from mravff_core.workspace import RunInfo
from mravff_core.workspace.merge_runs import merge_runs
from mravff_core.workspace.runs import MERGED


def offer_merge(app: AppContext) -> None:
    """Draw choices and button, where there are two runs to merge."""
    infos = [info for info in preferred(app.workspace.readable_runs()[0]) if ACTION not in info.label_sets]
    of = {name: {info.run: info for info in infos if name in info.label_sets} for name in ("verb", "noun")}
    if not of["verb"] or not of["noun"]:
        return
    with st.expander("Actions of a verb run and a noun run", icon=":material/merge:"):
        st.caption(
            "Verbs and nouns that overlap and choose each other become actions, as EPIC-Kitchens scores them, under "
            "every sound that both runs have stored. Predict either run anew, and merge anew."
        )
        left, right, named = st.columns(3)
        verbs, nouns = (
            column.selectbox(f"{name.capitalize()}s of", list(of[name]), key=f"merge {name}", format_func=_titles(of))
            for column, name in ((left, "verb"), (right, "noun"))
        )
        name = named.text_input("Name of the run", f"{verbs}_{nouns}", key=f"merged {verbs} {nouns}").strip()
        _merge(app, verbs, nouns, name)


def _titles(of: dict[str, dict[str, RunInfo]]) -> Callable[[str], str]:
    infos = of["verb"] | of["noun"]
    return lambda run: sidebar.run_title(infos[run])


def _merge(app: AppContext, verbs: str, nouns: str, name: str) -> None:
    there = to_be_replaced(app, name, lambda info: info.label_set == ACTION)
    if there is None:
        return

    def work(job: Job) -> None:
        merge_runs(
            app.workspace,
            verbs,
            nouns,
            name,
            replace=there,
            progress=lambda share: job.report(share, "merging"),
            cancel=lambda: job.cancelled,
        )

    label = "Merge again" if there else "Merge"
    offer(app, "merge", f"merge {verbs} {nouns} {name}", f"Merging into {name}", label, work)


def to_be_replaced(app: AppContext, name: str, alike: Callable[[RunInfo], bool]) -> bool | None:
    """Whether a run of that name was made here before; it can be opened then. None if the name is another run's.

    Args:
        alike: whether a merged run is of the kind that is to be made.
    """
    if not app.workspace.has_run(name):
        return False
    info = app.workspace.run(name).info
    if info.base != MERGED or not alike(info):
        st.warning(f"There is a run {plain(name)} already; choose another name.", icon=":material/edit:")
        return None
    page = st.session_state["pages"]["clip"]
    st.page_link(page, label=f"Open {plain(name)}", icon=":material/play_circle:", query_params={"run": name})
    return True
