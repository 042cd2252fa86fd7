"""`merge`: a run made of stored detections: actions of verbs and nouns, or proposals with class scores of videos."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from mravff_core.cli import common

if TYPE_CHECKING:
    from mravff_core.workspace import Workspace
    from mravff_core.workspace.merge_runs import MergedRuns


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "merge",
        run,
        "make a run of stored detections: actions of a verb run and a noun run, or proposals with class scores",
        example="--verb-run verb_mrav --noun-run noun_mrav --run actions",
    )
    common.add_workspace(parser)
    common.add_run(parser, "name of the run that is made", required=True)
    parser.add_argument("--replace", action="store_true", help="make a merged or imported run of that name anew")
    actions = parser.add_argument_group("actions")
    actions.add_argument("--verb-run", metavar="NAME", help="run that finds verbs")
    actions.add_argument("--noun-run", metavar="NAME", help="run that finds nouns")
    labelled = parser.add_argument_group("proposals with class scores")
    labelled.add_argument("--proposals", metavar="NAME", help="run whose classes, if any, are not looked at")
    labelled.add_argument(
        "--class-scores",
        metavar="FILE",
        help='JSON or pickle with "results", scores by video, and maybe "class", their names; or .npy',
    )
    labelled.add_argument("--logits", action="store_true", help="its scores are logits, as for HACS: take the softmax")
    labelled.add_argument(
        "--classes-per-clip", type=int, default=2, metavar="N", help="best classes of each clip (default: 2)"
    )
    labelled.add_argument(
        "--proposals-per-clip", type=int, default=200, metavar="N", help="best proposals of each clip (default: 200)"
    )
    common.add_labels(labelled, "whose classes (default: the set with as many)")
    labelled.add_argument("--allow-missing", action="store_true", help="leave out clips that the file does not score")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Make the run and say what it covers."""
    from mravff_core.errors import ConfigError

    actions, labelled = (args.verb_run, args.noun_run), (args.proposals, args.class_scores)
    if not (all(actions) and not any(labelled)) and not (all(labelled) and not any(actions)):
        raise ConfigError("merge: needs either --verb-run and --noun-run, or --proposals and --class-scores")
    workspace = common.open_workspace(args)
    made = _actions(workspace, args) if args.verb_run else _labelled(workspace, args)
    if args.json:
        common.print_json(dataclasses.asdict(made))
        return
    what = "actions" if args.verb_run else "detections"
    rows = [
        {"run": made.run, "audio": audio, "clips": clips, what: made.detections[audio]}
        for audio, clips in made.clips.items()
    ]
    common.print_table(rows, empty="nothing was merged")


def _actions(workspace: Workspace, args: argparse.Namespace) -> MergedRuns:
    from mravff_core.workspace.merge_runs import merge_runs

    with common.progress_bar("Merging") as progress:
        return merge_runs(
            workspace, args.verb_run, args.noun_run, args.run_name, replace=args.replace, progress=progress
        )


def _labelled(workspace: Workspace, args: argparse.Namespace) -> MergedRuns:
    from mravff_core.workspace.merge_proposals import merge_proposals

    return merge_proposals(
        workspace,
        args.proposals,
        args.class_scores,
        args.run_name,
        logits=args.logits,
        label_set=args.labels or None,
        classes_per_clip=args.classes_per_clip,
        proposals_per_clip=args.proposals_per_clip,
        allow_missing=args.allow_missing,
        replace=args.replace,
    )
