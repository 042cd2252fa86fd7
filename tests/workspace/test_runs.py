"""Stored predictions come back equal, merged or not, and re-storing replaces."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mravff_core.workspace import LevelGates, Run, runs


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "runs" / "mrav")


def detections(seed: int, count: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start_s = rng.uniform(0, 50, count)
    table = pd.DataFrame(
        {"start_s": start_s, "end_s": start_s + 1, "label": rng.integers(0, 3, count), "score": rng.uniform(size=count)}
    )
    return table.sort_values("score", ascending=False, ignore_index=True)


def gates(seed: int) -> list[LevelGates]:
    rng = np.random.default_rng(seed)
    return [LevelGates(np.arange(n) * 0.1, rng.uniform(size=n).astype(np.float32)) for n in (8, 4, 2)]


def without_clip(table: pd.DataFrame | None) -> pd.DataFrame:
    assert table is not None
    return table.drop(columns="clip_id").reset_index(drop=True)


@pytest.mark.parametrize("merged", [False, True])
def test_predictions_come_back_equal(run: Run, merged: bool) -> None:
    for number, clip_id in enumerate(["b", "a"]):
        run.store("shift:-2", clip_id, detections(number), gates(number))
    run.store("shift:-2", "empty", detections(0, 0), [])
    if merged:
        run.merge("shift:-2")
        assert not list(run.folder.rglob("parts/*"))
    assert run.predicted_clips("shift:-2") == {"a", "b", "empty"}
    assert [str(condition) for condition in run.conditions()] == ["shift:-2"]
    pd.testing.assert_frame_equal(without_clip(run.detections("shift:-2", ["a"])), detections(1), check_dtype=False)
    for stored, made in zip(run.gates("shift:-2", "a"), gates(1), strict=True):
        np.testing.assert_array_equal(stored.gates, made.gates)
        np.testing.assert_array_equal(stored.times_s, made.times_s)
    assert run.gates("shift:-2", "empty") == []
    assert run.detections("on") is None


def test_what_a_killed_process_was_writing_is_no_condition(run: Run) -> None:
    run.store("on", "a", detections(0), gates(0))
    shutil.copytree(run.predictions_folder("on"), run.predictions_folder("on").with_name(".on.1234abcd.part"))
    assert [str(condition) for condition in run.conditions()] == ["on"]


def test_storing_again_replaces(run: Run) -> None:
    run.store("on", "a", detections(0), gates(0))
    run.merge("on")
    run.store("on", "a", detections(1, 2), gates(1))
    assert len(without_clip(run.detections("on"))) == 2
    run.merge("on")
    pd.testing.assert_frame_equal(without_clip(run.detections("on")), detections(1, 2), check_dtype=False)


def test_a_merge_cut_short_counts_nothing_twice(run: Run) -> None:
    run.store("on", "a", detections(0), gates(0))
    part = next(run.folder.rglob("a.detections.parquet"))
    kept = part.read_bytes()
    run.merge("on")
    part.write_bytes(kept)
    pd.testing.assert_frame_equal(without_clip(run.detections("on")), detections(0), check_dtype=False)


def test_a_merge_waits_for_a_clip_that_is_being_stored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gates are there before its detections, and would be swept away as leftovers."""
    run.store("on", "a", detections(0), gates(0))
    merging = threading.Thread(target=run.merge, args=["on"])
    write = runs.write_table

    def write_while_merging(path: Path, table: pd.DataFrame, **more: Any) -> None:
        write(path, table, **more)
        if path.name == "b.gates.parquet":
            merging.start()
            merging.join(0.5)

    monkeypatch.setattr(runs, "write_table", write_while_merging)
    run.store("on", "b", detections(1), gates(1))
    merging.join()
    assert run.predicted_clips() == {"a", "b"}
    assert len(run.gates("on", "b")) == 3
