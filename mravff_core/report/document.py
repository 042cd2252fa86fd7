"""What a report is made of: sections with figures, tables and playable segments."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go

from mravff_core.workspace import MarkedSegment


@dataclass(frozen=True)
class Figure:
    """A figure made by `mravff_core.plots`; `name` is also that of its file."""

    name: str
    caption: str
    figure: go.Figure


@dataclass(frozen=True)
class Table:
    """Rows under plain column names; `name` is also that of its file.

    `percent` columns hold shares in [0, 1] that are shown as percentages, `points` columns differences of such.
    """

    name: str
    caption: str
    table: pd.DataFrame
    percent: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """One segment to look at.

    Attributes:
        segment: what and where.
        note: what somebody wrote on it.
        picture: JPEG of its middle; empty where the clip has no video.
        film: MP4 of the segment with a second around it; empty where there is none.
    """

    segment: MarkedSegment
    note: str = ""
    picture: bytes = b""
    film: bytes = b""


@dataclass(frozen=True)
class Section:
    """One part of a report: words, then figures, tables and scenes."""

    name: str
    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    scenes: tuple[Scene, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: for people.
        facts: data set, runs, conditions, versions, date, in the order to show.
        commands: what to run to make it again.
        sections: in order.
    """

    title: str
    facts: dict[str, str]
    commands: tuple[str, ...]
    sections: tuple[Section, ...] = field(default=())
