"""What all readers of other people's annotations and results share: JSON, CSV, and labels as indices."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mravff_core.errors import AnnotationError, first_line

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

    Empty cells are missing; columns without a name, such as row numbers, are left out.

    Raises: AnnotationError for text that is no CSV, has two columns of one name, or cells beyond the last column.
    """
    names = csv_columns(path)
    texts = {name: str for name in names if name not in numbers}
    with _refused_readably(path), warnings.catch_warnings():
        # Of lines that have more cells than there are columns, the last ones would be left out.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # Otherwise the first cells of such lines would be taken for their names, and all others shifted.
        table = pd.read_csv(
            path, dtype=texts, keep_default_na=False, na_values=[""], float_precision="round_trip", index_col=False
        )
    return table[[name for name in names if name]]


def csv_columns(path: Path) -> list[str]:
    """Names of a table's columns, empty for those without. Raises: AnnotationError as `read_csv`."""
    with _refused_readably(path):
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise AnnotationError(f"{path}: has {header.count(twice[0])} columns called {twice[0]!r}; which one counts?")
    return header


@contextmanager
def _refused_readably(path: Path) -> Iterator[None]:
    """Turns what pandas raises for damaged files into one sentence."""
    try:
        yield
    except pd.errors.ParserWarning as error:
        raise AnnotationError(
            f"{path}: has lines with more cells than its first line names columns; text with commas but without quotes?"
        ) from error
    except ValueError as error:
        raise AnnotationError(f"{path}: not readable as CSV ({first_line(error)}); truncated?") from error


def as_numbers(column: pd.Series) -> pd.Series:
    """A column as float64, not-a-number for what is no number; whole numbers beyond its bounds become infinite."""
    try:
        return pd.to_numeric(column, errors="coerce").astype(np.float64)
    except OverflowError:
        bounded = [math.inf if isinstance(value, int) and abs(value) > 2**1023 else value for value in column]
        return pd.to_numeric(pd.Series(bounded, index=column.index), errors="coerce").astype(np.float64)


def label_index(value: Any, index_of: Mapping[str, int]) -> int | None:
    """Class of a name, or of a whole number that is no name; None for what is neither."""
    known = index_of.get(str(value))
    if known is not None or isinstance(value, (bool, np.bool_)):
        return known
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() and 0 <= number < len(index_of) else None
