"""Results of ablations as a Markdown page; every number comes from stored sweeps or the file of published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mravff_core.config import Recipe
from mravff_core.workspace.settings import WorkspaceSettings

_FEWEST_SEEDS = 3
PUBLISHED = Path(__file__).parent / "assets/published.yaml"


def results_page(settings: WorkspaceSettings, results: Sequence[dict[str, Any]], command: str) -> str:
    """The page.

    Args:
        settings: of the workspace.
        results: of `sweep_results`, one a sweep.
        command: that writes the page.
    """
    first, last = settings.tiou_thresholds[0], settings.tiou_thresholds[-1]
    parts = [
        "# Results",
        f"Written by `{command}` from stored sweeps; no number is typed by hand.",
        "## How to read it",
        f"Average precision (mAP) is the mean over classes and tIoU {first:g} to {last:g}, in percent. Every variant "
        "is trained several times with other seeds. Brackets hold the 95 % interval of the mean over seeds (Student's "
        "t), which speaks of repeating the training, not of other clips. Differences pair runs of the same seed, "
        "which see the same clips in the same order; **bold** ones have an interval, from three seeds or more, that "
        "leaves out 0. Of many such intervals one in twenty leaves out 0 by chance. `off` shuts all fusion at "
        "inference in the same trained detector.",
        *(line for result in results for line in _sweep(settings.name, result)),
        "## What others published",
        "Facts to compare with, **published and not reproduced here**: other data, other features, other hardware.",
        *(line for table in _published() for line in _published_table(table)),
    ]
    return "\n\n".join(parts) + "\n"


def _sweep(workspace_name: str, result: dict[str, Any]) -> list[str]:
    clips, reference = result["clips"], result["table"]["reference"]
    is_plain = result["sweep"] == result["label_set"]
    lines = [
        f"## {workspace_name}: {result['label_set']}s" + ("" if is_plain else f" ({result['sweep']})"),
        f"{clips['train']} clips to train on, {clips['test']} with {result['segments']} true segments to test. "
        + _recipe(result["recipe"]),
        _table(
            ["base", "fusion", "audio", "seeds", "mAP", f"difference to {reference}"],
            [
                [row["base"], row["fusion"], row["audio"], str(len(row["seeds"])), *_pair(row, "average")]
                for row in result["table"]["rows"]
            ],
        ),
        _missing(result["table"]["rows"]),
    ]
    if result["fusion"] != reference:
        lines += [*_classes(result, reference), *_named(result, reference)]
    return [line for line in lines if line]


def _recipe(recipe: Recipe) -> str:
    base, train = recipe.base, recipe.train
    return (
        f"Detectors are {base.embed_channels} channels wide with {base.levels} levels; each training takes "
        f"{train.warmup_epochs + train.epochs} epochs in batches of {train.batch_size} at a learning rate of "
        f"{train.learning_rate:g}."
    )


def _missing(rows: Sequence[dict[str, Any]]) -> str:
    """Says so if variants of one base were not trained equally often."""
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row["base"], {})[row["fusion"]] = len(row["seeds"])
    uneven = [base for base, by_fusion in counts.items() if len(set(by_fusion.values())) > 1]
    return f"The sweep is not finished: seeds differ in number for {', '.join(uneven)}." if uneven else ""


def _classes(result: dict[str, Any], reference: str) -> list[str]:
    rows, fusion = result["classes"], result["fusion"]
    gains = [row["class"] for row in rows if _clear(row["difference"]) and row["difference"]["mean"] > 0]
    losses = [row["class"] for row in rows if _clear(row["difference"]) and row["difference"]["mean"] < 0]
    told = any(row["needs_sound"] is not None for row in rows)
    sentence = (
        f"Beyond chance of the seeds, `{fusion}` gains over `{reference}` on {_listed(gains)}, and loses on "
        f"{_listed(losses)}."
    )
    if told:
        sentence += " `by sound` marks classes that look like another one and can only be told apart by ear."
    header = ["class", *(["told apart"] if told else []), "segments", reference, fusion, "difference"]
    body = [
        [
            row["class"],
            *([("by sound" if row["needs_sound"] else "by sight")] if told else []),
            str(row["segments"]),
            _number(row["reference"]),
            _number(row["fusion"]),
            _number(row["difference"], sign=True),
        ]
        for row in rows
    ]
    return [f"### Which {result['label_set']}s gain and lose ({result['base']})", sentence, _table(header, body)]


def _named(result: dict[str, Any], reference: str) -> list[str]:
    if not result["misled_segments"]:
        return []
    parts = ("all", "clear", "misled")
    counts = {part: result["named"][0][part]["segments"] for part in parts}
    overall = _table(
        ["fusion", *(f"{name} ({counts[part]})" for part, name in zip(parts, ("all", "clear", "misled"), strict=True))],
        [
            [row["fusion"], *(_both(row[part]["share"], row[part]["difference"]) for part in parts)]
            for row in result["named"]
        ],
    )
    by_class = _table(
        ["class", "clear segments", "difference", "misled segments", "difference"],
        [
            [
                row["class"],
                *(
                    cell
                    for part in parts[1:]
                    for cell in (str(row[part]["segments"]), _signed(row[part]["difference"]))
                ),
            ]
            for row in sorted(result["named_classes"], key=lambda row: -_mean(row["all"]["difference"]))
        ],
    )
    return [
        f"### With and without misleading sound ({result['base']})",
        f"{result['misled_segments']} of {result['segments']} true segments are `misled`: sounds from off screen cover "
        "a quarter of them or more; the others are `clear`. A segment counts if, of the detections that overlap it by "
        f"a tIoU of 0.5 or more, the best-scored one names it rightly. Percent of segments, and the difference to "
        f"{reference}:",
        overall,
        f"By class, the difference that {result['fusion']} makes:",
        by_class,
    ]


def _published() -> list[dict[str, Any]]:
    return yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))


def _published_table(table: dict[str, Any]) -> list[str]:
    cells = [[_plain(value) for value in row] for row in table["rows"]]
    return [f"### {table['title']}", *([table["note"]] if "note" in table else []), _table(table["columns"], cells)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(header), ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pair(row: dict[str, Any], name: str) -> list[str]:
    return [_number(row[name]), _signed(row["difference"])]


def _both(value: dict[str, Any] | None, difference: dict[str, Any] | None) -> str:
    return _number(value) if difference is None else f"{_number(value)}; {_number(difference, sign=True)}"


def _signed(difference: dict[str, Any] | None) -> str:
    return "-" if difference is None else _number(difference, sign=True)


def _number(interval: dict[str, Any] | None, *, sign: bool = False) -> str:
    """Percent with its interval; a difference that leaves out 0 in bold."""
    if interval is None:
        return "-"
    form, least = ("+.1f", -100.0) if sign else (".1f", 0.0)
    text = f"{round(100 * interval['mean'], 1) + 0.0:{form}}"
    if interval["low"] is not None:
        # Adding 0 makes -0 of a rounded number plain.
        low = round(max(least, 100 * interval["low"]), 1) + 0.0
        high = round(min(100.0, 100 * interval["high"]), 1) + 0.0
        text += f" ({low:{form}} to {high:{form}})"
    return f"**{text}**" if sign and _clear(interval) else text


def _clear(interval: dict[str, Any] | None) -> bool:
    """Whether an interval from three seeds or more leaves out 0."""
    if interval is None or interval["count"] < _FEWEST_SEEDS:
        return False
    return interval["low"] > 0 or interval["high"] < 0


def _mean(interval: dict[str, Any] | None) -> float:
    return 0.0 if interval is None else float(interval["mean"])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no class"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
