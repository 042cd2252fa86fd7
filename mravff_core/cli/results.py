"""`results`: the page of results of a workspace's sweeps."""

from __future__ import annotations

import argparse
from pathlib import Path

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "results",
        run,
        "write a page of what sweeps found, beside published numbers",
        example="--out results.md",
    )
    common.add_workspace(parser)
    parser.add_argument("--sweeps", metavar="NAME,NAME", help="with commas between them (default: all, verbs first)")
    parser.add_argument(
        "--fusion",
        default="none,concat,cross_attention,mrav",
        metavar="KIND,KIND",
        help="order of the kinds; differences are to the first (default: none,concat,cross_attention,mrav)",
    )
    parser.add_argument("--out", metavar="FILE.md", default="docs/results.md", help="default: docs/results.md")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Gather, write, and say where."""
    from mravff_core.analysis.sweep_results import sweep_results
    from mravff_core.config import to_mapping
    from mravff_core.errors import WorkspaceError
    from mravff_core.files import write_text
    from mravff_core.report.results_page import results_page

    workspace = common.open_workspace(args)
    found = [path.parent.name for path in workspace.folder.glob("sweeps/*/scores")]
    found.sort(key=lambda name: (not name.startswith("verb"), name))
    names = common.listed(args.sweeps) or found
    if not names:
        raise WorkspaceError(f"{workspace.folder}: has no sweep; make one with '{workspace.command('sweep RECIPE')}'")
    results = [sweep_results(workspace, name, tuple(common.listed(args.fusion))) for name in names]
    out = Path(args.out)
    write_text(out, results_page(workspace.settings, results, "python -m mravff_core results"))
    if args.json:
        common.print_json([{**result, "recipe": to_mapping(result["recipe"])} for result in results])
    else:
        print(out)
