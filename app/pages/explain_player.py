"""The player on the Explain page: the explained detection selected; a click on another one explains that."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.context import AppContext
from app.page_state import PageState
from app.player import player
from app.sources import attribution_source, shown_clip, sources
from app.view import DEFAULT_THRESHOLD, View
from mravff_core.audio_condition import AudioCondition
from mravff_core.workspace import RunInfo

_JUMP, _TOLD = "explain jump", "explain told"


def show_player(app: AppContext, state: PageState[Any], info: RunInfo, detections: pd.DataFrame) -> None:
    """Video and tracks of the chosen detection; draws the page anew when a person selects another one.

    Args:
        state: of the page, with `clip`, `audio`, `labels`, `n`, `what`, `sound` and `sight`.
        detections: those that can be chosen, best first.
    """
    chosen = state.choices
    view = View(
        clip=chosen.clip,
        run=info.run,
        label_set=chosen.labels or info.label_set,
        audio=AudioCondition.parse(chosen.audio),
    )
    shown = detections.iloc[chosen.n]
    told = player(
        {
            "clip": shown_clip(app.workspace, chosen.clip),
            "sources": _sources(app, view, info, chosen),
            "view": {
                "threshold": min(DEFAULT_THRESHOLD, float(shown["score"])),
                "shown_labels": [],
                "selected": f"d{chosen.n}",
                "time_s": round(float(shown["start_s"]), 3),
                "jump": _jump((chosen.clip, info.run, chosen.audio, chosen.labels, chosen.n)),
                "label_set": view.label_set,
                "run": info.run,
            },
        },
        key="explain_player",
    )
    news = told != st.session_state.get(_TOLD)
    st.session_state[_TOLD] = told
    number = (told.selected or "").removeprefix("d")
    if not news or told.clip_id != chosen.clip or not number.isdecimal() or int(number) >= len(detections):
        return
    if int(number) != chosen.n:
        state.change("player", n=int(number))
        # The player is there already: that is no order to go anywhere.
        where, count = st.session_state[_JUMP]
        st.session_state[_JUMP] = (*where[:-1], int(number)), count
        st.rerun()


def _sources(app: AppContext, view: View, info: RunInfo, chosen: Any) -> dict[str, str | None]:
    found = sources(app.workspace, view, info, predicted=True)
    asked = {"what": chosen.what, "sound": chosen.sound, "sight": chosen.sight}
    return found | {
        "attribution": attribution_source(app.workspace, chosen.clip, view.label_set, view.main, **asked),
    }


def _jump(where: tuple[Any, ...]) -> int:
    """A number that changes when the page's own inputs choose another detection."""
    before, count = st.session_state.get(_JUMP, (None, 0))
    if before != where:
        count += 1
        st.session_state[_JUMP] = where, count
    return int(count)
