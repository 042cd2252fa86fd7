"""Words of figures: names as plain text, differences of average precisions in points with a true minus sign."""

from __future__ import annotations

import math
from html import escape

MINUS = "−"
_BEGINNING, _END = 22, 11  # letters kept of a name that is too long to stand beside an axis


def as_text(name: object) -> str:
    """A name from data as Plotly draws it letter for letter, where it would read markup or a formula.

    What is drawn or stands in a template goes through this, names of categories too; what a click
    tells (`customdata`) is the name itself.
    """
    return escape(str(name), quote=False).replace("$", "&#36;")


def beside_axis(name: object) -> str:
    """A name as of `as_text` that leaves a figure room: of a long one, beginning and end."""
    text = str(name)
    if len(text) > _BEGINNING + _END + 1:
        text = f"{text[:_BEGINNING].rstrip()}…{text[-_END:].lstrip()}"
    return as_text(text)


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, such as `+20.0` or `−3.1`; nothing has none, and what is not a number is a dash."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:+.{digits}f}".replace("-", MINUS)
    return text if text.strip(f"+{MINUS}0.") else text[1:]


def points(value: float) -> str:
    """A difference of shares in [-1, 1] in points, such as `+20.0`; a dash for what is not a number."""
    return signed(100 * value)


def interval_words(value: float, low: float, high: float) -> str:
    """A difference of shares in points with its interval, as people read it, where it has one."""
    return f"{points(value)} [{points(low)}, {points(high)}]" if math.isfinite(low) else points(value)


def count_words(count: int, what: str) -> str:
    """A number of things, such as `1 clip` or `1,200 clips`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
