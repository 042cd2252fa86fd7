"""Our own feature files with their grid, and a clear sentence for what is none."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mravff_core import TimeGrid
from mravff_core.data.features import Features, load_array, read_features, write_features
from mravff_core.errors import FeatureError

GRID = TimeGrid(hop_frames=16, window_frames=32, frames_per_second=30)
ARRAY = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)


def test_own_files_carry_their_grid(tmp_path: Path) -> None:
    write_features(tmp_path / "a.npz", Features(ARRAY, GRID))
    found = read_features(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.array, ARRAY)
    assert found.grid.to_mapping() == GRID.to_mapping()


def with_grid(path: Path, array: np.ndarray) -> Path:
    np.savez(path, features=array, **GRID.to_mapping())
    return path


def test_an_axis_of_one_batch_in_front_is_left_out(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_features(with_grid(tmp_path / "a.npz", ARRAY[None])).array, ARRAY)


class RunsCode:
    """Unpickling this would make a file; it must never be unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("kind", ["pt", "npy"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, kind: str) -> None:
    trace = tmp_path / "was_run"
    path = tmp_path / f"clip.{kind}"
    if kind == "pt":
        path.write_bytes(pickle.dumps(RunsCode(trace)))
    else:
        np.save(path, np.array([RunsCode(trace)], dtype=object), allow_pickle=True)
    with pytest.raises(FeatureError, match=r"clip\.(pt|npy): (refused|not readable)"):
        load_array(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.npz", None, "no such feature file"),
        ("a.npz", b"", "not readable as .npz"),
        ("a.npy", b"not numpy", "not readable as .npy"),
        ("a.csv", b"1,2", "suffix '.csv' is not a feature file"),
    ],
)
def test_files_that_are_no_features(tmp_path: Path, name: str, content: bytes | None, match: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FeatureError, match=match):
        read_features(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((3, 0), np.float32), "neither empty"),
        (np.zeros((2, 3, 4), np.float32), "expected two axes"),
        (np.full((3, 5), np.nan, np.float32), "15 of 15 values are not finite"),
        (np.array([["a", "b"], ["c", "d"], ["e", "f"]]), "of numbers"),
    ],
)
def test_arrays_of_the_wrong_kind(tmp_path: Path, array: np.ndarray, match: str) -> None:
    with pytest.raises(FeatureError, match=match):
        read_features(with_grid(tmp_path / "a.npz", array))


def test_a_file_without_grid_needs_one(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAY)
    with pytest.raises(FeatureError, match="holds no time grid"):
        read_features(tmp_path / "a.npy")


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    write_features(tmp_path / "a.npz", Features(ARRAY, GRID))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(FeatureError, match=r"a\.npz: not readable"):
        read_features(tmp_path / "a.npz")


def test_an_archive_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", features=ARRAY, **dict.fromkeys(GRID.to_mapping(), 1.0))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    start = content.find(b"features.npy") + len("features.npy")
    content[start + 40 : start + 60] = b"\xff" * 20
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FeatureError, match=r"a\.npz: not readable as \.npz \(.*\); truncated"):
        read_features(tmp_path / "a.npz")
