"""Curves of precision and gates against alterations of the sound."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mravff_core.audio_condition import AudioCondition
from mravff_core.plots.theme import Theme, styled
from mravff_core.plots.words import MINUS, as_text

MEASURES = {
    "map": ("mAP", "mAP (%)", 100.0),
    "change": ("Change of mAP", "change of mAP (points)", 100.0),
    "gate": ("Mean gate", "mean gate (0 shut, 1 open)", 1.0),
}
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star", "hexagon")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_OTHERS = {"on": "as<br>recorded", "off": "off", "silence": "silence", "swap": "another<br>clip's"}


def stress_curves(
    table: pd.DataFrame, theme: Theme, *, measure: str = "map", expected: Sequence[AudioCondition] = ()
) -> go.Figure:
    """Three panels on one scale: shifts in seconds, noise in decibels, and what has no scale.

    Runs are told apart by colour, mark and dash. The value at a shift of 0, and at the clean end of
    the noise panel, is that of sound as recorded.

    Args:
        table: of `stress_table`.
        measure: key of `MEASURES`.
        expected: sounds that a whole curve has; no line leads over those, or other runs' sounds, that a run lacks.
    """
    _, title, factor = MEASURES[measure]
    figure = make_subplots(
        cols=3,
        shared_yaxes=True,
        horizontal_spacing=0.02,
        column_widths=[0.44, 0.25, 0.31],
        subplot_titles=("shifted in time", "noise added", "replaced"),
    )
    shifts_s = sorted({0.0, *_values(table, "shift"), *(one.shift_s for one in expected if one.kind == "shift")})
    noises_db = {*_values(table, "noise"), *(one.snr_db for one in expected if one.kind == "noise")}
    noises = sorted(noises_db, reverse=True) if _values(table, "noise") else []
    runs = list(dict.fromkeys(table["run"]))
    for number, run in enumerate(runs):
        own = table[table["run"] == run]
        look = {
            "color": theme.colours[number % len(theme.colours)],
            "symbol": _SYMBOLS[number % len(_SYMBOLS)],
            "dash": _DASHES[number % len(_DASHES)],
        }
        _add(figure, 1, run, _shifts(own, shifts_s), look, measure, factor, line=True, legend=True)
        _add(figure, 2, run, _noises(own, noises), look, measure, factor, line=True)
        _add(figure, 3, run, _others(own, number, len(runs)), look, measure, factor, line=False)
    figure.update_xaxes(title="seconds later", col=1, zeroline=False)
    figure.update_xaxes(
        title="signal to noise (dB)",
        tickvals=list(range(len(noises) + 1)),
        ticktext=["none", *(f"{noise:g}".replace("-", MINUS) for noise in noises)],
        zeroline=False,
        col=2,
    )
    figure.update_xaxes(
        tickvals=list(range(len(_OTHERS))),
        ticktext=list(_OTHERS.values()),
        tickangle=0,
        range=[-0.5, len(_OTHERS) - 0.5],
        col=3,
    )
    figure.update_yaxes(title=title, col=1)
    if measure == "change":
        figure.add_hline(y=0, line={"color": theme.faint, "width": 1, "dash": "dot"})
    if measure == "gate":
        figure.update_yaxes(range=[0, 1])
    figure.update_annotations(font={"size": 13, "color": theme.faint})
    figure = styled(figure, theme, height=430, legend=True)
    figure.update_layout(legend={"y": 1.12}, margin={"t": 78})
    return figure


def _values(table: pd.DataFrame, kind: str) -> list[float]:
    return table.loc[table["kind"] == kind, "value"].astype(float).unique().tolist()


def _shifts(rows: pd.DataFrame, shifts_s: Sequence[float]) -> pd.DataFrame:
    """Along all shifts; empty where the run was not asked."""
    rows = rows[rows["kind"].isin(["shift", "on"])]
    return _along(rows.assign(x=rows["value"].astype(float).fillna(0.0)), shifts_s)


def _noises(rows: pd.DataFrame, noises: Sequence[float]) -> pd.DataFrame:
    """Evenly spaced from clean to noisy; empty where the run was not asked."""
    rows = rows[rows["kind"].isin(["noise", "on"])] if noises else rows.iloc[:0]
    place = {noise: number for number, noise in enumerate(noises, start=1)}
    return _along(rows.assign(x=[place.get(value, 0) for value in rows["value"]]), range(len(noises) + 1))


def _along(rows: pd.DataFrame, places: Sequence[float]) -> pd.DataFrame:
    """Rows at all places, in their order; those without a row are not numbers, which breaks the line."""
    if rows.empty:
        return rows
    filled = rows.drop_duplicates("x").set_index("x").reindex(pd.Index(places, name="x", dtype=float)).reset_index()
    return filled.assign(clips=filled["clips"].fillna(0).astype(int))


def _others(rows: pd.DataFrame, number: int, runs: int) -> pd.DataFrame:
    """Beside each other, so that intervals do not hide one another."""
    rows = rows[rows["kind"].isin(list(_OTHERS))]
    place = rows["kind"].map({kind: at for at, kind in enumerate(_OTHERS)}).astype(float)
    return rows.assign(x=place + 0.5 * ((number + 0.5) / runs - 0.5))


def _add(
    figure: go.Figure,
    column: int,
    run: str,
    rows: pd.DataFrame,
    look: dict[str, str],
    measure: str,
    factor: float,
    *,
    line: bool,
    legend: bool = False,
) -> None:
    value, low, high = (factor * rows[name] for name in (measure, f"{measure}_low", f"{measure}_high"))
    figure.add_trace(
        go.Scatter(
            x=rows["x"],
            y=value,
            mode="lines+markers" if line else "markers",
            name=as_text(run),
            legendgroup=run,
            showlegend=legend,
            line={"color": look["color"], "dash": look["dash"], "width": 2},
            marker={"color": look["color"], "symbol": look["symbol"], "size": 8},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": (high - value).fillna(0.0),
                "arrayminus": (value - low).fillna(0.0),
                "thickness": 1.2,
                "width": 3,
            },
            customdata=[
                [as_text(row["run"]), as_text(row["condition"]), f"{row['clips']}"] for row in rows.to_dict("records")
            ],
            hovertemplate="<b>%{customdata[0]}</b> hears %{customdata[1]}<br>%{y:.2f} over %{customdata[2]} clips"
            "<extra></extra>",
        ),
        row=1,
        col=column,
    )
