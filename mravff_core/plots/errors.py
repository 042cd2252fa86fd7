"""Figures of an error analysis. Every mark's `customdata` is a text that says what it stands for:

kind=background             detections of a kind
band=2:background           the same within one band of rank
trait=length:XS             true segments of a bucket that were missed
pair=chop>stir              detections of one class where another was true
start=-0.5:-0.25            detections whose start (or `end`) is off by so many seconds
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from mravff_core.evaluation.error_kinds import ERRORS, KINDS
from mravff_core.plots.theme import Theme, room_for, set_margins, styled
from mravff_core.plots.words import as_text, beside_axis, signed

KIND_HELP = {
    "true positive": "finds a true segment of its class",
    "double detection": "finds one that a better detection found already",
    "wrong label": "overlaps a true segment well, of another class",
    "localization": "right class, but it overlaps too little",
    "confusion": "wrong class, and it overlaps too little",
    "background": "overlaps no true segment",
}
# Colours by place in the theme and hatching, so that kinds are told apart without colour.
_LOOKS = {
    "true positive": (0, ""),
    "double detection": (4, "."),
    "wrong label": (5, "/"),
    "localization": (1, "\\"),
    "confusion": (3, "x"),
    "background": (6, "-"),
}
_EDGE_BINS_S = 0.1
_MOST_OFF_S = 1.5
_MOST_CLASSES = 40


def kinds_by_band(profile: pd.DataFrame, theme: Theme, *, chosen: str = "") -> go.Figure:
    """Share of every kind among the detections of each band of rank.

    Args:
        profile: one row a band (from 1), one column a kind: counts.
        chosen: mark to be outlined.
    """
    figure = go.Figure()
    totals = profile.sum(axis=1).clip(lower=1)
    for kind in KINDS:
        marks = [f"band={band}:{kind}" for band in profile.index]
        figure.add_trace(
            go.Bar(
                x=[str(band) for band in profile.index],
                y=100 * profile[kind] / totals,
                name=kind,
                marker=_looks(kind, theme, [mark == chosen for mark in marks]),
                customdata=[[mark, int(count)] for mark, count in zip(marks, profile[kind], strict=True)],
                hovertemplate=(
                    f"{kind}: %{{y:.1f}} % (%{{customdata[1]}})<br>{KIND_HELP[kind]}<extra>band %{{x}}</extra>"
                ),
            )
        )
    figure.update_layout(barmode="stack", bargap=0.18, legend={"traceorder": "normal"})
    words = "band of rank: each class's N best, the next N, … (N true segments)"
    figure.update_xaxes(title=words, type="category")
    figure.update_yaxes(title="share of detections (%)", range=[0, 100])
    return set_margins(styled(figure, theme, height=390, legend=True), left=58)


def cost_bars(gains: pd.Series, theme: Theme, *, chosen: str = "") -> go.Figure:
    """What the mean average precision would gain if all detections of a kind were gone.

    Args:
        gains: by error kind, in [0, 1].
    """
    kinds = sorted(ERRORS, key=lambda kind: gains[kind])
    marks = [f"kind={kind}" for kind in kinds]
    figure = go.Figure(
        go.Bar(
            x=[100 * gains[kind] for kind in kinds],
            y=kinds,
            orientation="h",
            marker={
                "color": [theme.colours[_LOOKS[kind][0]] for kind in kinds],
                "pattern": {
                    "shape": [_LOOKS[kind][1] for kind in kinds],
                    "fgcolor": theme.paper,
                    "size": 6,
                    "fillmode": "overlay",
                },
                "line": _outline([mark == chosen for mark in marks], theme),
            },
            text=[f"{100 * gains[kind]:.1f}" for kind in kinds],
            textposition="outside",
            cliponaxis=False,
            customdata=[[mark, KIND_HELP[kind]] for mark, kind in zip(marks, kinds, strict=True)],
            hovertemplate="without %{y}: +%{x:.2f} points<br>%{customdata[1]}<extra></extra>",
        )
    )
    # A kind that costs nothing has a bar of no width; its number can be pointed at all the same.
    figure.add_scatter(
        x=figure.data[0].x,
        y=kinds,
        mode="markers",
        marker={"symbol": "square", "size": 44, "color": "rgba(0, 0, 0, 0)"},
        cliponaxis=False,
        customdata=figure.data[0].customdata,
        hovertemplate=figure.data[0].hovertemplate,
    )
    figure.update_xaxes(title="mAP gained without them (points)", rangemode="tozero")
    figure.update_yaxes(showgrid=False)
    return set_margins(styled(figure, theme, height=390, legend=False), left=room_for(kinds), right=40)


def trait_bars(missed: pd.DataFrame, sensitivity: pd.DataFrame, theme: Theme, *, chosen: str = "") -> go.Figure:
    """Share of missed true segments by characteristic and bucket, and how well those found are ranked.

    Args:
        missed: `segments, missed` by characteristic and bucket.
        sensitivity: `relative` likewise: normalized precision there over that of all segments.
    """
    names = [(name, bucket) for name, bucket in missed.index]
    x = [[name for name, _ in names], [str(bucket) for _, bucket in names]]
    marks = [f"trait={name}:{bucket}" for name, bucket in names]
    figure = go.Figure(
        go.Bar(
            x=x,
            y=100 * missed["missed"],
            name="missed (%)",
            marker={"color": theme.bad, "line": _outline([mark == chosen for mark in marks], theme)},
            customdata=list(zip(marks, missed["segments"], strict=True)),
            hovertemplate="%{x}: %{y:.1f} % of %{customdata[1]} missed<extra></extra>",
        )
    )
    relative = sensitivity["relative"].reindex(missed.index)
    figure.add_trace(
        go.Scatter(
            x=x,
            y=100 * relative,
            name="precision there, 100 = as over all segments",
            mode="markers",
            marker={"symbol": "diamond", "size": 10, "color": theme.good, "line": {"color": theme.paper, "width": 1}},
            customdata=list(zip(marks, missed["segments"], strict=True)),
            hovertemplate="%{x}: precision %{y:.0f} % of that over all<extra></extra>",
        )
    )
    figure.update_yaxes(title="%", rangemode="tozero")
    return styled(figure, theme, height=390, legend=True)


def pair_mark(found: str, true: str) -> str:
    """Mark of one class found where another is true; `pair_of` reads it."""
    return f"pair={_quoted(found)}>{_quoted(true)}"


def pair_of(mark: str) -> tuple[str, str]:
    """Both names of a mark of `pair_mark`."""
    found, _, true = mark.partition("=")[2].partition(">")
    return _unquoted(found), _unquoted(true)


def confusion_matrix(pairs: pd.DataFrame, theme: Theme, *, chosen: str = "") -> go.Figure:
    """Squares where one class was taken for another; larger and deeper for more.

    Args:
        pairs: `name`, `true_name`, `count`, commonest first; the classes of the commonest are shown.
    """
    every = list(dict.fromkeys(pairs[["name", "true_name"]].to_numpy().ravel()))
    kept = set(every[:_MOST_CLASSES])
    left_out = f" ({len(kept)} of {len(every)} classes, those of the commonest pairs)" if len(every) > len(kept) else ""
    shown = pairs[pairs["name"].isin(kept) & pairs["true_name"].isin(kept)]
    names = sorted({*shown["name"], *shown["true_name"]})
    marks = list(map(pair_mark, shown["name"], shown["true_name"]))
    most = max(shown["count"].max() if len(shown) else 1, 1)
    size = max(9.0, min(22.0, 460 / max(len(names), 1)))
    figure = go.Figure(
        go.Scatter(
            x=[as_text(name) for name in shown["true_name"]],
            y=[as_text(name) for name in shown["name"]],
            mode="markers",
            marker={
                "symbol": "square",
                "size": np.maximum(7.0, size * np.sqrt(shown["count"].to_numpy() / most)),
                "color": shown["count"],
                "colorscale": _count_scale(theme),
                "cmin": 0,
                "cmax": int(most),
                "showscale": True,
                "colorbar": {
                    "title": {"text": "count"},
                    "thickness": 12,
                    "tickfont": {"color": theme.faint},
                    "dtick": max(1, round(most / 5)),
                },
                "line": _outline([mark == chosen for mark in marks], theme),
            },
            customdata=list(zip(marks, shown["count"], strict=True)),
            hovertext=[
                f"{as_text(name)} found where {as_text(true_name)} is true"
                for name, true_name in zip(shown["name"], shown["true_name"], strict=True)
            ],
            hovertemplate="%{hovertext}: %{customdata[1]}<extra></extra>",
        )
    )
    ordered = [as_text(name) for name in names]
    figure.update_xaxes(title=f"true class{left_out}", categoryarray=ordered, tickangle=-90)
    figure.update_yaxes(title="found class", categoryarray=ordered[::-1])
    # All names: Plotly leaves some out where it finds them too close.
    ticks: dict[str, Any] = {"tickmode": "array", "tickvals": ordered, "ticktext": list(map(beside_axis, names))}
    ticks |= {"tickfont": {"size": 11 if len(ordered) > 24 else 13}}
    figure.update_xaxes(type="category", categoryorder="array", **ticks)
    figure.update_yaxes(type="category", categoryorder="array", **ticks)
    return styled(figure, theme, height=max(360, 120 + 19 * len(names)), legend=False)


def boundary_histogram(errors_s: NDArray[np.float64], edge: str, theme: Theme, *, chosen: str = "") -> go.Figure:
    """How early and late starts or ends are; what is off by more is counted in the outermost bars.

    Args:
        errors_s: signed seconds, late is positive.
        edge: `start` or `end`.
    """
    edges = np.round(np.arange(-_MOST_OFF_S, _MOST_OFF_S + _EDGE_BINS_S / 2, _EDGE_BINS_S), 6)
    counts, _ = np.histogram(np.clip(errors_s, -_MOST_OFF_S, np.nextafter(_MOST_OFF_S, 0)), edges)
    lows, highs = edges[:-1].copy(), edges[1:].copy()
    lows[0], highs[-1] = -np.inf, np.inf
    marks = [f"{edge}={low:g}:{high:g}" for low, high in zip(lows, highs, strict=True)]
    late = edges[:-1] >= 0
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=_EDGE_BINS_S,
            marker={
                "color": np.where(late, theme.colours[1], theme.colours[0]),
                "pattern": {
                    "shape": np.where(late, "/", "").tolist(),
                    "fgcolor": theme.paper,
                    "size": 5,
                    "fillmode": "overlay",
                },
                "line": _outline([mark == chosen for mark in marks], theme),
            },
            customdata=[[mark] for mark in marks],
            hovertemplate=f"{edge} off by %{{x:+.2f}} s: %{{y}}<extra></extra>",
        )
    )
    if len(errors_s):
        low_s, median_s, high_s = np.percentile(errors_s, [25, 50, 75])
        figure.add_vline(x=0, line={"color": theme.faint, "width": 1, "dash": "dot"})
        figure.add_annotation(
            text=f"median {signed(median_s, 2)} s, half of them from {signed(low_s, 2)} to {signed(high_s, 2)} s",
            x=0,
            xref="paper",
            xanchor="left",
            y=1.12,
            yref="paper",
            showarrow=False,
            font={"color": theme.ink},
        )
    figure.update_xaxes(title=f"{edge} too early ← seconds → too late")
    figure.update_yaxes(title="detections")
    return styled(figure, theme, height=300, legend=False)


def _quoted(name: str) -> str:
    """A name without the sign that stands between the names of a pair."""
    return name.replace("%", "%25").replace(">", "%3E")


def _unquoted(text: str) -> str:
    return text.replace("%3E", ">").replace("%25", "%")


def _count_scale(theme: Theme) -> list[str]:
    """From few to many, without the end of the scale that the background would swallow."""
    ends = (0.6, 0.0) if theme.name == "light" else (0.4, 1.0)
    return sample_colorscale("Cividis", np.linspace(*ends, 9).tolist())


def _looks(kind: str, theme: Theme, outlined: list[bool]) -> dict[str, Any]:
    place, shape = _LOOKS[kind]
    return {
        "color": theme.colours[place],
        "pattern": {"shape": shape, "fgcolor": theme.paper, "size": 6, "fillmode": "overlay"},
        "line": _outline(outlined, theme),
    }


def _outline(chosen: list[bool], theme: Theme) -> dict[str, Any]:
    return {"color": theme.ink, "width": [3 if one else 0 for one in chosen]}
