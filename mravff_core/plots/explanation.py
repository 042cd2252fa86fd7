"""Figures of one explanation: what came from sound and sight, when, and at which level.

Bars that speak for the detection point up or right and are filled; those that speak against it
point down or left and are hatched, so that no colour is needed to tell them apart.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from mravff_core.analysis.attention_map import AttentionMap
from mravff_core.analysis.attribution import Attribution
from mravff_core.analysis.baselines import baseline_words
from mravff_core.media.spectrogram import LogMel
from mravff_core.plots.theme import Theme, styled
from mravff_core.plots.words import as_text, signed

Modality = Literal["audio", "vision"]
_MODALITIES: tuple[Modality, ...] = ("audio", "vision")
_AUDIO, _VISION = 1, 0  # places in a theme's colours
_DECIBELS = (-80.0, 10.0)  # darkest and brightest of a spectrogram


def modality_bars(attribution: Attribution, theme: Theme) -> go.Figure:
    """Shapley values of sound and sight as two bars, what they are compared with named under them."""
    figure = go.Figure()
    _add_modalities(figure, attribution, theme)
    unit = f" ({attribution.unit})" if attribution.unit else ""
    sound, sight = map(baseline_words, attribution.baseline)
    title = f"change of the {attribution.quantity}{unit} against {sound} and {sight}"
    figure.update_xaxes(title=as_text(title), zeroline=True)
    return styled(figure, theme, height=150, legend=False)


def attribution_over_time(attribution: Attribution, theme: Theme, *, start_s: float, end_s: float) -> go.Figure:
    """Integrated Gradients of sound and sight under one another, occlusion as a stepped line over them.

    Args:
        start_s, end_s: of the detection, shaded.
    """
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08)
    for row, modality in enumerate(_MODALITIES, 1):
        _add_track(figure, attribution, modality, theme, row=row)
        figure.update_yaxes(title=_words(modality), zeroline=True, zerolinecolor=theme.faint, row=row, col=1)
    figure.add_vrect(x0=start_s, x1=end_s, fillcolor=theme.faint, opacity=0.15, line_width=0)
    figure.update_xaxes(title="seconds", row=2, col=1)
    figure.update_layout(bargap=0)
    return styled(figure, theme, height=320)


def level_bars(attribution: Attribution, theme: Theme) -> go.Figure:
    """What closing each level's gate, and forcing it open, does to the explained number."""
    figure = go.Figure()
    _add_levels(figure, attribution, theme)
    figure.update_xaxes(title=f"change of the {attribution.quantity}", zeroline=True)
    return styled(figure, theme, height=60 + 44 * max(1, len(attribution.levels)))


def attention_figure(found: AttentionMap, theme: Theme, *, time_s: float) -> go.Figure:
    """Attention weights over time, with a cross at the explained moment."""
    figure = go.Figure(
        go.Heatmap(
            z=found.weights,
            x=found.times_s,
            y=found.sounds_s,
            colorscale="Cividis",
            zmin=0,
            colorbar={"title": "weight", "thickness": 12},
            hovertemplate="step at %{x:.2f} s, sound %{y:+.2f} s: %{z:.3f}<extra></extra>",
        )
    )
    figure.add_vline(x=time_s, line={"color": theme.bad, "width": 1.5})
    figure.add_hline(y=0.0 if found.is_local else time_s, line={"color": theme.bad, "width": 1.5, "dash": "dot"})
    words = "sound earlier (−) or later (+), s" if found.is_local else "sound at, s"
    figure.update_yaxes(title=words)
    figure.update_xaxes(title="seconds")
    return styled(figure, theme, height=260)


