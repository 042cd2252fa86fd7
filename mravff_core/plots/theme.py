"""How all figures look: light and dark, in colours that colour-blind people can tell apart.

Colours: Okabe and Ito, Color Universal Design, 2008, with a variant for each background.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go


@dataclass(frozen=True)
class Theme:
    """Colours of one background.

    Attributes:
        name: `light` or `dark`.
        ink, faint, grid: text, less important text, grid lines.
        paper: the background, for marks that must cover what lies under them.
        colours: of series, in their order.
        good, bad: gain and loss; told apart by lightness too.
    """

    name: str
    ink: str
    faint: str
    grid: str
    paper: str
    colours: tuple[str, ...]
    good: str
    bad: str

    @classmethod
    def of(cls, name: str | None) -> Theme:
        """`dark`, or light for anything else."""
        return _DARK if name == "dark" else _LIGHT


_LIGHT = Theme(
    name="light",
    ink="#1b2430",
    faint="#5b6673",
    grid="#e3e7ec",
    paper="#ffffff",
    colours=("#0072b2", "#d98c00", "#009e73", "#c2649a", "#3a9fdc", "#d55e00", "#7a7a7a", "#8f8000"),
    good="#0072b2",
    bad="#d55e00",
)
_DARK = Theme(
    name="dark",
    ink="#e6eaf0",
    faint="#a3adba",
    grid="#2a323c",
    paper="#12161c",
    colours=("#4a97dd", "#f0ae1f", "#1fbf92", "#dd93bb", "#7cc8f4", "#f07a2b", "#a9a9a9", "#ede15a"),
    good="#5aa9ee",
    bad="#f07a2b",
)

# Viridis: even steps, readable without colour; gates always span all of it.
GATE_SCALE = "Viridis"

# The camera saves SVG; IMAGE_BUTTONS puts PNG beside it.
CONFIG: Mapping[str, Any] = MappingProxyType(
    {
        "displaylogo": False,
        "scrollZoom": False,
        "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "svg", "filename": "figure"},
    }
)

# Plotly's menu saves one kind of picture. This adds a button for PNG to every chart in the page,
# also to later ones; it presses the camera with another format. A picture cannot use the page's own
# typeface, so what is saved is laid out in one that it can use: else words are cut off. Run it once.
IMAGE_BUTTONS = """
(() => {
  if (window.__imageButtons) return;
  window.__imageButtons = true;
  const camera = '[data-title^="Download plot"]';
  const inPlainLetters = (chart) => {
    const { layout } = chart;
    chart.layout = { ...layout, font: { ...layout.font, family: "Arial, Helvetica, sans-serif" } };
    setTimeout(() => { chart.layout = layout; });
  };
  const add = (bar) => {
    const saveSvg = bar.querySelector(camera);
    if (!saveSvg || bar.querySelector(".save-png")) return;
    const chart = bar.closest(".js-plotly-plot");
    for (const name of ["data-title", "aria-label"]) saveSvg.setAttribute(name, "Download plot as SVG");
    saveSvg.addEventListener("click", () => inPlainLetters(chart), true);
    const savePng = document.createElement("button");
    savePng.type = "button";
    savePng.className = "modebar-btn save-png";
    savePng.setAttribute("rel", "tooltip");
    for (const name of ["data-title", "aria-label"]) savePng.setAttribute(name, "Download plot as PNG");
    savePng.style.cssText =
      "display: inline-block; vertical-align: top; font: 600 9px/16px sans-serif; color: inherit; background: none";
    savePng.textContent = "PNG";
    savePng.addEventListener("click", () => {
      const usual = chart._context.toImageButtonOptions;
      chart._context.toImageButtonOptions = { ...usual, format: "png", scale: 2 };
      saveSvg.click();
      chart._context.toImageButtonOptions = usual;
    });
    saveSvg.after(savePng);
  };
  const look = () => document.querySelectorAll(".js-plotly-plot .modebar-group").forEach(add);
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
})();
"""


def room_for(words: Iterable[str], *, size_px: float = 13.0) -> int:
    """Pixels beside an axis for the longest of its labels, estimated from above.

    Args:
        words: as drawn; may hold Plotly's simple markup, which takes no room, and names of `as_text`.
        size_px: of the letters.
    """
    plain = (unescape(re.sub("</?(?:b|i|sub|sup)>", "", text)) for text in words)
    longest = max((sum(map(_letter_share, text)) for text in plain), default=0.0)
    return round(longest * size_px) + 12


def set_margins(figure: go.Figure, *, left: int, right: int = 12, top: int = 34, bottom: int = 44) -> go.Figure:
    """Give a styled figure margins that are known beforehand, in place.

    Where Plotly is to find the room for labels by itself, it draws a figure twice or three times.

    Returns: the same figure.
    """
    figure.update_xaxes(automargin=False)
    figure.update_yaxes(automargin=False)
    return figure.update_layout(margin={"l": left, "r": right, "t": top, "b": bottom})


def styled(figure: go.Figure, theme: Theme, *, height: int | None = None, legend: bool | None = None) -> go.Figure:
    """Give a figure the common look, in place.

    Args:
        figure: any; what it sets itself stays, but for colours of text and grid.
        theme: light or dark.
        height: in pixels.
        legend: whether to show one; None leaves that to Plotly.
    Returns: the same figure.
    """
    axis = {
        "gridcolor": theme.grid,
        "zerolinecolor": theme.grid,
        "linecolor": theme.grid,
        "tickfont": {"color": theme.faint},
        "title": {"font": {"color": theme.ink, "size": 13}},
        "automargin": True,
    }
    figure.update_layout(
        template="none",
        # As the page's own, for figures that are saved and looked at elsewhere.
        paper_bgcolor=theme.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=list(theme.colours),
        font={"family": '"Source Sans", "Source Sans Pro", system-ui, sans-serif', "size": 13, "color": theme.ink},
        hoverlabel={"bgcolor": theme.paper, "bordercolor": theme.grid, "font": {"color": theme.ink, "size": 13}},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "font": {"color": theme.ink}},
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": theme.faint, "activecolor": theme.ink},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    if height is not None:
        figure.update_layout(height=height)
    if legend is not None:
        figure.update_layout(showlegend=legend)
    return figure


def _letter_share(letter: str) -> float:
    """Width of a letter as a share of its height, of the widest usual typeface."""
    if letter in " .,:;|!'()[]ijlftr":
        return 0.38
    return 0.9 if letter in "mwMW@%" or ord(letter) > 0x2FF else 0.74 if letter.isupper() else 0.58
