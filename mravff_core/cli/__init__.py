"""The command line: one short file a command group.

Exit codes: 0 done, 2 bad input or a system that refuses to write (one clear line on standard error), 1 our own fault.
With `--json`, standard output holds one JSON document and nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from mravff_core.cli import common
from mravff_core.errors import MravffError
from mravff_core.files import refusal

# Order of the help page.
GROUPS = (
    "demo",
    "epic_size",
    "localize",
    "import_",
    "extract",
    "train",
    "sweep",
    "results",
    "predict",
    "merge",
    "evaluate",
    "diagnose",
    "gates",
    "compare",
    "stress",
    "explain",
    "export",
    "verify_explanations",
    "film",
    "report",
    "runs",
    "bench",
    "doctor",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    try:
        common.check_outputs(parsed)
        parsed.run(parsed)
    except MravffError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        refused = refusal(error)
        if refused is None:
            raise
        print(f"error: {refused}; what was finished before is kept", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mravff_core", description="See what an audio-visual action localizer sees, hears and decides."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        importlib.import_module(f"mravff_core.cli.{group}").register(commands)
    return parser
