"""`gates`: how much each class listens, level by level, and what sound is worth to it."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from mravff_core.cli import common

if TYPE_CHECKING:
    import pandas as pd

_SORTS = ("gate", "spread", "count", "effect", "name")


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "gates",
        run,
        "print the mean gate of every class at every level, beside what audio is worth to it",
        example="--run verb_mrav --sort effect",
    )
    common.add_workspace(parser)
    common.add_run(parser, required=True)
    common.add_labels(parser)
    common.add_audio(parser)
    common.add_clips(parser)
    parser.add_argument(
        "--segments",
        default="true",
        choices=("true", "detected", "correct"),
        help="where gates are averaged: in true, detected, or correctly detected segments (default: true)",
    )
    parser.add_argument(
        "--tiou", type=float, default=0.5, metavar="T", help="least overlap of a correct detection (default: 0.5)"
    )
    common.add_min_score(parser)
    parser.add_argument("--length", default="", metavar="LEAST,MOST", help="only segments of this many seconds")
    parser.add_argument("--audibility", default="", metavar="LEAST,MOST", help="only segments of this audibility")
    parser.add_argument("--min-count", type=int, default=1, metavar="N", help="least segments of a class (default: 1)")
    parser.add_argument(
        "--sort", default="gate", metavar="COLUMN", help=f"{', '.join(_SORTS)} or gate_0, gate_1, … (default: gate)"
    )
    common.add_resamples(parser)
    common.add_csv(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Read what is stored, average, and print."""
    from mravff_core.analysis import gates
    from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
    from mravff_core.errors import ConfigError, WorkspaceError

    workspace = common.open_workspace(args)
    clip_ids = common.scored_clips(args, workspace)
    source = SegmentSource(args.run_name, args.labels, args.audio, args.segments, args.tiou)
    label_set = args.labels or workspace.run(args.run_name).info.label_set
    keep = gates.SegmentFilter(
        min_score=args.min_score,
        length_s=_pair(args.length, "--length", (0.0, math.inf)),
        audibility=_pair(args.audibility, "--audibility", (0.0, 1.0)),
        clips=tuple(clip_ids or ()),
    )
    everything = segment_gates(workspace, source)
    if everything.empty:
        raise WorkspaceError(
            f"{workspace.folder}: run {args.run_name!r} has gates but no {args.segments} {label_set} segments; "
            f"annotate clips with '{workspace.command('import --annotations FILE')}', or choose others with --segments"
        )
    segments = keep(everything)
    if segments.empty:
        raise WorkspaceError(f"{workspace.folder}: no segment of run {args.run_name!r} passes the filters; widen them")
    classes = gates.class_gates(
        segments, workspace.class_names(label_set), min_count=args.min_count, resamples=args.resamples
    )
    effect, note = None, ""
    try:
        effect = gates.audio_effect(
            workspace,
            args.run_name,
            label_set=label_set,
            audio=args.audio,
            clip_ids=clip_ids,
            resamples=args.resamples,
        )
        common.note_empty_clips(workspace, [label_set], clip_ids)
    except WorkspaceError as error:
        note = str(error)
    table = gates.with_effect(classes, effect)
    if args.sort not in table.columns:
        known = ", ".join(name for name in table.columns if not name.endswith(("_low", "_high")))
        raise ConfigError(f"--sort is {args.sort!r}, expected one of {known}")
    table = table.sort_values([args.sort, "label"], ascending=[args.sort == "name", True], ignore_index=True)
    correlation = gates.gate_effect_correlation(table, resamples=args.resamples)
    if args.csv:
        common.write_csv(args, table)
    if args.json:
        common.print_json(_document(args, label_set, table, effect, correlation, note))
    elif not args.csv:
        _print(label_set, table, correlation, note)


def _pair(text: str, option: str, usual: tuple[float, float]) -> tuple[float, float]:
    from mravff_core.errors import ConfigError

    if not text:
        return usual
    numbers = common.numbers(text, option)
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise ConfigError(f"{option} is {text!r}, expected two numbers, the smaller first")
    return numbers[0], numbers[1]


def _document(
    args: argparse.Namespace,
    label_set: str,
    table: pd.DataFrame,
    effect: pd.DataFrame | None,
    correlation: Any,
    note: str,
) -> dict[str, Any]:
    known = {name: None if math.isnan(value) else value for name, value in vars(correlation).items()}
    return {
        "run": args.run_name,
        "audio": args.audio,
        "label_set": label_set,
        "segments": args.segments,
        "resamples": args.resamples,
        "per_class": common.plain_records(table),
        "overall_effect": None if effect is None else common.plain_records(effect[effect["label"] == -1])[0],
        "gate_effect_correlation": known,
        "note": note,
    }


def _print(label_set: str, table: pd.DataFrame, correlation: Any, note: str) -> None:
    from mravff_core.analysis.segment_gates import level_columns

    rows = []
    for row in table.to_dict("records"):
        line: dict[str, Any] = {label_set: row["name"], "segments": row["count"]}
        line |= {column.replace("gate_", "L"): f"{row[column]:.2f}" for column in level_columns(table)}
        line["mean"] = f"{row['gate']:.3f}"
        if row["gate_low"] == row["gate_low"]:
            line["mean"] += f" [{row['gate_low']:.3f}, {row['gate_high']:.3f}]"
        line["spread"] = f"{row['spread']:.2f}"
        if not note:
            known = row["effect"] == row["effect"]
            line["AP on - off"] = (
                common.interval(row["effect"], row["effect_low"], row["effect_high"]) if known else "-"
            )
        rows.append(line)
    common.print_table(rows, empty="no class has as many segments")
    print("\nA large gate is no proof that audio helped; what it is worth is the difference in AP (* excludes 0).")
    if note:
        print(f"That difference is not known: {note}")
    elif not math.isnan(correlation.value):
        print(
            f"Rank correlation of gate and difference over {correlation.classes} classes: {correlation.value:.2f} "
            f"[{correlation.low:.2f}, {correlation.high:.2f}]"
        )
