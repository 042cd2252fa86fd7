"""`verify-explanations`: checks that could refute the explanations of a run."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "verify-explanations",
        run,
        "hold explanations to known truth, planted detectors and random weights; store the figures with the run",
        example="--run verb_mrav --quick",
    )
    common.add_workspace(parser)
    common.add_run(parser, "run of the workspace (default: every one that listens)")
    parser.add_argument(
        "--segments",
        type=int,
        default=300,
        metavar="N",
        help="least true segments; a demo kitchen renders more (default: 300)",
    )
    parser.add_argument("--quick", action="store_true", help="few segments only, to see whether all works")
    parser.add_argument(
        "--retrain",
        action="store_true",
        help="train on swapped labels until they are learnt, and as long on true ones, for the check by them, "
        "rendering the demo's training clips first; without it only a demo kitchen that has them does",
    )
    parser.add_argument("--page", metavar="FILE", help="also write the page of results, such as docs/explanations.md")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Check one run, or every run that listens where none is named."""
    from mravff_core.analysis.checks import verify_explanations
    from mravff_core.analysis.checks.page import write_page
    from mravff_core.analysis.checks.verify import QUICK, HowMany
    from mravff_core.errors import WorkspaceError
    from mravff_core.files import write_text

    workspace = common.open_workspace(args)
    listening = [info.run for info in workspace.runs() if info.listens]
    names = [args.run_name] if args.run_name else listening
    if not names:
        raise WorkspaceError(f"{workspace.folder}: has no run that listens; make one with train")
    documents = []
    for name in names:
        with common.progress_bar(f"Checking {name}") as progress:
            documents.append(
                verify_explanations(
                    workspace,
                    name,
                    size=QUICK if args.quick else HowMany(segments=args.segments),
                    retrain=True if args.retrain else False if args.quick else None,
                    device=args.device,
                    progress=lambda share, _words: progress(share),
                )
            )
    if args.page:
        write_text(args.page, write_page(documents))
    if args.json:
        common.print_json(documents)
        return
    rows = [
        {"run": document["run"], "check": one["check"], "passed": _WORDS[one["passed"]], "": one["words"]}
        for document in documents
        for one in document["verdicts"]
    ]
    common.print_table(rows, empty="nothing was checked")


_WORDS = {True: "yes", False: "NO", None: "unknown"}
