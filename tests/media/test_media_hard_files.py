"""Files that break other tools: each is read for what it is, or refused in one clear sentence."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mravff_core.errors import MediaError
from mravff_core.media.container import DecodeReport
from mravff_core.media.decode import iter_frames, read_audio
from mravff_core.media.encoders import AudioEncoder, VisualEncoder
from mravff_core.media.probe import probe
from mravff_core.media.thumbnails import thumbnail
from tests.media.factory import click_at, make_video, read_stamp, tone


def numbers(path: Path) -> list[int]:
    return [read_stamp(frame.rgb) for frame in iter_frames(path, frames_per_second=30)]


def text(path: Path) -> Path:
    path.write_text("start_s,end_s,label\n0.0,1.0,cut\n" * 20)
    return path


def picture(path: Path) -> Path:
    Image.new("RGB", (64, 48)).save(path, format="PNG")
    return path


def archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("video.mp4", bytes(2000))
    return path


def noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(40000))
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def without_index(path: Path) -> Path:
    whole = make_video(path, 2.0).read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    return path


def only_sound(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1.0)[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hostname\n#EXT-X-ENDLIST\n")
    return path


def concat_script(path: Path) -> Path:
    secret = make_video(path.with_suffix(".mkv"), 0.5)
    path.write_text(f"ffconcat version 1.0\nfile {secret.name}\n")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path, "no such file"),
        (empty, "empty"),
        (folder, "is a folder"),
        (text, "looks like text"),
        (picture, "is a picture"),
        (archive, "is a ZIP archive"),
        (noise, "damaged or renamed"),
        (without_index, "index is missing"),
        (only_sound, "no video track .only sound inside."),
        (playlist, "not readable as video"),
        (concat_script, "not readable as video"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path / "clip.mp4")
    before = sorted(file.name for file in tmp_path.iterdir())
    for attempt in (
        probe,
        VisualEncoder().encode,
        lambda bad: list(iter_frames(bad, frames_per_second=30)),
        lambda bad: thumbnail(bad, 0.0),
    ):
        with pytest.raises(MediaError, match=rf"clip\.mp4: .*{says}") as raised:
            attempt(path)
        assert "\n" not in str(raised.value)
    assert sorted(file.name for file in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "--help.mp4",
        "two words.mp4",
        "küche, 台所 🍳.mp4",
        "http:x.mp4",
        "a%03d.mp4",
        "pipe:1.mp4",
        "it's.mp4",
    ],
)
def test_odd_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_video(tmp_path / "plain.mp4", 0.5, audio=tone(0.5)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name)):
        assert probe(path).duration_s == pytest.approx(0.5)
        assert numbers(path) == list(range(15))
        assert len(read_audio(path, sample_rate=16000)) >= 8000


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    make_video(tmp_path / "plain.mp4", 0.2).rename(path)
    assert numbers(path) == list(range(6))


@pytest.mark.parametrize("kept", [0.9, 0.6, 0.3])
@pytest.mark.parametrize(
    ("suffix", "options"), [(".mp4", {"options": {"movflags": "faststart"}}), (".mkv", {}), (".ts", {})]
)
def test_a_truncated_file_gives_what_is_there(tmp_path: Path, suffix: str, options: dict, kept: float) -> None:
    path = make_video(tmp_path / f"cut{suffix}", 8.0, audio=tone(8.0), **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    info = probe(path)
    shown = numbers(path)
    assert 0.2 < info.duration_s < 8.0 and len(shown) >= 6
    assert info.duration_s == pytest.approx(len(shown) / 30, abs=0.25)
    if suffix != ".ts":  # a broadcast stream has no promised length
        assert any("breaks off" in warning for warning in info.warnings)
    assert VisualEncoder().encode(path).array.shape[1] == -(-len(shown) // 4)
    assert AudioEncoder().encode(path).array.shape[1] >= 1


def test_a_stream_without_a_length_in_its_header(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "live.webm",
        3.0,
        codec="libvpx",
        audio=tone(3.0, sample_rate=48000),
        sample_rate=48000,
        audio_codec="libopus",
        options={"live": "1"},
    )
    with av.open(str(path)) as container:
        assert container.duration is None
    info = probe(path)
    assert info.duration_s == pytest.approx(3.0, abs=0.02)
    assert info.audio_duration_s == pytest.approx(3.0, abs=0.05)
    assert numbers(path) == list(range(90))


def test_a_bare_stream_has_frames_at_the_stated_rate(tmp_path: Path) -> None:
    path = make_video(tmp_path / "raw.h264", 2.0)
    info = probe(path)
    assert info.frame_count == 60
    assert info.duration_s == pytest.approx(60 / info.frames_per_second)
    assert sorted(set(numbers(path))) == list(range(60))
    assert "no time stamps" in info.warnings[0]


def test_a_fragmented_mp4_has_its_true_length(tmp_path: Path) -> None:
    path = make_video(tmp_path / "live.mp4", 3.0, options={"movflags": "frag_keyframe+empty_moov"})
    assert probe(path).duration_s == pytest.approx(3.0, abs=0.1)
    assert set(numbers(path)) == set(range(90))


@pytest.mark.parametrize(("sound_s", "says"), [(1.0, "shorter"), (4.0, "longer")])
def test_sound_of_another_length_is_told(tmp_path: Path, sound_s: float, says: str) -> None:
    path = make_video(tmp_path / "uneven.mp4", 2.5, audio=tone(sound_s))
    info = probe(path)
    assert info.duration_s == pytest.approx(2.5)
    assert info.audio_duration_s == pytest.approx(sound_s, abs=0.07)
    assert len(info.warnings) == 1 and f"s {says} than the picture's 2.50 s" in info.warnings[0]
    assert VisualEncoder().encode(path).array.shape[1] == 19
    assert AudioEncoder().encode(path).array.shape[1] == pytest.approx(sound_s * 7.5, abs=1)


def test_sound_and_picture_of_one_length_raise_no_warning(tmp_path: Path) -> None:
    assert probe(make_video(tmp_path / "even.mp4", 2.5, audio=click_at(1, 2.5))).warnings == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_varying_frame_rate_is_told(tmp_path: Path, suffix: str) -> None:
    times_s = np.cumsum(np.tile([0.04, 0.04, 0.2, 0.1], 6)) - 0.04
    (warning,) = probe(make_video(tmp_path / f"vfr{suffix}", times_s=times_s.tolist())).warnings
    assert "has a varying frame rate" in warning


def test_a_gap_in_the_sound_stays_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("flac", rate=16000, layout="mono")
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        for begin in (0, 3 * 16000):
            part = (tone(1.0)[None] * 32767).astype(np.int16)
            block = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            block.sample_rate, block.pts = 16000, begin
            container.mux(sound.encode(block))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    loud = np.abs(read_audio(path, sample_rate=16000)[:64000]).reshape(40, 1600).max(axis=1) > 0.1
    assert loud[:9].all() and not loud[11:29].any() and loud[31:39].all()


def test_joined_recordings_play_one_after_the_other(tmp_path: Path) -> None:
    long = make_video(tmp_path / "long.ts", 30.0, frames_per_second=10)
    short = make_video(tmp_path / "short.ts", 2.0, frames_per_second=10)
    path = tmp_path / "joined.ts"
    path.write_bytes(long.read_bytes() + short.read_bytes())  # the clock starts again at the seam
    shown = [read_stamp(frame.rgb) for frame in iter_frames(path, frames_per_second=10)]
    assert len(shown) == pytest.approx(320, abs=4)
    assert shown[290:300] == list(range(290, 300)) and shown[-1] == 19
    assert probe(path).duration_s == pytest.approx(32.0, abs=0.4)


def test_a_time_stamp_gone_wild_does_not_stretch_the_video(tmp_path: Path) -> None:
    times_s = [k / 30 for k in range(60)] + [90000.0 + k / 30 for k in range(30)]
    path = make_video(tmp_path / "wild.mkv", times_s=times_s)
    assert probe(path).duration_s == pytest.approx(3.0, abs=0.2)
    assert len(numbers(path)) == pytest.approx(90, abs=6)


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "one.mp4", 0.01)
    assert probe(path).frame_count == 1
    assert numbers(path) == [0]
    assert VisualEncoder().encode(path).array.shape == (192, 1)
    assert thumbnail(path, 5.0)[:2] == b"\xff\xd8"


def test_an_audio_track_without_sound_counts_as_silence(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hollow.mkv", 1.0, audio=np.zeros(0, np.float32), audio_codec="flac")
    info = probe(path)
    if info.has_audio:
        assert any("without a single packet" in warning for warning in info.warnings)
        np.testing.assert_array_equal(AudioEncoder().encode(path).array[:, 0], AudioEncoder().silence())


def test_damaged_sound_is_passed_over(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hurt.mp4", 3.0, audio=tone(3.0), picture=lambda _: np.zeros((48, 64, 3), np.uint8))
    data = bytearray(path.read_bytes())
    start, stop = data.index(b"mdat") + 4, data.index(b"moov")
    middle = (start + stop) // 2
    data[middle : middle + 800] = np.random.default_rng(2).bytes(800)
    path.write_bytes(data)
    samples = read_audio(path, sample_rate=16000)
    assert np.isfinite(samples).all()
    assert len(samples) / 16000 == pytest.approx(3.0, abs=0.3)
    assert np.isfinite(AudioEncoder().encode(path, report=DecodeReport()).array).all()


def test_real_files_are_known(shared: Path) -> None:
    media = shared / "data" / "media"
    bunny, chaplin, bitmap = (probe(media / n) for n in ("big_buck_bunny_0_30.webm", "chaplin.mp4", "bitmap.mp4"))
    assert (bunny.width, bunny.height, bunny.video_codec, bunny.audio_codec) == (1280, 720, "vp8", "vorbis")
    assert bunny.duration_s == pytest.approx(30.0, abs=0.01) and bunny.browser_playable and not bunny.warnings
    assert (chaplin.frames_per_second, chaplin.duration_s, chaplin.frame_count) == (25.0, 9.64, 241)
    assert chaplin.has_audio and chaplin.browser_playable and not chaplin.warnings
    assert (bitmap.width, bitmap.height, bitmap.duration_s, bitmap.has_audio) == (1, 1, 5.0, False)
    assert not bitmap.browser_playable  # 4:4:4 colour


@pytest.mark.parametrize(
    ("name", "options", "plays"),
    [
        ("a.mp4", {}, True),
        ("a.mov", {}, True),
        ("b.mp4", {"audio": tone(0.2)}, True),
        ("c.webm", {"codec": "libvpx"}, True),
        ("d.mkv", {}, False),
        ("e.avi", {"codec": "mpeg4"}, False),
        ("f.mp4", {"codec": "mpeg4"}, False),
        ("g.mp4", {"pixels": "yuv422p"}, False),
        ("h.mov", {"audio": tone(0.2), "audio_codec": "pcm_s16le"}, False),
    ],
)
def test_what_browsers_play_is_known(tmp_path: Path, name: str, options: dict, plays: bool) -> None:
    assert probe(make_video(tmp_path / name, 0.2, **options)).browser_playable is plays
