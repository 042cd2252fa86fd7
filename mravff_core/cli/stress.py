"""`stress`: how runs hold up when the sound is shifted, silenced, swapped or made noisy."""

from __future__ import annotations

import argparse

from mravff_core.cli import common
from mravff_core.errors import ConfigError


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "stress",
        run,
        "alter the sound and print precision and mean gate against each alteration",
        example="--runs verb_mrav verb_visual --conditions shift:-2 silence swap:+1 noise:0",
    )
    common.add_workspace(parser)
    parser.add_argument("--runs", nargs="+", metavar="RUN", help="which runs (default: all)")
    parser.add_argument(
        "--conditions",
        nargs="+",
        metavar="CONDITION",
        help="audio conditions, as for --audio elsewhere (default: shifts from -5 to +5 s, silence, off, the next "
        "clip's sound, noise from 20 to -10 dB)",
    )
    common.add_labels(parser, "label set, or action of joint runs (default: each run's first)")
    common.add_clips(parser)
    common.add_resamples(parser)
    common.add_device(parser)
    common.add_csv(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then score."""
    from mravff_core.analysis.stress import CONDITIONS, stress

    workspace = common.open_workspace(args)
    clip_ids = common.scored_clips(args, workspace)
    names = common.listed(args.runs) or [info.run for info in workspace.runs() if info.has_detector]
    if not names:
        raise ConfigError(f"{workspace.folder}: has no detector to stress; make one with train")
    with common.progress_bar("Stressing") as progress:
        table = stress(
            workspace,
            names,
            conditions=common.listed(args.conditions) or CONDITIONS,
            clip_ids=clip_ids,
            label_set=args.labels,
            resamples=args.resamples,
            device=args.device,
            progress=lambda share, _stage: progress(share),
        )
    common.note_empty_clips(workspace, table["label_set"], clip_ids)
    if args.csv:
        common.write_csv(args, table)
    if args.json:
        common.print_json(common.plain_records(table))
    elif not args.csv:
        rows = [
            {
                "run": row["run"],
                "audio": row["condition"],
                "mAP": common.interval(row["map"], row["map_low"], row["map_high"], sign=False),
                "against on": common.interval(row["change"], row["change_low"], row["change_high"]),
                "gate": "" if row["gate"] != row["gate"] else f"{row['gate']:.3f}",
            }
            for row in table.to_dict("records")
        ]
        common.print_table(rows, empty="there is nothing to show")
        common.note_units(args.resamples, "; gate is the mean over steps and levels, 0 all sight to 1 all sound")
