"""Figures and small tables that were made before, for whoever asks for the same again.

Drawing a figure takes Plotly tens of milliseconds, an interval hundreds; people who look at the
same classes under the same filters, and reruns that change something else, share one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

R = TypeVar("R")


def kept(make: Callable[..., R], *arguments: Any, **settings: Any) -> R:
    """What `make` gives for these arguments.

    Args:
        make: a function of a module, whose answer rests on its arguments alone.
        arguments, settings: for it; tables and arrays count by their contents, all else by its `repr`.
    Returns: what others share: do not change it.
    """
    parts = [f"{make.__module__}.{make.__qualname__}", *map(_print_of, arguments)]
    parts += [f"{name}={_print_of(value)}" for name, value in sorted(settings.items())]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return _made(key, lambda: make(*arguments, **settings))


def _print_of(value: Any) -> str:
    """Text that equal values share and others do not."""
    if isinstance(value, pd.DataFrame | pd.Series):
        columns = list(value.columns) if isinstance(value, pd.DataFrame) else value.name
        rows = pd.util.hash_pandas_object(value).to_numpy().tobytes()
        return f"{columns!r} {hashlib.sha256(rows).hexdigest()}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    return repr(value)


@st.cache_resource(max_entries=192, show_spinner=False)
def _made(key: str, _make: Callable[[], Any]) -> Any:
    return _make()
