"""Results as Plotly figures, the same ones on pages, in notebooks and in reports."""

from mravff_core.plots.theme import CONFIG, GATE_SCALE, IMAGE_BUTTONS, Theme, styled

__all__ = ["CONFIG", "GATE_SCALE", "IMAGE_BUTTONS", "Theme", "styled"]
