"""Compiled loops run where there is no place to keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import pytest

from mravff_core.compiled import compiled


def test_a_loop_is_compiled_where_nothing_can_be_kept() -> None:
    names: dict[str, Callable[..., int]] = {}
    # Code that comes from no file has no place for what is compiled of it.
    exec("def total(numbers):\n    found = 0\n    for n in numbers:\n        found += n\n    return found", names)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(names["total"])
    assert compiled()(names["total"])((1, 2, 3)) == 6


def test_a_loop_that_is_wrong_is_told() -> None:
    compiled_nothing: Any = compiled()(lambda: undefined_name)  # noqa: F821
    with pytest.raises(numba.TypingError, match="undefined_name"):
        compiled_nothing()
