"""Time grid, segments, audio conditions and configuration: the ground that all stand on."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core import AudioCondition, TimeGrid
from mravff_core.config import Recipe, from_mapping, read_recipe, read_yaml, to_mapping
from mravff_core.errors import ConfigError
from mravff_core.freed_memory import keep_freed_memory
from mravff_core.segments import detection_table, temporal_iou

times = st.floats(0, 1e4, allow_nan=False)


@pytest.mark.parametrize("frames_per_second", [23.976, 25.0, 30.0, 59.94])
@pytest.mark.parametrize("offset_frames", [None, 0.0, 16.0])
def test_seconds_survive_a_round_trip(frames_per_second: float, offset_frames: float | None) -> None:
    grid = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=frames_per_second, offset_frames=offset_frames)
    time_s = torch.linspace(0, 600, 97, dtype=torch.float64)
    torch.testing.assert_close(grid.to_seconds(grid.from_seconds(time_s)), time_s)
    assert TimeGrid(**grid.to_mapping()).to_seconds(3.0) == grid.to_seconds(3.0)


def test_epic_slowfast_steps_lie_where_the_field_puts_them() -> None:
    grid = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
    assert grid.to_seconds(0) == pytest.approx(16 / 30)
    assert grid.to_seconds(10) == pytest.approx((10 * 16 + 16) / 30)
    assert grid.hop_s == pytest.approx(16 / 30)


@pytest.mark.parametrize("wrong", [{"hop_frames": 0}, {"frames_per_second": -1}, {"window_frames": float("nan")}])
def test_impossible_grids_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"TimeGrid: {next(iter(wrong))} is"):
        TimeGrid(**{"hop_frames": 1, "window_frames": 1, "frames_per_second": 1, **wrong})


@given(st.lists(st.tuples(times, times), min_size=1, max_size=8))
def test_temporal_iou_is_symmetric_bounded_and_one_with_itself(pairs: list[tuple[float, float]]) -> None:
    segments = np.sort(np.array(pairs), axis=1)
    overlap = temporal_iou(segments, segments)
    np.testing.assert_allclose(overlap, overlap.T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-12)).all()
    with_length = segments[:, 1] > segments[:, 0]
    np.testing.assert_allclose(np.diag(overlap)[with_length], 1)


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_detection_order_never_depends_on_row_order(order: list[int]) -> None:
    segments = np.array([[0, 1], [0, 1], [2, 3], [0, 2], [5, 6], [4, 9]], dtype=float)
    labels = np.array([1, 0, 0, 0, 2, 2])
    scores = np.array([0.5, 0.5, 0.5, 0.5, 0.9, 0.1])
    shuffled = detection_table(segments[order], labels[order], scores[order])
    assert shuffled.equals(detection_table(segments, labels, scores))


@pytest.mark.parametrize(
    "text", ["on", "off", "silence", "shift:+2.5", "shift:-3", "swap:clip_7", "swap:+1", "noise:-10"]
)
def test_conditions_read_back(text: str) -> None:
    condition = AudioCondition.parse(text)
    assert AudioCondition.parse(str(condition)) == condition


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_condition_slugs_are_safe_and_distinct(first: str, second: str) -> None:
    slugs = [AudioCondition("swap", clip_id=name).slug for name in (first, second)]
    assert (slugs[0] == slugs[1]) == (first == second)
    assert all(
        set(slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+=-_") for slug in slugs
    )


@pytest.mark.parametrize(
    "text", ["loud", "shift:", "shift:fast", "noise:nan", "on:1", "swap:", "swap:+", "swap:+0", "swap:+a", ""]
)
def test_unknown_conditions_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="audio condition"):
        AudioCondition.parse(text)


def test_configuration_survives_a_round_trip() -> None:
    recipe = Recipe(train=replace(Recipe().train, seed=7, crop_ratio=None))
    assert from_mapping(Recipe, to_mapping(recipe), "test") == recipe


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        ({"fusion": {"gaet": "scalar"}}, r"r\.fusion: FusionConfig has no field gaet"),
        ({"train": {"epochs": "many"}}, r"r\.train\.epochs: found str 'many', expected int"),
        ({"train": {"epochs": True}}, r"expected int"),
        ({"fusion": {"kind": "magic"}}, r"expected one of none, sum"),
        ({"train": {"crop_ratio": [1.0]}}, r"found 1 values, expected 2"),
        ({"base": 3}, r"expected a mapping"),
        ({"base": {"window": 9}}, r"expected a list"),
        (
            {"dataset": {}, "model": {}, "opt": {}},
            "has no field dataset, model, opt; .* Recipes of ours lie in configs/",
        ),
        ({"model": {}}, "has no field model; it has [a-z, ]*$"),
    ],
)
def test_mistakes_in_a_configuration_are_named(raw: dict, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        from_mapping(Recipe, raw, "r")


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("-2E3", -2000.0), ("+1e+2", 100.0), ("1.5e-2", 0.015)])
def test_a_number_with_an_exponent_needs_no_dot(tmp_path: Path, text: str, value: float) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"train: {{learning_rate: {text}}}\n")
    assert read_recipe(path).train.learning_rate == value


def test_a_file_extends_another_and_says_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "low.yaml").write_text("name: low\ntrain: {epochs: 3, seed: 1}\n")
    (tmp_path / "high.yaml").write_text("extends: low.yaml\ntrain: {seed: 2}\n")
    recipe = read_recipe(tmp_path / "high.yaml")
    assert (recipe.name, recipe.train.epochs, recipe.train.seed) == ("low", 3, 2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: [", "not readable as YAML"),
        ("[" * 3000, "not readable as YAML"),
        ("- 1", "expected a mapping"),
        ("extends: me.yaml", "extends itself"),
        ("extends: gone.yaml", "no such file"),
        ("extends: 3", "expected a file name"),
        ("!!python/object/apply:os.getcwd []", "not readable as YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "me.yaml").write_text(text)
    with pytest.raises(ConfigError, match=match):
        read_yaml(tmp_path / "me.yaml")


def test_tuples_of_yaml_are_lists_and_nothing_else_of_python_is_read(tmp_path: Path) -> None:
    written = {"backbone_arch": (2, 2, 5), "regression_range": [(0, 4), (4, 10000)], "crop": ((0.9, 1.0), ())}
    (tmp_path / "dumped.yaml").write_text(yaml.dump(written))
    assert "!!python/tuple" in (tmp_path / "dumped.yaml").read_text()
    assert read_yaml(tmp_path / "dumped.yaml") == {
        "backbone_arch": [2, 2, 5],
        "regression_range": [[0, 4], [4, 10000]],
        "crop": [[0.9, 1.0], []],
    }
    for tag in ("python/object/apply:os.getcwd []", "python/name:os.getcwd ''", "python/tuple {a: 1}"):
        (tmp_path / "code.yaml").write_text(f"a: !!{tag}")
        with pytest.raises(ConfigError, match=r"code\.yaml: not readable as YAML"):
            read_yaml(tmp_path / "code.yaml")


def test_every_shipped_recipe_is_valid() -> None:
    recipes = list((Path(__file__).parents[1] / "configs").rglob("*.yaml"))
    assert recipes
    for path in recipes:
        read_recipe(path)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is asked to keep freed memory")
def test_a_process_that_keeps_freed_memory_gets_no_page_twice() -> None:
    script = """
import resource, sys
import torch
from mravff_core.freed_memory import keep_freed_memory

if not keep_freed_memory():
    sys.exit("the allocator is another")
faults = []
for _ in range(12):
    for size in (3_000_000, 9_000_000, 5_000_000, 1_000_000):
        torch.ones(size)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[11] - faults[7])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if "the allocator is another" in done.stderr:
        pytest.skip("the allocator is not glibc's")
    # The largest alone has 8,800 pages, which would be got again every time.
    assert int(done.stdout) < 500, done.stderr


@pytest.mark.parametrize(("most", "asked"), [(1 << 30, [-3, -1]), (1 << 25, [-3, -3, -1]), (0, [-3, -3])])
def test_memory_is_kept_as_far_as_an_allocator_goes_or_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, most: int, asked: list[int]
) -> None:
    """Older ones refuse to map from more than 32 MiB on; what is set besides would then make them slower."""
    calls: list[int] = []

    def mallopt(option: int, value: ctypes.c_int) -> int:
        calls.append(option)
        return int(option != -3 or value.value <= most)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() == (most > 0)
    assert calls == asked
