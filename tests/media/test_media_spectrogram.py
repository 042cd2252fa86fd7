"""Spectrograms equal librosa's, envelopes hold every sample, thumbnails show the right moment."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mravff_core.errors import CancelledError
from mravff_core.media.decode import read_audio
from mravff_core.media.mel import MelSettings, mel_columns
from mravff_core.media.spectrogram import log_mel, log_mel_of
from mravff_core.media.thumbnails import frame_at, thumbnail
from mravff_core.media.waveform import envelope, envelope_of
from tests.media.factory import click_at, make_video, read_stamp, tone


def noise(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(5).standard_normal(samples).astype(np.float32)


REFERENCE = """
import json, sys, librosa, numpy
folder, options = sys.argv[1], json.loads(sys.argv[2])
power = librosa.feature.melspectrogram(y=numpy.load(folder + "/samples.npy"), **options)
numpy.save(folder + "/expected.npy", librosa.power_to_db(power, top_db=None))
"""


def by_librosa(folder: Path, samples: np.ndarray, settings: MelSettings, hop: int) -> np.ndarray:
    """librosa's own result, in a process of its own: what it compiles the first time fills much memory."""
    options = {
        "sr": settings.sample_rate,
        "n_fft": settings.fft_length,
        "hop_length": hop,
        "n_mels": settings.bands,
        "fmin": settings.low_hz,
        "fmax": settings.high_hz,
    }
    np.save(folder / "samples.npy", samples)
    command = [sys.executable, "-c", REFERENCE, str(folder), json.dumps(options)]
    subprocess.run(command, check=True)
    return np.load(folder / "expected.npy")


@pytest.mark.parametrize(
    ("settings", "hop"),
    [
        (MelSettings(), 320),
        (MelSettings(sample_rate=44100, fft_length=2048, bands=96, low_hz=30, high_hz=16000), 441),
    ],
)
def test_log_mel_equals_librosa(tmp_path: Path, settings: MelSettings, hop: int) -> None:
    samples = noise(30011) + tone(2.0)[:30011]
    expected = by_librosa(tmp_path, samples, settings, hop)
    ours = log_mel_of([samples], settings=settings, hop_s=hop / settings.sample_rate)
    assert ours.decibels.shape == expected.shape
    np.testing.assert_allclose(ours.decibels, expected, atol=2e-3)
    assert ours.hop_s == pytest.approx(hop / settings.sample_rate)
    assert ours.frequencies_hz.shape == (settings.bands,)


@settings(max_examples=25, deadline=None)
@example([1, 255, 25], 516, 0)
@example([300] * 12, 1400, 0)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.integers(40, 1500), st.integers(-3, 2))
def test_columns_do_not_depend_on_how_the_stream_is_cut(lengths: list[int], hop: int, first: int) -> None:
    samples = noise(sum(lengths))
    blocks = np.split(samples, np.cumsum(lengths)[:-1])

    def columns(parts: list[np.ndarray]) -> np.ndarray:
        pieces = mel_columns(
            parts, MelSettings(), centre=lambda k: k * hop, first=first, stop=lambda heard: 3 + heard // hop
        )
        return np.concatenate(list(pieces), axis=1)

    whole = columns([samples])
    assert whole.shape == (64, 3 + len(samples) // hop - first)
    # The rounding of a Fourier transform is that of its largest value, in all bands of a column.
    assert np.all(np.abs(columns(blocks) - whole) <= 1e-5 * whole.max(axis=0))


def test_a_tone_lies_at_its_frequency_and_a_click_at_its_time(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "tone.mkv", 2.0, audio=tone(2.0, hertz=1500) * 0.05 + click_at(1.2, 2.0), audio_codec="flac"
    )
    mel = log_mel(path, hop_s=0.01)
    band = int(np.argmax(mel.decibels[:, 50]))
    assert mel.frequencies_hz[band] == pytest.approx(1500, rel=0.06)
    loudest = int(np.argmax(mel.decibels.mean(axis=0)))
    assert mel.start_s + loudest * mel.hop_s == pytest.approx(1.21, abs=0.02)


def test_a_silent_file_has_empty_tracks(tmp_path: Path) -> None:
    path = make_video(tmp_path / "mute.mp4", 0.5)
    assert log_mel(path).decibels.shape == (64, 0)
    assert envelope(path).lowest.shape == (0,)


def test_digital_silence_is_the_floor() -> None:
    assert np.all(log_mel_of([np.zeros(4000, np.float32)]).decibels == -100)


def test_a_long_spectrogram_can_be_stopped(tmp_path: Path) -> None:
    path = make_video(tmp_path / "tone.mp4", 0.5, audio=tone(0.5))
    shares: list[float] = []
    log_mel(path, progress=shares.append, duration_s=0.5)
    assert shares[-1] == 1
    with pytest.raises(CancelledError):
        log_mel(path, cancel=lambda: True)
    with pytest.raises(CancelledError):
        envelope(path, cancel=lambda: True)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=10))
def test_an_envelope_holds_every_sample_whatever_the_blocks(lengths: list[int]) -> None:
    samples = noise(sum(lengths))
    outline = envelope_of(np.split(samples, np.cumsum(lengths)[:-1]), hop_s=0.01, sample_rate=16000)
    assert len(outline.lowest) == -(-len(samples) // 160)
    for number, (low, high) in enumerate(zip(outline.lowest, outline.highest, strict=True)):
        part = samples[number * 160 : (number + 1) * 160]
        assert (low, high) == (part.min(), part.max())


def test_an_envelope_is_the_files_own(tmp_path: Path) -> None:
    path = make_video(tmp_path / "click.mp4", 2.0, audio=click_at(0.7, 2.0))
    outline = envelope(path, hop_s=0.02)
    samples = read_audio(path, sample_rate=16000)
    assert outline.highest.max() == samples.max()
    assert int(np.argmax(outline.highest)) * outline.hop_s == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(("time_s", "number"), [(0.0, 0), (1.0, 30), (3.5, 105), (4.99, 149), (60.0, 149)])
def test_a_thumbnail_shows_its_moment(tmp_path: Path, time_s: float, number: int) -> None:
    path = make_video(tmp_path / "five.mp4", 5.0)
    picture = np.asarray(Image.open(io.BytesIO(thumbnail(path, time_s, height=96))))
    assert picture.shape == (96, 128, 3)
    assert read_stamp(picture) == number
    assert read_stamp(frame_at(path, time_s)) == number


def test_a_thumbnail_keeps_red_red(tmp_path: Path) -> None:
    path = make_video(tmp_path / "red.mp4", 0.2, picture=lambda _: np.full((48, 64, 3), (220, 20, 20), np.uint8))
    picture = np.asarray(Image.open(io.BytesIO(thumbnail(path, 0))))
    assert picture[..., 0].mean() > 150 > 80 > picture[..., 2].mean()
    with pytest.raises(ValueError, match="height 0"):
        thumbnail(path, 0, height=0)
