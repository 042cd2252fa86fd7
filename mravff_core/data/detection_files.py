"""Detections in files of other tools, one reader a format.

Conventions: times in seconds; labels stay as the file gives them, names or numbers, so that
any file can be matched to the label sets of a workspace.
"""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mravff_core.data.plain_pickle import PICKLE_SUFFIXES, read_plain_pickle, refusal
from mravff_core.data.reading import as_numbers, label_index, parsed_json, read_csv, read_json
from mravff_core.errors import AnnotationError, ConfigError, first_line
from mravff_core.files import refusal as refused

Format = Literal["activitynet", "epic", "table"]

_SEGMENT = ("clip_id", "start_s", "end_s")
_EPIC_TASKS = ("verb", "noun")
# Archives that are encrypted, or packed as this Python cannot unpack, are RuntimeErrors.
_DAMAGED = (ValueError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, zlib.error, pa.ArrowException)
_ACTIONFORMER = {"video-id": "clip_id", "t-start": "start_s", "t-end": "end_s", "label": "label", "score": "score"}


@dataclass(frozen=True)
class DetectionFile:
    """What a file of detections holds.

    Attributes:
        format: `activitynet`, `epic` (the EPIC-Kitchens challenge's) or `table` (CSV, Parquet, pickle).
        table: `clip_id`, `start_s`, `end_s`, `score` and one column of names or numbers a label set.
        label_sets: those columns, in the file's order.
        clip_ids: all clips that the file speaks of, those without a detection included.
    """

    format: Format
    table: pd.DataFrame
    label_sets: tuple[str, ...]
    clip_ids: tuple[str, ...]


def read_detections(path: Path | str, label_set: str = "verb") -> DetectionFile:
    """Read ActivityNet-style or EPIC challenge result JSON, ActionFormer's pickle, CSV or Parquet.

    Args:
        path: `.json` with `results`, or a `.zip` of one such file as it was submitted; `.pkl` as
            ActionFormer and TriDet save one for their own evaluation, with `video-id`, `t-start`,
            `t-end`, `label` and `score`; or `.csv` or `.parquet` with `clip_id, start_s, end_s,
            score` and either `label` or one column for each label set.
        label_set: what a single label is called.
    Raises: AnnotationError if the file is missing, unreadable or of no known format, or holds
        detections without a clip, times or scores that are not numbers, segments that end before
        they start, or actions that are not their verb and noun; ConfigError for a label set that is
        called like another column.
    """
    path = Path(path)
    if label_set in ("", *_SEGMENT, "score"):
        raise ConfigError(f"a label set cannot be called {label_set!r}, which says something else of a detection")
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file of detections")
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            found = _json(path, read_json(path), label_set)
        elif suffix == ".zip":
            found = _json(path, parsed_json(path, _only_member(path)), label_set)
        elif suffix in PICKLE_SUFFIXES:
            found = _pickled(path, label_set)
        elif suffix == ".csv":
            found = _table(path, read_csv(path, ("start_s", "end_s", "score")), label_set)
        elif suffix == ".parquet":
            found = _table(path, pq.read_table(path).to_pandas(), label_set)
        else:
            raise AnnotationError(
                f"{path}: suffix {suffix!r} is not known; expected .json, .zip, .pkl, .csv or .parquet"
            )
    except pickle.UnpicklingError as error:
        raise AnnotationError(f"{path}: {refusal(error)}") from error
    except _DAMAGED as error:
        if refused(error):
            raise
        raise AnnotationError(
            f"{path}: not readable as {suffix[1:].upper()} ({first_line(error)}); truncated?"
        ) from error
    return _checked(path, found)


def _only_member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        # macOS packs a shadow of every file beside it.
        own = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
        members = [name for name in own if name.lower().endswith(".json")]
        if len(members) != 1:
            raise AnnotationError(f"{path}: holds {len(members)} JSON files, expected the one that was submitted")
        return archive.read(members[0])


