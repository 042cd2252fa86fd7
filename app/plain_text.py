"""Text of people and files on a page, where Streamlit would read Markdown."""

from __future__ import annotations


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>~$:&" else letter for letter in text)
