"""`bench`: speed and memory of everything, beside the bounds they must keep."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from mravff_core.cli import common
from mravff_core.errors import ConfigError

_CHECKOUT = Path(__file__).resolve().parents[2]


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands, "bench", run, "measure speed and memory, and print tables", example="inference evaluation"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure, such as inference (default: all)")


def run(args: argparse.Namespace) -> None:
    """Measure, and end with the exit code of the measurements.

    Raises: ConfigError where the benchmarks, which are no part of the library, are not at hand.
    """
    if not (_CHECKOUT / "benchmarks").is_dir():
        raise ConfigError(f"{_CHECKOUT}: has no folder benchmarks; measure from a checkout of the project")
    code = subprocess.call([sys.executable, "-m", "benchmarks", *args.names], cwd=_CHECKOUT)
    if code:
        raise SystemExit(code)
