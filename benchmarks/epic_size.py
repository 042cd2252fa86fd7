"""Benchmarks on a workspace of EPIC-Kitchens-100's size: 138 clips x 2,000 detections."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import EPIC
from benchmarks.table import Row, print_medians
from mravff_core import Workspace
from mravff_core.inference.epic_size import make_epic_size


def measure_at_epic_size(module: str, title: str, measure: Callable[[Workspace, int], list[Row]]) -> int:
    """Read the command line, make the workspace, print what `measure(workspace, repeats)` found; the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=title)
    parser.add_argument("--annotations", default=str(EPIC), metavar="DIR")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    if not Path(args.annotations).is_dir():
        print(f"error: {args.annotations}: no EPIC-Kitchens-100 annotations; name their folder", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        make_epic_size(args.annotations, Path(folder) / "epic")
        rows = measure(Workspace(Path(folder) / "epic"), args.repeats)
    print_medians(rows)
    return 0
