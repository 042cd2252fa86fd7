"""Figures of a comparison: differences by class, and what became of the events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mravff_core.plots.theme import Theme, room_for, set_margins, styled
from mravff_core.plots.words import as_text, beside_axis, interval_words

KIND_WORDS = {
    "gained": "only B finds it",
    "lost": "only A finds it",
    "moved": "both, elsewhere",
    "renamed": "both, other class",
    "same": "both alike",
}
_ROW_PX, _KIND_PX, _HEAD_PX = 21, 30, 84
_CLASSES_PX, _KINDS_PX = 440, 190  # width of the figures, and of the kinds' bars, in the narrowest window
_CLEAR_GAIN, _CLEAR_LOSS, _UNCLEAR = "clear gain", "clear loss", "interval holds 0"


def class_differences(classes: pd.DataFrame, theme: Theme, *, chosen: str = "") -> go.Figure:
    """A dot and interval for every class, in the order given, top first.

    Clear gains and losses are triangles that point up and down, the others hollow circles; at the
    right how many true segments there are and how many detections were gained and lost. Each class's
    whole row can be clicked; `customdata` begins with its name.

    Args:
        classes: `name`, `segments`, `a`, `b`, `difference`, `low`, `high`, `clear` (average
            precisions in [0, 1]), `gained`, `gained_correct`, `lost`, `lost_correct`.
        chosen: name of the class to be marked.
    """
    rows = classes.iloc[::-1]
    rows = rows.assign(drawn=rows["name"].map(as_text))
    figure = go.Figure()
    beside, counts = rows["name"].map(beside_axis), _counts(rows)
    left_px = room_for(beside)
    least, last = _range(rows)
    # As much more to the right as the counts take.
    share = min(0.6, room_for(counts, size_px=12) / (_CLASSES_PX - left_px))
    most = least + (last - least) / (1 - share)
    figure.add_trace(_clickable_rows(rows, least, most, theme, chosen))
    figure.add_vline(x=0, line={"color": theme.faint, "width": 1, "dash": "dot"})
    for state, symbol in ((_CLEAR_GAIN, "triangle-up"), (_CLEAR_LOSS, "triangle-down"), (_UNCLEAR, "circle-open")):
        own = rows[_states(rows) == state]
        colour = {_CLEAR_GAIN: theme.good, _CLEAR_LOSS: theme.bad, _UNCLEAR: theme.faint}[state]
        figure.add_trace(
            go.Scatter(
                x=100 * own["difference"],
                y=own["drawn"],
                mode="markers",
                name=state,
                marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
                error_x=_bars(own, colour),
                customdata=_data(own),
                hovertext=own["drawn"],
                hovertemplate=_HOVER,
            )
        )
    figure.add_trace(_class_counts(rows, counts, most, theme))
    figure.update_layout(barmode="overlay", bargap=0.0)
    figure.update_xaxes(
        range=[least, most],
        tickvals=_ticks(rows, most),
        zeroline=False,
        side="top",
    )
    # Above the names too: legend and title would have to do with the plot's width.
    for above_px, words, colour in (
        (17, "true, gained, lost", theme.faint),
        (35, "AP of B minus A (points, 95 % whiskers)", theme.ink),
        (59, f"▲ {_CLEAR_GAIN}  ▼ {_CLEAR_LOSS}  ○ {_UNCLEAR}", theme.faint),
    ):
        figure.add_annotation(
            text=words,
            x=1,
            xref="paper",
            y=1,
            yref="paper",
            xanchor="right",
            yanchor="bottom",
            yshift=above_px,
            showarrow=False,
            font={"size": 13 if colour == theme.ink else 12, "color": colour},
        )
    figure.update_yaxes(
        type="category",
        showgrid=False,
        categoryorder="array",
        categoryarray=rows["drawn"],
        tickmode="array",
        tickvals=rows["drawn"],
        ticktext=beside,
        range=[-0.5, max(len(rows), 1) - 0.5],
    )
    figure = styled(figure, theme, height=_ROW_PX * len(rows) + 96, legend=False)
    return set_margins(figure, left=left_px, top=_HEAD_PX, bottom=12)


def kind_bars(counts: pd.DataFrame, theme: Theme, *, chosen: str = "") -> go.Figure:
    """How many events were gained, lost, moved, renamed and the same; correct ones filled, wrong ones hatched.

    Args:
        counts: `kind`, `correct` (bool), `count`; a kind's rows in the order to show.
        chosen: kind to be marked. The whole row of a kind can be clicked; `customdata` is the kind.
    """
    table = counts.pivot_table(index="kind", columns="correct", values="count", sort=False)
    table = table.reindex(columns=[True, False], fill_value=0).astype(int)
    kinds, right, wrong = list(table.index), table[True].tolist(), table[False].tolist()
    texts = [f" {each + other:,}, {each:,} correct" for each, other in zip(right, wrong, strict=True)]
    # The longest bar leaves as much room as the longest text takes.
    bar_px = max(0.25 * _KINDS_PX, min(0.55 * _KINDS_PX, _KINDS_PX - room_for(texts)))
    most = _KINDS_PX / bar_px * max(1, *table.sum(axis=1))
    colours = [{"gained": theme.good, "lost": theme.bad}.get(kind, theme.faint) for kind in kinds]
    common = {"y": kinds, "orientation": "h", "customdata": [[kind] for kind in kinds]}
    figure = go.Figure(
        [
            go.Bar(x=right, name="correct", marker={"color": colours}, hoverinfo="skip", **common),
            go.Bar(
                x=wrong,
                base=right,
                name="wrong",
                marker={"color": colours, "pattern": {"shape": "/", "fgcolor": theme.paper, "size": 6}},
                hoverinfo="skip",
                **common,
            ),
            go.Scatter(
                x=[each + other for each, other in zip(right, wrong, strict=True)],
                y=kinds,
                mode="text",
                text=texts,
                textposition="middle right",
                textfont={"color": theme.ink},
                hoverinfo="skip",
                cliponaxis=False,
            ),
            go.Bar(
                x=[most] * len(kinds),
                marker={"color": [_tint(theme, kind == chosen) for kind in kinds]},
                hovertemplate="%{y}: click to list these only<extra></extra>",
                **common,
            ),
        ]
    )
    figure.update_layout(
        barmode="overlay",
        bargap=0.2,
        title={"text": "filled: correct, hatched: wrong", "font": {"size": 13}, "x": 0, "xref": "paper", "y": 0.98},
    )
    figure.update_xaxes(range=[0, most], showgrid=False, showticklabels=False, zeroline=False)
    words = [f"<b>{kind}</b>  {KIND_WORDS[kind]}" for kind in kinds]
    figure.update_yaxes(autorange="reversed", tickvals=kinds, ticktext=words, showgrid=False)
    styled(figure, theme, height=_KIND_PX * len(kinds) + 46, legend=False)
    return set_margins(figure, left=room_for(words), bottom=8)


def _tint(theme: Theme, chosen: bool) -> str:
    """Of a clickable row: seen only where it is chosen, and through it what it stands over."""
    red, green, blue = (int(theme.ink[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{0.13 if chosen else 0})"


_HOVER = (
    "<b>%{hovertext}</b>: %{customdata[3]} points<br>AP of A %{customdata[1]} %, of B %{customdata[2]} %, over "
    "%{customdata[4]} true segments<br>gained %{customdata[5]}, of these correct %{customdata[6]}<br>"
    "lost %{customdata[7]}, of these correct %{customdata[8]}<extra></extra>"
)


def _states(rows: pd.DataFrame) -> pd.Series:
    clear = rows["clear"].astype(bool)
    names = np.where(rows["difference"] > 0, _CLEAR_GAIN, _CLEAR_LOSS)
    return pd.Series(np.where(clear, names, _UNCLEAR), index=rows.index)


def _range(rows: pd.DataFrame) -> tuple[float, float]:
    """Left and right end of what is drawn, 0 always inside."""
    ends = 100 * rows[["difference", "low", "high"]].to_numpy(float)
    ends = ends[np.isfinite(ends)]
    least, most = min(0.0, ends.min(initial=0.0)), max(0.0, ends.max(initial=0.0))
    room = 0.06 * (most - least) or 1.0
    return least - room, most + room


def _ticks(rows: pd.DataFrame, most: float) -> list[float]:
    """Round numbers up to the largest value, and none under the counts at the right end, which is `most`."""
    least, _ = _range(rows)
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 25, 50) if step == 50 or 5 * step >= most - least)
    last = 100 * np.nanmax(rows[["difference", "high"]].to_numpy(float), initial=0.0)
    return [step * count for count in range(int(np.ceil(least / step)), int(last // step) + 1)]


def _bars(rows: pd.DataFrame, colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": (100 * (rows["high"] - rows["difference"])).fillna(0.0),
        "arrayminus": (100 * (rows["difference"] - rows["low"])).fillna(0.0),
        "color": colour,
        "thickness": 1.5,
        "width": 3,
    }


def _data(rows: pd.DataFrame) -> Sequence[list]:
    return [
        [
            row["name"],
            f"{100 * row['a']:.1f}",
            f"{100 * row['b']:.1f}",
            interval_words(row["difference"], row["low"], row["high"]),
            int(row["segments"]),
            *(int(row[name]) for name in ("gained", "gained_correct", "lost", "lost_correct")),
        ]
        for row in rows.to_dict("records")
    ]


def _counts(rows: pd.DataFrame) -> list[str]:
    """True segments, gained and lost, in words."""
    counts = rows[["segments", "gained", "lost"]].astype(int).to_numpy().tolist()
    return [f"{segments} true, +{gained} −{lost} " for segments, gained, lost in counts]


def _class_counts(rows: pd.DataFrame, counts: list[str], most: float, theme: Theme) -> go.Scatter:
    """Words at the right end of every row."""
    return go.Scatter(
        x=[most] * len(rows),
        y=rows["drawn"],
        mode="text",
        text=counts,
        textposition="middle left",
        textfont={"color": theme.faint, "size": 12},
        hoverinfo="skip",
        showlegend=False,
    )


def _clickable_rows(rows: pd.DataFrame, least: float, most: float, theme: Theme, chosen: str) -> go.Bar:
    """Bars as wide as the axis, so that a class is chosen by a click anywhere in its row."""
    return go.Bar(
        base=[least] * len(rows),
        x=[most - least] * len(rows),
        y=rows["drawn"],
        orientation="h",
        marker={"color": [_tint(theme, name == chosen) for name in rows["name"]]},
        customdata=_data(rows),
        hovertext=rows["drawn"],
        hovertemplate=_HOVER,
        showlegend=False,
    )
