"""Frames come at a constant rate by their time stamps, whatever the file's own rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.errors import MediaError
from mravff_core.media.container import DecodeReport
from mravff_core.media.decode import iter_frames
from tests.media.factory import make_video, read_stamp, stamp


def numbers(path: Path, **options: float) -> list[int]:
    rate = options.pop("frames_per_second", 30.0)
    return [read_stamp(frame.rgb) for frame in iter_frames(path, frames_per_second=rate, **options)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("decode") / "steady.mp4", 6.0)


@given(st.integers(0, 4095), st.tuples(st.integers(16, 100), st.integers(12, 100)))
def test_a_stamp_is_read_back(number: int, size: tuple[int, int]) -> None:
    assert read_stamp(stamp(number, size)) == number


def test_every_frame_comes_once_in_order_at_the_files_own_rate(steady: Path) -> None:
    assert numbers(steady) == list(range(180))


@pytest.mark.parametrize("own", [10.0, 12.5, 24.0, 25.0, 30000 / 1001, 50.0, 60.0])
def test_any_rate_becomes_30_by_time(tmp_path: Path, own: float) -> None:
    path = make_video(tmp_path / "odd.mp4", 2.0, frames_per_second=own)
    frames = list(iter_frames(path, frames_per_second=30))
    assert abs(len(frames) - 60) <= 1
    for frame in frames:
        # The picture on screen, give or take half a picture of the faster of the two rates.
        late_s = frame.time_s - read_stamp(frame.rgb) / own
        assert -0.5 / max(own, 30) - 1e-3 <= late_s <= 1 / own + 1e-3


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_varying_rate_is_placed_by_time_stamps(tmp_path_factory: pytest.TempPathFactory, steps_ms: list[int]) -> None:
    times_s = [0.0, *(np.cumsum(steps_ms) / 1000).tolist()]
    path = make_video(tmp_path_factory.mktemp("vfr") / "vfr.mp4", times_s=times_s)
    for frame in iter_frames(path, frames_per_second=30):
        shown = read_stamp(frame.rgb)
        assert times_s[shown] <= frame.time_s + 0.5 / 30 + 1e-3
        if shown + 1 < len(times_s):
            assert times_s[shown + 1] >= frame.time_s - 1e-3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_range_is_the_same_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    path = make_video(tmp_path / f"range{suffix}", 6.0)
    assert numbers(path, start_s=4.0, end_s=5.0) == list(range(120, 150))
    assert numbers(path, start_s=1.0, end_s=1.1) == [30, 31, 32]
    assert numbers(path, start_s=5.9) == [177, 178, 179]
    assert numbers(path, start_s=99.0) == []


def test_times_are_exact_and_repeats_are_separate_arrays(tmp_path: Path) -> None:
    path = make_video(tmp_path / "slow.mp4", 1.0, frames_per_second=5)
    frames = list(iter_frames(path, frames_per_second=30))
    assert [frame.time_s for frame in frames] == [k / 30 for k in range(30)]
    frames[0].rgb[:] = 7
    assert frames[1].rgb.max() > 7


def test_scaling_keeps_the_aspect_where_one_side_is_given(steady: Path) -> None:
    def shape(**size: int) -> tuple[int, ...]:
        return next(iter_frames(steady, frames_per_second=30, **size)).rgb.shape

    assert shape() == (48, 64, 3)
    assert shape(height=24) == (24, 32, 3)
    assert shape(width=16) == (12, 16, 3)
    assert shape(width=10, height=10) == (10, 10, 3)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_display_rotation_is_applied(tmp_path: Path, rotation: int) -> None:
    def corner(number: int) -> np.ndarray:
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:20, :20] = 255  # top left as stored
        return picture

    path = make_video(tmp_path / "turned.mp4", 0.2, rotation=rotation, picture=corner)
    rgb = next(iter_frames(path, frames_per_second=30)).rgb
    upright = np.rot90(corner(0), rotation // 90)
    assert rgb.shape == upright.shape
    np.testing.assert_allclose(rgb, upright, atol=40)
    small = next(iter_frames(path, frames_per_second=30, height=rgb.shape[0] // 2)).rgb
    assert small.shape[:2] == (rgb.shape[0] // 2, rgb.shape[1] // 2)


def test_the_first_picture_stands_for_the_time_before_it(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "late.mkv", times_s=[0.5 + k / 30 for k in range(30)], audio=np.zeros(24000, np.float32)
    )
    shown = numbers(path)
    assert shown[:15] == [0] * 15
    assert shown[-1] == 29


def test_requests_that_make_no_sense_are_refused(steady: Path) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        next(iter_frames(steady, frames_per_second=0))
    with pytest.raises(ValueError, match="time range"):
        next(iter_frames(steady, frames_per_second=30, start_s=2, end_s=1))


def test_damage_in_the_middle_is_counted_and_passed_over(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hurt.mp4", 4.0, size=(128, 96))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(np.random.default_rng(0).integers(0, 256, 600, dtype=np.uint8))
    path.write_bytes(data)
    report = DecodeReport()
    shown = [read_stamp(frame.rgb) for frame in iter_frames(path, frames_per_second=30, report=report)]
    assert shown[:30] == list(range(30))
    assert len(shown) == 120
    assert report.damaged > 0
    assert "damaged" in report.warnings(path)[0]


def test_a_video_of_which_nothing_decodes_is_an_error(tmp_path: Path) -> None:
    path = make_video(tmp_path / "noise.mp4", 1.0)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    stop = data.index(b"moov") - 4
    data[start:stop] = bytes(np.random.default_rng(1).integers(0, 256, stop - start, dtype=np.uint8))
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"noise\.mp4: not one video frame could be decoded"):
        list(iter_frames(path, frames_per_second=30))
