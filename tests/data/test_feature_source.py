"""Features outside a workspace read the same whatever their container and orientation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.data.feature_source import FeatureSource, resized
from mravff_core.data.features import array_shape
from mravff_core.errors import FeatureError

CHANNELS, STEPS = 3, 7
ARRAY = np.arange(CHANNELS * STEPS, dtype=np.float32).reshape(CHANNELS, STEPS)
SOURCE = FeatureSource(location="", channels=CHANNELS, hop_frames=16, window_frames=32, frames_per_second=30)


def save(path: Path, array: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, feats=array)
    elif path.suffix == ".pt":
        torch.save(torch.from_numpy(np.ascontiguousarray(array)), path)
    else:
        with h5py.File(path, "w") as file:
            file["feats"] = array


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".h5"])
@pytest.mark.parametrize("time_first", [True, False])
@pytest.mark.parametrize("declared", [True, False])
def test_containers_and_orientations_agree(tmp_path: Path, suffix: str, time_first: bool, declared: bool) -> None:
    save(tmp_path / f"v{suffix}", ARRAY.T if time_first else ARRAY)
    source = replace(SOURCE, location=str(tmp_path), files=(f"{{name}}{suffix}",), time_first=declared)
    assert array_shape(tmp_path / f"v{suffix}") == (ARRAY.T if time_first else ARRAY).shape
    assert source.has("v") and not source.has("w")
    assert source.size("v") == (CHANNELS, STEPS)
    found = source.read("v", 4.0, 0.0)
    np.testing.assert_array_equal(found.array, ARRAY)
    assert found.grid.to_seconds(1.0) == pytest.approx((16 + 16) / 30)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.int16])
def test_tensors_of_any_numbers_and_age_are_read(tmp_path: Path, archive: bool, kind: torch.dtype) -> None:
    path = tmp_path / "v.pt"
    torch.save(torch.from_numpy(ARRAY).to(kind), path, _use_new_zipfile_serialization=archive)
    source = replace(SOURCE, location=str(tmp_path), files=("{name}.pt",))
    assert array_shape(path) == ARRAY.shape
    np.testing.assert_array_equal(source.read("v", 4.0, 0.0).array, ARRAY)


@pytest.mark.parametrize("names", [("feats", "mean"), ("whatever",)])
def test_tensors_may_lie_in_a_mapping(tmp_path: Path, names: tuple[str, ...]) -> None:
    stored = {name: torch.from_numpy(ARRAY.T.copy()) * (name != "mean") for name in names}
    torch.save({**stored, "fps": 30}, tmp_path / "v.pt")
    source = replace(SOURCE, location=str(tmp_path), files=("{name}.pt",))
    assert source.size("v") == (CHANNELS, STEPS)
    np.testing.assert_array_equal(source.read("v", 4.0, 0.0).array, ARRAY)


@pytest.mark.parametrize("time_first", [True, False])
def test_what_is_declared_settles_square_arrays(tmp_path: Path, time_first: bool) -> None:
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    np.save(tmp_path / "v.npy", square)
    source = replace(SOURCE, location=str(tmp_path), time_first=time_first)
    np.testing.assert_array_equal(source.read("v", 4.0, 0.0).array, square.T if time_first else square)


def test_a_batch_of_one_is_its_one_clip(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", ARRAY.T[None])
    source = replace(SOURCE, location=str(tmp_path))
    assert source.size("v") == (CHANNELS, STEPS)
    np.testing.assert_array_equal(source.read("v", 4.0, 0.0).array, ARRAY)


def test_one_archive_holds_all_videos(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["v"] = ARRAY.T
        file["w/features"] = ARRAY.T + 1
    source = replace(SOURCE, location=str(tmp_path / "all.h5"), files=("{name}",))
    assert [source.has(name) for name in ("v", "w", "x")] == [True, True, False]
    np.testing.assert_array_equal(source.read("w", 4.0, 0.0).array, ARRAY + 1)


def test_several_files_are_stacked_and_cut_to_the_shortest(tmp_path: Path) -> None:
    np.save(tmp_path / "v_rgb.npy", ARRAY.T)
    np.save(tmp_path / "v_flow.npy", ARRAY.T[:-1] + 100)
    source = replace(SOURCE, location=str(tmp_path), files=("{name}_rgb.npy", "{name}_flow.npy"), channels=6)
    np.testing.assert_array_equal(source.read("v", 4.0, 0.0).array, np.concatenate([ARRAY, ARRAY + 100])[:, :-1])
    (tmp_path / "v_flow.npy").unlink()
    assert not source.has("v")


def test_the_rate_may_be_each_video_s_own(tmp_path: Path) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    source = replace(SOURCE, location=str(tmp_path), hop_frames=4, window_frames=16, frames_per_second=None)
    assert source.read("v", 4.0, 25.0).grid.hop_s == pytest.approx(4 / 25)
    with pytest.raises(FeatureError, match="needs the video's frames per second"):
        source.read("v", 4.0, 0.0)


@pytest.mark.parametrize("hop", [None, 16.0])
def test_resized_features_cover_what_they_covered(tmp_path: Path, hop: float | None) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    source = replace(SOURCE, location=str(tmp_path), hop_frames=hop, window_frames=hop, resize_steps=21)
    found = source.read("v", STEPS * 16 / 30, 0.0)
    assert found.array.shape == (CHANNELS, 21)
    assert found.grid.hop_s * 21 == pytest.approx(STEPS * 16 / 30)
    assert found.grid.to_seconds(10.0) == pytest.approx(STEPS * 16 / 30 / 2)
    np.testing.assert_allclose(found.array[:, 10], ARRAY[:, 3])


@pytest.mark.parametrize(("every", "kept"), [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (3, [0, 3, 6]), (9, [0])])
def test_steps_may_be_left_out_and_the_others_stay_where_they_are(tmp_path: Path, every: int, kept: list[int]) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    whole = replace(SOURCE, location=str(tmp_path))
    source = replace(whole, every=every)
    assert source.size("v") == (CHANNELS, len(kept))
    found, saved = source.read("v", 4.0, 0.0), whole.read("v", 4.0, 0.0)
    np.testing.assert_array_equal(found.array, ARRAY[:, kept])
    for place, step in enumerate(kept):
        assert found.grid.to_seconds(float(place)) == pytest.approx(saved.grid.to_seconds(float(step)))
    assert found.grid.window_frames == 32
    assert (source.stamp("v") == whole.stamp("v")) == (every == 1)


def test_steps_are_left_out_before_the_others_are_resized(tmp_path: Path) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    found = replace(SOURCE, location=str(tmp_path), every=2, resize_steps=4).read("v", 4.0, 0.0)
    np.testing.assert_array_equal(found.array, ARRAY[:, ::2])
    assert found.grid.hop_frames == (3 * 32 + 32) / 4


def test_the_first_step_stands_where_it_is_declared_to(tmp_path: Path) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    source = replace(SOURCE, location=str(tmp_path), offset_frames=3.0)
    assert source.read("v", 4.0, 0.0).grid.to_seconds(0.0) == pytest.approx(3 / 30)


def test_one_step_is_enough_and_none_is_not(tmp_path: Path) -> None:
    save(tmp_path / "one.npy", ARRAY.T[:1])
    save(tmp_path / "none.npy", ARRAY.T[:0])
    source = replace(SOURCE, location=str(tmp_path))
    np.testing.assert_array_equal(source.read("one", 4.0, 0.0).array, ARRAY[:, :1])
    with pytest.raises(FeatureError, match=r"none\.npy: features are \[0, 3\], expected two axes, neither empty"):
        source.size("none")


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 30), steps=st.integers(1, 60), seed=st.integers(0, 99))
def test_resizing_is_that_of_torch(length: int, steps: int, seed: int) -> None:
    array = np.random.default_rng(seed).normal(size=(2, length)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(array)[None], size=steps, mode="linear", align_corners=False
    )[0]
    np.testing.assert_allclose(resized(array, steps), expected.numpy(), atol=1e-5)


def test_a_stamp_changes_with_the_file_and_the_grid(tmp_path: Path) -> None:
    save(tmp_path / "v.npy", ARRAY.T)
    source = replace(SOURCE, location=str(tmp_path))
    stamps = {source.stamp("v"), replace(source, hop_frames=8).stamp("v"), source.stamp("w")}
    save(tmp_path / "v.npy", ARRAY.T[:-1])
    assert len(stamps | {source.stamp("v")}) == 4


@pytest.mark.parametrize(
    ("name", "write", "match"),
    [
        ("v.npy", lambda path: np.save(path, np.zeros((4, 5), np.float32)), r"\[4, 5\], expected 3 channels"),
        ("v.npy", lambda path: np.save(path, np.zeros(5, np.float32)), r"\[5\], expected two axes"),
        ("v.npy", lambda path: path.write_bytes(b"\x93NUMPY"), "not readable as .npy"),
        ("v.npz", lambda path: path.write_bytes(b"PK"), "not readable as .npz"),
        ("v.h5", lambda path: path.write_bytes(b"no"), "not readable as .h5"),
        ("v.pkl", lambda path: path.write_bytes(b"no"), "a pickle may run code"),
        ("v.npy", lambda path: np.save(path, np.full((7, 3), np.nan, np.float32)), "21 of 21 values are not finite"),
        ("v.npy", lambda path: np.save(path, np.zeros((7, 3), "U3")), "of type <U3, expected numbers"),
        ("v.npy", lambda path: np.save(path, np.full((7, 3), 1e300)), "21 of 21 values are not finite"),
        ("v.pt", lambda path: torch.save([torch.ones(7, 3)], path), "holds a list, expected one tensor"),
        ("v.pt", lambda path: torch.save({"fps": 30}, path), r"holds arrays \[\], expected one called"),
        ("v.pt", lambda path: torch.save({"a": torch.ones(7, 3), "b": torch.ones(7, 3)}, path), r"\['a', 'b'\], expec"),
        ("v.pt", lambda path: torch.save(torch.ones(7, 3, dtype=torch.complex64), path), "of type complex64, expected"),
    ],
)
def test_unfit_files_are_named(tmp_path: Path, name: str, write: object, match: str) -> None:
    write(tmp_path / name)  # type: ignore[operator]
    source = replace(SOURCE, location=str(tmp_path), files=(f"{{name}}.{name.split('.')[1]}",))
    with pytest.raises(FeatureError, match=match):
        source.read("v", 4.0, 0.0)


@pytest.mark.parametrize("dtype", [object, bool, np.complex64, "U3"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_what_is_no_number_is_found_before_it_is_read(tmp_path: Path, suffix: str, dtype: object) -> None:
    path, array = tmp_path / f"v{suffix}", np.zeros((7, 3), dtype)
    save(path, array)
    source = replace(SOURCE, location=str(tmp_path), files=(f"{{name}}{suffix}",))
    with pytest.raises(FeatureError, match=r"features are of type .*, expected numbers"):
        source.size("v")


def test_an_archive_without_the_array_says_what_it_holds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["other"] = ARRAY
    with pytest.raises(FeatureError, match="has no array 'v'; it holds other, 1 in all"):
        replace(SOURCE, location=str(tmp_path / "all.h5"), files=("{name}",)).read("v", 4.0, 0.0)
