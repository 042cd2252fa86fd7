"""Names from data are drawn letter for letter, whatever Plotly would make of them, and clicks tell them unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from mravff_core.plots import Theme
from mravff_core.plots.clip import clip_figure
from mravff_core.plots.compare import class_differences
from mravff_core.plots.errors import confusion_matrix, pair_mark, pair_of
from mravff_core.plots.explanation import share_distribution
from mravff_core.plots.gates import gate_against_effect, gate_matrix, pair_matrix
from mravff_core.plots.stress import MEASURES, stress_curves
from mravff_core.plots.words import as_text
from mravff_core.report.files import write_figure

NAMES = ["<b>x</b>", "a & b <i>", 'say "5" &lt; 6', "$x$ or $y$", "2012"]
LIGHT = Theme.of("light")
# What a person reads: every text of the chart, and those of every mark that is pointed at.
READ = """
async (text) => {
  const figure = JSON.parse(text);
  document.body.innerHTML = "<div id=chart></div>";
  const chart = await Plotly.newPlot("chart", figure.data, figure.layout);
  const told = () => [...chart.querySelectorAll("text")].map((text) => text.textContent);
  const all = new Set(told());
  for (const trace of chart._fullData) {
    for (let pointNumber = 0; pointNumber < (trace._length || 0); pointNumber += 1) {
      Plotly.Fx.hover(chart, [{ curveNumber: trace.index, pointNumber }], trace.xaxis + trace.yaxis);
      told().forEach((text) => all.add(text));
    }
  }
  return [...all];
}
"""


def _classes() -> pd.DataFrame:
    """Of the Gates and of the Compare page at once."""
    numbers = np.linspace(-0.3, 0.3, len(NAMES))
    counts = dict.fromkeys(("segments", "count", "gained", "gained_correct", "lost", "lost_correct"), 3)
    table = pd.DataFrame({"name": NAMES, "clear": True, "effect_clear": True, **counts})
    for column in ("difference", "effect"):
        table[column], table[f"{column}_low"], table[f"{column}_high"] = numbers, numbers - 0.1, numbers + 0.1
    table = table.assign(a=0.5, b=0.5, low=table["difference_low"], high=table["difference_high"])
    for column in ("gate", "gate_0", "gate_1"):
        table[column], table[f"{column}_low"], table[f"{column}_high"] = 0.5 + numbers, 0.1, 0.9
    return table


def _pairs() -> pd.DataFrame:
    return pd.DataFrame({"name": NAMES, "true_name": NAMES[1:] + NAMES[:1], "count": 2})


def _clip() -> go.Figure:
    starts_s = np.arange(len(NAMES), dtype=float)
    truth = pd.DataFrame({"start_s": starts_s, "end_s": starts_s + 0.9, "label": range(len(NAMES))})
    return clip_figure(truth, truth.assign(score=0.9), [], NAMES)


def _stress() -> go.Figure:
    numbers = {f"{measure}{end}": 0.5 for measure in MEASURES for end in ("", "_low", "_high")}
    rows = [
        {"run": run, "condition": f"swap:{run}", "kind": "on", "value": np.nan, "clips": 3} | numbers for run in NAMES
    ]
    return stress_curves(pd.DataFrame(rows), LIGHT)


def _gate_pairs() -> go.Figure:
    pairs = _pairs().rename(columns={"name": "first_name", "true_name": "second_name"}).assign(gate=0.4)
    return pair_matrix(pairs, (NAMES[0], NAMES[1]), LIGHT)


def _shares() -> go.Figure:
    classes = [{"name": name, "shares": [0.1, 0.2, 0.4], "gate": 0.3, "needs_sound": False} for name in NAMES]
    return share_distribution(classes, {}, LIGHT)


FIGURES: dict[str, Callable[[], go.Figure]] = {
    "gate matrix": lambda: gate_matrix(_classes(), ["L0 · 1 s", "L1 · 2 s"], LIGHT, chosen=NAMES[0]),
    "gate and effect": lambda: gate_against_effect(_classes(), LIGHT, chosen=NAMES[0]),
    "gate pairs": _gate_pairs,
    "differences": lambda: class_differences(_classes(), LIGHT, chosen=NAMES[0]),
    "confusions": lambda: confusion_matrix(_pairs(), LIGHT),
    "clip": _clip,
    "stress": _stress,
    "shares": _shares,
}


@pytest.mark.browser
@pytest.mark.parametrize("kind", FIGURES)
def test_every_name_is_read_as_it_is_written(kind: str, browser: Any) -> None:
    page = browser.new_page()
    page.set_content("<body></body>")
    page.add_script_tag(content=get_plotlyjs())
    texts = page.evaluate(READ, FIGURES[kind]().to_json())
    page.close()
    for name in NAMES:
        assert [text for text in texts if name in text], f"{name} is not among {texts}"


def test_what_clicks_tell_is_the_name_itself() -> None:
    matrix, scatter, differences = (FIGURES[kind]() for kind in ("gate matrix", "gate and effect", "differences"))
    for trace in matrix.data:
        assert {data if isinstance(data, str) else data[0] for data in trace.customdata} == set(NAMES)
    assert list(scatter.data[0].customdata) == NAMES
    assert {data[0] for trace in differences.data if trace.customdata is not None for data in trace.customdata} == set(
        NAMES
    )
    pairs = [pair_of(mark) for mark, _ in FIGURES["confusions"]().data[0].customdata]
    assert pairs == list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
    assert pair_mark(*pairs[0]).startswith("pair=")
    assert [tuple(data[:2]) for data in FIGURES["gate pairs"]().data[0].customdata] == pairs


@pytest.mark.browser
def test_a_saved_picture_has_the_names_too(tmp_path: Path) -> None:
    write_figure(FIGURES["differences"](), tmp_path / "differences.svg")
    svg = (tmp_path / "differences.svg").read_text(encoding="utf-8")
    texts = [unescape(text) for text in re.findall("<text[^>]*>([^<]*)</text>", svg)]
    assert set(NAMES) <= set(texts)


def test_names_that_differ_are_drawn_differently() -> None:
    assert len({as_text(name) for name in [*NAMES, "&lt;b&gt;x&lt;/b&gt;", "say 5"]}) == len(NAMES) + 2
