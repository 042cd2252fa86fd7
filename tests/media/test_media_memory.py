"""Reading takes no more memory for a long recording than for a short one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.media.factory import make_video

MEASURE = """
import resource, sys
from mravff_core.media.decode import iter_audio, iter_frames
from mravff_core.media.waveform import envelope
for path in sys.argv[1:]:
    frames = sum(1 for _ in iter_frames(path, frames_per_second=30, width=96, height=54))
    samples = sum(len(block) for block in iter_audio(path, sample_rate=16000))
    bins = len(envelope(path, hop_s=0.1).lowest)
    print(frames, samples, bins, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_is_flat_in_the_length(tmp_path: Path) -> None:
    def video(name: str, seconds: int) -> Path:
        sound = np.random.default_rng(0).uniform(-0.1, 0.1, seconds * 16000).astype(np.float32)
        return make_video(tmp_path / name, seconds, frames_per_second=2, size=(320, 180), audio=sound)

    paths = [video("short.mp4", 20), video("long.mp4", 500)]
    ran = subprocess.run([sys.executable, "-c", MEASURE, *map(str, paths)], check=True, capture_output=True, text=True)
    short, long = (line.split() for line in ran.stdout.splitlines())
    assert int(long[0]) == 15000 and int(long[1]) >= 8_000_000 and int(long[2]) >= 5000
    # All frames together would take 230 MB, all samples 32 MB.
    assert float(long[3]) - float(short[3]) < 12
