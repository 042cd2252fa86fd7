"""`localize VIDEO`: one raw video to detections and gates."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands, "localize", run, "find actions in one video file", example="my.mp4 --out result.json"
    )
    parser.add_argument("video", metavar="VIDEO", help="any video file; use ./-name for one that starts with a dash")
    parser.add_argument(
        "--run",
        dest="run_name",
        default="verb_mrav",
        metavar="NAME",
        help="shipped or workspace run (default: verb_mrav)",
    )
    parser.add_argument("--checkpoint", metavar="FOLDER", help="run folder of any place, instead of --run")
    parser.add_argument(
        "--workspace", metavar="DIR", help="take the run from this workspace, the default one if it exists"
    )
    parser.add_argument("--add", action="store_true", help="also add the video to the workspace as a clip")
    parser.add_argument("--out", metavar="FILE", help="write the result document to this JSON file")
    common.add_min_score(parser, "leave out detections below", default=0.1)
    common.add_audio(parser)
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Localize, and print or write what was found."""
    from mravff_core.files import write_json
    from mravff_core.inference.add_video import add_video
    from mravff_core.inference.localize import localize
    from mravff_core.model.checkpoints import load_detector
    from mravff_core.workspace import Workspace

    workspace = Workspace(args.workspace or common.DEFAULT_WORKSPACE) if args.add else None
    folder = _detector_folder(args)
    detector = load_detector(folder, device=args.device)
    with common.progress_bar("Localizing") as progress:
        result = localize(args.video, detector, condition=args.audio, progress=progress)
    document = result.to_mapping(min_score=args.min_score, run=folder.name)
    if workspace is not None:
        run_name = folder.name if folder.parent == workspace.runs_folder else None
        with common.progress_bar("Adding to the workspace") as share:
            added = add_video(
                workspace,
                args.video,
                run_name=run_name,
                detector=detector,
                encoded=result.encoded,
                condition=args.audio,
                progress=lambda done, _name: share(done),
            )
        document["clip"]["clip_id"] = added.clip_id
    if args.out:
        write_json(args.out, document)
    if args.json:
        common.print_json(document)
        return
    for warning in document["warnings"]:
        print(f"warning: {warning}")
    for label_set in (result.label_set, *result.further):
        _print_found(label_set, document["detections"], args.min_score)
    if args.out:
        print(f"written to {args.out}")


def _print_found(label_set: str, detections: list[dict[str, Any]], min_score: float) -> None:
    """The best of one label set, in the order of time."""
    rows = [
        {"start_s": found["start_s"], "end_s": found["end_s"], "score": found["score"], label_set: found["name"]}
        for found in detections
        if found["label_set"] == label_set
    ]
    shown = sorted(rows[:40], key=lambda row: row["start_s"])
    common.print_table(shown, empty=f"no {label_set} found with a score of {min_score} or more")
    if len(rows) > len(shown):
        print(f"… and {len(rows) - len(shown)} more with lower scores (--out FILE holds all)")


def _detector_folder(args: argparse.Namespace) -> Path:
    from mravff_core.kitchen.shipped import shipped_run
    from mravff_core.workspace import Workspace

    if args.checkpoint:
        return Path(args.checkpoint)
    given = args.workspace or (
        common.DEFAULT_WORKSPACE if Path(common.DEFAULT_WORKSPACE, "workspace.yaml").is_file() else None
    )
    if given:
        return Workspace(given).run(args.run_name).folder
    return shipped_run(args.run_name)
