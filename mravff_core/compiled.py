"""Loops compiled to machine code, kept on disk where there is a place for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Result = TypeVar("Result")


def compiled(**options: Any) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """`numba.njit` with these options.

    What is compiled is kept beside the code or in the user's cache. Where neither can be written (a
    container run by another user, say) every process compiles anew rather than fail.
    """

    def compile_lazily(loop: Callable[..., Result]) -> Callable[..., Result]:
        try:
            return numba.njit(cache=True, **options)(loop)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**options)(loop)

    return compile_lazily
