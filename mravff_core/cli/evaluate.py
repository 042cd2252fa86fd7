"""`evaluate`: average precision of a run against the true segments."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(commands, "evaluate", run, "print mean average precision and write metrics.json")
    common.add_workspace(parser)
    common.add_run(parser)
    common.add_audio(parser)
    common.add_clips(parser)
    parser.add_argument("--tiou", default="0.1,0.2,0.3,0.4,0.5", help="thresholds (default: 0.1,0.2,0.3,0.4,0.5)")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then score."""
    from mravff_core.inference.evaluate_run import evaluate_run

    workspace = common.open_workspace(args)
    clip_ids = common.chosen_clips(args, workspace)
    names = [args.run_name] if args.run_name else [info.run for info in workspace.runs()]
    thresholds = common.numbers(args.tiou, "--tiou")
    documents = []
    for name in names:
        with common.progress_bar(f"Evaluating {name}") as progress:
            documents.append(
                evaluate_run(
                    workspace,
                    name,
                    condition=args.audio,
                    clip_ids=clip_ids,
                    tiou_thresholds=thresholds,
                    device=args.device,
                    progress=progress,
                )
            )
    if args.json:
        common.print_json(documents)
        return
    rows = [
        {"run": doc["run"], "audio": doc["audio"], "clips": doc["clips"], "segments": doc["segments"]}
        | {f"mAP@{key}": 100 * value for key, value in doc["per_threshold"].items()}
        | {"average": 100 * doc["average"]}
        for doc in documents
    ]
    common.print_table(rows, empty="the workspace has no run; make one with train")
