"""The table that benchmarks of the app print."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

Row = tuple[str, list[float], str, str]
"""What was measured, its values, their unit, and what is wanted."""


def print_medians(rows: Iterable[Row]) -> None:
    """Median and worst of every row, as a Markdown table."""
    print("| what | median | worst | wanted |\n| --- | ---: | ---: | ---: |")
    for name, values, unit, wanted in rows:
        print(f"| {name} | {statistics.median(values):.4g} {unit} | {max(values):.4g} {unit} | {wanted} |")
