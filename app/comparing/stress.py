"""Stress curves: several runs while their sound is shifted, silenced, swapped and made noisy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app import charts
from app.comparing.answers import RESAMPLES
from app.comparing.choices import CompareChoices
from app.context import AppContext
from app.differences import with_signs
from app.jobs import Job
from app.page_state import PageState
from app.plain_text import NOTHING, plain
from app.sidebar import run_title, sound_title
from app.view import preferred
from app.work import offer, show_progress
from mravff_core.analysis.lacking import Lacking, detect_lacking
from mravff_core.analysis.side import shared_label_sets
from mravff_core.analysis.stress import CONDITIONS, hearing, lacking, stored_table, stress_table
from mravff_core.audio_condition import AudioCondition
from mravff_core.plots.stress import MEASURES, stress_curves
from mravff_core.workspace import RunInfo

State = PageState[CompareChoices]


def stress_section(app: AppContext, state: State, infos: Sequence[RunInfo]) -> None:
    """Draw choices, curves and table."""
    by_name = {info.run: info for info in preferred([info for info in infos if info.has_detector])}
    if not by_name:
        st.info("There is no detector to stress: imported detections are what they are.", icon=":material/hearing:")
        return
    runs = _choose_runs(state, by_name)
    if not runs:
        st.info("Choose at least one run.", icon=":material/model_training:")
        return
    label_set = state.choices.labels
    missing = lacking(app.workspace, runs, label_set=label_set)
    if missing:
        _offer(app, missing, runs)
    table, to_come = stored_table(app.workspace, runs, label_set=label_set, resamples=RESAMPLES)
    if to_come:
        _resample(app, runs, label_set, to_come)
    if table.empty:
        return
    measure = state.choices.measure
    figure = stress_curves(table, charts.theme(), measure=measure, expected=CONDITIONS)
    charts.chart(figure, name=f"Stress {MEASURES[measure][0]}")
    st.caption(
        "Whiskers are 95 % intervals over resampled clips. A gate that is computed from the picture alone cannot "
        "answer to the sound, so its curve is flat; a run that never listens is flat in all."
    )
    with st.expander("As a table"):
        shown = with_signs(_shown(table), ["change", "change_low", "change_high"])
        st.dataframe(shown, width="stretch", hide_index=True, placeholder=NOTHING, column_config=_COLUMNS)


def _choose_runs(state: State, infos: dict[str, RunInfo]) -> list[str]:
    first = next(iter(infos.values()))
    if not set(state.choices.runs) & set(infos):
        alike = [info.run for info in infos.values() if info.label_set == first.label_set]
        state.change("page", runs=tuple(alike))
    shared = shared_label_sets([infos[name] for name in state.choices.runs if name in infos])
    several = len(shared) > 1
    choose, *labels, what = st.columns([5, 2, 4] if several else [7, 4], vertical_alignment="bottom")
    with choose:
        titles = {name: run_title(info) for name, info in infos.items()}
        chosen = state.multiselect("runs", "Runs", list(infos), format_func=titles.__getitem__)
    if several:
        with labels[0]:
            state.select("labels", "Label set", shared)
    elif state.choices.labels:
        state.change("page", labels="")
    with what:
        state.segmented("measure", "What is shown", {key: words for key, (words, _, _) in MEASURES.items()})
    return list(chosen)


def _offer(app: AppContext, missing: Sequence[Lacking], runs: Sequence[str]) -> None:
    conditions = dict.fromkeys(sound_title(piece.side.audio) for piece in missing)
    clips = sum(len(piece.clip_ids) for piece in missing)
    st.info(
        f"Not computed yet: {len(missing)} curve points ({plain(', '.join(conditions))}), {clips:,} clips to listen "
        "to. What is done before a stop is kept.",
        icon=":material/hourglass_empty:",
    )
    name = f"stress {' '.join(runs)}"
    offer(app, "compare", name, "Stressing", f"Compute {len(missing)} points", _predict(app, missing))


def _predict(app: AppContext, missing: Sequence[Lacking]) -> Callable[[Job], None]:
    def work(job: Job) -> None:
        detect_lacking(
            app.workspace,
            missing,
            progress=hearing(job.report),
            cancel=lambda: job.cancelled,
            detector_of=app.detectors.get,
        )

    return work


def _resample(app: AppContext, runs: Sequence[str], label_set: str, to_come: int) -> None:
    """Have the intervals of new points computed, and show how far that is."""

    def work(job: Job) -> None:
        stress_table(
            app.workspace,
            runs,
            label_set=label_set,
            resamples=RESAMPLES,
            progress=job.report,
            cancel=lambda: job.cancelled,
        )

    name = f"stress intervals {' '.join(runs)} {label_set}".rstrip()
    job = app.jobs.find(name)
    if job is None or job.state == "done":
        title = f"Intervals of {to_come} point{'s' * (to_come != 1)}"
        job = app.jobs.submit("intervals", name, title, work)
    show_progress(app, job)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": table["run"],
            "sound": [sound_title(AudioCondition.parse(condition)) for condition in table["condition"]],
            "hears": table["condition"],
            "map": 100 * table["map"],
            "map_low": 100 * table["map_low"],
            "map_high": 100 * table["map_high"],
            "change": 100 * table["change"],
            "change_low": 100 * table["change_low"],
            "change_high": 100 * table["change_high"],
            "clear": table["clear"],
            "gate": table["gate"],
            "clips": table["clips"],
        }
    )


_COLUMNS = {
    "run": st.column_config.TextColumn("Run", pinned=True),
    "sound": st.column_config.TextColumn("Hears"),
    "hears": st.column_config.TextColumn("In commands", help="What `--audio` and `--conditions` call it"),
    "map": st.column_config.NumberColumn("mAP (%)", format="%.1f"),
    "map_low": st.column_config.NumberColumn("from", format="%.1f"),
    "map_high": st.column_config.NumberColumn("to", format="%.1f"),
    "change": st.column_config.NumberColumn("Against as recorded (points)"),
    "change_low": st.column_config.NumberColumn("from "),
    "change_high": st.column_config.NumberColumn("to "),
    "clear": st.column_config.CheckboxColumn("Clear", help="Whether the interval of the change excludes 0"),
    "gate": st.column_config.NumberColumn("Mean gate", format="%.3f"),
    "clips": st.column_config.NumberColumn("Clips"),
}
