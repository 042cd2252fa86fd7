"""A converted video plays in browsers, shows the same at the same time, and is whole or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mravff_core.errors import CancelledError, MediaError
from mravff_core.media.decode import iter_frames, read_audio
from mravff_core.media.probe import probe
from mravff_core.media.transcode import to_browser_mp4
from tests.media.factory import click_at, make_video, read_stamp, stamp


def numbers(path: Path) -> list[int]:
    return [read_stamp(frame.rgb) for frame in iter_frames(path, frames_per_second=30)]


def onset_s(path: Path) -> float:
    return float(np.argmax(np.abs(read_audio(path, sample_rate=16000)) > 0.2)) / 16000


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mkv", {}),
        ("clip.mov", {"audio_codec": "pcm_s16le"}),
        ("clip.ts", {}),
        ("clip.flv", {"sample_rate": 44100}),
        ("clip.avi", {"codec": "mpeg4", "audio_codec": "mp2"}),
        ("clip.mov", {"codec": "mjpeg", "pixels": "yuvj420p", "audio_codec": "pcm_s16le"}),
        ("wide.mp4", {"pixels": "yuv444p"}),
        ("cinema.mkv", {"frames_per_second": 24.0}),
    ],
)
def test_it_plays_and_is_in_step(tmp_path: Path, name: str, options: dict) -> None:
    rate = options.get("sample_rate", 16000)
    path = make_video(tmp_path / name, 2.0, audio=click_at(1.25, 2.0, sample_rate=rate), **options)
    assert not probe(path).browser_playable
    out = to_browser_mp4(path, tmp_path / "out.mp4")
    made = probe(out)
    assert made.browser_playable and made.video_codec == "h264" and made.audio_codec == "aac"
    assert made.duration_s == pytest.approx(probe(path).duration_s, abs=0.05)
    assert numbers(out) == numbers(path)
    assert onset_s(out) == pytest.approx(onset_s(path), abs=3e-3)
    assert onset_s(out) == pytest.approx(1.25, abs=0.07)  # some codecs delay sound by a frame, and say nothing


def test_the_index_comes_first_so_that_playing_starts_at_once(tmp_path: Path) -> None:
    out = to_browser_mp4(make_video(tmp_path / "clip.mkv", 1.0), tmp_path / "out.mp4")
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_rotation_is_drawn_into_the_picture(tmp_path: Path) -> None:
    path = make_video(tmp_path / "phone.mkv", 0.5, rotation=90, size=(128, 96))
    turned = probe(to_browser_mp4(path, tmp_path / "out.mp4"))
    assert (turned.width, turned.height, turned.rotation) == (96, 128, 0)


def test_a_varying_rate_becomes_constant_in_place(tmp_path: Path) -> None:
    path = make_video(tmp_path / "vfr.mkv", times_s=[0, 0.1, 0.5, 0.6, 1.4])
    assert numbers(to_browser_mp4(path, tmp_path / "out.mp4")) == numbers(path)


@pytest.mark.parametrize(("size", "made"), [((66, 50), (66, 50)), ((2400, 1350), (1920, 1080)), ((16, 16), (16, 16))])
def test_sides_are_even_and_not_too_large(tmp_path: Path, size: tuple[int, int], made: tuple[int, int]) -> None:
    path = make_video(tmp_path / "size.avi", 0.1, codec="mpeg4", size=size, picture=lambda _: stamp(5, size))
    info = probe(to_browser_mp4(path, tmp_path / "out.mp4"))
    assert (info.width, info.height) == made


def test_one_odd_pixel_becomes_two(tmp_path: Path, shared: Path) -> None:
    info = probe(to_browser_mp4(shared / "data" / "media" / "bitmap.mp4", tmp_path / "out.mp4"))
    assert (info.width, info.height) == (2, 2)
    assert info.duration_s == pytest.approx(5.0)
    assert info.browser_playable


def test_a_stop_or_a_bad_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mkv", 1.0)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "out.mp4").write_bytes(b"earlier")
    with pytest.raises(CancelledError, match=r"clip\.mkv"):
        to_browser_mp4(path, folder / "out.mp4", cancel=lambda: True)
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video at all, only words")
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        to_browser_mp4(bad, folder / "out.mp4")
    assert [file.name for file in folder.iterdir()] == ["out.mp4"]
    assert (folder / "out.mp4").read_bytes() == b"earlier"


def grainy(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(("suffix", "copied"), [(".mkv", True), (".flv", True), (".ts", False)])
def test_h264_is_copied_where_its_time_stamps_allow(tmp_path: Path, suffix: str, copied: bool) -> None:
    path = make_video(tmp_path / f"clip{suffix}", 2.0, picture=grainy)
    out = to_browser_mp4(path, tmp_path / "out.mp4")
    before, after = (list(iter_frames(one, frames_per_second=30)) for one in (path, out))
    assert len(before) == len(after)
    same = all(np.array_equal(one.rgb, other.rgb) for one, other in zip(before, after, strict=True))
    assert same is copied


def test_progress_rises_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    to_browser_mp4(make_video(tmp_path / "clip.mkv", 3.0), tmp_path / "out.mp4", progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) >= 3


@pytest.mark.parametrize("options", [{}, {"codec": "mpeg4"}, {"pixels": "yuv444p"}, {"rotation": 90}])
def test_colours_stay(tmp_path: Path, options: dict) -> None:
    colour = (200, 80, 40)
    path = make_video(tmp_path / "colour.mkv", 0.2, picture=lambda _: np.full((48, 64, 3), colour, np.uint8), **options)
    out = to_browser_mp4(path, tmp_path / "out.mp4")
    before, after = (next(iter_frames(one, frames_per_second=30)).rgb.mean(axis=(0, 1)) for one in (path, out))
    np.testing.assert_allclose(before, colour, atol=8)
    np.testing.assert_allclose(after, before, atol=6)
