"""Files of the kitchen: what they hold, that they are whole, and that a stopped rendering goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from mravff_core.errors import CancelledError, ConfigError
from mravff_core.kitchen.plan import ClipPlan
from mravff_core.kitchen.render import is_rendered, render_clip, render_split
from mravff_core.kitchen.scenes import Scene
from mravff_core.kitchen.script import plan_clip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def short() -> ClipPlan:
    """The first three seconds of a clip."""
    plan = plan_clip(0, "validation", 1)
    kept = tuple(event for event in plan.sounds if event.end_s < 3.0)
    return replace(plan, duration_s=3.0, segments=plan.segments[:1], sounds=kept)


@pytest.fixture(scope="module")
def file(short: ClipPlan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kitchen") / "short.mp4"
    render_clip(short, path)
    return path


def test_a_clip_is_h264_and_aac_of_the_stated_rate_and_length(short: ClipPlan, file: Path) -> None:
    with av.open(str(file)) as opened:
        video, sound = opened.streams.video[0], opened.streams.audio[0]
        assert video.codec_context.name == "h264" and video.average_rate == 30
        assert (video.width, video.height, video.pix_fmt) == (640, 360, "yuv420p")
        assert sound.codec_context.name == "aac" and sound.rate >= 16_000
        assert float(video.duration * video.time_base) == pytest.approx(short.duration_s, abs=0.04)
        assert float(sound.duration * sound.time_base) == pytest.approx(short.duration_s, abs=0.04)
        keys = [packet.pts * packet.time_base for packet in opened.demux(video) if packet.size and packet.is_keyframe]
    assert max(np.diff([float(key) for key in keys])) <= 1.01, "seeking is quick"


def test_the_index_stands_before_the_pictures(file: Path) -> None:
    content = file.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_file_shows_the_drawn_frames(short: ClipPlan, file: Path) -> None:
    with av.open(str(file)) as opened:
        decoded = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(decoded) == short.frame_count
    scene = Scene(short)
    for index in (0, 40, 89):
        difference = np.abs(decoded[index].astype(float) - scene.frame(index))
        assert difference.mean() < 4.0


def test_a_file_knows_the_plan_it_was_made_from(short: ClipPlan, file: Path, tmp_path: Path) -> None:
    assert is_rendered(short, file)
    assert not is_rendered(replace(short, decor=short.decor + 1), file)
    assert not is_rendered(short, tmp_path / "absent.mp4")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert not is_rendered(short, cut)
    cut.write_bytes(b"no video")
    assert not is_rendered(short, cut)


def test_a_stopped_clip_leaves_nothing(short: ClipPlan, tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match=short.clip_id):
        render_clip(short, tmp_path / "clip.mp4", cancel=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_split_leaves_nothing_unfinished(tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match="validation"):
        render_split(tmp_path, "validation", clips=2, cancel=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_unknown_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="split 'holiday'"):
        render_split(tmp_path, "holiday", clips=1)


def test_a_killed_rendering_leaves_no_half_file_and_goes_on(tmp_path: Path) -> None:
    call = (
        f"from mravff_core.kitchen.render import render_split; render_split({str(tmp_path)!r}, 'validation', clips=1)"
    )
    parent = subprocess.Popen([sys.executable, "-c", call], cwd=ROOT)
    await_(lambda: any(path.stat().st_size > 0 for path in tmp_path.glob(".*.part.mp4")))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert list(tmp_path.glob("kitchen_*.mp4")) == []
    await_(lambda: list(tmp_path.iterdir()) == [])  # the worker notices that it is alone

    command = [sys.executable, "-m", "mravff_core.kitchen.render", str(tmp_path), "validation", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as worker:
        assert worker.stdin is not None
        worker.stdin.write(b"0\n")
        worker.stdin.flush()
        await_(lambda: any(path.stat().st_size > 0 for path in tmp_path.glob(".*.part.mp4")))
        worker.kill()

    shares: list[float] = []
    (path,) = render_split(tmp_path, "validation", clips=1, progress=shares.append)
    assert is_rendered(plan_clip(0, "validation", 0), path)
    assert list(tmp_path.iterdir()) == [path]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 5
    written = path.stat().st_mtime_ns
    render_split(tmp_path, "validation", clips=1)
    assert path.stat().st_mtime_ns == written, "what is there is not rendered again"


def await_(condition: object, seconds: float = 40.0) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)
