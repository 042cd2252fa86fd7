"""Every recipe reads, builds its detector, and says exactly where it differs from what it extends."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from mravff_core.config import LabelSet, Recipe, merge, read_recipe, read_yaml, settings, to_mapping
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.training.official_recipe import training_recipe
from mravff_core.workspace import Workspace

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RECIPES = sorted(CONFIGS.rglob("*.yaml"))
LEAVES = [path for path in RECIPES if "name" in yaml.safe_load(path.read_text())]
CLASSES = {
    "epic": {"verb": 97, "noun": 300},
    "thumos14": {"sport": 20},
    "activitynet": {"activity": 200},
    "hacs": {"activity": 200},
    "unav100": {"event": 100},
    "kitchen": {"verb": 17, "noun": 16},
}
BASES = ("actionformer", "tridet", "temporalmaxer")
REDUCED = ("input_channels", "embed_channels", "neck_channels", "head_channels", "sgp_channels", "max_steps")


def of(path: Path) -> str:
    return str(path.relative_to(CONFIGS))


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in mapping.items():
        found.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return found


@pytest.mark.parametrize("path", RECIPES, ids=of)
def test_a_recipe_differs_from_its_parent_only_where_it_says(path: Path) -> None:
    stated = yaml.safe_load(path.read_text())
    parent = stated.pop("extends", None)
    below = to_mapping(Recipe()) if parent is None else to_mapping(read_recipe(path.parent / parent))
    before, after = flat(below), flat(to_mapping(read_recipe(path)))
    changed = {key for key in after if after[key] != before[key]}
    # The kitchen's recipes repeat a default here and there, where it is their point.
    assert changed <= set(flat(stated)) if "kitchen" in of(path) else changed == set(flat(stated))


@pytest.mark.parametrize("path", LEAVES, ids=of)
def test_a_recipe_builds_its_detector(path: Path) -> None:
    recipe, classes = read_recipe(path), CLASSES[path.parent.name]
    first, *further = (
        LabelSet(name, tuple(map(str, range(classes[name]))))
        for name in (recipe.data.label_set, *recipe.data.further_label_sets)
    )
    config = DetectorConfig(
        first.name, first.labels, recipe.base, recipe.fusion, recipe.test, further_label_sets=tuple(further)
    )
    with torch.device("meta"):
        detector = Detector(config)
    assert len(detector.labels) == sum(classes[name] for name in config.label_sets)
    assert len(recipe.train.regression_range) == len(detector.strides)
    assert recipe.base.max_steps % detector.strides[-1] == 0
    if path.parent.name != "kitchen":
        assert recipe.name == path.stem
        assert recipe.base.kind == next(base for base in BASES if base in path.stem)
        assert recipe.fusion.kind == ("mrav" if path.stem.endswith("_mrav") else "none")


def test_every_data_set_has_every_base_alone_and_with_sound() -> None:
    for data_set in set(CLASSES) - {"kitchen"}:
        tasks = ("verb_", "noun_", "verb_noun_") if data_set == "epic" else ("",)
        found = {path.stem for path in (CONFIGS / data_set).glob("*.yaml")}
        assert {f"{task}{base}{end}" for task in tasks for base in BASES for end in ("", "_mrav")} <= found
    joint = read_recipe(CONFIGS / "epic/verb_noun_tridet_mrav.yaml")
    assert (joint.data.label_set, joint.data.further_label_sets) == ("verb", ("noun",))


@pytest.mark.parametrize(
    ("recipe", "golden"),
    [
        ("epic/verb_actionformer", "actionformer/epic_verb"),
        ("thumos14/tridet", "tridet/thumos"),
        ("activitynet/tridet", "tridet/anet_tsp"),
    ],
)
def test_values_are_those_of_the_official_configuration(shared: Path, tmp_path: Path, recipe: str, golden: str) -> None:
    """All but widths, which the reference reduced, and what only official weights or other bases need."""
    official = json.loads((shared / "golden" / golden / "config.json").read_text())["config"]
    ours = read_recipe(CONFIGS / f"{recipe}.yaml")
    classes = list(map(str, range(official["dataset"]["num_classes"])))
    workspace = Workspace.create(tmp_path / "workspace", name="Official", label_sets={"any": classes})
    converted = training_recipe(official, golden, workspace)
    other = ("window",) if ours.base.kind == "tridet" else ("sgp_window", "sgp_spread", "sgp_ratio")
    skipped = {*REDUCED, *other, "encoder", "seed"}
    for mine, theirs in (
        (ours.base, converted.base),
        (ours.train, converted.train),
        (ours.test, converted.test),
    ):
        for field in dataclasses.fields(mine):
            if field.name not in skipped:
                assert once(getattr(mine, field.name)) == once(getattr(theirs, field.name)), field.name


def once(value: Any) -> Any:
    """One value where all levels have it."""
    return value[:1] if isinstance(value, tuple) and len(set(value)) == 1 else value


def test_every_setting_is_described() -> None:
    path = Path(settings.__file__)
    sections = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    bare = [
        f"{section.name}.{node.target.id}"
        for section in sections
        if section.name not in ("LabelSet", "Recipe")
        for node, after in zip(section.body, [*section.body[1:], None], strict=True)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert len(sections) == 8 and not bare


def test_a_chain_of_files_merges_nearest_first() -> None:
    path = CONFIGS / "epic/verb_noun_tridet_mrav.yaml"
    merged: dict[str, Any] = {}
    for name in ("default.yaml", "epic/default.yaml", "epic/verb_tridet.yaml", "epic/verb_noun_tridet.yaml", of(path)):
        raw = yaml.safe_load((CONFIGS / name).read_text())
        raw.pop("extends", None)
        merged = merge(merged, raw)
    assert read_yaml(path) == merged
