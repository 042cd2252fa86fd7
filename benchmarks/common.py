"""What several benchmarks go by: EPIC-Kitchens-100's real lengths, and a process's peak memory."""

from __future__ import annotations

import csv
import resource
import sys
from pathlib import Path

import numpy as np

EPIC = Path(__file__).resolve().parents[2] / "shared" / "data" / "epic100"
"""Annotations of EPIC-Kitchens-100, where they lie beside the checkout."""


def epic_lengths() -> list[int]:
    """Feature steps of EPIC-Kitchens-100's 138 validation videos, shortest first.

    Where its annotations are not at hand, lengths between the same quartiles.
    """
    if EPIC.is_dir():
        with (EPIC / "EPIC_100_validation.csv").open(encoding="utf-8") as file:
            videos = {row["video_id"] for row in csv.DictReader(file)}
        with (EPIC / "EPIC_100_video_info.csv").open(encoding="utf-8") as file:
            seconds = [float(row["duration"]) for row in csv.DictReader(file) if row["video_id"] in videos]
        return sorted(max(1, int((duration * 30 - 32) // 16) + 1) for duration in seconds)
    quartiles = np.log([19, 167, 415, 882, 3690])
    return np.exp(np.interp(np.linspace(0, 4, 138), np.arange(5), quartiles)).astype(int).tolist()


def peak_mb() -> float:
    """Most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
