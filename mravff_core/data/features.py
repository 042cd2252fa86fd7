"""Read, check and write one feature array with its time grid."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import FeatureError, first_line
from mravff_core.files import written_aside
from mravff_core.time_grid import TimeGrid

if TYPE_CHECKING:
    from torch import Tensor

Read = TypeVar("Read")

_GRID_FIELDS = ("hop_frames", "window_frames", "frames_per_second", "offset_frames")
_NAMED = ("features", "feats")
HDF5_SUFFIXES = (".h5", ".hdf5")
TORCH_SUFFIXES = (".pt", ".pth")
READABLE_SUFFIXES = (".npz", ".npy", *TORCH_SUFFIXES, *HDF5_SUFFIXES)


@dataclass(frozen=True)
class Features:
    """Features of one clip and one modality.

    Attributes:
        array: [channels, time] float32.
        grid: where the steps lie in time.
    """

    array: NDArray[np.float32]
    grid: TimeGrid


def write_features(path: Path | str, features: Features) -> None:
    """Write `.npz` with the array as `features` [channels, time] beside the grid's numbers."""
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, features=features.array.astype(np.float32, copy=False), **_grid_arrays(features.grid))  # type: ignore[arg-type]


def read_features(path: Path | str) -> Features:
    """Read a file that `write_features` wrote; those of others are read as a `FeatureSource` describes them.

    Raises: FeatureError if the file is missing, unreadable, has no grid or the wrong shape,
        or holds values that are not finite.
    """
    path = Path(path)
    array, grid = _load(path)
    if grid is None:
        raise FeatureError(f"{path}: holds no time grid, expected one beside the array; saved by another program?")
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise FeatureError(
            f"{path}: features are {list(array.shape)} of {array.dtype}, expected two axes of numbers, neither empty"
        )
    return Features(checked_array(path, array), grid)


def checked_array(path: Path, array: NDArray) -> NDArray[np.float32]:
    """An array as detectors read it. Raises: FeatureError for values that are not finite."""
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(array, dtype=np.float32)
    refuse_unfinite(path, narrow)
    return narrow


def refuse_unfinite(path: Path, array: NDArray) -> None:
    """Raise a FeatureError where values of an array are not finite."""
    # Values beyond float32 become infinite, and are told like those that were.
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(np.float32, copy=False))
    if not finite.all():
        bad = array.size - np.count_nonzero(finite)
        raise FeatureError(f"{path}: {bad} of {array.size} values are not finite; was feature extraction interrupted?")


def load_array(path: Path, key: str = "") -> NDArray:
    """The one array of a feature file, as it was saved; no time grid.

    Args:
        path: of any readable suffix.
        key: which array of a `.h5` file; where none is named, and of a `.npz` file or a mapping of tensors,
            `features`, `feats` or the only one.
    Raises: FeatureError if the file is missing, unreadable, or holds no such array.
    """
    return _load(path, key)[0]


def array_shape(path: Path, key: str = "") -> tuple[int, ...]:
    """Shape of the array that `load_array` gives, without reading its values where the format allows that.

    Raises: FeatureError as `load_array`, and for an array of anything but real numbers.
    """
    shape, kind = _shape_and_type(path, key)
    if kind.kind not in "fiu":
        raise FeatureError(f"{path}: features are of type {kind}, expected numbers")
    return shape


def _shape_and_type(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype]:
    if path.is_file() and path.suffix in (".npy", ".npz"):
        return _numpy_shape(path)
    with _refused_readably(path):
        if path.is_file() and path.suffix in HDF5_SUFFIXES:
            return _of_hdf5(path, key, lambda array: (tuple(array.shape), array.dtype))
        if path.is_file() and path.suffix in TORCH_SUFFIXES:
            # Mapped, values stay on the disk; what PyTorch wrote before 1.6 is no archive and cannot be mapped.
            tensor = _tensor_of(path, mmap=zipfile.is_zipfile(path))
            return tuple(tensor.shape), _as_numpy(tensor.new_empty(0)).dtype
    array = load_array(path, key)
    return array.shape, array.dtype


