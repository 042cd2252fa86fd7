"""One clip as a figure: true and predicted segments above the gate of every level, on one time axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mravff_core.plots.theme import GATE_SCALE, Theme, styled
from mravff_core.plots.words import as_text
from mravff_core.segments import lanes
from mravff_core.workspace import LevelGates

_ROW, _LEVEL = 30, 20


def clip_figure(
    truth: pd.DataFrame,
    detections: pd.DataFrame,
    gates: Sequence[LevelGates],
    labels: Sequence[str],
    *,
    min_score: float = 0.2,
    theme: Theme | None = None,
) -> go.Figure:
    """Segments and gates of one clip.

    Args:
        truth: `start_s`, `end_s`, `label`.
        detections: the same and `score`.
        gates: finest level first; empty where the detector has none.
        labels: names of the classes.
        min_score: lowest score shown.
        theme: light by default.
    """
    theme = theme or Theme.of("light")
    shown = detections[detections["score"] >= min_score]
    shown = shown.sort_values(["start_s", "end_s", "label"])
    lane = lanes(shown["start_s"], shown["end_s"])
    names = ["true", *("predicted" + " " * number for number in range(1 + max(lane, default=0)))]
    segments_px = len(names) * _ROW
    heights = [segments_px, len(gates) * _LEVEL] if gates else [segments_px]
    figure = make_subplots(rows=len(heights), shared_xaxes=True, vertical_spacing=0.06, row_heights=heights)
    figure.add_trace(_bars(truth, labels, ["true"] * len(truth), theme, score=None), row=1, col=1)
    figure.add_trace(
        _bars(shown, labels, [names[1 + number] for number in lane], theme, score=shown["score"]), row=1, col=1
    )
    for level, steps in enumerate(gates):
        figure.add_trace(_gate_row(steps, level, first=level == 0, theme=theme), row=2, col=1)
    figure.update_yaxes(autorange="reversed")
    figure.update_yaxes(categoryorder="array", categoryarray=names, row=1, col=1)
    if gates:
        levels = [f"L{level} · {_step_s(steps):.2g} s" for level, steps in enumerate(gates)]
        figure.update_yaxes(tickvals=list(range(len(gates))), ticktext=levels, showgrid=False, row=2, col=1)
    last_s = max([*truth["end_s"], *shown["end_s"], *(gates[0].times_s[-1:] if gates else [])], default=1.0)
    figure.update_xaxes(range=[0, last_s])
    figure.update_xaxes(title="seconds", row=len(heights), col=1)
    figure.update_layout(barmode="overlay", bargap=0.15)
    return styled(figure, theme, height=110 + sum(heights), legend=False)


def _bars(table: pd.DataFrame, labels: Sequence[str], rows: list[str], theme: Theme, score: pd.Series | None) -> go.Bar:
    names = [as_text(labels[label]) for label in table["label"]]
    colours = [theme.colours[label % len(theme.colours)] for label in table["label"]]
    scored = [""] * len(table) if score is None else [f"<br>score {value:.2f}" for value in score]
    return go.Bar(
        orientation="h",
        y=rows,
        base=table["start_s"],
        x=table["end_s"] - table["start_s"],
        text=names,
        textposition="inside",
        insidetextanchor="start",
        textangle=0,
        customdata=list(zip(names, table["end_s"], scored, strict=True)),
        hovertemplate="%{customdata[0]}<br>%{base:.2f} to %{customdata[1]:.2f} s%{customdata[2]}<extra></extra>",
        marker={
            "color": colours if score is not None else "rgba(0,0,0,0)",
            "opacity": 1.0 if score is None else [0.3 + 0.7 * min(1.0, value) for value in score],
            "line": {"color": colours, "width": 2},
        },
    )


def _gate_row(steps: LevelGates, level: int, *, first: bool, theme: Theme) -> go.Heatmap:
    step_s = _step_s(steps)
    return go.Heatmap(
        x=np.append(steps.times_s - step_s / 2, steps.times_s[-1] + step_s / 2),
        y=[level - 0.5, level + 0.5],
        name=f"L{level} · {step_s:.2g} s",
        z=[steps.gates],
        zmin=0,
        zmax=1,
        colorscale=GATE_SCALE,
        showscale=first,
        colorbar={"title": {"text": "gate"}, "thickness": 12, "len": 0.6, "y": 0.3, "tickfont": {"color": theme.faint}},
        hovertemplate="%{x:.2f} s: gate %{z:.2f}<extra>%{fullData.name}</extra>",
        ygap=1,
    )


def _step_s(steps: LevelGates) -> float:
    return float(steps.times_s[1] - steps.times_s[0]) if len(steps.times_s) > 1 else 1.0
