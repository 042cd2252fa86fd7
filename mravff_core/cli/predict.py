"""`predict`: run a detector over clips of a workspace and store what it finds."""

from __future__ import annotations

import argparse
import dataclasses

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "predict",
        run,
        "detect in all or chosen clips and store detections and gates",
        example="--run verb_mrav --audio shift:2 --split validation",
    )
    common.add_workspace(parser)
    common.add_run(parser, "run of the workspace (default: every one with a detector)")
    common.add_audio(parser)
    common.add_clips(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict with one run, or with every run where none is named."""
    from mravff_core.inference.run_predict import predict

    workspace = common.open_workspace(args)
    clip_ids = common.chosen_clips(args, workspace)
    names = [args.run_name] if args.run_name else [info.run for info in workspace.runs() if info.has_detector]
    summaries = []
    for name in names:
        with common.progress_bar(f"Detecting with {name}") as progress:
            summary = predict(
                workspace, name, condition=args.audio, clip_ids=clip_ids, device=args.device, progress=progress
            )
        summaries.append(dataclasses.asdict(summary))
    if args.json:
        common.print_json(summaries)
    else:
        common.print_table(summaries, empty="the workspace has no run; make one with train")
