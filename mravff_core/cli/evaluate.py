"""`evaluate`: average precision of runs against the true segments."""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    summary = "print mean average precision with intervals, and recall, averaged over thresholds; write metrics.json"
    parser = common.add_command(
        commands, "evaluate", run, summary, example="--run verb_mrav --resamples 1000 --against verb_visual"
    )
    common.add_workspace(parser)
    common.add_run(parser, "run of the workspace (default: all)")
    common.add_audio(parser)
    common.add_clips(parser)
    common.add_labels(parser)
    parser.add_argument("--verb-run", metavar="NAME", help="with --noun-run: score actions of two separate runs")
    parser.add_argument("--noun-run", default="", metavar="NAME", help="see --verb-run")
    parser.add_argument("--tiou", metavar="T,U", help="thresholds (default: the workspace's, those of its data set)")
    parser.add_argument(
        "--protocol",
        default="epic",
        choices=("epic", "activitynet", "actionformer"),
        help="how precision is computed; actionformer for THUMOS14 as published (default: epic)",
    )
    parser.add_argument(
        "--resamples", type=int, default=0, metavar="N", help="draws of clips for 95 %% intervals, such as 1000"
    )
    parser.add_argument("--against", metavar="RUN[@CONDITION]", help="also print the paired difference to this run")
    common.add_device(parser)
    common.add_csv(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then score."""
    import pandas as pd

    from mravff_core.analysis.side import Side
    from mravff_core.audio_condition import AudioCondition
    from mravff_core.errors import ConfigError
    from mravff_core.inference.evaluate_run import Scored, evaluate_run, scores_file
    from mravff_core.segments import ACTION

    if bool(args.verb_run) != bool(args.noun_run):
        raise ConfigError("--verb-run and --noun-run go together: actions are made of both")
    workspace = common.open_workspace(args)
    clip_ids = common.scored_clips(args, workspace)
    single = args.verb_run or args.run_name
    as_recorded = AudioCondition.parse(args.audio).kind == "on"
    known = [info.run for info in workspace.runs() if info.has_detector or as_recorded]
    names = [single] if single else known
    against = None
    if args.against:
        side = Side.parse(args.against)
        against = Scored(side.run, side.audio, ACTION if args.verb_run else args.labels)
    documents, refused = [], []
    for name in names:
        scored = Scored(name, AudioCondition.parse(args.audio), args.labels, args.noun_run)
        with common.progress_bar(f"Evaluating {name}") as progress:
            documents.append(
                evaluate_run(
                    workspace,
                    scored,
                    clip_ids=clip_ids,
                    tiou_thresholds=common.thresholds(args.tiou),
                    protocol=args.protocol,
                    resamples=args.resamples,
                    against=against,
                    device=args.device,
                    progress=progress,
                )
            )
        if not args.clips:
            refused.append(common.store_json(scores_file(workspace, scored), documents[-1]))
    common.warn_of_unstored(refused)
    common.note_empty_clips(workspace, [document["label_set"] for document in documents], clip_ids)
    if args.csv:
        common.write_csv(args, pd.DataFrame([row for doc in documents for row in _class_rows(doc)]))
    if args.json:
        common.print_json(documents)
    elif not args.csv:
        common.print_table([_row(doc) for doc in documents], empty="the workspace has no run; make one with train")
        if documents:
            common.note_units(
                args.resamples,
                "; recall@5x is among as many detections of a clip and class as five times its true segments",
            )


def _class_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a class: its average precision, with interval and paired difference where there are any."""
    intervals = document.get("intervals", {}).get("per_class", {})
    differences = document.get("difference", {}).get("per_class", {})
    rows = []
    for name, value in document["per_class"].items():
        row = {"run": document["run"], "audio": document["audio"], document["label_set"]: name}
        row["average_precision"] = value
        if name in intervals:
            row["low"], row["high"] = intervals[name]
        if name in differences:
            found = differences[name]
            row |= {"against": found["b"], "difference": found["difference"], "difference_low": found["low"]}
            row |= {"difference_high": found["high"], "p": found["p"], "q": found["q"]}
        rows.append(row)
    return rows


def _row(document: dict[str, Any]) -> dict[str, Any]:
    row = {name: document[name] for name in ("run", "audio", "label_set", "clips", "segments")}
    row |= {f"mAP@{key}": 100 * value for key, value in document["per_threshold"].items()}
    row["average"] = 100 * document["average"]
    if "intervals" in document:
        low, high = document["intervals"]["average"]
        row["95 %"] = "-" if low is None else f"{100 * low:.2f} to {100 * high:.2f}"
    row |= {f"recall@{k}x": 100 * statistics.fmean(shares.values()) for k, shares in document["recall"].items()}
    if "difference" in document:
        found = document["difference"]
        words = common.interval(found["value"], found["low"], found["high"])
        row[f"minus {found['against']} ({found['audio']})"] = words
        row["p"] = "-" if found["p"] is None else found["p"]
    return row
