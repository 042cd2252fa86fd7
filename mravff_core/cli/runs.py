"""`runs`: what detectors a workspace holds."""

from __future__ import annotations

import argparse
import dataclasses

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands, "runs", run, "list the runs of a workspace", example="--workspace workspaces/demo"
    )
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """List them."""
    rows = [dataclasses.asdict(info) for info in common.open_workspace(args).runs()]
    if args.json:
        common.print_json(rows)
        return
    for row in rows:
        row["conditions"] = ", ".join(row["conditions"]) or "-"
        row["label_sets"] = ", ".join(row["label_sets"])
        del row["label_set"]
    common.print_table(rows, empty="no runs yet; make one with train")
