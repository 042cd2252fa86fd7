"""Light features: true time stamps, no dependence on chunking, and each part measures what it says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mravff_core.errors import CancelledError, ConfigError, MediaError
from mravff_core.media import audio_encoder, visual_encoder
from mravff_core.media.encoders import ENCODERS, AudioEncoder, VisualEncoder, encoder
from mravff_core.media.pixels import HEIGHT, WIDTH, measure
from tests.media.factory import click_at, make_video, tone

VISUAL, AUDIO = VisualEncoder(), AudioEncoder()
# Where the groups of channels begin, in the order of the tables that document them.
LAYOUT, MOTION, FLOW, PALETTE, MOVING_PALETTE, RHYTHM, SUMMARY = 0, 72, 96, 120, 140, 166, 178
MEAN, RISE, SHAPE = 0, 96, 176


def moving_square(count: int, *, speed: float = 1.0, colour: tuple[int, int, int] = (220, 60, 40)) -> list[np.ndarray]:
    """Frames of a textured square crossing a grey ground rightwards, `speed` pixels a frame."""
    square = np.random.default_rng(3).integers(0, 60, (16, 16, 1)) + np.array(colour) - 30
    frames = []
    for number in range(count):
        frame = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        left = 20 + round(number * speed)
        frame[18:34, left : left + 16] = np.clip(square, 0, 255)
        frames.append(frame)
    return frames


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_each_encoder_keeps_its_promises(tmp_path: Path, name: str) -> None:
    path = make_video(tmp_path / "clip.mp4", 3.3, size=(160, 90), audio=tone(3.3))
    features = encoder(name).encode(path)
    assert features.array.shape[0] == encoder(name).channels
    assert features.array.dtype == np.float32
    assert np.isfinite(features.array).all()
    assert features.grid == encoder(name).grid
    np.testing.assert_array_equal(features.array, encoder(name).encode(path).array)


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match="'light_taste' is not known"):
        encoder("light_taste")


def test_both_grids_have_the_same_time_stamps() -> None:
    steps = np.arange(1000.0)
    np.testing.assert_allclose(VISUAL.grid.to_seconds(steps), AUDIO.grid.to_seconds(steps), atol=1e-9)
    assert VISUAL.grid.hop_s == pytest.approx(4 / 30)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 31, 32, 33, 60, 131])
def test_steps_cover_the_whole_video(frames: int) -> None:
    assert VISUAL.encode_frames(moving_square(frames, speed=0.3)).array.shape == (192, math.ceil(frames / 4))


@pytest.mark.parametrize("own", [1.0, 24.0, 25.0, 60.0])
def test_steps_follow_the_clock_and_not_the_frame_count(tmp_path: Path, own: float) -> None:
    path = make_video(tmp_path / "clip.mp4", 4.0, frames_per_second=own)
    assert VISUAL.encode(path).array.shape[1] == 30


@pytest.mark.parametrize("block", [1, 7, 100])
def test_visual_features_do_not_depend_on_chunking(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    frames = moving_square(70, speed=0.5)
    whole = VISUAL.encode_frames(frames).array
    monkeypatch.setattr(visual_encoder, "_BLOCK", block)
    np.testing.assert_allclose(VISUAL.encode_frames(frames).array, whole, atol=2e-3)


@pytest.mark.parametrize("block", [37, 1600, 16001])
def test_audio_features_do_not_depend_on_chunking(block: int) -> None:
    samples = click_at(1.0, 3.0) + tone(3.0)
    whole = AUDIO.encode_samples(samples, 16000).array
    blocks = [samples[low : low + block] for low in range(0, len(samples), block)]
    chunked = np.concatenate(list(audio_encoder._steps(blocks)), axis=1)
    np.testing.assert_allclose(chunked, whole, atol=2e-3)


def test_a_step_sees_only_its_own_window() -> None:
    frames = moving_square(80, speed=0.5)
    whole = VISUAL.encode_frames(frames).array
    frames[40] = np.full((HEIGHT, WIDTH, 3), 250, np.uint8)
    changed = np.abs(VISUAL.encode_frames(frames).array - whole).max(axis=0) > 1e-3
    centre_s = VISUAL.grid.to_seconds(np.arange(20.0))
    half_s = (VISUAL.grid.window_frames / 2 + 1) / 30  # one frame more: motion looks back
    near = np.abs(centre_s - 40.5 / 30) < half_s
    assert changed[10] and not changed[~near].any()


def test_a_flash_is_felt_at_the_time_it_happens() -> None:
    frames = [np.full((HEIGHT, WIDTH, 3), 60, np.uint8)] * 90
    frames[45:47] = [np.full((HEIGHT, WIDTH, 3), 240, np.uint8)] * 2
    energy = np.abs(VISUAL.encode_frames(frames).array[RHYTHM : RHYTHM + 4]).max(axis=0)
    assert VISUAL.grid.to_seconds(float(np.argmax(energy))) == pytest.approx(1.5, abs=0.5 * VISUAL.grid.hop_s)


@pytest.mark.parametrize("time_s", [0.31, 1.0, 2.77])
def test_a_click_is_felt_at_the_time_it_happens(time_s: float) -> None:
    features = AUDIO.encode_samples(click_at(time_s, 3.0), 16000).array
    loudest = float(np.argmax(features[RISE : RISE + 32].sum(axis=0)))
    assert AUDIO.grid.to_seconds(loudest) == pytest.approx(time_s, abs=0.5 * AUDIO.grid.hop_s + 0.02)


def test_silence_is_exactly_what_digital_silence_gives(tmp_path: Path) -> None:
    silence = AUDIO.silence()
    assert silence.shape == (192,)
    zeros = AUDIO.encode_samples(np.zeros(50000, np.float32), 16000).array
    np.testing.assert_array_equal(zeros, np.repeat(silence[:, None], zeros.shape[1], axis=1))
    mute = make_video(tmp_path / "mute.mkv", 1.0, audio=np.zeros(16000, np.float32), audio_codec="flac")
    encoded = AUDIO.encode(mute).array
    np.testing.assert_array_equal(encoded, np.repeat(silence[:, None], encoded.shape[1], axis=1))
    np.testing.assert_array_equal(AUDIO.encode_samples(np.zeros(0, np.float32), 44100).array, silence[:, None])


def test_samples_of_any_rate_give_nearly_the_same() -> None:
    slow = AUDIO.encode_samples(tone(2.0), 16000).array[:, 2:-2]
    fast = AUDIO.encode_samples(tone(2.0, sample_rate=48000), 48000).array[:, 2:-2]
    assert np.corrcoef(slow[:64].ravel(), fast[:64].ravel())[0, 1] > 0.98


def test_higher_tones_light_up_higher_bands() -> None:
    bands = [
        int(np.argmax(AUDIO.encode_samples(tone(1.0, hertz=hertz), 16000).array[:64, 3])) for hertz in (200, 1000, 5000)
    ]
    assert bands == sorted(bands) and bands[0] < 12 and bands[2] > 45


def test_hits_and_textures_differ_where_they_should() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    hiss = AUDIO.encode_samples(noise, 16000).array[:, 3:-3]
    click = AUDIO.encode_samples(click_at(1.03, 2.0), 16000).array
    assert click[RISE : RISE + 32].max() > 1.5 * hiss[RISE : RISE + 32].max()
    assert np.abs(click[SHAPE : SHAPE + 8]).max() > 3 * np.abs(hiss[SHAPE : SHAPE + 8]).max()


def test_flow_tells_direction_and_stillness_gives_none() -> None:
    right = VISUAL.encode_frames(moving_square(40, speed=1.0)).array
    left = VISUAL.encode_frames(moving_square(40, speed=1.0)[::-1]).array
    still = VISUAL.encode_frames(moving_square(1) * 40).array
    rightwards = slice(RHYTHM + 4, RHYTHM + 8)
    assert (right[rightwards, 1:-1] > 0).all()
    assert (left[rightwards, 1:-1] < 0).all()
    assert np.abs(still[FLOW : FLOW + 24]).max() == 0
    assert np.abs(still[MOTION : MOTION + 24]).max() == 0


def test_the_moving_palette_follows_the_object_and_not_the_ground() -> None:
    red = VISUAL.encode_frames(moving_square(24, colour=(220, 60, 40))).array
    blue = VISUAL.encode_frames(moving_square(24, colour=(40, 60, 220))).array
    red_there = VISUAL.encode_frames([np.roll(frame, 15, axis=0) for frame in moving_square(24)]).array
    moving = slice(MOVING_PALETTE, MOVING_PALETTE + 20)
    same = np.abs(red[moving, 2] - red_there[moving, 2]).sum()
    other = np.abs(red[moving, 2] - blue[moving, 2]).sum()
    assert other > 5 * same


def test_measurements_add_up() -> None:
    frames = np.stack(moving_square(6))
    stats = measure(frames)
    assert len(stats) == 5
    np.testing.assert_allclose(stats.palette.sum(axis=1), 1, atol=1e-5)
    luma = (frames[1:] @ np.array([0.299, 0.587, 0.114]) / 255).mean(axis=(1, 2))
    np.testing.assert_allclose(stats.colour[..., 0].mean(axis=(1, 2)), luma, atol=1e-4)


def test_progress_rises_to_one_and_cancel_stops(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 3.0, audio=tone(3.0))
    for one in (VISUAL, AUDIO):
        shares: list[float] = []
        one.encode(path, progress=shares.append)
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1, abs=0.05)
        with pytest.raises(CancelledError, match="stopped"):
            one.encode(path, cancel=lambda: True)


def test_a_clip_without_sound_has_no_audio_features(tmp_path: Path) -> None:
    path = make_video(tmp_path / "mute.mp4", 0.5)
    with pytest.raises(MediaError, match=r"mute\.mp4: has no audio track"):
        AUDIO.encode(path)


def test_values_are_of_the_order_of_one(shared: Path) -> None:
    media = shared / "data" / "media"
    for name in ("chaplin.mp4", "big_buck_bunny_0_30.webm"):
        for one in (VISUAL, AUDIO):
            values = one.encode(media / name).array
            assert 0.5 < values.std() < 2.5 and np.abs(values).max() < 25


def test_a_video_of_one_pixel_works(shared: Path) -> None:
    features = VISUAL.encode(shared / "data" / "media" / "bitmap.mp4")
    assert features.array.shape == (192, 38)
    assert np.isfinite(features.array).all()
