"""Choosing a run where there may be many: the runs of a sweep, alike but for their seed, are one entry."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import addresses
from app.context import AppContext
from app.page_state import PageState
from app.session import share_run, shared_run
from app.sidebar import run_title
from mravff_core.workspace import RunInfo

_SEED = re.compile(r"[-_.]?(?:seed|s)[-_=]?(\d+)$")


def folded(infos: Sequence[RunInfo]) -> dict[str, list[RunInfo]]:
    """Runs by what is common to their names, in the given order; a run with no fellow stands alone."""
    groups: dict[tuple[str, str, str, str], list[RunInfo]] = {}
    for info in infos:
        stem = _SEED.sub("", info.run)
        groups.setdefault((stem, info.base, info.fusion, info.label_set), []).append(info)
    entries: dict[str, list[RunInfo]] = {}
    for (stem, *_), members in groups.items():
        if len(members) == 1:
            entries[members[0].run] = members
        else:
            name = stem if stem and stem not in entries else f"{stem} ({members[0].fusion}, {members[0].label_set})"
            entries[name] = members
    return entries


def choose_run(state: PageState[Any], field: str, label: str, infos: Sequence[RunInfo], **more: Any) -> str:
    """A select box of runs, and one of seeds where a sweep is chosen.

    Args:
        state, field: where the run's name is kept; one that is not there is replaced by the first, with a word.
        infos: of the runs to choose among, in their order; at least one.
        more: for the first select box.
    """
    entries = folded(infos)
    of_run = {info.run: entry for entry, members in entries.items() for info in members}
    named = getattr(state.choices, field)
    if named not in of_run:
        if named:
            addresses.complain([f"The run {named!r}, which was asked for, is not here; {infos[0].run!r} is shown."])
        state.change(**{field: infos[0].run})
    titles = {entry: _title(entry, members) for entry, members in entries.items()}
    key = state.key(field, "entry")
    usual = of_run[getattr(state.choices, field)]
    # A name may go while the page is open: a run that gets a fellow becomes a sweep.
    if st.session_state.get(key, usual) not in titles:
        st.session_state[key] = usual
    index = list(titles).index(usual)
    entry = st.selectbox(label, list(titles), index=index, format_func=titles.__getitem__, key=key, **more)
    if usual != entry:
        state.change("entry", **{field: entries[entry][0].run})
    members = [info.run for info in entries[entry]]
    if len(members) > 1:
        state.select(field, f"{label}: seed", {run: _seed(run) for run in members}, label_visibility="collapsed")
    return getattr(state.choices, field)


def choose_shared_run(app: AppContext, state: PageState[Any], field: str, infos: Sequence[RunInfo]) -> str:
    """`choose_run` in step with the Clip page: whichever page chose last decides for both."""
    if not state.choices_in_address and shared_run() in {info.run for info in infos}:
        state.change("page", **{field: shared_run()})
    run = choose_run(state, field, "Run", infos)
    share_run(app.workspace, run)
    return run


def _title(entry: str, members: list[RunInfo]) -> str:
    if len(members) == 1:
        return run_title(members[0])
    # No count of seeds: a browser sends back the words of the option, which must not change meanwhile.
    return f"{entry} · {run_title(members[0]).rpartition(' · ')[2]} · several seeds"


def _seed(run: str) -> str:
    found = _SEED.search(run)
    return f"Seed {found[1]} ({run})" if found else run
