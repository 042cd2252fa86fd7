"""`merge`: actions of a verb run and a noun run as a run of their own."""

from __future__ import annotations

import argparse
import dataclasses

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands, "merge", run, "pair stored detections of a verb run and a noun run into a run of actions"
    )
    common.add_workspace(parser)
    parser.add_argument("--verb-run", required=True, metavar="NAME", help="run that finds verbs")
    parser.add_argument("--noun-run", required=True, metavar="NAME", help="run that finds nouns")
    parser.add_argument("--run", dest="run_name", required=True, metavar="NAME", help="name of the run that is made")
    parser.add_argument("--replace", action="store_true", help="make a merged or imported run of that name anew")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Make the run and say what it covers."""
    from mravff_core.workspace.merge_runs import merge_runs

    workspace = common.open_workspace(args)
    with common.progress_bar("Merging") as progress:
        made = merge_runs(
            workspace, args.verb_run, args.noun_run, args.run_name, replace=args.replace, progress=progress
        )
    if args.json:
        common.print_json(dataclasses.asdict(made))
        return
    rows = [
        {"run": made.run, "audio": audio, "clips": clips, "actions": made.detections[audio]}
        for audio, clips in made.clips.items()
    ]
    common.print_table(rows, empty="nothing was merged")
