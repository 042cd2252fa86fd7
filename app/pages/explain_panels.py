"""Panels of the Explain page: frames, listening and attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from app.charts import chart, theme
from app.context import AppContext
from app.page_state import PageState
from app.plain_text import plain
from mravff_core.analysis.attention_map import attention_map
from mravff_core.analysis.explain_run import Explanation
from mravff_core.analysis.listening import listen
from mravff_core.errors import MravffError
from mravff_core.media.thumbnails import strip
from mravff_core.plots.explanation import attention_figure
from mravff_core.plots.words import signed

_FRAMES = 6


def show_frames(app: AppContext, explanation: Explanation) -> None:
    """Pictures at the moments of highest visual attribution, in order of time."""
    clip = app.workspace.clip(explanation.question.clip)
    values, times_s = explanation.attribution.gradients.vision, explanation.attribution.times_s
    best = [int(step) for step in np.argsort(-values, kind="stable")[:_FRAMES] if values[step] > 0]
    if not clip.path or not best:
        return
    try:
        pictures = strip(
            app.workspace.video_path(clip.clip_id), [float(times_s[step]) for step in sorted(best)], height=150
        )
    except MravffError as error:
        st.caption(plain(str(error)))
        return
    st.markdown("**The pictures** that spoke for it most, in order of time.")
    for column, step, picture in zip(st.columns(_FRAMES), sorted(best), pictures, strict=False):
        column.image(picture, caption=f"{times_s[step]:.2f} s · {signed(values[step], 3)}", width="stretch")


def show_listening(app: AppContext, explanation: Explanation) -> None:
    """Play what mattered alone, and the clip without it next to the new score."""
    try:
        heard = listen(app.workspace, explanation, app.detectors.get(explanation.question.run))
    except MravffError as error:
        st.caption(plain(str(error)))
        return
    if not len(heard.moments_s):
        return
    total_s = float(np.diff(heard.moments_s, axis=1).sum())
    low = max(0, int((heard.moments_s[0, 0] - 1.0) * heard.sample_rate))
    high = int((heard.moments_s[-1, 1] + 1.0) * heard.sample_rate)
    first, second, third = st.columns([4, 4, 4], vertical_alignment="bottom")
    with first:
        st.markdown(f"**Listen to what mattered:** {total_s:.1f} s of sound in {len(heard.moments_s)} moments")
        st.audio(heard.only[low:high], sample_rate=heard.sample_rate)
    with second:
        st.markdown("**The same stretch without them**")
        st.audio(heard.without[low:high], sample_rate=heard.sample_rate)
    third.metric(
        "Score with these moments muted",
        f"{heard.muted_score:.2f}",
        **_change(heard.muted_score - heard.score, heard.score),
        help="The muted sound was encoded anew and scored at the same point, before suppression.",
    )


def _change(difference: float, before: float) -> dict[str, Any]:
    """What a metric says of a change; one too small to see has neither direction nor colour."""
    if signed(difference, 2) == "0.00":
        return {"delta": f"unchanged from {before:.2f}", "delta_color": "off", "delta_arrow": "off"}
    return {"delta": f"{difference:+.2f} from {before:.2f}"}


def show_attention(app: AppContext, state: PageState[Any], explanation: Explanation) -> None:
    """Which sounds the level of the detection asked for."""
    question, point = explanation.question, explanation.point
    detector = app.detectors.get(question.run)
    level = state.choices.level if 0 <= state.choices.level < len(detector.strides) else point.level
    head = state.choices.head
    if detector.fusion is None:
        return
    heads = detector.config.fusion.heads
    found = attention_map(
        app.workspace,
        question.clip,
        detector,
        condition=question.audio,
        level=level,
        head=head if 0 <= head < heads else None,
    )
    if found is None:
        return
    words, choose_level, choose_head = st.columns([7, 2.5, 2.5], vertical_alignment="bottom")
    with choose_level:
        levels = {-1: f"The detection's (L{point.level})", **{number: f"L{number}" for number in range(found.levels)}}
        state.select("level", "Level", levels)
    with choose_head:
        state.select("head", "Head", {-1: "Mean of all", **{number: f"Head {number}" for number in range(heads)}})
    words.markdown(
        "**Attention:** which sounds each step asked for. The cross marks the explained moment; "
        "weights say nothing where the gate is nearly shut."
    )
    point_s = (
        float(found.times_s[min(point.step, len(found.times_s) - 1)]) if level == point.level else explanation.start_s
    )
    chart(attention_figure(found, theme(), time_s=point_s), name="attention")
