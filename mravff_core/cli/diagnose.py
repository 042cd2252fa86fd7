"""`diagnose`: which errors a run makes, what each kind costs, what is missed and when."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mravff_core.cli import common

if TYPE_CHECKING:
    from mravff_core.analysis.errors import ErrorAnalysis


def register(commands: common.Commands) -> None:
    """Add the command."""
    summary = "print error kinds and their costs, misses and sensitivity of a run, and write diagnosis.json"
    parser = common.add_command(commands, "diagnose", run, summary, example="--run verb_mrav --csv detections.csv")
    common.add_workspace(parser)
    common.add_run(parser, required=True)
    common.add_audio(parser)
    common.add_labels(parser)
    common.add_clips(parser)
    parser.add_argument("--tiou", metavar="T,U", help="thresholds (default: the data set's, else 0.1 to 0.5)")
    parser.add_argument(
        "--data-set", choices=("thumos14", "activitynet", "epic"), help="thresholds and buckets of a published data set"
    )
    parser.add_argument(
        "--missed-by",
        metavar="NAME,NAME",
        help="also tell misses by several characteristics together, such as length,coverage",
    )
    common.add_device(parser)
    common.add_csv(parser)
    parser.add_argument(
        "--table",
        default="detections",
        choices=("detections", "truths", "confusions"),
        help="which table --csv gives (default: detections)",
    )
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Predict what is missing, then diagnose."""
    from mravff_core.analysis.errors import analyse_errors, confusions
    from mravff_core.analysis.side import Side
    from mravff_core.audio_condition import AudioCondition
    from mravff_core.inference.run_predict import predict
    from mravff_core.workspace.scored_clips import scored_clips

    workspace = common.open_workspace(args)
    found = workspace.run(args.run_name)
    audio = AudioCondition.parse(args.audio)
    chosen = common.scored_clips(args, workspace)
    if found.has_detector:
        clip_ids = scored_clips(workspace, found.label_set(args.labels), chosen)
        with common.progress_bar("Detecting") as progress:
            predict(workspace, found.name, condition=audio, clip_ids=clip_ids, device=args.device, progress=progress)
    analysis = analyse_errors(
        workspace,
        Side(found.name, audio),
        label_set=args.labels,
        clip_ids=chosen,
        data_set=args.data_set,
        tiou_thresholds=common.thresholds(args.tiou),
    )
    common.note_empty_clips(workspace, [analysis.label_set], chosen)
    document = _document(analysis, common.listed(args.missed_by))
    name = "diagnosis.json" if analysis.label_set == found.label_sets[0] else f"diagnosis.{analysis.label_set}.json"
    if chosen is None:
        common.warn_of_unstored([common.store_json(found.predictions_folder(audio) / name, document)])
    if args.csv:
        tiou = float(analysis.diagnosis.thresholds[-1])
        detections = analysis.detections(tiou)
        tables = {"detections": detections, "truths": analysis.truths(tiou), "confusions": confusions(detections)}
        common.write_csv(args, tables[args.table])
    if args.json:
        common.print_json(document)
    elif not args.csv:
        _print(document)


def _document(analysis: ErrorAnalysis, missed_by: list[str]) -> dict[str, Any]:
    diagnosis = analysis.diagnosis
    thresholds = [float(tiou) for tiou in diagnosis.thresholds]
    return {
        "run": analysis.side.run,
        "audio": str(analysis.side.audio),
        "label_set": analysis.label_set,
        "clips": len(analysis.clip_ids),
        "tiou": thresholds,
        "normalized_map": {f"{tiou:g}": float(diagnosis.per_class[tiou].mean()) for tiou in thresholds},
        "gains": {f"{tiou:g}": analysis.gains(tiou).to_dict() for tiou in thresholds},
        "gains_per_class": {
            analysis.labels[label]: gains
            for label, gains in zip(
                diagnosis.gains_per_class.index, diagnosis.gains_per_class.to_dict("records"), strict=True
            )
        },
        "profile": {f"{tiou:g}": common.plain_records(analysis.profile(tiou).reset_index()) for tiou in thresholds},
        "missed": common.plain_records(diagnosis.missed.reset_index()),
        "missed_by": common.plain_records(diagnosis.missed_by(*missed_by).reset_index()) if missed_by else [],
        "sensitivity": common.plain_records(diagnosis.sensitivity.reset_index()),
        "buckets": {
            name: {"edges": [str(edge) for edge in own.edges], "names": list(own.names)}
            for name, own in diagnosis.buckets.items()
        },
    }


def _print(document: dict[str, Any]) -> None:
    print(f"{document['run']} with sound {document['audio']}: {document['label_set']}, {document['clips']} clips\n")
    rows = [
        {"tIoU": tiou, "normalized mAP": 100 * document["normalized_map"][tiou]}
        | {f"without {kind}": f"+{100 * gain:.2f}" for kind, gain in document["gains"][tiou].items()}
        for tiou in document["normalized_map"]
    ]
    common.print_table(rows, empty="nothing was diagnosed")
    print()
    sensitivity = {(row["characteristic"], row["bucket"]): row for row in document["sensitivity"]}
    misses = [
        {
            "characteristic": row["characteristic"],
            "bucket": row["bucket"],
            "segments": row["segments"],
            "missed %": 100 * row["missed"],
            "precision %": 100 * sensitivity[row["characteristic"], row["bucket"]]["precision"],
        }
        for row in document["missed"]
    ]
    common.print_table(misses, empty="there are no true segments")
    if document["missed_by"]:
        print()
        together = [
            {**row, "share": f"{100 * row['share']:.1f} %", "missed": f"{100 * row['missed']:.1f} %"}
            for row in document["missed_by"]
        ]
        common.print_table(together, empty="")