def _json(path: Path, document: Any, label_set: str) -> DetectionFile:
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, dict):
        likely = "an annotation file?" if isinstance(document, dict) and "database" in document else "another format?"
        raise AnnotationError(f"{path}: has no 'results' mapping, expected detections by clip; {likely}")
    first = next((item for items in results.values() if isinstance(items, list) for item in items), None)
    pairs = isinstance(first, dict) and {"verb", "noun"} <= set(first)
    is_epic = pairs or (first is None and document.get("challenge") == "action_detection")
    label_sets = _EPIC_TASKS if is_epic else (label_set,)
    keys = _EPIC_TASKS if is_epic else ("label",)
    rows = []
    for clip_id, items in results.items():
        if not isinstance(items, list):
            raise AnnotationError(f"{path}: clip {clip_id!r} holds {type(items).__name__}, expected a list")
        for number, item in enumerate(items):
            try:
                start_s, end_s = item["segment"]
                labels = [item[key] for key in keys]
                if any(isinstance(label, (list, dict)) for label in labels):
                    raise TypeError(labels)
                rows.append((clip_id, start_s, end_s, item["score"], *labels))
            except (KeyError, TypeError, ValueError):
                raise AnnotationError(
                    f"{path}: detection {number} of clip {clip_id!r} is {str(item)[:80]}, "
                    f"expected a segment of two times, a score and {' and '.join(keys)}"
                ) from None
            if is_epic and "action" in item and not _is_pair(item["action"], *labels):
                verb, noun = labels
                raise AnnotationError(
                    f"{path}: detection {number} of clip {clip_id!r} has action {str(item['action'])[:40]!r}, expected "
                    f"'{verb},{noun}' as it has verb {verb!r} and noun {noun!r}; were actions numbered otherwise?"
                )
    table = pd.DataFrame(rows, columns=[*_SEGMENT, "score", *label_sets])
    return DetectionFile("epic" if is_epic else "activitynet", table, label_sets, tuple(results))


def _is_pair(action: Any, verb: Any, noun: Any) -> bool:
    """Whether an action is its verb and noun with a comma between, which the challenge scores on its own."""
    if action == f"{verb},{noun}":
        return True
    try:
        return [int(part) for part in action.split(",")] == [int(verb), int(noun)]
    except (AttributeError, TypeError, ValueError, OverflowError):
        return False


def _pickled(path: Path, label_set: str) -> DetectionFile:
    with path.open("rb") as file:
        results = read_plain_pickle(file)
    if not isinstance(results, dict) or not _ACTIONFORMER.keys() <= results.keys():
        raise AnnotationError(f"{path}: is not what ActionFormer saves, a mapping of {', '.join(_ACTIONFORMER)}")
    columns = {ours: np.asarray(results[theirs]) for theirs, ours in _ACTIONFORMER.items()}
    return _table(path, pd.DataFrame(columns), label_set)


def _table(path: Path, table: pd.DataFrame, label_set: str) -> DetectionFile:
    missing = [name for name in (*_SEGMENT, "score") if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{path}: lacks column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}; "
            "expected clip_id, start_s, end_s, score and label or a column a label set"
        )
    if {"label", label_set} <= set(table.columns) and label_set != "label":
        raise AnnotationError(f"{path}: has columns label and {label_set}, which are the same here; leave one out")
    table = table.rename(columns={"label": label_set}).astype({"clip_id": str})
    label_sets = tuple(name for name in table.columns if name not in (*_SEGMENT, "score"))
    if not label_sets:
        raise AnnotationError(f"{path}: has no column of labels beside {', '.join(table.columns)}")
    return DetectionFile("table", table, label_sets, tuple(dict.fromkeys(table["clip_id"])))


def _checked(path: Path, found: DetectionFile) -> DetectionFile:
    table = found.table
    nameless = np.flatnonzero(table["clip_id"].isna())
    if len(nameless):
        raise AnnotationError(
            f"{path}: {len(nameless)} of {len(table)} detections name no clip, the first is detection {nameless[0]}"
        )
    for name in ("start_s", "end_s", "score"):
        numbers = as_numbers(table[name])
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            row = table.iloc[int(bad[0])]
            raise AnnotationError(
                f"{path}: {len(bad)} of {len(table)} detections have no number as {name}, "
                f"the first in clip {row['clip_id']!r}: {str(row[name])[:40]!r}"
            )
        table[name] = numbers
    backwards = table[table["end_s"] < table["start_s"]]
    if len(backwards):
        row = backwards.iloc[0]
        raise AnnotationError(
            f"{path}: {len(backwards)} detections end before they start, the first in clip {row['clip_id']!r} "
            f"from {row['start_s']:g} to {row['end_s']:g} s; start and duration instead of start and end?"
        )
    return found


def label_indices(values: pd.Series, names: tuple[str, ...], where: str) -> pd.Series:
    """Class indices of names or numbers.

    Args:
        values: names, or indices into `names`; a name that looks like a number counts as a name first.
        names: of the label set.
        where: file and label set, for messages.
    Raises: AnnotationError if a value is neither, naming how many rows have such.
    """
    index_of: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    found = {value: label_index(value, index_of) for value in pd.unique(values)}
    unknown = [value for value, number in found.items() if number is None]
    if unknown:
        rows = int(values.isin(unknown).sum())
        shown = ", ".join(repr(str(value)[:40]) for value in unknown[:3])
        raise AnnotationError(
            f"{where}: {rows} detections have {len(unknown)} labels that are no class ({shown}); "
            f"there are {len(names)}, such as {', '.join(names[:3])}; another label set?"
        )
    return values.map(found).astype("int64")
