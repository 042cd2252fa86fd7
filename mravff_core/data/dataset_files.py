"""A data set's own files: its videos with their splits, its classes, and true segments by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mravff_core.data.annotations import ABOUT_CLIP, AUDIBILITY, SEGMENT_KEYS, read_annotations
from mravff_core.data.plain_pickle import PICKLE_SUFFIXES
from mravff_core.data.reading import csv_columns, read_csv, read_json
from mravff_core.errors import AnnotationError
from mravff_core.segments import ACTION

_MOST_CLASSES = 100_000
_SPLITS = {"training": "train", "testing": "test", "val": "validation", "valid": "validation"}
_EPIC_INFO = "EPIC_100_video_info.csv"
_EPIC_CLASSES = {"verb": "EPIC_100_verb_classes.csv", "noun": "EPIC_100_noun_classes.csv"}


@dataclass(frozen=True)
class SourceVideo:
    """One video as its data set describes it; 0 where a number is not given."""

    name: str
    split: str
    duration_s: float = 0.0
    frames_per_second: float = 0.0


@dataclass(frozen=True)
class DataSetFiles:
    """What a data set's files hold.

    Attributes:
        videos: by name.
        segments: `clip_id` (the video's name), `segment_id`, `start_s`, `end_s` and a column of
            names or numbers for each label set.
        label_sets: class names by label set.
    """

    videos: dict[str, SourceVideo]
    segments: pd.DataFrame
    label_sets: dict[str, tuple[str, ...]]


def read_dataset(
    paths: Sequence[Path | str],
    *,
    label_set: str,
    classes: Path | str | None = None,
    split: str | None = None,
    named_splits: Mapping[str, str] | None = None,
    no_classes: Collection[str] = (),
) -> DataSetFiles:
    """Read the annotation files of one data set, told apart by content.

    Args:
        paths: ActivityNet-style JSON files; or EPIC-Kitchens' CSV files, or the folder that holds
            them with their classes and lengths; or plain CSV files with `clip_id, start_s, end_s`,
            a column a label set, and perhaps `split`, `duration_s` and `frames_per_second`.
        label_set: what the single label of JSON files is.
        classes: class names of that label set, one a line; by default what the annotations name,
            in the order of their numbers where they have or are such, else of the alphabet.
        split: of files that do not say it.
        named_splits: split by how a video's name begins, which counts where files call a split otherwise.
        no_classes: labels of JSON files that are none of the classes, unless `classes` names them.
    Raises: AnnotationError for files that are missing, malformed or of several kinds, that name no
        video or no class, or one video in two files, or whose labels are called like something else.
    """
    files = [file for path in paths for file in _files(Path(path))]
    names = None if classes is None else _class_names(Path(classes))
    found = _read(files, label_set, names, split, no_classes)
    if not found.videos:
        raise AnnotationError(f"{files[0]}: names no video; cut short?")
    bare = [name for name, labels in found.label_sets.items() if not labels]
    if bare:
        raise AnnotationError(
            f"{files[0]}: has no label of {bare[0]} on any of its {len(found.videos)} videos, so there are no "
            "classes; the annotations of a test split? Give the class names too, by --classes"
        )
    if ACTION in found.label_sets:
        raise AnnotationError(
            f"{files[0]}: labels cannot be called {ACTION!r}, which is the pair of a verb and a noun here; "
            "call them otherwise, such as activity"
        )
    return replace(found, videos=_in_own_words(found.videos, named_splits or {}))


def _read(
    files: Sequence[Path],
    label_set: str,
    names: tuple[str, ...] | None,
    split: str | None,
    no_classes: Collection[str],
) -> DataSetFiles:
    if all(file.suffix.lower() == ".json" for file in files):
        return _activitynet(files, label_set, names, split, no_classes)
    if any(file.suffix.lower() == ".json" for file in files):
        raise AnnotationError(f"{files[0]}: is given beside files of another kind; expected JSON alone or CSV alone")
    headers = {file: csv_columns(file) for file in files}
    if all("video_id" in columns for columns in headers.values()):
        return _epic(headers, split)
    return _plain(files, label_set, names, split)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [file for file in sorted(path.glob("EPIC_100_*.csv")) if _is_epic_annotation(file)]
        if not found:
            raise AnnotationError(f"{path}: holds none of EPIC-Kitchens' annotation files; name the files themselves")
        return found
    if not path.is_file():
        raise AnnotationError(f"{path}: no such annotation file")
    if path.suffix.lower() not in (".json", ".csv"):
        pickled = "; a pickle may run code and is never opened, take the CSV" if path.suffix in PICKLE_SUFFIXES else ""
        raise AnnotationError(
            f"{path}: suffix {path.suffix!r} is not known; expected .json or .csv annotations{pickled}"
        )
    return [path]


def _is_epic_annotation(path: Path) -> bool:
    """Whether a file lists segments or videos; narrations that were never given times are neither."""
    about = path.name in (_EPIC_INFO, *_EPIC_CLASSES.values()) or "missing_timestamp" in path.name
    return not about and "video_id" in csv_columns(path)


def _activitynet(
    paths: Sequence[Path],
    label_set: str,
    names: tuple[str, ...] | None,
    split: str | None,
    no_classes: Collection[str],
) -> DataSetFiles:
    videos: dict[str, SourceVideo] = {}
    numbers: dict[str, int] = {}
    tables = []
    for path in paths:
        tables.append(read_annotations(path, label_set, backwards_too=True))
        database = read_json(path)["database"]
        of_epic = (
            "; verbs and nouns together are read from EPIC-Kitchens' CSV files" if label_set in _EPIC_CLASSES else ""
        )
        _refuse_repeated(videos, database, path, of_epic)
        for name, entry in database.items():
            duration_s, rate, frames = (_number(path, name, entry, key) for key in ("duration", "fps", "frame"))
            if not rate and duration_s:
                rate = frames / duration_s
            videos[name] = SourceVideo(name, usual_split(entry.get("subset") or split), duration_s, rate)
            for item in entry.get("annotations", []):
                if item.get("label_id") is not None and item["label"] not in no_classes:
                    _settle(numbers, str(item["label"]), item["label_id"], path)
    segments = pd.concat(tables, ignore_index=True)
    if names is None:
        named = {str(label) for label in segments[label_set]} - set(no_classes)
        names = _numbered(numbers, paths[0]) if numbers else _ordered(named)
    return DataSetFiles(videos, segments, {label_set: names})


def _epic(headers: Mapping[Path, Sequence[str]], split: str | None) -> DataSetFiles:
    videos: dict[str, SourceVideo] = {}
    tables = []
    info: dict[str, tuple[float, float]] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for path, columns in headers.items():
        info.update(_epic_info(path.parent / _EPIC_INFO))
        own = "train" if "train" in path.stem.lower() else "validation" if "valid" in path.stem.lower() else "test"
        for label_set, file in _EPIC_CLASSES.items():
            if (path.parent / file).is_file():
                classes[label_set] = _class_names(path.parent / file)
        named = read_csv(path)["video_id"].unique()
        if pd.isna(named).any():
            raise AnnotationError(f"{path}: has rows that name no video; cut short?")
        _refuse_repeated(videos, named, path)
        for name in named:
            videos[name] = SourceVideo(name, split or own, *info.get(name, (0.0, 0.0)))
        if {"verb_class", "noun_class"} <= set(columns):
            tables.append(read_annotations(path, backwards_too=True))
    lost = [file for label_set, file in _EPIC_CLASSES.items() if label_set not in classes]
    if lost:
        folder = next(iter(headers)).parent
        raise AnnotationError(
            f"{folder}: lacks {' and '.join(lost)}, which name the classes; expected them beside the annotations"
        )
    columns = ["clip_id", "segment_id", "start_s", "end_s", *_EPIC_CLASSES]
    segments = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return DataSetFiles(videos, segments, classes)


def _plain(paths: Sequence[Path], label_set: str, names: tuple[str, ...] | None, split: str | None) -> DataSetFiles:
    tables: dict[Path, pd.DataFrame] = {}
    for path in paths:
        table = read_annotations(path, label_set, backwards_too=True)
        _refuse_repeated({name for other in tables.values() for name in other["clip_id"]}, table["clip_id"], path)
        tables[path] = table
    segments = pd.concat(tables.values(), ignore_index=True)
    if {"label", label_set} <= set(segments.columns) and label_set != "label":
        raise AnnotationError(f"{paths[0]}: has columns label and {label_set}, which are the same here; leave one out")
    segments = segments.rename(columns={"label": label_set})
    about = {*SEGMENT_KEYS, AUDIBILITY, *ABOUT_CLIP}
    label_sets: dict[str, tuple[str, ...]] = {}
    for column in segments.columns:
        own = names if column == label_set else None
        # Commas at the ends of lines make a column of nothing.
        if column not in about and (own or segments[column].notna().any()):
            label_sets[column] = own or _ordered({str(value) for value in segments[column].dropna()})
    if not label_sets:
        raise AnnotationError(f"{paths[0]}: has no column of labels beside {', '.join(segments.columns)}")
    videos = {}
    for name, rows in segments.groupby("clip_id", sort=True):
        first = {column: _said_once(paths[0], str(name), rows, column) for column in ABOUT_CLIP}
        said = first.get("split")
        videos[str(name)] = SourceVideo(
            str(name),
            usual_split(said if isinstance(said, str) else split),
            _number(paths[0], str(name), first, "duration_s"),
            _number(paths[0], str(name), first, "frames_per_second"),
        )
    kept = [column for column in segments.columns if column in label_sets or column in (*SEGMENT_KEYS, AUDIBILITY)]
    for name in label_sets:
        segments[name] = [value if pd.isna(value) else str(value) for value in segments[name]]
    return DataSetFiles(videos, segments[kept], label_sets)


def _in_own_words(videos: dict[str, SourceVideo], named_splits: Mapping[str, str]) -> dict[str, SourceVideo]:
    """Videos in the splits that their names say, if the files name what is trained on otherwise.

    OpenTAD calls THUMOS14's validation videos training, and its test videos validation.
    """
    own = {
        name: next((split for start, split in named_splits.items() if name.startswith(start)), video.split)
        for name, video in videos.items()
    }
    if all(own[name] == "train" for name, video in videos.items() if video.split == "train"):
        return videos
    return {name: replace(video, split=own[name]) for name, video in videos.items()}


def usual_split(text: object) -> str:
    """Our word for a split, whatever a file calls it; `own` where it says none."""
    lowered = str(text or "").strip().lower() or "own"
    return _SPLITS.get(lowered, lowered)


def _number(path: Path, name: str, entry: Mapping[Any, Any], key: str) -> float:
    value = entry.get(key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 0.0
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise AnnotationError(f"{path}: {key} of video {name!r} is {value!r}, expected a number of 0 or more")
    return number


def _refuse_repeated(known: Collection[str], named: Iterable[str], path: Path, likely: str = "") -> None:
    """Refuse a file that speaks of a video which another one has spoken of. Raises: AnnotationError."""
    repeated = sorted(set(known) & set(named))
    if repeated:
        raise AnnotationError(
            f"{path}: speaks of video {repeated[0]!r}, as another of the files does ({len(repeated)} such videos); "
            f"is one named twice?{likely}"
        )


def _said_once(path: Path, name: str, rows: pd.DataFrame, column: str) -> Any:
    """What all rows of a clip say in a column, None where none does. Raises: AnnotationError if they disagree."""
    said: Any = rows[column].dropna().unique() if column in rows else []
    if len(said) > 1:
        raise AnnotationError(f"{path}: clip {name!r} has {column} {said[0]} and {said[1]}, expected one")
    return said[0] if len(said) else None


def _settle(numbers: dict[str, int], label: str, said: Any, path: Path) -> None:
    """Note the number of a label."""
    try:
        number = math.nan if isinstance(said, bool) else float(said)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (number.is_integer() and 0 <= number < _MOST_CLASSES):
        raise AnnotationError(
            f"{path}: label {label!r} has the number {said!r}, expected a whole one from 0 to {_MOST_CLASSES - 1}"
        )
    if numbers.setdefault(label, int(number)) != number:
        raise AnnotationError(
            f"{path}: label {label!r} has the numbers {numbers[label]} and {int(number)}; two data sets?"
        )


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Names by the alphabet, or by size if all are numbers."""
    listed = sorted(names)
    are_numbers = all(name.isascii() and name.isdecimal() for name in listed)
    return tuple(sorted(listed, key=int) if are_numbers else listed)


def _numbered(numbers: Mapping[str, int], path: Path) -> tuple[str, ...]:
    """Names by number, as training code that goes by numbers needs them; gaps stay classes without a segment.

    Raises: AnnotationError if two labels have one number.
    """
    name_of: dict[int, str] = {}
    for label, number in numbers.items():
        if number in name_of:
            raise AnnotationError(
                f"{path}: labels {name_of[number]!r} and {label!r} have both the number {number}; two data sets?"
            )
        name_of[number] = label
    return tuple(name_of.get(number, f"class {number}") for number in range(max(name_of) + 1))


def _epic_info(path: Path) -> dict[str, tuple[float, float]]:
    """Seconds and frames per second by video, 0 where the file leaves them open."""
    if not path.is_file():
        return {}
    table = read_csv(path, numbers=("duration", "fps"))
    missing = [name for name in ("video_id", "duration", "fps") if name not in table]
    if missing:
        raise AnnotationError(f"{path}: lacks column {', '.join(missing)}; expected video_id, duration, fps")
    info = {}
    for name, row in zip(table["video_id"], table.to_dict("records"), strict=True):
        info[name] = (_number(path, name, row, "duration"), _number(path, name, row, "fps"))
    return info


def _class_names(path: Path) -> tuple[str, ...]:
    """Class names, one a line, or EPIC-Kitchens' class file with `id` and `key`."""
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file of class names")
    if path.suffix.lower() == ".csv":
        table = read_csv(path, numbers=("id",))
        if not {"id", "key"} <= set(table.columns):
            raise AnnotationError(f"{path}: has columns {', '.join(table.columns)}, expected id and key")
        table = table.sort_values("id").fillna({"key": ""})
        if table["id"].tolist() != list(range(len(table))):
            raise AnnotationError(f"{path}: ids are not 0 to {len(table) - 1}, each once; cut short?")
        names = tuple(table["key"])
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise AnnotationError(f"{path}: not readable as text ({str(error)[:120]}); save it as UTF-8") from error
        names = tuple(line.strip() for line in lines if line.strip())
    if "" in names:
        raise AnnotationError(f"{path}: class {names.index('')} has no name")
    if len(set(names)) != len(names) or not names:
        raise AnnotationError(f"{path}: names {len(set(names))} classes in {len(names)} lines, expected each once")
    return names
