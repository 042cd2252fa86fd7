"""The binary container in which track data travels to the browser.

    bytes 0 to 3    "MRVT"
    bytes 4 to 7    length H of the header, little-endian
    H bytes         JSON, space-padded so that the payload starts at a multiple of 8
    payload         arrays, row-major and little-endian, each at a multiple of 8

The header is `{"version": 1, "arrays": {name: {"dtype", "shape", "offset"}}, "meta": {…}}`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A type of our own: servers do not compress it again on every request.
MEDIA_TYPE = "application/vnd.mravff.tracks"
_MAGIC = b"MRVT"
_ALIGNMENT = 8
_NAMES = {"<f4": "f4", "|u1": "u1", "<i2": "i2", "<f8": "f8"}


def encode(arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> bytes:
    """Pack arrays and what describes them.

    Args:
        arrays: by name, of type float32, float64, uint8 or int16.
        meta: anything JSON can hold; not-a-number is refused.
    Raises: TypeError for another type of array.
    """
    entries: dict[str, dict[str, Any]] = {}
    blocks: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if little.dtype.str not in _NAMES:
            raise TypeError(f"array {name!r} has type {array.dtype}, expected one of {', '.join(_NAMES.values())}")
        entries[name] = {"dtype": _NAMES[little.dtype.str], "shape": list(array.shape), "offset": offset}
        block = little.tobytes()
        block += bytes(-len(block) % _ALIGNMENT)
        blocks.append(block)
        offset += len(block)
    header = json.dumps({"version": 1, "arrays": entries, "meta": dict(meta)}, allow_nan=False).encode()
    header += b" " * (-(8 + len(header)) % _ALIGNMENT)
    return b"".join([_MAGIC, struct.pack("<I", len(header)), header, *blocks])


def decode(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and description of a container made by `encode`. Raises: ValueError if it is none."""
    if data[:4] != _MAGIC or len(data) < 8:
        raise ValueError("not track data: it does not begin with MRVT")
    (length,) = struct.unpack("<I", data[4:8])
    header = json.loads(data[8 : 8 + length])
    start = 8 + length
    arrays = {}
    for name, entry in header["arrays"].items():
        count = int(np.prod(entry["shape"], dtype=np.int64))
        flat = np.frombuffer(data, dtype=f"<{entry['dtype']}", count=count, offset=start + entry["offset"])
        arrays[name] = flat.reshape(entry["shape"])
    return arrays, header["meta"]
