"""The player as a Streamlit component: one `<video>`, its tracks, and what a person does with them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import streamlit as st

from app import urls
from app.assets import Assets

_FOLDER = Path(__file__).parent
_assets = Assets(_FOLDER, lambda: f"{urls.prefix()}/player")
asset = _assets.get

# The modules come from a route of ours, so that no packaging of component files is needed.
# Streamlit calls this again on the same element whenever the data changes.
_SHIM = """
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let close = null;
  let gone = false;
  import(new URL(data.module_url, document.baseURI).href).then(({ mount }) => {
    if (!gone) close = mount(parentElement, data, (moment) => setStateValue("moment", moment));
  });
  return () => {
    gone = true;
    close?.();
  };
}
"""


class PlayerClip(TypedDict):
    """The clip: times in seconds, addresses as the browser fetches them."""

    id: str
    title: str
    duration_s: float
    frames_per_second: float
    has_audio: bool
    video_url: str | None
    poster_url: str | None


class PlayerView(TypedDict):
    """What is shown of it.

    `selected` and `time_s` are followed when the clip or `jump` changes, and only then: the
    player knows best where a person has gone since.
    """

    threshold: float
    hidden_labels: list[int]
    selected: str | None
    time_s: float
    jump: int
    label_set: str


class PlayerData(TypedDict):
    """Everything the player needs; `sources` are addresses of track data by kind, None for none."""

    clip: PlayerClip
    sources: dict[str, str | None]
    view: PlayerView


@dataclass(frozen=True)
class PlayerState:
    """Where a person has gone: in which clip, to which second, with which segment selected."""

    clip_id: str | None = None
    time_s: float = 0.0
    selected: str | None = None


def player(data: PlayerData, *, key: str) -> PlayerState:
    """Show the player. Returns: what it last told; playing alone tells nothing."""
    result = _component()(data={**data, "module_url": _assets.url("player.js")}, key=key, on_moment_change=lambda: None)
    moment = result.moment
    if not moment:
        return PlayerState()
    return PlayerState(str(moment["clip_id"]), float(moment["time_s"]), moment["selected"])


@functools.cache
def _component() -> Any:
    css = (_FOLDER / "player.css").read_text(encoding="utf-8")
    return st.components.v2.component("mravff_player", js=_SHIM, css=css, isolate_styles=True)
