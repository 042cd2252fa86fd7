"""The player as a Streamlit component: one `<video>`, its tracks, and what a person does with them.

Ids of segments: `t0`, `t1`, … are the true segments in order of start, `d0`, `d1`, … the
detections of the first row, best first, and `o1d0`, `o1d1`, … those of the first row beside it
(`o2d0` of the second, …). The Clip page's address shows rows beside with
`with=RUN@CONDITION` (several after commas; `@CONDITION` may be left out for the sound as
recorded) and selects with `segment=ID`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import streamlit as st

from app import urls
from app.assets import Assets

_FOLDER = Path(__file__).parent
_assets = Assets(_FOLDER, lambda: f"{urls.prefix()}/player")
asset = _assets.get

# The modules come from a route of ours, so that no packaging of component files is needed.
# Streamlit calls this again on the same element whenever the data changes. While the module is still
# on its way several calls wait for it, and they may go on in any order: only the last one counts.
SHIM = """
const shown = new WeakMap();
export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component;
  const state = shown.get(parentElement) ?? { calls: 0, gone: false, close: null };
  shown.set(parentElement, state);
  const call = (state.calls += 1);
  import(new URL(data.module_url, document.baseURI).href).then(({ mount }) => {
    if (state.gone || call !== state.calls) return;
    const tell = (moment) => setStateValue("moment", moment);
    state.close = mount(parentElement, data, tell, (wish) => setTriggerValue("wish", wish));
  });
  return () => {
    shown.delete(parentElement);
    state.gone = true;
    state.close?.();
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
    shown_labels: list[int]
    selected: str | None
    time_s: float
    jump: int
    label_set: str
    run: str | None


class OtherRow(TypedDict):
    """Detections of another run, or of the same with another sound, in a row of their own."""

    name: str
    segments_url: str
    attribution_url: NotRequired[str | None]


class LikelyClip(TypedDict):
    """Addresses of a clip that may be shown next; `others` are those of rows beside."""

    sources: dict[str, str | None]
    others: list[str]
    video_url: str | None
    poster_url: str | None


class PlayerData(TypedDict):
    """Everything the player needs.

    `sources` are addresses of track data by kind, None for none. `others` are rows beside the
    first one, which is then called `name`; all rows share label set, threshold and classes.
    `next` are clips that are fetched beforehand, when nothing else is under way.
    """

    clip: PlayerClip
    sources: dict[str, str | None]
    view: PlayerView
    others: NotRequired[list[OtherRow]]
    name: NotRequired[str]
    next: NotRequired[list[LikelyClip]]


@dataclass(frozen=True)
class PlayerState:
    """Where a person has gone: in which clip, to which second, with which segment selected."""

    clip_id: str | None = None
    time_s: float = 0.0
    selected: str | None = None


def player(data: PlayerData, *, key: str, on_beside: Callable[[], None] = lambda: None) -> PlayerState:
    """Show the player.

    Args:
        on_beside: called when a person asks for another row beside the first, or for none.
    Returns: what it last told; playing alone tells nothing.
    """
    result = _component()(
        data={**data, "module_url": _assets.url("player.js")},
        key=key,
        on_moment_change=lambda: None,
        on_wish_change=on_beside,
    )
    moment = result.moment
    if not moment:
        return PlayerState()
    return PlayerState(str(moment["clip_id"]), float(moment["time_s"]), moment["selected"])


@functools.cache
def _component() -> Any:
    css = (_FOLDER / "player.css").read_text(encoding="utf-8")
    return st.components.v2.component("mravff_player", js=SHIM, css=css, isolate_styles=True)
