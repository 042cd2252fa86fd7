"""Everything that a page of results says about one sweep, as plain values."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mravff_core.analysis.sweep import scores
from mravff_core.analysis.sweep_naming import naming
from mravff_core.analysis.sweep_table import by_seed, sweep_table
from mravff_core.config import Recipe, from_mapping, read_yaml
from mravff_core.evaluation.seeds import SeedMean, mean_interval, paired_difference, plain
from mravff_core.workspace import Workspace

PREFERRED = ("mrav", "cross_attention", "concat", "sum")


def sweep_results(workspace: Workspace, name: str, fusions: tuple[str, ...]) -> dict[str, Any]:
    """One sweep in full.

    Args:
        fusions: in the order wanted, the reference first.
    Returns: `sweep`, `label_set`, `clips`, `segments`, `recipe` (of its first run), `table` (of
        `sweep_table`), `base` and `fusion` (what the following is about: the first base, with the
        method's fusion where it was swept), `classes` (per class: average precision of reference
        and fusion and their paired difference, largest first), `named` (per fusion: share of true
        segments rightly named, all, without and with misleading sound, each with its paired
        difference) and `named_classes` (the fusion's differences by class).
    Raises: ConfigError, WorkspaceError.
    """
    table = sweep_table(workspace, name, fusions)
    found = scores(workspace, name)
    reference = table["reference"]
    base = table["rows"][0]["base"]
    fusion = next((kind for kind in PREFERRED if kind in set(found["fusion"]) - {reference}), reference)
    run = workspace.run(str(found["run"].iloc[0]))
    recipe_path = run.folder / "recipe.yaml"
    recipe = from_mapping(Recipe, read_yaml(recipe_path), str(recipe_path))
    named = naming(workspace, name, split=recipe.data.test_split)
    named = named[named["base"] == base]
    truth = workspace.truth(run.info.label_set, workspace.clip_ids(recipe.data.test_split))
    return {
        "sweep": name,
        "label_set": run.info.label_set,
        "clips": {
            "train": _clips(workspace, run.info.label_set, recipe.data.train_split),
            "test": truth["clip_id"].nunique(),
        },
        "segments": len(truth),
        "misled_segments": int(named.drop_duplicates("segment_id")["misled"].sum()),
        "recipe": recipe,
        "table": table,
        "base": base,
        "fusion": fusion,
        "classes": _classes(workspace, found, truth, run.info.label_set, base, fusion, reference),
        "named": [
            {"fusion": kind, **_named(named, kind, reference)} for kind in _in_order(set(named["fusion"]), fusions)
        ],
        "named_classes": [
            {"class": label, **_named(rows, fusion, reference)} for label, rows in named.groupby("class", sort=False)
        ],
    }


def _clips(workspace: Workspace, label_set: str, split: str) -> int:
    """How many clips of a split have true segments."""
    return workspace.truth(label_set, workspace.clip_ids(split))["clip_id"].nunique()


def _classes(
    workspace: Workspace,
    found: pd.DataFrame,
    truth: pd.DataFrame,
    label_set: str,
    base: str,
    fusion: str,
    reference: str,
) -> list[dict[str, Any]]:
    """Average precision by class, largest gain first."""
    column = {"verb": "needs_sound", "noun": "noun_needs_sound"}.get(label_set, "needs_sound")
    names = workspace.class_names(label_set)
    rows = []
    for label in sorted(set(truth["label"].tolist())):
        segments = truth[truth["label"] == label]
        of_class = found[found["class"] == names[label]]
        with_sound, without = by_seed(of_class, base, fusion, "on"), by_seed(of_class, base, reference, "on")
        rows.append(
            {
                "class": names[label],
                "segments": len(segments),
                "needs_sound": bool(segments[column].any()) if column in segments else None,
                "reference": plain(_mean(without)),
                "fusion": plain(_mean(with_sound)),
                "difference": plain(paired_difference(with_sound, without)),
            }
        )
    return sorted(rows, key=lambda row: -row["difference"]["mean"] if row["difference"] else 0.0)


def _named(named: pd.DataFrame, fusion: str, reference: str) -> dict[str, Any]:
    """Share rightly named, of all segments and of those without and with misleading sound."""
    result: dict[str, Any] = {}
    for part, rows in (("all", named), ("clear", named[~named["misled"]]), ("misled", named[named["misled"]])):
        mine, theirs = (_share_by_seed(rows[rows["fusion"] == kind]) for kind in (fusion, reference))
        result[part] = {
            "segments": int(rows["segment_id"].nunique()),
            "share": plain(_mean(mine)),
            "difference": plain(None if fusion == reference else paired_difference(mine, theirs)),
        }
    return result


def _share_by_seed(rows: pd.DataFrame) -> dict[int, float]:
    share = rows.groupby("seed")["right"].mean()
    return dict(zip(share.index.astype(int).tolist(), share.astype(float).tolist(), strict=True))


def _in_order(kinds: set[str], fusions: tuple[str, ...]) -> list[str]:
    return [kind for kind in fusions if kind in kinds] + sorted(kinds - set(fusions))


def _mean(values: dict[int, float]) -> SeedMean | None:
    return mean_interval(list(values.values())) if values else None
