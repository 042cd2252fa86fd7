"""Pickles of plain containers, text, numbers and NumPy arrays; one that names anything else is refused."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

PICKLE_SUFFIXES = (".pkl", ".pickle")

_PLAIN = "biufUS"  # kinds of numbers and text


class _Type:
    """In the place of a NumPy type: NumPy's own takes sizes and flags from a file as they come."""

    def __init__(self, code: str, *_: object) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in _PLAIN + "O":
            raise pickle.UnpicklingError(f"holds values of type {code}")

    def __setstate__(self, state: Sequence[Any]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """In the place of a NumPy array, which it becomes when asked for one."""

    def __init__(self, *_: object) -> None:
        self.values: NDArray = np.zeros(0)

    def __setstate__(self, state: Sequence[Any]) -> None:
        _, shape, kind, fortran, raw = state
        if kind.dtype.kind != "O":
            self.values = _numbers(raw, kind, shape, "F" if fortran else "C")
            return
        self.values = np.empty(len(raw), object)
        self.values[:] = raw
        self.values = self.values.reshape(shape)

    def __repr__(self) -> str:
        return repr(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return self.values.astype(dtype or self.values.dtype)


def _numbers(raw: bytes | str, kind: _Type, shape: Sequence[int], order: Any) -> NDArray:
    return np.frombuffer(_bytes(raw), kind.dtype).reshape(shape, order=order)


def _number(kind: _Type, raw: bytes | str) -> Any:
    return np.frombuffer(_bytes(raw), kind.dtype)[0]


def _bytes(text: bytes | str, _: object = None) -> bytes:
    """Bytes, which the first protocols write as text."""
    return text.encode("latin1") if isinstance(text, str) else text


_KNOWN: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": collections.OrderedDict,
    "_codecs.encode": _bytes,
    "numpy.dtype": _Type,
    "numpy.ndarray": _Array,
}
for _core in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_core}.multiarray._reconstruct"] = _Array
    _KNOWN[f"{_core}.multiarray.scalar"] = _number
    _KNOWN[f"{_core}.numeric._frombuffer"] = _numbers


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _KNOWN.get(f"{module}.{name}")
        if found is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return found


def refusal(error: pickle.UnpicklingError) -> str:
    """What to say of a pickle that was not read."""
    return (
        f"refused, since reading it could run code or it is no pickle ({str(error)[:120]}); "
        "expected plain lists, mappings and NumPy arrays"
    )


def read_plain_pickle(file: IO[bytes]) -> Any:
    """What a pickle holds: containers of text, numbers, and objects that `numpy.asarray` makes an array of.

    Files of Python 2 are read as well. An array of objects without axes, as NumPy makes of a mapping, is what it holds.

    Raises: pickle.UnpicklingError for a pickle that names anything else; ValueError for one that is damaged.
    """
    try:
        found = _Reader(file, encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # what a damaged pickle calls for, any operation on any value, raises any kind of error
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return found.values.item() if isinstance(found, _Array) and not found.values.shape else found
