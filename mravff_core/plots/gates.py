"""Figures of gates: by class and level, beside the effect of audio, along segments, by pairs of classes.

Marks that lead to a class carry its name as `customdata`. Matrices are drawn as square markers,
not as heat maps, since those tell nobody when they are clicked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from mravff_core.plots.theme import GATE_SCALE, Theme, room_for, set_margins, styled
from mravff_core.plots.words import as_text, beside_axis, count_words, interval_words

_ROW_PX, _HEAD_PX, _FOOT_PX = 25, 94, 12
_PAIRS_PX = 22
_DASHES = ("solid", "longdash", "dash", "dot", "dashdot", "longdashdot")
# Share of a scatter's width and height that a name takes.
_NAME_SHARE = (0.14, 0.055)
NO_PROOF = "A large gate shows that sound was mixed in, not that it helped; what sound is worth is the change in AP."


def gate_matrix(classes: pd.DataFrame, level_names: Sequence[str], theme: Theme, *, chosen: str = "") -> go.Figure:
    """Classes by pyramid levels; beside them how many segments there are and what audio does.

    Args:
        classes: of `with_effect`, in the order to show, first on top.
        level_names: finest first.
        chosen: name of the class to frame.
    """
    names = classes["name"].tolist()
    drawn, beside = list(map(as_text, names)), list(map(beside_axis, names))
    figure = make_subplots(rows=1, cols=3, shared_yaxes=True, horizontal_spacing=0.03, column_widths=[0.5, 0.13, 0.37])
    figure.add_trace(_squares(classes, level_names), row=1, col=1)
    figure.add_trace(
        go.Bar(
            x=classes["count"],
            y=drawn,
            orientation="h",
            marker={"color": theme.faint, "opacity": 0.5},
            customdata=names,
            text=[count_words(count, "segment") for count in classes["count"]],
            textposition="none",
            hovertext=drawn,
            hovertemplate="%{hovertext}: %{text}<extra></extra>",
        ),
        row=1,
        col=2,
    )
    figure.add_vline(x=0, line={"color": theme.faint, "width": 1}, row=1, col=3)
    figure.add_trace(_effects(classes, theme, vertical=False), row=1, col=3)
    styled(figure, theme, height=_HEAD_PX + _FOOT_PX + _ROW_PX * max(1, len(names)), legend=False)
    figure.update_yaxes(type="category", range=[len(names) - 0.5, -0.5], showgrid=False, tickfont={"color": theme.ink})
    # All ticks of a long list: Plotly leaves some out where it finds them too close.
    figure.update_yaxes(tickmode="array", tickvals=drawn, ticktext=beside, row=1, col=1)
    figure.update_xaxes(side="top", showgrid=False, fixedrange=True)
    figure.update_xaxes(title_text="Mean gate × 100; step in s", row=1, col=1)
    figure.update_xaxes(title_text="Segments", nticks=3, tickangle=0, row=1, col=2)
    figure.update_xaxes(
        title_text="AP on − off (points)",
        showgrid=True,
        nticks=5,
        range=_effect_range(classes),
        row=1,
        col=3,
    )
    set_margins(figure, left=room_for(beside), top=_HEAD_PX, bottom=_FOOT_PX).update_layout(bargap=0.5)
    _explain_marks(figure, theme, above_px=_HEAD_PX - 20)
    if chosen in names:
        place = names.index(chosen)
        figure.add_shape(
            type="rect",
            xref="paper",
            x0=0,
            x1=1,
            y0=place - 0.5,
            y1=place + 0.5,
            line={"color": theme.ink, "width": 2},
        )
    return figure


def gate_against_effect(classes: pd.DataFrame, theme: Theme, *, column: str = "gate", chosen: str = "") -> go.Figure:
    """One mark a class: its gate, and what audio does to it.

    Args:
        classes: of `with_effect`; those without a known effect are left out.
        column: whose gates.
        chosen: name of the class to mark.
    """
    known = classes[classes["effect"].notna()]
    figure = go.Figure()
    figure.add_hline(y=0, line={"color": theme.faint, "width": 1})
    trace = _effects(known, theme, vertical=True)
    trace.x = known[column]
    trace.error_x = {
        "type": "data",
        "symmetric": False,
        "array": known[f"{column}_high"] - known[column],
        "arrayminus": known[column] - known[f"{column}_low"],
        "color": theme.faint,
        "thickness": 0.5,
        "width": 0,
    }
    trace.update(
        mode="markers+text",
        text=_sparse_names(known, column, chosen),
        textposition="top center",
        textfont={"size": 11, "color": theme.faint},
        hovertext=[
            f"{as_text(name)}<br>AP with sound − without: {words}"
            for name, words in zip(known["name"], _effect_words(known), strict=True)
        ],
        hovertemplate="%{hovertext}<br>gate %{x:.2f}<extra></extra>",
    )
    figure.add_trace(trace)
    marked = known[known["name"] == chosen]
    if len(marked):
        figure.add_trace(
            go.Scatter(
                x=marked[column],
                y=100 * marked["effect"],
                mode="markers",
                marker={"symbol": "circle-open", "size": 20, "color": theme.ink, "line": {"width": 2}},
                hoverinfo="skip",
            )
        )
    styled(figure, theme, height=430, legend=False)
    figure.update_xaxes(title_text="Mean gate inside segments")
    figure.update_yaxes(title_text="AP with sound − without (points)")
    _explain_marks(figure, theme, above_px=8)
    return set_margins(figure, left=70)


def gate_distribution(segments: pd.DataFrame, level_names: Sequence[str], theme: Theme) -> go.Figure:
    """How the gates of one class's segments are spread at each level."""
    figure = go.Figure()
    few = len(segments) <= 200
    for level, (name, colour) in enumerate(zip(level_names, _level_colours(len(level_names), theme), strict=True)):
        figure.add_trace(
            go.Box(
                y=segments[f"gate_{level}"].round(4),
                name=name,
                boxpoints="all" if few else "outliers",
                jitter=0.6,
                pointpos=0,
                marker={"color": colour, "size": 4, "opacity": 0.6},
                line={"color": theme.ink, "width": 1},
                fillcolor="rgba(128,128,128,0.15)",
                hovertemplate="%{y:.2f}<extra>" + name + "</extra>" if few else None,
            )
        )
    styled(figure, theme, height=300, legend=False)
    figure.update_yaxes(range=[-0.02, 1.02], title_text="Gate inside one segment")
    figure.update_xaxes(title_text="Level and its step")
    return figure


