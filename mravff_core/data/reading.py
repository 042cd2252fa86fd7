"""What all readers of other people's annotations and results share: JSON, CSV, and labels as indices."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.errors import AnnotationError

NUMBERS = ("start_s", "end_s", "score", "duration_s", "frames_per_second", "audibility")


def parsed_json(path: Path, text: str | bytes) -> Any:
    """What a JSON document says.

    Raises: AnnotationError if a mapping says two things under one name, of which a plain reader
        would drop the first in silence; ValueError for text that is no JSON.
    """

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found and found[name] != value:
                raise AnnotationError(f"{path}: holds {name!r} twice with different content; put both into one")
            found[name] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=mapping)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path) -> Any:
    """`parsed_json` of a file, with or without a byte order mark."""
    return parsed_json(path, path.read_text(encoding="utf-8-sig"))


def read_csv(path: Path, numbers: Collection[str] = NUMBERS) -> pd.DataFrame:
    """A table whose numbers are read exactly and whose other columns stay text: `001`, `1e5` and `NA` are names.

    Empty cells are missing. Raises: ValueError for text that is no CSV.
    """
    texts = {name: str for name in pd.read_csv(path, nrows=0).columns if name not in numbers}
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip")


def label_index(value: Any, index_of: Mapping[str, int]) -> int | None:
    """Class of a name, or of a whole number that is no name; None for what is neither."""
    known = index_of.get(str(value))
    if known is not None or isinstance(value, (bool, np.bool_)):
        return known
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() and 0 <= number < len(index_of) else None