def _load(path: Path, key: str = "") -> tuple[NDArray, TimeGrid | None]:
    if not path.is_file():
        raise FeatureError(f"{path}: no such feature file; run feature extraction or check the folder")
    if path.suffix not in READABLE_SUFFIXES:
        pickled = "; a pickle may run code and is never opened, save the array as .npy" if path.suffix == ".pkl" else ""
        raise FeatureError(
            f"{path}: suffix {path.suffix!r} is not a feature file; expected {' '.join(READABLE_SUFFIXES)}{pickled}"
        )
    with _refused_readably(path):
        if path.suffix in TORCH_SUFFIXES:
            return _as_numpy(_tensor_of(path)), None
        if path.suffix in HDF5_SUFFIXES:
            return _of_hdf5(path, key, lambda array: array[()]), None
        stored = np.load(path, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        return stored, None
    with stored:
        return _array_of(path, stored), _grid_of(path, stored)


@contextmanager
def _refused_readably(path: Path) -> Iterator[None]:
    """Turns what libraries raise for damaged files into one sentence."""
    try:
        yield
    except FeatureError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise FeatureError(
            f"{path}: not readable as {path.suffix} ({first_line(error)}); truncated or renamed?"
        ) from error
    except Exception as error:  # torch raises its own pickle errors for files that would run code
        raise FeatureError(
            f"{path}: refused ({first_line(error)}); expected plain tensors, no pickled objects"
        ) from error


def _tensor_of(path: Path, *, mmap: bool = False) -> Tensor:
    # Loading PyTorch takes seconds, and few features come as its files.
    import torch

    value = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    if isinstance(value, dict):
        tensors = {name: each for name, each in value.items() if isinstance(each, torch.Tensor)}
        value = tensors[_array_name(path, list(tensors))]
    if not isinstance(value, torch.Tensor):
        raise FeatureError(f"{path}: holds a {type(value).__name__}, expected one tensor")
    return value


def _as_numpy(tensor: Tensor) -> NDArray:
    # NumPy has no bfloat16.
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def _of_hdf5(path: Path, key: str, take: Callable[[Any], Read]) -> Read:
    """What `take` makes of one data set of an HDF5 file."""
    # Few features come as HDF5.
    import h5py

    with h5py.File(path, "r") as file:
        found = file.get(key) if key else file
        if isinstance(found, h5py.Group):
            names = [name for name in found if isinstance(found[name], h5py.Dataset)]
            name = next((name for name in _NAMED if name in names), names[0] if len(names) == 1 else None)
            found = found[name] if name is not None else None
        if not isinstance(found, h5py.Dataset):
            holds = ", ".join(list(file)[:4]) or "nothing"
            wanted = repr(key) if key else "one called 'features' or 'feats'"
            raise FeatureError(f"{path}: has no array {wanted}; it holds {holds}, {len(file)} in all")
        return take(found)


def _numpy_shape(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    with _refused_readably(path):
        if path.suffix == ".npy":
            with path.open("rb") as file:
                shape, _, kind = npy_header(file)
                expected = file.tell() + kind.itemsize * math.prod(shape)
            if path.stat().st_size < expected and not kind.hasobject:
                raise FeatureError(f"{path}: holds {path.stat().st_size} bytes, {expected} expected; truncated?")
            return shape, kind
        with np.load(path, allow_pickle=False) as stored, zipfile.ZipFile(path) as archive:
            member = f"{_array_name(path, stored.files)}.npy"
            with archive.open(member) as file:
                shape, _, kind = npy_header(file)
                return shape, kind


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first axis changes fastest, and type of the array that follows."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _array_name(path: Path, names: list[str]) -> str:
    names = [name for name in names if name not in _GRID_FIELDS]
    named = [name for name in _NAMED if name in names]
    if not named and len(names) != 1:
        raise FeatureError(f"{path}: holds arrays {names}, expected one called 'features' or 'feats'")
    return (named or names)[0]


def _array_of(path: Path, stored: np.lib.npyio.NpzFile) -> NDArray:
    name = _array_name(path, stored.files)
    with _refused_readably(path):
        return stored[name]


def _grid_of(path: Path, stored: np.lib.npyio.NpzFile) -> TimeGrid | None:
    if not set(_GRID_FIELDS) <= set(stored.files):
        return None
    try:
        return TimeGrid(**{name: float(stored[name]) for name in _GRID_FIELDS})
    except Exception as error:
        raise FeatureError(f"{path}: its time grid is damaged ({first_line(error)})") from error


def _grid_arrays(grid: TimeGrid) -> dict[str, NDArray]:
    return {name: np.array(value) for name, value in grid.to_mapping().items()}
