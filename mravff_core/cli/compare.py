"""`compare`: two runs or two sounds against each other, event by event."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mravff_core.cli import common

if TYPE_CHECKING:
    import pandas as pd

    from mravff_core.analysis.compare import Comparison


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "compare",
        run,
        "compare two runs or two sounds: average precision and events gained, lost, moved",
        example="--a verb_mrav@off --b verb_mrav",
    )
    common.add_workspace(parser)
    side = "RUN[@CONDITION]"
    parser.add_argument("--a", required=True, metavar=side, help="from: such as my_run@off")
    parser.add_argument("--b", required=True, metavar=side, help="to: such as my_run; differences are b minus a")
    common.add_labels(parser, "label set, or action of joint runs (default: the first that both runs know)")
    common.add_clips(parser)
    common.add_min_score(parser)
    parser.add_argument(
        "--match-tiou", type=float, default=0.3, metavar="T", help="least overlap of one event (default: 0.3)"
    )
    parser.add_argument(
        "--moved-tiou", type=float, default=0.75, metavar="T", help="an event moved below this (default: 0.75)"
    )
    parser.add_argument(
        "--correct-tiou", type=float, default=0.5, metavar="T", help="least overlap to be correct (default: 0.5)"
    )
    common.add_resamples(parser)
    common.add_device(parser)
    common.add_csv(parser)
    parser.add_argument(
        "--table", default="class", choices=("class", "clip", "event"), help="which table --csv gives (default: class)"
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then compare."""
    from mravff_core.analysis.changes import MatchSettings
    from mravff_core.analysis.compare import compare, named_events

    settings = MatchSettings(args.min_score, args.match_tiou, args.moved_tiou, args.correct_tiou)
    workspace = common.open_workspace(args)
    clip_ids = common.scored_clips(args, workspace)
    with common.progress_bar("Comparing") as progress:
        found = compare(
            workspace,
            args.a,
            args.b,
            label_set=args.labels or None,
            clip_ids=clip_ids,
            settings=settings,
            resamples=args.resamples,
            device=args.device,
            progress=progress,
        )
    common.note_empty_clips(workspace, [found.compared.label_set], clip_ids)
    events = named_events(found.events, found.compared.labels)
    tables = {"class": _classes(found), "clip": found.per_clip, "event": events}
    if args.csv:
        common.write_csv(args, tables[args.table])
    if args.json:
        common.print_json(_document(found, tables))
    elif not args.csv:
        _print(found, tables["class"])


def _classes(found: Comparison) -> pd.DataFrame:
    """Average precisions and events by class."""
    return found.per_class.merge(found.precision.per_class.drop(columns="name"), on="label", how="left")


def _document(found: Comparison, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    from mravff_core.analysis.compare import kind_counts

    compared = found.compared
    return {
        "a": str(compared.a),
        "b": str(compared.b),
        "label_set": compared.label_set,
        "clips": len(compared.clip_ids),
        "clips_left_out": sorted({*compared.missing_a, *compared.missing_b}),
        "settings": vars(found.settings),
        "overall": common.plain_records(found.precision.overall.to_frame().T)[0],
        "resamples": found.precision.resamples,
        "counts": kind_counts(found.events),
        "per_class": common.plain_records(tables["class"]),
        "per_clip": common.plain_records(tables["clip"]),
        "events": common.plain_records(tables["event"]),
    }


def _print(found: Comparison, classes: pd.DataFrame) -> None:
    from mravff_core.analysis.compare import kind_counts

    overall, compared = found.precision.overall, found.compared
    print(f"a  {compared.a}: mAP {100 * overall['a']:.2f}")
    print(f"b  {compared.b}: mAP {100 * overall['b']:.2f}")
    print(f"b - a: {common.interval(overall['difference'], overall['low'], overall['high'])}")
    counts = ", ".join(f"{count} {kind}" for kind, count in kind_counts(found.events).items())
    print(f"{len(compared.clip_ids)} clips, detections of score {found.settings.min_score:g} and up: {counts}\n")
    rows = [
        {
            compared.label_set: row["name"],
            "segments": int(row["segments"]),
            "AP a": 100 * row["a"],
            "AP b": 100 * row["b"],
            "b - a": common.interval(row["difference"], row["low"], row["high"]),
            "gained": row["gained"],
            "lost": row["lost"],
            "moved": row["moved"],
        }
        for row in classes.dropna(subset=["segments"]).sort_values("difference", ascending=False).to_dict("records")
    ]
    common.print_table(rows, empty="there are no classes with true segments")
    common.note_units(found.precision.resamples)