def gate_profile_lines(profile: pd.DataFrame, level_names: Sequence[str], theme: Theme) -> go.Figure:
    """Mean gate along segments' own time with 95 % bands, one line a level."""
    figure = go.Figure()
    figure.add_vrect(x0=0, x1=1, fillcolor=theme.faint, opacity=0.12, line_width=0)
    for level, (name, colour) in enumerate(zip(level_names, _level_colours(len(level_names), theme), strict=True)):
        part = profile[profile["level"] == level].dropna()
        band = [*part["low"], *part["high"][::-1]]
        figure.add_trace(
            go.Scatter(
                x=[*part["position"], *part["position"][::-1]],
                y=band,
                fill="toself",
                fillcolor=colour,
                opacity=0.18,
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=part["position"],
                y=part["gate"],
                name=name,
                mode="lines",
                legendgroup=name,
                line={"color": colour, "width": 2, "dash": _DASHES[level % len(_DASHES)]},
                hovertemplate="%{y:.2f}<extra>" + name + "</extra>",
            )
        )
    styled(figure, theme, height=300, legend=True)
    figure.update_xaxes(
        title_text="Segment's own time",
        tickvals=[-0.5, 0, 0.5, 1, 1.5],
        ticktext=["before", "start", "", "end", "after"],
    )
    figure.update_yaxes(range=[-0.02, 1.02], title_text="Mean gate")
    return figure


def pair_matrix(pairs: pd.DataFrame, titles: tuple[str, str], theme: Theme) -> go.Figure:
    """Mean gate by pairs of classes, such as verb and noun; a mark's `customdata` are both names.

    Args:
        pairs: of `pair_gates`.
        titles: of the first label set (up) and the second (across).
    """
    pairs = pairs.assign(first=pairs["first_name"].map(as_text), second=pairs["second_name"].map(as_text))
    rows = pairs.groupby("first")["count"].sum().sort_values(ascending=False).index.tolist()
    columns = pairs.groupby("second")["count"].sum().sort_values(ascending=False).index.tolist()
    figure = go.Figure(
        go.Scatter(
            x=pairs["second"],
            y=pairs["first"],
            mode="markers",
            marker={
                "symbol": "square",
                "size": _PAIRS_PX - 4,
                "color": pairs["gate"],
                "colorscale": GATE_SCALE,
                "cmin": 0,
                "cmax": 1,
                "colorbar": {"title": {"text": "Gate"}, "thickness": 10, "tickvals": [0, 0.5, 1]},
                "line": {"color": theme.faint, "width": 1},
            },
            customdata=pairs[["first_name", "second_name", "count"]],
            hovertemplate="%{y} %{x}<br>gate %{marker.color:.2f}, %{customdata[2]} segments<extra></extra>",
        )
    )
    styled(figure, theme, height=160 + _PAIRS_PX * max(1, len(rows)), legend=False)
    figure.update_yaxes(
        title_text=as_text(titles[0]),
        type="category",
        categoryorder="array",
        categoryarray=rows[::-1],
        tickmode="array",
        tickvals=rows,
    )
    figure.update_xaxes(
        title_text=as_text(titles[1]),
        type="category",
        categoryorder="array",
        categoryarray=columns,
        tickmode="array",
        tickvals=columns,
        tickangle=-60,
    )
    return figure


