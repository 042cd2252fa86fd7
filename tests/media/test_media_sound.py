"""Samples lie where the file says they were heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mravff_core.media.decode import iter_audio, read_audio
from mravff_core.media.sound import iter_channels
from tests.media.factory import click_at, make_video, tone


def onset_s(samples: np.ndarray, rate: int = 16000) -> float:
    return float(np.argmax(np.abs(samples) > 0.2)) / rate


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "flac"), (".mov", "pcm_s16le")])
def test_a_click_is_heard_when_it_happened(tmp_path: Path, suffix: str, codec: str) -> None:
    path = make_video(tmp_path / f"click{suffix}", 2.0, audio=click_at(1.25, 2.0), audio_codec=codec)
    assert onset_s(read_audio(path, sample_rate=16000)) == pytest.approx(1.25, abs=2e-3)
    assert onset_s(read_audio(path, sample_rate=16000, start_s=1.0)) == pytest.approx(0.25, abs=2e-3)


def test_sound_that_starts_late_is_padded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "late.mp4", 3.0, audio=click_at(0.5, 2.0), audio_start_s=0.75)
    assert onset_s(read_audio(path, sample_rate=16000)) == pytest.approx(1.25, abs=3e-3)


def test_a_late_range_equals_that_part_of_the_whole(tmp_path: Path) -> None:
    path = make_video(tmp_path / "long.mkv", 1.0, audio=tone(30, hertz=310), audio_codec="flac")
    whole = read_audio(path, sample_rate=16000)
    part = read_audio(path, sample_rate=16000, start_s=21.5, end_s=22.0)
    assert part.shape == (8000,)
    np.testing.assert_allclose(part, whole[344000:352000], atol=1e-2)


@pytest.mark.parametrize("block_s", [0.013, 0.5, 100.0])
def test_blocks_only_cut_the_stream(tmp_path: Path, block_s: float) -> None:
    path = make_video(tmp_path / "tone.mp4", 1.0, audio=tone(2.0, sample_rate=44100), sample_rate=44100)
    blocks = list(iter_audio(path, sample_rate=16000, block_s=block_s))
    assert all(len(block) == round(block_s * 16000) for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), read_audio(path, sample_rate=16000))


def test_resampling_keeps_pitch_and_loudness(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "tone.mkv", 1.0, audio=tone(2.0, sample_rate=48000), sample_rate=48000, audio_codec="flac"
    )
    samples = read_audio(path, sample_rate=16000)
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert int(np.argmax(spectrum)) == 440
    assert np.abs(samples[8000:24000]).max() == pytest.approx(0.3, abs=0.01)


def test_a_silent_file_gives_no_samples(tmp_path: Path) -> None:
    path = make_video(tmp_path / "mute.mp4", 0.5)
    assert read_audio(path, sample_rate=16000).shape == (0,)
    assert list(iter_audio(path, sample_rate=16000)) == []


def test_mono_sound_fills_both_channels_of_stereo(tmp_path: Path) -> None:
    path = make_video(tmp_path / "tone.mp4", 1.0, audio=tone(1.0))
    stereo = np.concatenate(list(iter_channels(path, sample_rate=48000, layout="stereo")), axis=1)
    assert stereo.shape[0] == 2
    np.testing.assert_allclose(stereo[0], stereo[1], atol=1e-6)


def test_requests_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "tone.mp4", 0.2, audio=tone(0.2))
    with pytest.raises(ValueError, match="at least one sample"):
        next(iter_audio(path, sample_rate=0))
    with pytest.raises(ValueError, match="time range"):
        next(iter_audio(path, sample_rate=16000, start_s=3, end_s=1))
