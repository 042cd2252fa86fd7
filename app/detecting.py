"""Detection that a page asks for: the work itself, and what stands where there is nothing to show yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app.context import AppContext
from app.jobs import Job
from app.sidebar import sound_title
from app.work import offer
from mravff_core.audio_condition import AudioCondition
from mravff_core.workspace import RunInfo


def detecting(
    app: AppContext, run: str, audio: AudioCondition | str, clip_ids: Sequence[str] | None = None
) -> Callable[[Job], None]:
    """Work that has a run detect in clips, all of them by default, and stores what it finds."""

    def work(job: Job) -> None:
        from mravff_core.inference.run_predict import predict

        job.report(0.0, "Loading the detector")
        detector = app.detectors.get(run)
        job.report(0.0, "Detecting")
        predict(
            app.workspace,
            run,
            condition=audio,
            clip_ids=clip_ids,
            detector=detector,
            progress=lambda share: job.report(share, "Detecting"),
            cancel=lambda: job.cancelled,
        )

    return work


def say_not_detected(app: AppContext, info: RunInfo, audio: str) -> None:
    """Say that a run has nothing stored for what it was to hear, and offer to have it detect."""
    st.subheader("Nothing detected yet", anchor=False)
    st.write(f"`{info.run}` has not been run on this workspace's clips ({sound_title(AudioCondition.parse(audio))}).")
    if info.has_detector:
        name, title = f"predict {info.run} {audio}", f"Detecting with {info.run}"
        offer(app, "predict", name, title, "Detect in all clips", detecting(app, info.run, audio))
