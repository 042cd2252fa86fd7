"""A whole table to take away: a table's own menu saves the columns and rows that it shows, this saves all."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import streamlit as st


def offer_whole(table: Callable[[], pd.DataFrame], name: str) -> None:
    """A button that saves a table as CSV, written when it is pressed.

    Args:
        table: gives it with every row and column, under their own names; asked when the button is pressed.
        name: unlike any other on the page; also that of the file.
    """
    st.download_button(
        "Whole table (CSV)",
        lambda: table().to_csv(index=False),
        file_name=f"{re.sub('[^A-Za-z0-9]+', '-', name).strip('-')}.csv",
        mime="text/csv",
        key=f"whole {name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        help="Every row that fits and every column, also those that the table hides.",
    )
