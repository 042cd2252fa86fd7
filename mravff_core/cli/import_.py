"""`import`: true segments, sounds and other tools' detections for clips of the workspace; whole data sets."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from mravff_core.cli import common, import_dataset


def register(commands: common.Commands) -> None:
    """Add the command and its kinds."""
    parser = common.add_command(
        commands,
        "import",
        run_annotations,
        "take in true segments of clips, or by its kinds a whole data set, sounds, detections or a checkpoint",
        example="--annotations segments.csv",
    )
    parser.add_argument(
        "--annotations",
        metavar="FILE",
        help="ActivityNet-style JSON, EPIC-Kitchens CSV, or CSV with clip_id, start_s, end_s and a column a label set",
    )
    common.add_labels(parser, "label set of an ActivityNet-style file (default: the first of the workspace)")
    parser.add_argument(
        "--allow-missing", action="store_true", help="go on although segments are left out or outside their clips"
    )
    common.add_workspace(parser)
    common.add_json(parser)
    kinds = parser.add_subparsers(title="other kinds of import, each with options of its own", metavar="KIND")
    import_dataset.register(kinds)
    _register_sounds(kinds)
    _register_detections(kinds)
    _register_checkpoint(kinds)


def _register_checkpoint(kinds: common.Commands) -> None:
    parser = common.add_command(
        kinds,
        "checkpoint",
        run_checkpoint,
        "take an ActionFormer, TriDet or TemporalMaxer checkpoint, official or OpenTAD's, or a run, as a run",
        example="epoch_015.pth.tar --config epic_slowfast_verb.yaml --run official",
    )
    parser.add_argument("path", metavar="PATH", help="official checkpoint, or folder of a detector of ours")
    parser.add_argument("--config", metavar="FILE", help="its YAML configuration, or OpenTAD's in Python")
    common.add_run(parser, "name of the run that is made", required=True)
    common.add_labels(
        parser, "what its classes are (default: the set with as many; proposal where it has one class and no set has)"
    )
    parser.add_argument("--visual", default="visual", metavar="SET", help="visual features it reads (default: visual)")
    parser.add_argument("--audio", default="audio", metavar="SET", help="audio features it reads (default: audio)")
    common.add_workspace(parser, nested=True)
    common.add_json(parser, nested=True)


def _register_detections(kinds: common.Commands) -> None:
    parser = common.add_command(
        kinds,
        "detections",
        run_detections,
        "take another tool's detections as a run that has no detector",
        example="results.json --run theirs",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        help="ActivityNet-style or EPIC challenge result JSON; ActionFormer's eval_results.pkl; CSV or Parquet with "
        "clip_id, start_s, end_s, score and label or a column a label set",
    )
    common.add_run(parser, "name of the run that is made", required=True)
    common.add_labels(parser, "what a single label is (default: the first of the workspace)")
    parser.add_argument("--replace", action="store_true", help="make an imported run of that name anew")
    common.add_workspace(parser, nested=True)
    common.add_json(parser, nested=True)


def _register_sounds(kinds: common.Commands) -> None:
    parser = common.add_command(
        kinds,
        "epic-sounds",
        run_sounds,
        "take EPIC-Sounds' events as known sounds of clips of the workspace",
        example="--annotations EPIC_Sounds_validation.csv",
    )
    parser.add_argument("--annotations", nargs="+", required=True, metavar="CSV", help="EPIC_Sounds_*.csv")
    common.add_workspace(parser, nested=True)
    common.add_json(parser, nested=True)


def run_annotations(args: argparse.Namespace) -> None:
    """Read, check, and put the segments in place of those the same clips had, if nothing is lost or that is allowed."""
    from mravff_core.errors import AnnotationError, ConfigError
    from mravff_core.workspace.import_annotations import plan_annotations

    if args.annotations is None:
        raise ConfigError("import: found neither --annotations FILE nor a kind of import, such as detections FILE")
    workspace = common.open_workspace(args)
    plan = plan_annotations(workspace, args.annotations, args.labels or next(iter(workspace.label_sets), "verb"))
    findings, taken = plan.findings, args.allow_missing or not plan.findings.needs_permission
    if taken:
        workspace.set_annotations(plan.segments, plan.clip_ids)
    result = {
        "segments": len(plan.segments),
        "clips": len(plan.clip_ids),
        "clips_not_in_workspace": plan.clips_not_in_workspace,
        "findings": findings.rows(),
        "each": findings.listed(),
    }
    if args.json:
        common.print_json(result)
    else:
        print(
            f"{result['segments']} true segments for {result['clips']} clips; "
            f"{result['clips_not_in_workspace']} clips of the file are not in the workspace"
        )
        common.print_table(findings.rows(), empty="all segments lie in their clips")
    if not taken:
        raise AnnotationError(
            f"{args.annotations}: was not taken, since {len(findings.listed())} segments in the table lie outside "
            "their clips or would be left out; are its times seconds? Mend the file, or agree to it by --allow-missing"
        )


def run_detections(args: argparse.Namespace) -> None:
    """Make the run and say what it covers."""
    from mravff_core.workspace.import_detections import import_detections

    workspace = common.open_workspace(args)
    made = import_detections(workspace, args.file, args.run_name, label_set=args.labels or None, replace=args.replace)
    if args.json:
        common.print_json(dataclasses.asdict(made))
        return
    print(
        f"run {made.run}: {made.detections} detections ({', '.join(made.label_sets)}) in {made.clips} clips; "
        f"{made.clips_not_in_workspace} clips of the file are not in the workspace, "
        f"{made.clips_without_detections} clips of the workspace are not in the file"
    )


def run_checkpoint(args: argparse.Namespace) -> None:
    """Make the run and say what it is."""
    from mravff_core.inference.import_checkpoint import import_checkpoint
    from mravff_core.segments import PROPOSAL

    made = import_checkpoint(
        common.open_workspace(args),
        args.path,
        args.run_name,
        config=args.config,
        label_set=args.labels or None,
        visual=args.visual,
        audio=args.audio,
    )
    if args.json:
        common.print_json(dataclasses.asdict(made))
        return
    features = " and ".join(made.features.values())
    print(f"run {made.run}: {made.base}, fusion {made.fusion}, {', '.join(made.label_sets)}; reads features {features}")
    if made.other_grid:
        print(
            f"caution: it was trained on other visual features ({made.other_grid}), so its numbers will not be those "
            "that are published"
        )
    if made.label_sets == (PROPOSAL,):
        print("its one class is no label of the workspace: it finds proposals, which are segments without a class")
    if made.class_score_file:
        print(
            f"published numbers need class scores of whole videos: predict, then merge --proposals {made.run} "
            f"--class-scores {Path(made.class_score_file).name} --run NAME"
        )


def run_sounds(args: argparse.Namespace) -> None:
    """Put the events in place of those the same clips had."""
    from mravff_core.data.sound_events import read_epic_sounds
    from mravff_core.errors import AnnotationError

    workspace = common.open_workspace(args)
    events = read_epic_sounds(args.annotations)
    known = events["clip_id"].isin(workspace.clip_ids())
    if not known.any():
        raise AnnotationError(
            f"{args.annotations[0]}: none of its {events['clip_id'].nunique()} videos is a clip of the workspace; "
            "import EPIC-Kitchens-100 first"
        )
    new = events[known]
    clips, silent = set(new["clip_id"]), set(workspace.clip_ids()) - set(new["clip_id"])
    workspace.set_sound_events(new, clips)
    result = {
        "events": len(new),
        "classes": int(new["sound"].nunique()),
        "clips": len(clips),
        "clips_without_events": len(silent),
        "videos_not_in_workspace": int(events.loc[~known, "clip_id"].nunique()),
    }
    if args.json:
        common.print_json(result)
    else:
        print(
            f"{result['events']} sound events of {result['classes']} classes in {result['clips']} clips; "
            f"{result['clips_without_events']} clips of the workspace have none, "
            f"{result['videos_not_in_workspace']} videos of the files are not in the workspace"
        )
