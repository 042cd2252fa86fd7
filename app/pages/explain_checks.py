"""Where explanations of a run fail, said beside them; and all checks with the class-level view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import chart, theme
from app.context import AppContext
from app.jobs import Job
from app.plain_text import plain
from app.work import offer
from mravff_core.analysis import gates
from mravff_core.analysis.checks import LONGER, may_retrain, read_checks, verify_explanations
from mravff_core.analysis.explain_run import Explanation
from mravff_core.plots.explanation import share_distribution
from mravff_core.workspace import RunInfo

_ICONS = {True: "✓ passed", False: "✗ failed", None: "? unknown"}
_NAMES = {
    "audio_share": "Audio share",
    "gate": "Gate",
    "localisation": "Where in time",
    "curves": "Deletion and insertion",
    "randomisation": "Random weights",
    "swapped_labels": "Swapped labels",
    "other_class": "Another class asked",
    "contrast": "Another class, contrast",
    "planted": "Planted truth",
    "gate_honesty": "Gate honesty",
}
# A queue of their own: trainings take minutes, for which nothing else should have to wait.
_KIND = "checks"
_DEMO_MINUTES = 15


def warn(app: AppContext, explanation: Explanation, doubted: Sequence[str]) -> None:
    """What to doubt about this explanation, in so many words. Args: doubted: as `doubts` says it."""
    if doubted:
        lines = "".join(f"\n- {plain(one)}" for one in doubted)
        st.warning(f"Do not read too much into this:\n{lines}", icon=":material/warning:")
    elif explanation.attribution.levels and read_checks(app.workspace.run(explanation.question.run)) is None:
        st.caption("The explanations of this run have not been checked yet; see the end of the page.")


def show_checks(app: AppContext, info: RunInfo) -> None:
    """All checks of a run, and the audio share by class."""
    st.subheader("Can these explanations be trusted?", anchor=False)
    if not info.listens:
        st.caption("This run never listens; the checks are about sound.")
        return
    checks = read_checks(app.workspace.run(info.run))
    if checks is None:
        st.write(
            "The checks hold explanations to true sounds, planted detectors and random weights. They take minutes."
        )
    else:
        _show_results(app, info, checks)
    _offer_checks(app, info, checks)


def _show_results(app: AppContext, info: RunInfo, checks: dict[str, Any]) -> None:
    rows = [
        {"Check": _NAMES[one["check"]], "Result": _ICONS[one["passed"]], "In words": plain(one["words"])}
        for one in checks["verdicts"]
    ]
    # Not a data frame: sentences are to be read to their end.
    st.table(pd.DataFrame(rows).set_index("Check"), border="horizontal")
    st.caption(f"On {checks['segments']} true segments in {checks['clips']} clips.")
    st.markdown(
        "**By class:** audio share of every true segment, mean gate, and what sound is worth (ΔAP, points). "
        "♪ marks classes that sight alone cannot tell."
    )
    chart(share_distribution(checks["classes"], _effects(app, info), theme()), name="audio share by class")


def _offer_checks(app: AppContext, info: RunInfo, checks: dict[str, Any] | None) -> None:
    """A button to make the checks, with the trainings that one of them takes where they can be done."""
    trained = bool((checks or {}).get("trainings"))
    retrain = may_retrain(app.workspace, app.workspace.run(info.run)) and st.checkbox(
        "Also train on swapped labels until they are learnt: two trainings from scratch",
        value=trained,
        key=f"retrain {info.run} {trained}",
        help=f"{LONGER[0]:g} times as long as training {info.run} took, twice; longer where labels are hard to learn. "
        f"For the demo kitchen's detectors that is some {_DEMO_MINUTES} minutes on two cores, training clips included. "
        "What is trained is kept: a second time it costs nothing.",
    )

    def work(job: Job) -> None:
        verify_explanations(
            app.workspace,
            info.run,
            retrain=retrain,
            detector=app.detectors.get(info.run),
            progress=lambda share, words: job.report(share, words),
            cancel=lambda: job.cancelled,
        )

    label = "Check them" if checks is None else "Check again"
    offer(app, _KIND, f"verify {info.run}", f"Checking {info.run}", label, work)


def _effects(app: AppContext, info: RunInfo) -> dict[str, float]:
    """AP with sound minus AP without by class, where it is known already."""
    run = app.workspace.run(info.run)
    if not (run.stored_files("on") and run.stored_files("off")) or not gates.has_audio_effect(app.workspace, info.run):
        return {}
    table = gates.audio_effect(app.workspace, info.run)
    names = app.workspace.class_names(info.label_set)
    return {
        names[int(row["label"])]: float(row["effect"])
        for row in table.to_dict("records")
        if row["effect"] == row["effect"]
    }
