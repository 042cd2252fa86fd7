"""What can be chosen on a page, as a typed value that travels in the address.

A page declares a frozen dataclass; fields are `str`, `int`, `float`, `bool`, `tuple[str, ...]`
or `tuple[float, float]` and have defaults. Names of fields are names of query parameters.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

C = TypeVar("C")
# A name with a comma in it must not become two names.
_COMMA, _PERCENT = "%2C", "%25"


def to_query(choices: Any) -> dict[str, str]:
    """As query parameters; what is as usual is left out, so that equal choices have equal addresses."""
    usual = type(choices)()
    return {
        field.name: text_of(getattr(choices, field.name))
        for field in dataclasses.fields(choices)
        if getattr(choices, field.name) != getattr(usual, field.name)
    }


def from_query(kind: type[C], query: Mapping[str, str]) -> tuple[C, list[str]]:
    """Read query parameters; what makes no sense is as usual, with a sentence for each.

    Parameters that are no field of `kind` are left alone: they may belong to others.
    """
    values: dict[str, Any] = {}
    complaints = []
    types = typing.get_type_hints(kind)
    for name, text in query.items():
        if name not in types:
            continue
        try:
            values[name] = _value(types[name], text)
        except ValueError:
            complaints.append(f"The address gives {name!r} as {text!r}, which makes no sense here.")
    return kind(**values), complaints


def text_of(value: Any) -> str:
    """A value as it stands in an address."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return ",".join(text_of(item).replace("%", _PERCENT).replace(",", _COMMA) for item in value)
    return str(value)


def _value(kind: Any, text: str) -> Any:
    """Raises: ValueError if `text` is none of that kind."""
    if kind is bool:
        if text not in ("yes", "no"):
            raise ValueError(text)
        return text == "yes"
    if kind is float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)
        parts = [part.replace(_COMMA, ",").replace(_PERCENT, "%") for part in text.split(",") if part]
        if inner[-1] is not Ellipsis and len(parts) != len(inner):
            raise ValueError(text)
        return tuple(_value(inner[0], part) for part in parts)
    return kind(text)
