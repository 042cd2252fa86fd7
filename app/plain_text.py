"""Text of people and files on a page, where Streamlit would read Markdown, and text in place of a number."""

from __future__ import annotations

NOTHING = "–"  # in a cell of a table, where Streamlit would write None


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>~$:&" else letter for letter in text)
