"""Tables with columns of differences, which show a true minus sign and sort as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mravff_core.plots.words import signed


def with_signs(table: pd.DataFrame, columns: Sequence[str]) -> Any:
    """The table for `st.dataframe`; its columns of differences must have no format of their own.

    Args:
        columns: of differences, in points.
    """

    def words(value: Any) -> str:
        return signed(value)

    return table.style.format(dict.fromkeys(columns, words))