def _squares(classes: pd.DataFrame, level_names: Sequence[str]) -> go.Scatter:
    levels = range(len(level_names))
    values = classes[[f"gate_{level}" for level in levels]].to_numpy(np.float64).ravel()
    low = classes[[f"gate_{level}_low" for level in levels]].to_numpy(np.float64).ravel()
    high = classes[[f"gate_{level}_high" for level in levels]].to_numpy(np.float64).ravel()
    names = np.repeat(classes["name"].to_numpy(object), len(level_names))
    known = np.nan_to_num(values)
    return go.Scatter(
        x=[name.replace(" · ", "<br>").removesuffix(" s") for name in level_names] * len(classes),
        y=list(map(as_text, names)),
        mode="markers+text",
        marker={
            "symbol": "square",
            "size": _ROW_PX - 2,
            "color": values,
            "colorscale": GATE_SCALE,
            "cmin": 0,
            "cmax": 1,
        },
        text=[f"{100 * value:.0f}" for value in known],
        # Viridis is dark in its lower part, light in its upper.
        textfont={"size": 11, "color": np.where(known < 0.6, "#ffffff", "#101418").tolist()},
        customdata=np.stack([names, np.tile(list(level_names), len(classes)), _ranges(low, high)], axis=1),
        hovertext=list(map(as_text, names)),
        hovertemplate="%{hovertext}, %{customdata[1]}<br>gate %{marker.color:.3f} (%{customdata[2]})<extra></extra>",
    )


def _effects(classes: pd.DataFrame, theme: Theme, *, vertical: bool) -> go.Scatter:
    """Effects of audio with intervals; those whose interval excludes 0 are filled, gain up and loss down."""
    effect = 100 * classes["effect"].to_numpy(np.float64)
    clear = classes["effect_clear"].to_numpy(bool)
    bars = {
        "type": "data",
        "symmetric": False,
        "array": 100 * (classes["effect_high"] - classes["effect"]),
        "arrayminus": 100 * (classes["effect"] - classes["effect_low"]),
        "color": theme.faint,
        "thickness": 1,
        "width": 0,
    }
    symbols = np.where(clear, np.where(effect > 0, "triangle-up", "triangle-down"), "circle-open")
    marker = {
        "size": 9,
        "symbol": symbols.tolist(),
        "color": np.where(clear, np.where(effect > 0, theme.good, theme.bad), theme.faint).tolist(),
    }
    names = classes["name"].tolist()
    if vertical:
        return go.Scatter(y=effect, mode="markers", marker=marker, error_y=bars, customdata=names)
    return go.Scatter(
        x=effect,
        y=list(map(as_text, names)),
        mode="markers",
        marker=marker,
        error_x=bars,
        customdata=names,
        hovertext=[f"{as_text(name)}: {words}" for name, words in zip(names, _effect_words(classes), strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _explain_marks(figure: go.Figure, theme: Theme, *, above_px: int) -> None:
    """Say above a figure what the marks of effects mean."""
    figure.add_annotation(
        text="▲ AP gains from sound  ▼ loses  ○ not clear · lines: 95 % intervals",
        xref="paper",
        yref="paper",
        x=1,
        y=1,
        xanchor="right",
        yanchor="bottom",
        yshift=above_px,
        showarrow=False,
        font={"size": 12, "color": theme.faint},
    )


def _effect_words(classes: pd.DataFrame) -> list[str]:
    """What sound is worth to each class, with its interval."""
    values = classes[["effect", "effect_low", "effect_high"]].to_numpy(np.float64)
    return [f"{interval_words(*row)} points" for row in values]


def _ranges(low: NDArray[np.float64], high: NDArray[np.float64]) -> list[str]:
    """95 % intervals in words; segments of one clip have none."""
    return [
        f"95 % {least:.3f} to {most:.3f}" if np.isfinite(least) else "of one clip, so without interval"
        for least, most in zip(low, high, strict=True)
    ]


def _effect_range(classes: pd.DataFrame) -> list[float]:
    """From the lowest to the highest end of all intervals in points, with 0 and at least a few around it."""
    ends = 100 * classes[["effect", "effect_low", "effect_high"]].to_numpy(np.float64).ravel()
    ends = np.append(ends[np.isfinite(ends)], [-5.0, 5.0])
    margin = 0.06 * (ends.max() - ends.min())
    return [float(ends.min() - margin), float(ends.max() + margin)]


def _sparse_names(classes: pd.DataFrame, column: str, chosen: str, most: int = 16) -> list[str]:
    """Names of the chosen and the outermost classes, as far as they do not cover each other."""
    if classes.empty:
        return []
    places = classes[[column, "effect"]].to_numpy(np.float64)
    span = np.ptp(places, axis=0)
    places = (places - places.mean(axis=0)) / np.where(span > 0, span, 1.0)
    first = (classes["name"] == chosen).to_numpy()
    named: list[int] = []
    for row in np.lexsort([-np.abs(places).max(axis=1), ~first]):
        near = np.abs(places[named] - places[row]) < _NAME_SHARE
        if len(named) < most and not near.all(axis=1).any():
            named.append(int(row))
    return [as_text(name) if row in named else "" for row, name in enumerate(classes["name"])]


def _level_colours(levels: int, theme: Theme) -> list[str]:
    """From the finest to the coarsest level, along a scale that stands out from the background."""
    ends = (0.0, 0.85) if theme.name == "light" else (0.25, 1.0)
    return sample_colorscale(GATE_SCALE, np.linspace(*ends, levels).tolist())
