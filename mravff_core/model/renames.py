"""Names of weights by rules: patterns of how they begin, and what stands there instead."""

from __future__ import annotations

import re
from collections.abc import Iterable


def renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    """A name by the first rule whose pattern it begins with; one that fits none stays as it is.

    Args:
        rules: regular expressions and their replacements, in which `\\1` is the first group.
    """
    for pattern, replacement in rules:
        new, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return new
    return name
