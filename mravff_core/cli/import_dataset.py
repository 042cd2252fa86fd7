"""`import epic`, `import thumos14`, …: a data set of the field becomes a workspace."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

from mravff_core.cli import common
from mravff_core.data.datasets import DATA_SETS, FeatureKind
from mravff_core.errors import ConfigError, WorkspaceError


def register(kinds: common.Commands) -> None:
    """Add one kind of import for each data set."""
    for key, data_set in DATA_SETS.items():
        example = f"--annotations FILE --features DIR --workspace workspaces/{key}"
        title = data_set.title if data_set.visual else "any other data set, its features described by options"
        parser = common.add_command(
            kinds, key, functools.partial(run, key), f"make a workspace of {title}", example=example
        )
        _add_files(parser)
        _add_features(parser, "visual", "", list(data_set.visual))
        _add_features(parser, "audio", "audio-", list(data_set.audio))
        words = f"what a single label is (default: {data_set.label_set})"
        common.add_labels(parser, words, default=data_set.label_set)
        parser.add_argument(
            "--allow-missing",
            action="store_true",
            default=argparse.SUPPRESS,
            help="go on although clips, sounds or segments are left out, or segments lie outside their clips",
        )
        parser.add_argument(
            "--skip-values",
            action="store_true",
            help="read the headers of feature files alone; values that are not finite then show when they are used",
        )
        common.add_workspace(parser, nested=True)
        common.add_json(parser, nested=True)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--annotations",
        nargs="+",
        required=True,
        metavar="FILE",
        help="ActivityNet-style JSON; EPIC-Kitchens' CSVs or their folder; or CSV with clip_id, start_s, end_s and "
        "a column a label set",
    )
    parser.add_argument("--classes", metavar="FILE", help="class names of --labels, one a line, in their order")
    parser.add_argument("--split", metavar="NAME", help="split of clips whose files do not say it")
    parser.add_argument("--videos", metavar="DIR", help="folder with the videos, at any depth, for the app to play")
    parser.add_argument(
        "--name", metavar="NAME", help="name of a new workspace (default: the data set's, else its folder's)"
    )


def _add_features(parser: argparse.ArgumentParser, modality: str, prefix: str, kinds: list[str]) -> None:
    group = parser.add_argument_group(f"{modality} features")
    folder = f"--{prefix}features"
    group.add_argument(
        folder, required=modality == "visual", metavar="DIR", help="folder of files, or one .h5 file; stays where it is"
    )
    usual = f" (default: {kinds[0]})" if kinds else ""
    group.add_argument(f"--{modality}", dest=f"{modality}_kind", choices=kinds or None, help=f"which kind{usual}")
    for option, kind, words in (
        ("channels", int, "width of one step"),
        ("hop", float, "frames from step to step; 0 where the steps share the clip out evenly"),
        ("window", float, "frames each step was computed from"),
        ("fps", float, "frames per second of those frames; 0 for the clip's own"),
        ("every", int, "read each N-th of the saved steps alone, which have the hop"),
        ("resize", int, "bring every clip to this many steps"),
    ):
        group.add_argument(f"--{prefix}{option}", type=kind, metavar="N", help=f"{words}, instead of the kind's")
    group.add_argument(
        f"--{prefix}files", nargs="+", metavar="PATTERN", help="file names such as '{name}.npy'; several are stacked"
    )


def run(key: str, args: argparse.Namespace) -> None:
    """Check everything, print one table, and make the workspace if nothing is lost or that is allowed."""
    from mravff_core.data.dataset_files import read_dataset
    from mravff_core.workspace.import_dataset import make_workspace, plan_import

    data_set = DATA_SETS[key]
    visual = _described(data_set.visual_kind(args.visual_kind), args, "")
    audio = None
    if args.audio_features:
        audio = (_described(data_set.audio_kind(args.audio_kind), args, "audio-"), args.audio_features)
    elif args.audio_kind or _given(vars(args), "audio-"):
        raise ConfigError("found options that say how audio features were made, but no --audio-features DIR")
    files = read_dataset(
        args.annotations,
        label_set=args.labels,
        classes=args.classes,
        split=args.split,
        named_splits=data_set.named_splits,
        no_classes=data_set.no_classes,
    )
    # A data set of one's own has no name but the one that its folder is given.
    title = args.name or (data_set.title if data_set.visual else Path(args.workspace).resolve().name)
    with common.progress_bar(f"Checking {title}") as progress:
        plan = plan_import(
            title,
            files,
            visual=(visual, args.features),
            audio=audio,
            values=not args.skip_values,
            videos=args.videos,
            tiou_thresholds=data_set.tiou_thresholds,
            progress=progress,
        )
    findings = plan.checked.findings
    made = args.allow_missing or not findings.needs_permission
    if made:
        make_workspace(plan, args.workspace, name=args.name)
    more = {"values_checked": not args.skip_values, "workspace": str(args.workspace) if made else None}
    summary = {**plan.summary(), **more}
    if args.json:
        common.print_json(summary)
    else:
        _print(summary)
    if not made:
        faults = sum(len(found) for kind, found in findings.by_kind.items() if findings.asks(kind))
        raise WorkspaceError(
            f"{args.workspace}: was not made, since {faults} things in the table would be lost or look wrong; "
            "mend the files, or agree to it by --allow-missing"
        )


_GRID_OPTIONS = {
    "channels": "channels",
    "hop": "hop_frames",
    "window": "window_frames",
    "fps": "frames_per_second",
    "every": "every",
    "resize": "resize_steps",
}
_NONE_AT_ZERO = ("hop", "fps")


def _described(kind: FeatureKind | None, args: argparse.Namespace, prefix: str) -> FeatureKind:
    """The usual kind with what options say instead. Raises: ConfigError if a generic kind is not described."""
    given = _given(vars(args), prefix)
    if kind is not None:
        return dataclasses.replace(kind, **given)
    missing = [f"--{prefix}{option}" for option in ("channels", "hop") if _GRID_OPTIONS[option] not in given]
    if missing:
        raise ConfigError(f"import generic: {' and '.join(missing)} must say how the features were made")
    return FeatureKind(encoder="imported", **given)


def _given(words: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Fields of a kind that options say. Raises: ConfigError for values that make no sense."""
    given: dict[str, Any] = {}
    for option, field in _GRID_OPTIONS.items():
        value = words[f"{prefix}{option}".replace("-", "_")]
        if value is None:
            continue
        if not (math.isfinite(value) and (value > 0 or (value == 0 and option in _NONE_AT_ZERO))):
            raise ConfigError(f"--{prefix}{option} is {value:g}, expected a number above 0")
        given[field] = value or None
    if files := words[f"{prefix}files".replace("-", "_")]:
        if not all("{name}" in pattern for pattern in files):
            raise ConfigError(f"--{prefix}files {' '.join(files)}: lacks '{{name}}', where the video's name stands")
        given |= {"files": tuple(files), "files_vary": False}
    return given


def _print(summary: dict[str, Any]) -> None:
    clips = ", ".join(f"{number} {split}" for split, number in summary["clips"].items())
    classes = ", ".join(f"{number} {name}" for name, number in summary["classes"].items())
    print(
        f"{summary['data_set']}: clips: {clips}; {summary['clips_with_sound']} with sound; {summary['hours']} h; "
        f"{summary['segments']} segments; classes: {classes}"
    )
    looked_at = "" if summary["values_checked"] else ", as far as headers of files tell"
    common.print_table(summary["findings"], empty=f"every clip is in order{looked_at}")
    if summary["workspace"]:
        print(f"workspace in {summary['workspace']}; its features stay in {', '.join(summary['features'].values())}")
