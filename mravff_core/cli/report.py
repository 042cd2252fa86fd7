"""`report`: runs, comparison, gates, errors and chosen segments as one HTML file."""

from __future__ import annotations

import argparse

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    summary = "write an error analysis as one self-contained HTML file, its figures and tables beside it if wished"
    parser = common.add_command(
        commands, "report", run, summary, example="--runs verb_mrav@off verb_mrav --out report.html"
    )
    common.add_workspace(parser)
    parser.add_argument("--out", required=True, metavar="FILE.html", help="where to write it")
    parser.add_argument(
        "--runs",
        nargs="+",
        metavar="RUN[@CONDITION]",
        help="the first two are compared, gates and errors are the last one's (default: the first gated run with "
        "sound off and on)",
    )
    parser.add_argument("--title", default="Error analysis", metavar="TEXT", help="title of the page")
    parser.add_argument(
        "--sections",
        nargs="+",
        metavar="NAME",
        help="out of overview, compare, gates, errors, stress, segments (default: all but stress)",
    )
    common.add_labels(parser, "label set, or action of joint runs (default: the first the runs share)")
    parser.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="only these classes")
    parser.add_argument("--sets", nargs="+", default=[], metavar="NAME", help="saved sets whose segments are shown")
    parser.add_argument("--no-notes", action="store_true", help="leave segments out that only have a note")
    parser.add_argument("--no-films", action="store_true", help="show segments as pictures only: a smaller file")
    parser.add_argument(
        "--tiou", type=float, default=0.5, metavar="T", help="overlap from which a detection is right (default: 0.5)"
    )
    common.add_min_score(parser, "least score in lists")
    common.add_resamples(parser)
    parser.add_argument("--figures", metavar="DIR", help="also write every figure there as SVG and PNG")
    parser.add_argument("--tables", metavar="DIR", help="also write every table there as CSV")
    common.add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Make what is missing, gather the report and write it."""
    from mravff_core.errors import ConfigError
    from mravff_core.report.build import build_report
    from mravff_core.report.files import write_figures, write_tables
    from mravff_core.report.html import write_html
    from mravff_core.report.plan import USUAL, ReportPlan, usual_sides

    if not args.out.lower().endswith((".html", ".htm")):
        raise ConfigError(f"--out is {args.out!r}, expected a file name that ends in .html")
    workspace = common.open_workspace(args)
    plan = ReportPlan(
        sides=tuple(common.listed(args.runs) or usual_sides(workspace)),
        title=args.title,
        sections=tuple(args.sections or USUAL),
        label_set=args.labels,
        classes=tuple(args.classes),
        sets=tuple(args.sets),
        notes=not args.no_notes,
        films=not args.no_films,
        tiou=args.tiou,
        min_score=args.min_score,
        resamples=args.resamples,
    )
    with common.progress_bar("Gathering the report") as progress:
        document = build_report(workspace, plan, device=args.device, progress=lambda share, _words: progress(share))
    write_html(document, args.out)
    print(args.out)
    if args.tables:
        print(*write_tables(document, args.tables), sep="\n")
    if args.figures:
        with common.progress_bar("Drawing figures") as progress:
            written = write_figures(document, args.figures, progress=progress)
        print(*written, sep="\n")
