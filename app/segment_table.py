"""A table of segments: sort it, choose a row to see it beside the table, press play to open the player.

Every row of the table has `clip_id`, `start_s`, `end_s` and an id that tells rows apart; further
columns are shown as they are, or as `columns` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import urls
from app.context import AppContext
from app.page_state import PageState
from app.plain_text import NOTHING, plain
from app.session import send_to_player
from app.snippet import snippet
from app.whole_table import offer_whole
from mravff_core.errors import WorkspaceError

_PLAY = "▶"
_PICTURE_PX = 46
_LONG_NAME = 20  # letters
PICTURE = st.column_config.ImageColumn("", width=80)


def player_query(
    clip_id: str,
    *,
    run: str | None = None,
    audio: str = "on",
    labels: str = "",
    time_s: float | None = None,
    segment: str | None = None,
    second: str | None = None,
) -> dict[str, str]:
    """Address of the Clip page for one segment.

    Args:
        run, audio: whose detections are shown; the page's own choice where None.
        labels: their label set; the run's first if empty.
        time_s: where the playhead stands.
        segment: id of the selected segment as the player has it: `t0`, `t1`, … are a clip's
            true segments in order of start, `d0`, `d1`, … its detections, best first.
        second: `RUN@CONDITION` of a second side, shown under the first.
    """
    query = {"clip": clip_id, "run": run, "labels": labels, "segment": segment, "with": second}
    if audio != "on":
        query["audio"] = audio
    if time_s is not None:
        query["t"] = f"{time_s:.3f}".rstrip("0").rstrip(".")
    return {name: value for name, value in query.items() if value}


def open_player(app: AppContext, **where: Any) -> None:
    """Go to the Clip page now; arguments as of `player_query`."""
    # With parameters of its own, the switch would leave a page that never was in the browser's history.
    send_to_player(app.workspace, player_query(**where))
    st.switch_page(st.session_state["pages"]["clip"])


def player_link(label: str = "Open in the player", **where: Any) -> None:
    """A link to the Clip page; arguments as of `player_query`."""
    page = st.session_state["pages"]["clip"]
    st.page_link(page, label=label, icon=":material/play_circle:", query_params=player_query(**where))


def segment_table(
    app: AppContext,
    table: pd.DataFrame,
    *,
    state: PageState[Any],
    field: str,
    row_id: str = "segment_id",
    columns: Mapping[str, Any] | None = None,
    run: str | None = None,
    audio: str = "on",
    labels: str = "",
    second: str | None = None,
    name: str = "segments",
    height: int = 330,
    pictures: bool = True,
    whole: Callable[[], pd.DataFrame] | None = None,
) -> pd.Series | None:
    """Show segments; the chosen one plays beside the table.

    Args:
        table: one row a segment, in the order to show; `player_segment`, where there, is the id
            that the player selects.
        state, field: where the id of the chosen row is kept; empty for none.
        row_id: column of ids, unique and text.
        columns: further columns to show, by column: a label or a `st.column_config` entry; None for one that
            is only shown when it is asked for in the table's menu. The usual ones, named here, move to their place.
        run, audio, labels, second: what the player shows, as of `player_query`; columns `run`, `audio` and
            `second` of the table go first.
        name: unlike any other table's on the page.
        height: of the table in pixels.
        pictures: whether to show the picture at a segment's middle.
        whole: gives what can be saved as CSV, where that is more than `table`.
    Returns: the chosen row, or None.
    """
    if table.empty:
        st.caption("No segments fit.")
        return None
    table = table.reset_index(drop=True)
    shown = _shown(app, table, columns or {}, pictures)
    key = f"{state.key(field, f'table {name}')} {_digest(table[row_id])}"
    ids = table[row_id].tolist()
    chosen = getattr(state.choices, field)
    place = ids.index(chosen) if chosen in ids else None

    def picked() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        state.change(f"table {name}", **{field: ids[cells[0][0]] if cells else ""})

    left, right = st.columns([74, 26])
    with left:
        play_key = f"play {key}"
        st.dataframe(
            shown,
            key=key,
            width="stretch",
            height=min(height, 38 + (len(shown) + 1) * (_PICTURE_PX if "picture" in shown else 35)),
            hide_index=True,
            row_height=_PICTURE_PX if "picture" in shown else None,
            placeholder=NOTHING,
            column_config=_column_config(shown, columns or {}, play_key),
            on_select=picked,
            selection_mode="single-cell",
            selection_default={"selection": {"cells": [] if place is None else [(place, "clip_id")]}},
        )
        clicked = st.session_state.get(play_key)
        if clicked is not None:
            open_player(app, **_where(table.iloc[clicked["row"]], run, audio, labels, second))
    with right:
        if place is None:
            st.caption("Choose a row to hear and see it here; ▶ opens it in the player with all its tracks.")
        else:
            _beside(app, table.iloc[place], run, audio, labels, second)
        offer_whole(whole or (lambda: table), name)
    return None if place is None else table.iloc[place]


def _shown(app: AppContext, table: pd.DataFrame, columns: Mapping[str, Any], pictures: bool) -> pd.DataFrame:
    shown = pd.DataFrame({"play": [_PLAY] * len(table)})
    if pictures and any(app.workspace.clips["path"] != ""):
        middle_s = (table["start_s"] + table["end_s"]) / 2
        shown["picture"] = [
            urls.frame(clip_id, time_s) for clip_id, time_s in zip(table["clip_id"], middle_s, strict=True)
        ]
    for column in ("clip_id", "start_s", "end_s"):
        shown[column] = table[column]
    shown["length_s"] = table["end_s"] - table["start_s"]
    for column in columns:
        if column in shown:
            shown[column] = shown.pop(column)
        elif column in table:
            shown[column] = table[column]
    return shown


def _column_config(shown: pd.DataFrame, columns: Mapping[str, Any], play_key: str) -> dict[str, Any]:
    seconds: dict[str, Any] = {"format": "%.2f", "width": 64}
    return {
        "play": st.column_config.ButtonColumn(
            "", width=38, pinned=True, type="tertiary", help="Open in the player", key=play_key
        ),
        "picture": PICTURE,
        "clip_id": st.column_config.TextColumn("Clip", width=_clip_px(shown)),
        "start_s": st.column_config.NumberColumn("Start (s)", **seconds),
        "end_s": st.column_config.NumberColumn("End (s)", **seconds),
        "length_s": st.column_config.NumberColumn("Length (s)", **seconds),
        **columns,
    }


def _clip_px(shown: pd.DataFrame) -> int | None:
    """Width of the column of clips, None for as wide as its names: long ones would push all others out of sight."""
    if "picture" not in shown:
        return 92
    return None if shown["clip_id"].str.len().max() <= _LONG_NAME else 140


def _beside(app: AppContext, row: pd.Series, run: str | None, audio: str, labels: str, second: str | None) -> None:
    clip = app.workspace.clip(row["clip_id"])
    try:
        app.workspace.video_path(clip.clip_id)
    except WorkspaceError as error:
        st.caption(plain(str(error)))
    else:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
        snippet(urls.video(clip.clip_id), start_s=start_s, end_s=end_s, duration_s=clip.duration_s)
    player_link(**_where(row, run, audio, labels, second))


def _where(row: pd.Series, run: str | None, audio: str, labels: str, second: str | None) -> dict[str, Any]:
    return {
        "clip_id": row["clip_id"],
        "run": row.get("run", run),
        "audio": row.get("audio", audio),
        "labels": labels,
        "second": row.get("second", second),
        "segment": row.get("player_segment"),
        "time_s": float(row["start_s"]),
    }


def _digest(ids: pd.Series) -> str:
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
