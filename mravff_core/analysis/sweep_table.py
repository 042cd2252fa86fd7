"""What a sweep found: one row a base, fusion and audio condition, compared with the first fusion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.analysis.sweep import OVERALL, scores, sweep_folder
from mravff_core.evaluation.seeds import mean_interval, paired_difference, plain
from mravff_core.workspace import Workspace


def sweep_table(workspace: Workspace, name: str, fusions: Sequence[str]) -> dict[str, Any]:
    """Summarise a sweep's finished runs.

    Args:
        fusions: in the order wanted; the first is the reference. Others follow by name.
    Returns: `sweep`, `reference` and `rows`, each `base`, `fusion`, `audio`, `seeds`, `average`
        (mean, low, high, count: average precision in [0, 1]) and `difference`, that of the same
        seeds with the reference fusion (None for the reference itself).
    Raises: ConfigError if nothing of the sweep is finished.
    """
    table = scores(workspace, name)
    overall = table[table["class"] == OVERALL]
    order = [*fusions, *sorted(set(table["fusion"]) - set(fusions))]
    rows = [
        {
            "base": base,
            "fusion": fusion,
            "audio": audio,
            "seeds": sorted(values),
            "average": plain(mean_interval(list(values.values()))),
            "difference": plain(None if fusion == order[0] else paired_difference(values, reference)),
        }
        for base in _in_order(overall["base"])
        for reference in [by_seed(overall, base, order[0], "on")]
        for fusion in order
        for audio in ("on", "off")
        if (values := by_seed(overall, base, fusion, audio))
    ]
    return {"sweep": name, "reference": order[0], "rows": rows}


def table_file(workspace: Workspace, name: str) -> Path:
    """Where the summary is stored, beside what it summarises."""
    return sweep_folder(workspace, name) / "table.json"


def by_seed(table: pd.DataFrame, base: str, fusion: str, audio: str) -> dict[int, float]:
    """Average precision of one variant by seed, from rows of one class of `scores`."""
    chosen = table[(table["base"] == base) & (table["fusion"] == fusion) & (table["audio"] == audio)]
    return dict(zip(chosen["seed"].astype(int).tolist(), chosen["average_precision"].tolist(), strict=True))


def _in_order(bases: pd.Series) -> list[str]:
    known = ["actionformer", "tridet", "temporalmaxer"]
    return sorted(set(bases), key=lambda base: (known.index(base) if base in known else len(known), base))
