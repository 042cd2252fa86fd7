"""Speed and memory of reading video: `python -m benchmarks.media [VIDEO]`.

Without a video, one of 640 x 360 pixels, 30 frames a second and 30 s is made. The first
rows compare PyAV with piping raw frames out of the ffmpeg that imageio-ffmpeg ships.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from mravff_core.media.decode import VideoFrame, iter_audio, iter_frames
from mravff_core.media.encoders import AudioEncoder, VisualEncoder
from mravff_core.media.probe import probe
from mravff_core.media.spectrogram import log_mel
from mravff_core.media.thumbnails import thumbnail
from mravff_core.media.transcode import to_browser_mp4
from mravff_core.media.waveform import envelope

_SMALL = (96, 54)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path, help="file to measure with; by default one is made")
    parser.add_argument("--long-minutes", type=float, default=10.0, help="length of the file for the memory rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = arguments.video or made_video(folder / "half_minute.mp4", 30.0)
        speed_table(video, folder)
        memory_table(folder, arguments.long_minutes)


def made_video(path: Path, seconds: float, *, size: tuple[int, int] = (640, 360)) -> Path:
    """Detail drifting over the picture with grain on top, and noise with beats for sound."""
    width, height = size
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 255, (height // 8 + 40, width // 8 + 80, 3)).astype(np.uint8)
    ground = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    grain = generator.integers(0, 12, (8, height, width, 1)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "veryfast"}
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for number in range(round(seconds * 30)):
            x, y = number * 2 % 600, number % 300
            picture = ground[y : y + height, x : x + width] // 2 + grain[number % 8]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
            if number % 30 == 0:
                noise = generator.standard_normal((1, 16000)).astype(np.float32) * 0.02
                noise[:, ::4000] = 0.8
                block = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = 16000, number // 30 * 16000, Fraction(1, 16000)
                container.mux(sound.encode(block))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def speed_table(video: Path, folder: Path) -> None:
    """Wall and processor time of each job, and how many times faster than playing."""
    info = probe(video)
    print(f"{video.name}: {info.width} x {info.height}, {info.frames_per_second:g} fps, {info.duration_s:.1f} s")
    print(f"{os.cpu_count()} cores\n")
    print("| job | wall s | CPU s | x realtime (wall) | x realtime per core |")
    print("| --- | ---: | ---: | ---: | ---: |")
    jobs: list[tuple[str, Callable[[], object]]] = [
        ("decode at 96 x 54: PyAV, 1 thread", lambda: by_pyav(video, 1)),
        ("decode at 96 x 54: PyAV, threads", lambda: by_pyav(video, 0)),
        ("decode at 96 x 54: ffmpeg pipe, 1 thread", lambda: by_pipe(video, 1)),
        ("decode at 96 x 54: ffmpeg pipe, threads", lambda: by_pipe(video, 0)),
        ("iter_frames at 96 x 54, 30 fps", lambda: consume(small_frames(video))),
        ("iter_frames at full size", lambda: consume(iter_frames(video, frames_per_second=30))),
        ("iter_audio at 16 kHz", lambda: consume(iter_audio(video, sample_rate=16000))),
        ("light_visual", lambda: VisualEncoder().encode(video)),
        ("light_audio", lambda: AudioEncoder().encode(video)),
        ("log_mel, 20 ms", lambda: log_mel(video)),
        ("envelope, 10 ms", lambda: envelope(video)),
        ("probe", lambda: probe(video)),
        ("thumbnail at two thirds", lambda: thumbnail(video, info.duration_s * 2 / 3)),
        ("to_browser_mp4", lambda: to_browser_mp4(video, folder / "again.mp4")),
        ("the same by ffmpeg", lambda: transcoded_by_ffmpeg(video, folder / "again2.mp4")),
    ]
    for name, job in jobs:
        if not info.has_audio and any(word in name for word in ("audio", "mel", "envelope")):
            continue
        wall_s, processor_s = timed(job)
        ratios = f"{info.duration_s / wall_s:.1f} | {info.duration_s / processor_s:.1f}"
        print(f"| {name} | {wall_s:.3f} | {processor_s:.3f} | {ratios} |", flush=True)


def small_frames(video: Path) -> Iterator[VideoFrame]:
    """Frames as the visual encoder asks for them."""
    return iter_frames(video, frames_per_second=30, width=_SMALL[0], height=_SMALL[1])


def consume(items: Iterable[object]) -> int:
    """Run an iterator to its end."""
    return sum(1 for _ in items)


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds, child processes included."""
    wall, processor = time.perf_counter(), _processor_s()
    job()
    return time.perf_counter() - wall, max(_processor_s() - processor, 1e-4)


def _processor_s() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def by_pyav(video: Path, threads: int) -> int:
    """Decode and scale with nothing of ours in between."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "AUTO" if threads == 0 else "NONE"
        stream.codec_context.thread_count = threads
        small = av.video.reformatter.VideoReformatter()
        count = 0
        for frame in container.decode(stream):
            small.reformat(frame, *_SMALL, "rgb24", interpolation="AREA", threads=1).to_ndarray()
            count += 1
    return count


def by_pipe(video: Path, threads: int) -> int:
    """The same in an ffmpeg process that writes raw frames to a pipe."""
    scale = f"scale={_SMALL[0]}:{_SMALL[1]}:flags=area"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", str(threads), "-i", str(video), "-an"]
    command += ["-vf", scale, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := process.stdout.read(_SMALL[0] * _SMALL[1] * 3):
            np.frombuffer(data, np.uint8)
            count += 1
    return count


def transcoded_by_ffmpeg(video: Path, out: Path) -> None:
    """The conversion for browsers by the ffmpeg program, to compare with."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", str(video), "-c:v", "libx264"]
    command += ["-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", "-c:a", "aac", str(out)]
    subprocess.run(command, check=True)


_PEAK = """
import resource, sys
from mravff_core.media.encoders import ENCODERS
ENCODERS[sys.argv[1]]().encode(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory_table(folder: Path, minutes: float) -> None:
    """Peak memory of a process that encodes a short and a long file."""
    short = made_video(folder / "short.mp4", 20.0, size=(320, 180))
    long = made_video(folder / "long.mp4", 60.0 * minutes, size=(320, 180))
    print("\n| encoder | peak MB at 20 s | peak MB at " + f"{minutes:g} min | growth MB |")
    print("| --- | ---: | ---: | ---: |")
    for name in ("light_visual", "light_audio"):
        peaks = [
            float(
                subprocess.run([sys.executable, "-c", _PEAK, name, str(path)], check=True, capture_output=True).stdout
            )
            for path in (short, long)
        ]
        print(f"| {name} | {peaks[0]:.0f} | {peaks[1]:.0f} | {peaks[1] - peaks[0]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
