"""`import`: true segments of clips that are in the workspace."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(commands, "import", run, "take true segments for clips of the workspace from a file")
    parser.add_argument(
        "--annotations",
        required=True,
        metavar="FILE",
        help="ActivityNet-style JSON, EPIC-Kitchens CSV, or CSV with clip_id, start_s, end_s and a column a label set",
    )
    parser.add_argument("--label-set", default="verb", help="label set of an ActivityNet-style file (default: verb)")
    common.add_workspace(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Read, check, and put the segments in place of those the same clips had."""
    import pandas as pd

    from mravff_core.data.annotations import read_annotations, to_workspace_table
    from mravff_core.errors import AnnotationError

    workspace = common.open_workspace(args)
    table = to_workspace_table(
        read_annotations(args.annotations, args.label_set), workspace.label_sets, args.annotations
    )
    known = table["clip_id"].isin(workspace.clip_ids())
    if not known.any():
        raise AnnotationError(
            f"{args.annotations}: none of its {table['clip_id'].nunique()} clips is in the workspace; "
            "clip ids differ, or the videos are not added yet"
        )
    new = table[known]
    kept = workspace.annotations[~workspace.annotations["clip_id"].isin(new["clip_id"])]
    workspace.set_annotations(new if kept.empty else pd.concat([kept, new], ignore_index=True))
    result = {
        "segments": len(new),
        "clips": int(new["clip_id"].nunique()),
        "clips_not_in_workspace": int(table.loc[~known, "clip_id"].nunique()),
    }
    if args.json:
        common.print_json(result)
    else:
        print(
            f"{result['segments']} true segments for {result['clips']} clips; "
            f"{result['clips_not_in_workspace']} clips of the file are not in the workspace"
        )
