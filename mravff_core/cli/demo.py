"""`demo`: make the demo kitchen's workspace."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "demo",
        run,
        "render the demo kitchen and detect in it; goes on where it was",
        example="--clips 4 --workspace workspaces/small",
    )
    common.add_workspace(parser)
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another seed gives another kitchen (default: 0)"
    )
    parser.add_argument("--clips", type=_count, metavar="N", help="validation clips (default: 16)")
    parser.add_argument(
        "--train", action="store_true", help="render the training clips too (`train` does so by itself)"
    )
    parser.add_argument("--workers", type=_count, default=2, metavar="N", help="clips rendered at once (default: 2)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Render, encode, and detect with the shipped runs."""
    from mravff_core.inference.demo import make_demo

    with common.progress_bar("Demo kitchen") as progress:
        summary = make_demo(
            args.workspace,
            seed=args.seed,
            clips=args.clips,
            with_training=args.train,
            workers=args.workers,
            progress=progress,
        )
    if args.json:
        common.print_json(summary)
    else:
        print(f"demo workspace in {args.workspace}: {summary['clips']} clips, runs {', '.join(summary['runs'])}")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of these; expected 1 or more")
    return int(text)
