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

# Modules of the commands under the headings of the help page.
GROUPS = {
    "to begin with": ("demo", "localize", "epic_size"),
    "bring in data": ("import_", "extract"),
    "train": ("train", "sweep", "results"),
    "detect and score": ("predict", "merge", "evaluate", "export"),
    "find out why": ("diagnose", "gates", "compare", "stress", "explain", "verify_explanations"),
    "show others": ("report", "film"),
    "look after it all": ("runs", "bench", "doctor"),
}
_NAME_WIDTH = 23


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
        prog="python -m mravff_core",
        usage="%(prog)s COMMAND [options]   (COMMAND --help says more, with an example)",
        description="See what an audio-visual action localizer sees, hears and decides.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Listed under headings below, which argparse has not for commands.
    commands = parser.add_subparsers(metavar="COMMAND", required=True, help=argparse.SUPPRESS, prog=parser.prog)
    lines = []
    for heading, modules in GROUPS.items():
        before = set(commands.choices)
        for module in modules:
            importlib.import_module(f"mravff_core.cli.{module}").register(commands)
        lines.append(f"{heading}:")
        for name, command in commands.choices.items():
            if name not in before:
                summary, indent = command.get_default("summary"), " " * _NAME_WIDTH
                lines.append(common.wrapped(summary, first=f"  {name}".ljust(_NAME_WIDTH), indent=indent))
        lines.append("")
    parser.epilog = "\n".join(lines).rstrip()
    return parser
