"""`extract`: encode videos of a workspace into features."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "extract",
        run,
        "encode clips of a workspace into visual and audio features",
        example="--split validation",
    )
    common.add_workspace(parser)
    common.add_clips(parser)
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="clips encoded at once (default: 2)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Encode what is missing."""
    from mravff_core.inference.extract import extract

    workspace = common.open_workspace(args)
    clip_ids = common.chosen_clips(args, workspace)
    with common.progress_bar("Encoding clips") as progress:
        encoded = extract(workspace, clip_ids, workers=args.workers, progress=progress)
    result = {"clips": len(clip_ids), "encoded": encoded, "kept": len(clip_ids) - encoded}
    if args.json:
        common.print_json(result)
    else:
        print(f"{encoded} of {len(clip_ids)} clips encoded, {len(clip_ids) - encoded} had their features")
