"""`film`: a clip with its timelines drawn under the picture, as MP4."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    summary = "write a clip as MP4 with segments, gates and spectrogram moving under the picture"
    parser = common.add_command(
        commands, "film", run, summary, example="--clip kitchen_val_003 --run verb_mrav --out film.mp4"
    )
    common.add_workspace(parser)
    parser.add_argument("--clip", required=True, metavar="ID", help="which clip")
    common.add_run(parser, "run whose detections and gates are shown (default: none)")
    common.add_audio(parser)
    common.add_labels(parser, "label set of true and predicted segments (default: the run's first)")
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where to begin (default: 0)")
    parser.add_argument("--end", type=float, metavar="SECONDS", help="where to end (default: with the clip)")
    common.add_min_score(parser, "lowest score shown")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark", help="colours (default: dark)")
    parser.add_argument("--out", required=True, metavar="FILE.mp4", help="where to write it")
    common.add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Detect where that is still to be done, and write the film."""
    from mravff_core.audio_condition import AudioCondition
    from mravff_core.errors import ConfigError
    from mravff_core.inference.run_predict import predict
    from mravff_core.report.film import FilmPlan, write_film

    if not args.out.lower().endswith(".mp4"):
        raise ConfigError(f"--out is {args.out!r}, expected a file name that ends in .mp4")
    workspace = common.open_workspace(args)
    condition = AudioCondition.parse(args.audio)
    if args.run_name and not workspace.run(args.run_name).has(condition, args.clip):
        predict(workspace, args.run_name, condition=condition, clip_ids=[args.clip], device=args.device)
    plan = FilmPlan(
        clip_id=args.clip,
        run=args.run_name,
        condition=condition,
        label_set=args.labels or None,
        start_s=args.start,
        end_s=args.end,
        min_score=args.min_score,
        theme=args.theme,
    )
    with common.progress_bar("Writing the film") as progress:
        write_film(workspace, plan, args.out, progress=progress)
    print(args.out)
