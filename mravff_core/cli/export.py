"""`export`: detections of a run as a submission or a table."""

from __future__ import annotations

import argparse

from mravff_core.cli import common
from mravff_core.errors import ConfigError


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "export",
        run,
        "write a run's detections as a challenge submission or a table",
        example="--run verb_mrav --format csv --out detections.csv",
    )
    common.add_workspace(parser)
    common.add_run(parser, required=True)
    parser.add_argument("--noun-run", metavar="NAME", help="pair the verbs of --run with the nouns of this run")
    parser.add_argument(
        "--format",
        dest="form",
        required=True,
        choices=("epic", "activitynet", "csv", "parquet"),
        help="EPIC-Kitchens challenge, ActivityNet result, or a table",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".json or .zip for the challenges; .csv; .parquet")
    common.add_labels(parser)
    parser.add_argument(
        "--sls", default="2,3,3", metavar="PT,TL,TD", help="supervision levels of an EPIC submission (default: 2,3,3)"
    )
    common.add_audio(parser)
    common.add_clips(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then write."""
    from mravff_core.inference.run_predict import predict
    from mravff_core.workspace.export import export_detections

    levels = common.numbers(args.sls, "--sls")
    if len(levels) != 3 or any(level != int(level) for level in levels):
        raise ConfigError(f"--sls is {args.sls!r}, expected three whole numbers with commas between them")
    workspace = common.open_workspace(args)
    clip_ids = common.chosen_clips(args, workspace)
    for name in filter(None, (args.run_name, args.noun_run)):
        with common.progress_bar(f"Detecting with {name}") as progress:
            predict(workspace, name, condition=args.audio, clip_ids=clip_ids, device=args.device, progress=progress)
    written = export_detections(
        workspace,
        args.run_name,
        args.out,
        args.form,
        condition=args.audio,
        clip_ids=clip_ids,
        label_set=args.labels or None,
        noun_run=args.noun_run,
        supervision=(int(levels[0]), int(levels[1]), int(levels[2])),
    )
    document = {"file": args.out, "format": args.form, "clips": len(clip_ids), "detections": written}
    if args.json:
        common.print_json(document)
    else:
        print(f"{written} detections in {len(clip_ids)} clips written to {args.out}")
