"""What was made before is given again for equal arguments, and never for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.kept import kept

calls: list[Any] = []


def counted(*arguments: Any, **settings: Any) -> int:
    calls.append((arguments, settings))
    return len(calls)


TABLE = pd.DataFrame({"name": ["a", "b"], "value": [1.0, np.nan]})


def test_equal_arguments_are_worked_on_once() -> None:
    first = kept(counted, TABLE, "once", chosen="x")
    assert kept(counted, TABLE.copy(), "once", chosen="x") == first


@pytest.mark.parametrize(
    "other",
    [
        TABLE.assign(value=[1.0, 2.0]),
        TABLE[::-1],
        TABLE.rename(columns={"value": "worth"}),
        TABLE[:1],
        TABLE["value"],
        TABLE["value"].to_numpy(),
        np.array([1, 0]),
    ],
)
def test_any_other_contents_are_worked_on_anew(other: Any) -> None:
    assert kept(counted, other) != kept(counted, TABLE)


def test_settings_and_functions_are_told_apart() -> None:
    def another(*_arguments: Any, **_settings: Any) -> int:
        return -1

    assert kept(counted, TABLE, chosen="a") != kept(counted, TABLE, chosen="b")
    assert kept(another, TABLE, chosen="a") == -1
