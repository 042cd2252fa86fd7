"""Options, output and progress that the commands share."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.files import refusal, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd

    from mravff_core.workspace import Workspace

DEFAULT_WORKSPACE = "workspaces/demo"
_OUTPUTS = ("out", "csv", "figure", "page")
Commands = Any  # argparse keeps the type of its sub-parser action private
Options = Any  # a parser, or a group of one's options, whose type it keeps private too


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], None], summary: str, example: str = ""
) -> argparse.ArgumentParser:
    """Add a command whose `run` gets the parsed arguments; its help ends with the example, the words after its name."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=wrapped(summary[0].upper() + summary[1:] + "."),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Left in one line, to be copied.
    parser.epilog = f"example: {parser.prog} {example}" if example else None
    parser.set_defaults(run=run, summary=summary)
    return parser


def wrapped(words: str, *, first: str = "", indent: str = "") -> str:
    """Text in lines as wide as the terminal, the first one and all others begun as given."""
    width = max(60, shutil.get_terminal_size().columns - 2)
    return textwrap.fill(words, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def add_workspace(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
    """`--workspace DIR`; `nested` where the command above has it too and its value may stand."""
    parser.add_argument(
        "--workspace",
        default=argparse.SUPPRESS if nested else DEFAULT_WORKSPACE,
        metavar="DIR",
        help=f"workspace folder (default: {DEFAULT_WORKSPACE})",
    )


def add_run(parser: argparse.ArgumentParser, words: str = "run of the workspace", *, required: bool = False) -> None:
    """`--run NAME`."""
    parser.add_argument("--run", dest="run_name", required=required, metavar="NAME", help=words)


def add_labels(
    parser: Options,
    words: str = "label set of a joint run, or action (default: the run's first)",
    *,
    default: str = "",
) -> None:
    """`--labels SET`, also `--label-set SET`."""
    parser.add_argument("--labels", "--label-set", default=default, metavar="SET", help=words)


def add_min_score(
    parser: argparse.ArgumentParser, words: str = "detections below do not count", *, default: float = 0.2
) -> None:
    """`--min-score SCORE`."""
    parser.add_argument(
        "--min-score", type=float, default=default, metavar="SCORE", help=f"{words} (default: {default})"
    )


def add_resamples(parser: argparse.ArgumentParser) -> None:
    """`--resamples N`."""
    parser.add_argument(
        "--resamples",
        type=int,
        default=1000,
        metavar="N",
        help="draws of clips for 95 %% intervals; 0 for none (default: 1000)",
    )


def add_audio(parser: argparse.ArgumentParser) -> None:
    """`--audio CONDITION`."""
    parser.add_argument(
        "--audio",
        default="on",
        metavar="CONDITION",
        help="what the detector hears: on, off, silence, shift:SECONDS, swap:CLIP, swap:+N (the Nth clip further on) "
        "or noise:SNR_DB (default: on)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`."""
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda", "mps"), help="where to compute (default: auto)"
    )


def add_json(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
    """`--json`; `nested` as for `add_workspace`."""
    default = argparse.SUPPRESS if nested else False
    parser.add_argument("--json", action="store_true", default=default, help="print one JSON document and nothing else")


def add_csv(parser: argparse.ArgumentParser) -> None:
    """`--csv [FILE]`."""
    parser.add_argument(
        "--csv", nargs="?", const="-", metavar="FILE", help="print the table as CSV, or write it into a file"
    )


def write_csv(args: argparse.Namespace, table: pd.DataFrame) -> None:
    """Put a table where `--csv` says. Raises: ConfigError if that is where `--json` prints."""
    if args.csv != "-":
        write_text(Path(args.csv), table.to_csv(index=False))
    elif args.json:
        raise ConfigError("--json and --csv both print; give --csv a file to write into")
    else:
        sys.stdout.write(table.to_csv(index=False))


def store_json(path: Path, document: Any) -> str:
    """Write a JSON document; where the system refuses, a sentence about that, else nothing."""
    try:
        write_json(path, document)
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        return f"{path} could not be stored: {reason.rpartition(': ')[2]}"
    return ""


def warn_of_unstored(refused: Sequence[str]) -> None:
    """Say in one line on standard error which results are only printed, if any are; `refused` as `store_json` gives."""
    sentences = [sentence for sentence in refused if sentence]
    if sentences:
        others = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
        print(f"warning: {sentences[0]}{others}; the results are printed all the same", file=sys.stderr)


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse a file to write whose folder is not there, or takes no file, before any work is done.

    Raises: ConfigError.
    """
    for option in _OUTPUTS:
        given = getattr(args, option, None)
        if not given or given == "-":
            continue
        folder = Path(given).absolute().parent
        if not folder.is_dir():
            raise ConfigError(
                f"--{option} is {given!r}, but there is no folder {folder}; make it first, or is the name mistyped?"
            )
        if Path(given).is_dir():
            raise ConfigError(f"--{option} is {given!r}, which is a folder; expected the name of a file")
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b" ")
        except OSError as error:
            raise ConfigError(
                f"--{option} is {given!r}, but nothing can be written in {folder}: {error.strerror}"
            ) from error


def add_clips(parser: argparse.ArgumentParser) -> None:
    """`--clips ID …` and `--split NAME`."""
    parser.add_argument("--clips", nargs="+", metavar="ID", help="clips to work on (default: all)")
    parser.add_argument("--split", metavar="NAME", help="work on the clips of one split, such as validation")


def chosen_clips(args: argparse.Namespace, workspace: Workspace) -> list[str]:
    """Clips that `--clips` or `--split` chooses. Raises: WorkspaceError if it chooses none, ConfigError for both."""
    if args.clips and args.split:
        raise ConfigError("--clips and --split both say which clips; give one of them")
    if args.clips:
        return [workspace.clip(clip_id).clip_id for clip_id in args.clips]
    chosen = workspace.clip_ids(args.split)
    if not chosen:
        splits = ", ".join(sorted(set(workspace.clips["split"]))) or "none"
        raise WorkspaceError(f"{workspace.folder}: no clips to work on; splits there are: {splits}")
    return chosen


def scored_clips(args: argparse.Namespace, workspace: Workspace) -> list[str] | None:
    """Clips that `--clips` or `--split` chooses, None for all with true segments; says if these are of several splits.

    Raises: as `chosen_clips`.
    """
    if args.clips or args.split:
        return chosen_clips(args, workspace)
    clips = workspace.clips
    splits = sorted(set(clips.loc[clips["clip_id"].isin(workspace.annotations["clip_id"]), "split"]))
    if len(splits) > 1:
        print(f"note: clips of {' and '.join(splits)} count together; --split NAME chooses one", file=sys.stderr)
    return None


def note_empty_clips(workspace: Workspace, label_sets: Iterable[str], clip_ids: Sequence[str] | None) -> None:
    """Say on standard error how many chosen clips have no true segments, where what is found counts as wrong.

    Args:
        clip_ids: of `scored_clips`.
    """
    if clip_ids is None:
        return
    for label_set in sorted(set(label_sets)):
        empty = len(set(clip_ids) - set(workspace.truth(label_set, clip_ids)["clip_id"]))
        if empty:
            words = f"{empty} of the clips have no true {label_set} segment; what is found there counts as wrong"
            print(f"note: {words}", file=sys.stderr)


def numbers(text: str, option: str) -> list[float]:
    """Comma-separated numbers. Raises: ConfigError, naming the option."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{option} is {text!r}, expected numbers with commas between them") from None


def thresholds(text: str | None) -> list[float] | None:
    """What `--tiou` says, each threshold once; None where it says nothing. Raises: ConfigError."""
    return list(dict.fromkeys(numbers(text, "--tiou"))) if text else None


def listed(words: str | Sequence[str] | None) -> list[str]:
    """Names with commas or blanks between them, each once."""
    words = [words] if isinstance(words, str) else words or []
    return [name for name in dict.fromkeys(part.strip() for word in words for part in word.split(",")) if name]


def open_workspace(args: argparse.Namespace) -> Workspace:
    """The workspace that the arguments name. Raises: WorkspaceError, ConfigError."""
    from mravff_core.workspace import Workspace

    return Workspace(args.workspace)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, indent=1, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def plain_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as JSON knows them: what is not a number becomes null."""
    return json.loads(table.to_json(orient="records", double_precision=15))


def interval(value: float, low: float | None, high: float | None, *, sign: bool = True) -> str:
    """A share in percent with its interval, if there is one, starred where that excludes 0; `sign` for differences."""
    form = "+.2f" if sign else ".2f"
    if low is None or high is None or math.isnan(low + high):
        return f"{100 * value:{form}}"
    star = " *" if sign and (low > 0 or high < 0) else ""
    return f"{100 * value:{form}} [{100 * low:{form}}, {100 * high:{form}}]{star}"


def note_units(resamples: int, more: str = "") -> None:
    """Say what a table's numbers are, beside it and not in it; without resamples it has no intervals."""
    intervals = ", intervals 95 %, * where one leaves out 0" if resamples else ""
    print(f"note: scores are in percent{intervals}{more}", file=sys.stderr)


def print_table(rows: Sequence[dict[str, Any]], *, empty: str) -> None:
    """Rows as aligned columns; numbers to the right."""
    if not rows:
        print(empty)
        return
    headers = list(rows[0])
    cells = [[_cell(row[name]) for name in headers] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(headers)]
    numeric = [all(isinstance(row[name], (int, float)) for row in rows) for name in headers]
    for line in [headers, ["-" * width for width in widths], *cells]:
        aligned = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(aligned).rstrip())


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[float], None]]:
    """A bar on standard error for a task that reports the share done, 0 to 1; none before the first report.

    What is refused at once is then told by its sentence alone.
    """
    bar: tqdm[Any] | None = None

    def report(share: float) -> None:
        nonlocal bar
        if bar is None:
            form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
            bar = tqdm(total=100, desc=name, unit="%", file=sys.stderr, bar_format=form)
        before, bar.n = bar.n, min(100.0, 100 * share)
        if int(before) != int(bar.n):
            bar.refresh()

    try:
        yield report
        report(1.0)
    finally:
        if bar is not None:
            bar.close()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
