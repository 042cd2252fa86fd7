"""Plans to video files: H.264 and AAC, several clips at once, each whole or not there.

`python -m mravff_core.kitchen.render FOLDER SPLIT SEED` is a worker: it reads clip
numbers from standard input, one a line, and writes progress to standard output as
`<clip> <frames done>`. When its input closes it stops, so it never outlives its parent.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from mravff_core.errors import CancelledError
from mravff_core.files import written_aside
from mravff_core.kitchen.layout import HEIGHT, WIDTH
from mravff_core.kitchen.plan import FRAMES_PER_SECOND, ClipPlan
from mravff_core.kitchen.scenes import Scene
from mravff_core.kitchen.script import plan_clip
from mravff_core.kitchen.sounds import SAMPLE_RATE, soundtrack

__all__ = ["is_rendered", "render_clip", "render_split"]

Progress = Callable[[float], None]
Cancel = Callable[[], bool]

# Goes into every file; raise it when equal plans start to look or sound different.
_VERSION = 3
_VIDEO_OPTIONS = {
    "preset": "ultrafast",
    "crf": "24",
    "tune": "animation",
    "g": "30",
    "keyint_min": "30",
    "threads": "1",
}
_BT601 = 6
_LIMITED_RANGE = 1
_AUDIO_BLOCK = 1024
_REPORT_EVERY = 15


def render_clip(
    plan: ClipPlan,
    path: Path | str,
    *,
    progress: Callable[[int], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Write one clip as MP4, 640 x 360 at 30 frames a second; an earlier file is replaced at the end.

    Args:
        progress: told the number of frames done, now and then.
        cancel: asked now and then; True stops and leaves nothing behind.
    Raises: CancelledError.
    """
    with written_aside(path) as aside, av.open(str(aside), "w", options={"movflags": "+faststart"}) as file:
        file.metadata["comment"] = _stamp(plan)
        file.metadata["title"] = plan.clip_id
        video = file.add_stream("libx264", rate=FRAMES_PER_SECOND, options=_VIDEO_OPTIONS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.colorspace = video.codec_context.color_primaries = video.codec_context.color_trc = _BT601
        video.codec_context.color_range = _LIMITED_RANGE
        sound = file.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=96_000, options={"aac_coder": "fast"})
        samples = soundtrack(plan)
        sent = 0
        for index, frame in enumerate(Scene(plan).frames()):
            if index % _REPORT_EVERY == 0:
                if cancel is not None and cancel():
                    raise CancelledError(f"rendering of {plan.clip_id} was stopped")
                if progress is not None:
                    progress(index)
                sent = _send_sound(file, sound, samples, sent, (index + 30) / FRAMES_PER_SECOND)
            planar = av.VideoFrame.from_ndarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), format="yuv420p")
            planar.pts = index
            file.mux(video.encode(planar))
        _send_sound(file, sound, samples, sent, plan.duration_s + 1)
        file.mux(video.encode())
        file.mux(sound.encode())
    if progress is not None:
        progress(plan.frame_count)


def is_rendered(plan: ClipPlan, path: Path | str) -> bool:
    """Whether a file is there, whole and made from this very plan."""
    if not Path(path).is_file():
        return False
    try:
        with av.open(str(path)) as file:
            if file.metadata.get("comment") != _stamp(plan):
                return False
            return sum(1 for packet in file.demux(video=0) if packet.size) == plan.frame_count
    except (av.FFmpegError, OSError):
        return False


def render_split(
    folder: Path | str,
    split: str,
    *,
    clips: int,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> list[Path]:
    """Render clips 0 to `clips` - 1 of a split as `<folder>/<clip_id>.mp4`, skipping those that are there.

    Args:
        workers: processes at once, each with one thread.
        progress: told the share done, 0 to 1.
        cancel: asked several times a second; True stops and leaves whole files only.
    Returns: paths of all clips in order.
    Raises: CancelledError; ConfigError for an unknown split; RuntimeError if a worker fails.
    """
    from mravff_core.kitchen.crew import Crew

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plans = [plan_clip(seed, split, index) for index in range(clips)]
    paths = [folder / f"{plan.clip_id}.mp4" for plan in plans]
    todo = [index for index in range(clips) if not is_rendered(plans[index], paths[index])]
    total = sum(plan.frame_count for plan in plans)
    kept = total - sum(plans[index].frame_count for index in todo)
    # Long clips first, so that no worker is left with one at the end.
    todo.sort(key=lambda index: -plans[index].frame_count)
    with Crew([sys.executable, "-m", __name__, str(folder), split, str(seed)], min(max(workers, 1), len(todo))) as crew:
        for frames_done in crew.work(todo):
            if cancel is not None and cancel():
                raise CancelledError(f"rendering of the {split} clips was stopped")
            if progress is not None:
                progress(min(1.0, (kept + frames_done) / max(total, 1)))
    if progress is not None:
        progress(1.0)
    return paths


def _stamp(plan: ClipPlan) -> str:
    return f"kitchen {_VERSION} {plan.fingerprint()}"


def _send_sound(
    file: av.container.OutputContainer, sound: av.AudioStream, samples: np.ndarray, sent: int, until_s: float
) -> int:
    """Encode samples up to a time, so that sound and pictures lie near each other in the file."""
    last = min(len(samples), int(until_s * SAMPLE_RATE))
    while sent < last and (last == len(samples) or sent + _AUDIO_BLOCK <= last):
        block = samples[sent : sent + _AUDIO_BLOCK]
        frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), sent
        file.mux(sound.encode(frame))
        sent += len(block)
    return sent


def _work(folder: Path, split: str, seed: int) -> None:
    """Render what standard input asks for until it closes."""
    cv2.setNumThreads(1)
    stopped = threading.Event()
    orders: list[int] = []
    ready = threading.Semaphore(0)

    def listen() -> None:
        for line in sys.stdin:
            orders.append(int(line))
            ready.release()
        stopped.set()
        ready.release()

    threading.Thread(target=listen, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    while ready.acquire() and not stopped.is_set():
        index = orders.pop(0)
        plan = plan_clip(seed, split, index)

        def report(frames: int, index: int = index) -> None:
            print(index, frames, flush=True)

        render_clip(plan, folder / f"{plan.clip_id}.mp4", progress=report, cancel=stopped.is_set)
        print(index, "done", flush=True)


if __name__ == "__main__":
    try:
        _work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except CancelledError:
        sys.exit(143)