def spectrogram_figure(
    sound: LogMel, attribution: Attribution, theme: Theme, *, start_s: float, end_s: float
) -> go.Figure:
    """Mel spectrogram, darkened where the audio attribution is small; a curve above says how large it is.

    Args:
        sound: of the clip.
        start_s, end_s: of the detection.
    """
    times_s = sound.start_s + sound.hop_s * np.arange(sound.decibels.shape[1])
    strength = np.interp(times_s, attribution.times_s, np.abs(attribution.gradients.audio))
    strength = strength / max(float(strength.max(initial=0.0)), 1e-12)
    low, high = _DECIBELS
    shares = np.clip((sound.decibels - low) / (high - low), 0.0, 1.0) * (0.3 + 0.7 * strength[None])
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.03, row_heights=[0.25, 0.75])
    line = go.Scatter(
        x=times_s, y=strength, mode="lines", line={"color": theme.ink, "width": 1.2}, fill="tozeroy", name="strength"
    )
    figure.add_trace(line, row=1, col=1)
    bands = np.arange(len(sound.frequencies_hz))
    heat = go.Heatmap(z=shares, x=times_s, y=bands, colorscale="Magma", showscale=False, zmin=0, zmax=1)
    figure.add_trace(heat, row=2, col=1)
    ticks = bands[:: max(1, len(bands) // 5)]
    words = [f"{sound.frequencies_hz[band]:.0f} Hz" for band in ticks]
    figure.update_yaxes(tickvals=ticks, ticktext=words, row=2, col=1)
    figure.update_yaxes(showticklabels=False, row=1, col=1)
    for edge_s in (start_s, end_s):
        figure.add_vline(x=edge_s, line={"color": theme.colours[0], "width": 1.5, "dash": "dash"})
    figure.update_xaxes(title="seconds", range=_span(attribution), row=2, col=1)
    return styled(figure, theme, height=260, legend=False)


def share_distribution(classes: list[dict[str, Any]], effects: dict[str, float], theme: Theme) -> go.Figure:
    """Audio shares of every class as boxes, its mean gate as a diamond, what sound is worth as text; ♪: needs sound.

    Args:
        classes: `name`, `shares`, `gate`, `needs_sound`, as stored checks hold them.
        effects: AP with sound minus AP without, by class, where known.
    """
    ordered = sorted(classes, key=lambda one: float(np.median(one["shares"])))
    figure = go.Figure()
    for one in ordered:
        worth = effects.get(one["name"])
        told = (
            ("♪ " if one["needs_sound"] else "")
            + as_text(one["name"])
            + (f" (ΔAP {signed(100 * worth, 0)} points)" if worth is not None else "")
        )
        colour = theme.colours[_AUDIO] if one["needs_sound"] else theme.faint
        figure.add_trace(
            go.Box(x=one["shares"], y=[told] * len(one["shares"]), orientation="h", line={"color": colour}, name=told)
        )
        figure.add_trace(
            go.Scatter(
                x=[one["gate"]],
                y=[told],
                mode="markers",
                marker={"symbol": "diamond-open", "size": 10, "color": theme.ink, "line": {"width": 2}},
                hovertemplate="mean gate %{x:.2f}<extra></extra>",
            )
        )
    figure.update_xaxes(title="audio share (box) and gate (diamond)", range=[0, 1])
    figure.update_yaxes(type="category")
    return styled(figure, theme, height=80 + 26 * len(ordered), legend=False)


def explanation_figure(
    attribution: Attribution, theme: Theme, *, title: str, start_s: float, end_s: float
) -> go.Figure:
    """All of it on one sheet, for files and notebooks.

    Args:
        title: plain text, such as the detection's class, times and score.
        start_s, end_s: of the detection.
    """
    figure = make_subplots(
        rows=4,
        vertical_spacing=0.1,
        row_heights=[0.16, 0.28, 0.28, 0.28],
        subplot_titles=(as_text(_summary(attribution)), "Sound over time", "Sight over time", "Gates of single levels"),
    )
    _add_modalities(figure, attribution, theme, row=1)
    _add_track(figure, attribution, "audio", theme, row=2)
    _add_track(figure, attribution, "vision", theme, row=3)
    _add_levels(figure, attribution, theme, row=4)
    for row in (2, 3):
        figure.add_vrect(x0=start_s, x1=end_s, fillcolor=theme.faint, opacity=0.15, line_width=0, row=row, col=1)
        figure.update_xaxes(title="seconds" if row == 3 else None, range=_span(attribution), row=row, col=1)
    figure.update_layout(title={"text": as_text(title), "x": 0, "font": {"size": 16}}, bargap=0)
    figure = styled(figure, theme, height=860, legend=False)
    figure.update_layout(margin={"t": 76})
    return figure


def _summary(attribution: Attribution) -> str:
    share = attribution.share.audio_share
    words = "neither modality matters" if share is None else f"audio share {share:.2f}"
    if attribution.share_range is not None:
        low, high = attribution.share_range.low, attribution.share_range.high
        words += f" ({low:.2f} to {high:.2f} over {attribution.share_range.baselines} baselines)"
    sound, sight = map(baseline_words, attribution.baseline)
    return f"{words}, against {sound} and {sight}"


def _add_modalities(figure: go.Figure, attribution: Attribution, theme: Theme, row: int | None = None) -> None:
    share = attribution.share
    names, values = ["sight", "sound"], np.array([share.vision, share.audio])
    place = {} if row is None else {"row": row, "col": 1}
    figure.add_trace(
        go.Bar(
            y=names,
            x=values,
            orientation="h",
            marker=_marks(values, [theme.colours[_VISION], theme.colours[_AUDIO]], theme),
            text=[signed(value, 2) for value in values],
            textposition="auto",
            hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
            showlegend=False,
        ),
        **place,
    )


def _add_track(figure: go.Figure, attribution: Attribution, modality: Modality, theme: Theme, *, row: int) -> None:
    values = getattr(attribution.gradients, modality)
    colour = theme.colours[_AUDIO if modality == "audio" else _VISION]
    hop_s = float(attribution.times_s[1] - attribution.times_s[0]) if len(values) > 1 else 1.0
    figure.add_trace(
        go.Bar(
            x=attribution.times_s,
            y=values,
            width=hop_s,
            marker=_marks(values, [colour] * len(values), theme),
            name=f"{_words(modality)}: gradients",
            hovertemplate="%{x:.2f} s: %{y:+.4f}<extra></extra>",
        ),
        row=row,
        col=1,
    )
    falls = getattr(attribution.occlusion, modality) / np.diff(attribution.occlusion.edges)
    figure.add_trace(
        go.Scatter(
            x=attribution.edges_s,
            y=np.append(falls, falls[-1:]),
            mode="lines",
            line={"shape": "hv", "color": theme.ink, "width": 1.2, "dash": "dot"},
            name=f"{_words(modality)}: occlusion, a step",
            hovertemplate="from %{x:.2f} s: %{y:+.4f} a step when occluded<extra></extra>",
        ),
        row=row,
        col=1,
    )


def _add_levels(figure: go.Figure, attribution: Attribution, theme: Theme, row: int | None = None) -> None:
    levels = attribution.levels
    place = {} if row is None else {"row": row, "col": 1}
    names = [f"L{one.level}" + ("" if one.gate is None else f", gate {one.gate:.2f}") for one in levels]
    for words, attribute, colour in (
        ("gate shut", "closed", theme.colours[6]),
        ("gate open", "opened", theme.colours[2]),
    ):
        values = np.array([getattr(one, attribute) or 0.0 for one in levels])
        figure.add_trace(
            go.Bar(
                y=names,
                x=values,
                orientation="h",
                name=words,
                marker=_marks(values, [colour] * len(values), theme),
                hovertemplate=f"%{{y}}, {words}: %{{x:+.3f}}<extra></extra>",
            ),
            **place,
        )
    figure.update_yaxes(autorange="reversed", **place)


def _marks(values: NDArray[np.float64], colours: list[str], theme: Theme) -> dict[str, Any]:
    """Filled where positive, hatched where negative."""
    return {
        "color": colours,
        "line": {"width": 0},
        "pattern": {
            "shape": ["/" if value < 0 else "" for value in values],
            "fgcolor": theme.paper,
            "size": 5,
            "solidity": 0.45,
        },
    }


def _span(attribution: Attribution) -> list[float]:
    return [float(attribution.edges_s[0]), float(attribution.edges_s[-1])]


def _words(modality: str) -> str:
    return "sound" if modality == "audio" else "sight"
