"""`epic-size`: a workspace of EPIC-Kitchens-100's true size, with made-up detections."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "epic-size",
        run,
        "make a workspace of EPIC-Kitchens-100's true size, its detections made up",
        example="--annotations epic-kitchens-100-annotations",
    )
    parser.add_argument(
        "--annotations",
        required=True,
        metavar="DIR",
        help="folder with EPIC_100_validation.csv, EPIC_100_video_info.csv and the verb and noun classes",
    )
    parser.add_argument(
        "--workspace",
        default="workspaces/epic_size",
        metavar="DIR",
        help="folder to make (default: workspaces/epic_size)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another seed makes other detections (default: 0)"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Make it."""
    from mravff_core.inference.epic_size import make_epic_size

    with common.progress_bar("EPIC's size") as progress:
        summary = make_epic_size(args.annotations, args.workspace, seed=args.seed, progress=progress)
    if args.json:
        common.print_json(summary)
    else:
        print(
            f"workspace in {args.workspace}: {summary['clips']} clips, {summary['segments']} segments, "
            f"{summary['detections']} detections a run and sound; runs {', '.join(summary['runs'])} (made up)"
        )
