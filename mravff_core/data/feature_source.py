"""Features that stay where they are: files outside a workspace, with their time grid declared.

Published features are tens of gigabytes, so a workspace points to them instead of copying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mravff_core.data.features import HDF5_SUFFIXES, Features, array_shape, checked_array, load_array, refuse_unfinite
from mravff_core.errors import FeatureError
from mravff_core.time_grid import TimeGrid

Modality = Literal["visual", "audio"]


@dataclass(frozen=True, kw_only=True)
class FeatureSource:
    """Where features of one kind lie and how their steps lie in time.

    Attributes:
        location: a folder of files, or one `.h5` file with an array a video.
        files: file names, or names of arrays, with `{name}` for the video's; several are stacked
            along channels, such as pictures and optical flow.
        channels: of all files together.
        modality: what was encoded.
        time_first: saved as [time, channels], which decides where both have the same length and
            where several files are stacked; otherwise the declared channels tell.
        hop_frames: frames from one saved step to the next; None where the steps share the video out evenly.
        window_frames: frames each step was computed from; None for the hop.
        frames_per_second: rate of those frames; None for the video's own.
        offset_frames: centre of step 0; None for half a window.
        resize_steps: every video is brought to this many steps by linear interpolation, as
            ActivityNet's features are for some detectors.
        every: saved steps to one that is read, the first of them.
        folders: below the location, looked through in this order for each video, as where every
            split has a folder of its own.
    """

    location: str
    files: tuple[str, ...] = ("{name}.npy",)
    channels: int
    modality: Modality = "visual"
    time_first: bool = True
    hop_frames: float | None = None
    window_frames: float | None = None
    frames_per_second: float | None = None
    offset_frames: float | None = None
    resize_steps: int | None = None
    # Neither is in what a stamp is made of, lest stamps of before change: `every` joins it where it matters.
    every: int = field(default=1, repr=False)
    folders: tuple[str, ...] = field(default=("",), repr=False)

    @property
    def is_archive(self) -> bool:
        """Whether all videos' features lie in one file."""
        return Path(self.location).suffix in HDF5_SUFFIXES

    @property
    def read_hop_frames(self) -> float | None:
        """Frames from one step that is read to the next; None where they share the video out evenly."""
        return None if self.hop_frames is None else self.hop_frames * self.every

    def path(self, name: str, number: int = 0) -> Path:
        """File of one video's features, the first of several."""
        location = Path(self.location)
        if self.is_archive:
            return location
        paths = [location / folder / self.files[number].replace("{name}", name) for folder in self.folders]
        return paths[0] if len(paths) == 1 else next((path for path in paths if path.is_file()), paths[0])

    def stamp(self, name: str) -> str:
        """Changes with the files, as far as size and time of writing show, and with what is declared here."""
        facts = [repr(self)] if self.every == 1 else [repr(self), f"every {self.every}"]
        for number in range(len(self.files)):
            path = self.path(name, number)
            found = path.stat() if path.is_file() else None
            facts.append(f"{found.st_size} {found.st_mtime_ns}" if found else "none")
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def has(self, name: str) -> bool:
        """Whether all files of a video are there."""
        try:
            if not all(self.path(name, number).is_file() for number in range(len(self.files))):
                return False
            return not self.is_archive or bool(self.shapes(name))
        except (FeatureError, OSError):  # such as a name that is too long for a file
            return False

    def shapes(self, name: str) -> list[tuple[int, ...]]:
        """Shape of each file's array as saved, axes of length 1 in front left out. Raises: FeatureError."""
        shapes = [array_shape(self.path(name, n), self._key(name, n)) for n in range(len(self.files))]
        return [shape[1:] if len(shape) == 3 and shape[0] == 1 else shape for shape in shapes]

    def size(self, name: str) -> tuple[int, int]:
        """Channels of a video's features, and how many steps are read, before they are resized.

        Raises: FeatureError for a file that is missing, unreadable or of another width.
        """
        shapes = self.shapes(name)
        for shape in shapes:
            if len(shape) != 2 or 0 in shape:
                raise FeatureError(f"{self.path(name)}: features are {list(shape)}, expected two axes, neither empty")
        turned = [self._is_time_first(shape) for shape in shapes]
        channels = sum(shape[1] if first else shape[0] for shape, first in zip(shapes, turned, strict=True))
        steps = min(shape[0] if first else shape[1] for shape, first in zip(shapes, turned, strict=True))
        if channels != self.channels:
            raise FeatureError(
                f"{self.path(name)}: features are {' and '.join(str(list(shape)) for shape in shapes)}, "
                f"expected {self.channels} channels on either axis; made by another encoder?"
            )
        return channels, -(-steps // self.every)

    def grid(self, steps: int, duration_s: float, frames_per_second: float) -> TimeGrid:
        """Time grid of a video's features, once resized.

        Args:
            steps: that are read.
            duration_s: of the video.
            frames_per_second: of the video, 0 where unknown.
        Raises: FeatureError if the grid needs a rate that is not known.
        """
        rate = self.frames_per_second or frames_per_second or (1.0 if self.hop_frames is None else 0.0)
        if not rate:
            raise FeatureError(
                f"{self.location}: its grid needs the video's frames per second, which neither its annotations nor the "
                "kind of features say; import with --fps (of audio, --audio-fps)"
            )
        wanted = self.resize_steps or steps
        if self.hop_frames is None:
            hop = window = duration_s * rate / wanted
        else:
            hop, window = self.hop_frames * self.every, self.window_frames or self.hop_frames
            if self.resize_steps:
                hop = window = ((steps - 1) * hop + window) / wanted
        return TimeGrid(
            hop_frames=hop,
            window_frames=window,
            frames_per_second=rate,
            offset_frames=None if self.resize_steps else self.offset_frames,
        )

    def read(self, name: str, duration_s: float, frames_per_second: float) -> Features:
        """Features of one video. Raises: FeatureError; arguments as for `grid`."""
        parts = list(self._parts(name))
        whole = checked_array(self.path(name), parts[0] if len(parts) == 1 else np.concatenate(parts))
        grid = self.grid(whole.shape[1], duration_s, frames_per_second)
        return Features(whole if self.resize_steps is None else resized(whole, self.resize_steps), grid)

    def check_values(self, name: str) -> None:
        """Read all values of one video's features. Raises: FeatureError for such that are not finite, or as `size`."""
        for number, part in enumerate(self._parts(name)):
            refuse_unfinite(self.path(name, number), part)

    def _parts(self, name: str) -> Iterator[NDArray]:
        """[channels, time] of the steps of each file that are read, cut to the shortest. Raises: FeatureError."""
        _, steps = self.size(name)
        for number in range(len(self.files)):
            array = load_array(self.path(name, number), self._key(name, number))
            array = array[0] if array.ndim == 3 else array
            yield (array.T if self._is_time_first(array.shape) else array)[:, :: self.every][:, :steps]

    def _key(self, name: str, number: int) -> str:
        return self.files[number].replace("{name}", name) if self.is_archive else ""

    def _is_time_first(self, shape: tuple[int, ...]) -> bool:
        usual, other = (shape[1], shape[0]) if self.time_first else (shape[0], shape[1])
        turned = len(self.files) == 1 and usual != self.channels and other == self.channels
        return self.time_first != turned


def resized(array: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """[channels, time] to `steps` steps by linear interpolation between centres of steps, ends held."""
    length = array.shape[1]
    if length == steps:
        return array
    position = np.clip((np.arange(steps) + 0.5) * length / steps - 0.5, 0, length - 1)
    left = np.floor(position).astype(np.int64)
    right = np.minimum(left + 1, length - 1)
    share = (position - left).astype(np.float32)
    return np.ascontiguousarray(array[:, left] * (1 - share) + array[:, right] * share, dtype=np.float32)
