"""Audible events of real videos, from EPIC-Sounds' annotation files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mravff_core.data.annotations import checked_times, timestamp_s
from mravff_core.data.reading import read_csv
from mravff_core.errors import AnnotationError

_COLUMNS = ("video_id", "start_timestamp", "stop_timestamp", "class")


def read_epic_sounds(paths: Sequence[Path | str]) -> pd.DataFrame:
    """Read EPIC-Sounds' CSV files (Huh et al., ICASSP 2023).

    Returns: `clip_id`, `start_s`, `end_s`, `sound` (the class's name) and `description`; an event that
        several files hold, or one that is named twice, counts once.
    Raises: AnnotationError if a file is missing or of another kind, or holds times that are none.
    """
    return pd.concat([_read(Path(path)) for path in paths]).drop_duplicates(ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file of sound events")
    table = read_csv(path, numbers=())
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise AnnotationError(
            f"{path}: lacks column {', '.join(missing)}; it has {', '.join(table.columns[:8])}; "
            "expected EPIC-Sounds' annotations"
        )
    found = pd.DataFrame(
        {
            "clip_id": table["video_id"],
            "start_s": [timestamp_s(path, value) for value in table["start_timestamp"]],
            "end_s": [timestamp_s(path, value) for value in table["stop_timestamp"]],
            "sound": table["class"],
            "description": table.get("description", ""),
        }
    )
    return checked_times(path, found)
