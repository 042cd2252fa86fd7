"""Class scores of whole videos, as another classifier gave them: what proposals without a class are multiplied with."""

from __future__ import annotations

import pickle
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from mravff_core.data.features import npy_header
from mravff_core.data.plain_pickle import PICKLE_SUFFIXES, read_plain_pickle, refusal
from mravff_core.data.reading import read_json
from mravff_core.errors import AnnotationError

Floats = NDArray[np.float64]
_SHOWN = 3
_UCF_CLASSES = 101
# Classes that THUMOS14 has segments of, by their numbers in UCF101.
_THUMOS_OF_UCF = {
    7: "BaseballPitch",
    9: "BasketballDunk",
    12: "Billiards",
    21: "CleanAndJerk",
    22: "CliffDiving",
    23: "CricketBowling",
    24: "CricketShot",
    26: "Diving",
    31: "FrisbeeCatch",
    33: "GolfSwing",
    36: "HammerThrow",
    40: "HighJump",
    45: "JavelinThrow",
    51: "LongJump",
    68: "PoleVault",
    79: "Shotput",
    85: "SoccerPenalty",
    92: "TennisSwing",
    93: "ThrowDiscus",
    97: "VolleyballSpiking",
}


@dataclass(frozen=True)
class ClassScores:
    """What a file of class scores holds.

    Attributes:
        path: of the file, for messages.
        videos: by name, [classes] finite scores of 0 or more each.
        names: of the classes, empty where the file has none.
    """

    path: Path
    videos: Mapping[str, Floats]
    names: tuple[str, ...]

    @property
    def classes(self) -> int:
        """How many classes each video has scores of."""
        return len(next(iter(self.videos.values())))

    def of_clips(self, clip_ids: Iterable[str]) -> dict[str, Floats]:
        """Scores of those clips that the file has; it may put `v_` before their names, or leave it out."""
        found = {}
        for clip_id in clip_ids:
            names = (clip_id, clip_id.removeprefix("v_"), f"v_{clip_id}", re.sub("^(v_)+", "", clip_id))
            name = next((name for name in names if name in self.videos), None)
            if name is not None:
                found[clip_id] = self.videos[name]
        return found

    def places(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Where each label's score stands: by name where the file names its classes, else at the label's own place.

        Names may differ in case and in what stands between words.

        Args:
            labels: all of a label set, in its order.
        Returns: [labels] places among a video's scores.
        Raises: AnnotationError if there are more or fewer classes than labels, or a label is none of the classes.
        """
        if self.classes != len(labels):
            raise AnnotationError(
                f"{self.path}: has scores of {self.classes} classes, the label set has {len(labels)}; "
                "made for another data set?"
            )
        if not self.names:
            return np.arange(len(labels))
        for form in (str, _plain):
            place_of = {form(name): place for place, name in enumerate(self.names)}
            places = {place_of[form(label)] for label in labels if form(label) in place_of}
            if len(places) == len(labels):
                return np.array([place_of[form(label)] for label in labels])
        known = {_plain(name) for name in self.names}
        missing = [label for label in labels if _plain(label) not in known]
        missing = missing or [label for label in labels if label not in self.names]
        raise AnnotationError(
            f"{self.path}: its class names and the labels do not match: {len(missing)} of {len(labels)} labels are no "
            f"class there ({_some(missing)}), which has {_some(self.names)}; made for another data set?"
        )


def read_class_scores(path: Path | str, *, logits: bool = False) -> ClassScores:
    """Read class scores in the forms that classifiers are published with.

    JSON (`.json` or any other name): `{"results": {video: [scores]}, "class": [names]}`, also with `classes` for
    `class`, or the mapping of videos alone. Pickle (`.pkl`, `.pickle`): the same of plain containers and NumPy arrays.
    A video's scores may be a list of that one list, as for HACS. NumPy (`.npy`): such a mapping, or UntrimmedNets'
    scores for THUMOS14, [test videos by number, 101 classes of UCF101].

    Args:
        logits: the file holds logits, of which a softmax makes each video's scores.
    Raises: AnnotationError if the file is missing, of no such form or a pickle that could run code, or a video has
        another number of scores than there are classes, or one that is no finite number or, unless logits, negative.
    """
    path = Path(path)
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file of class scores")
    document = _document(path)
    results = document.get("results", document) if isinstance(document, dict) else None
    if not isinstance(results, dict) or not results:
        raise AnnotationError(f"{path}: expected a mapping 'results' of at least one video's scores; another format?")
    named = document.get("class", document.get("classes")) if results is not document else None
    names = _class_names(path, named)
    videos = {str(video): _scores(path, video, scores, logits) for video, scores in results.items()}
    classes = len(names or next(iter(videos.values())))
    wrong = [video for video, scores in videos.items() if len(scores) != classes]
    if wrong:
        raise AnnotationError(
            f"{path}: {len(wrong)} of {len(videos)} videos have another number of scores than the {classes} "
            f"{'classes named' if names else 'of the first'}, such as {wrong[0]!r} with {len(videos[wrong[0]])}; "
            "damaged?"
        )
    return ClassScores(path, videos, names)


def _class_names(path: Path, named: Any) -> tuple[str, ...]:
    """Names of the classes, none where the file has none. Raises: AnnotationError."""
    if named is None:
        return ()
    try:
        listed = np.asarray(named)
        names = listed.tolist() if listed.ndim == 1 else None
    except (ValueError, SystemError):  # lists of several lengths; text that is damaged
        names = None
    if names is None:
        raise AnnotationError(f"{path}: names its classes {reprlib.repr(named)[:60]}, expected a list of names")
    return tuple(map(str, names))


def _document(path: Path) -> Any:
    """What a file says. Raises: AnnotationError."""
    try:
        if path.suffix == ".npy":
            return _of_numpy(path)
        if path.suffix in PICKLE_SUFFIXES:
            with path.open("rb") as file:
                return read_plain_pickle(file)
        return read_json(path)
    except pickle.UnpicklingError as error:
        raise AnnotationError(f"{path}: {refusal(error)}: if you trust it, save it again as JSON") from error
    except ValueError as error:
        form = "a NumPy array" if path.suffix == ".npy" else "a pickle" if path.suffix in PICKLE_SUFFIXES else "JSON"
        raise AnnotationError(
            f"{path}: not readable as {form} ({str(error)[:120]}); cut short, or in another format than its name says?"
        ) from error


def _of_numpy(path: Path) -> Any:
    """What a `.npy` file says, UntrimmedNets' array as a mapping. Raises: UnpicklingError, ValueError."""
    with path.open("rb") as file:
        if npy_header(file)[2].hasobject:
            return read_plain_pickle(file)
    scores = np.load(path, allow_pickle=False)
    if scores.ndim != 2 or scores.shape[1] != _UCF_CLASSES:
        raise AnnotationError(
            f"{path}: holds an array of shape {list(scores.shape)}, which does not say whose scores they are; expected "
            f"THUMOS14's [test videos, {_UCF_CLASSES} classes of UCF101], or a mapping of videos to scores"
        )
    columns = np.array(list(_THUMOS_OF_UCF)) - 1
    results = {f"video_test_{number:07d}": row[columns] for number, row in enumerate(scores, 1)}
    return {"results": results, "class": list(_THUMOS_OF_UCF.values())}


def _scores(path: Path, video: str, scores: Any, logits: bool) -> Floats:
    try:
        found = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros((0, 0))
    if found.ndim == 2 and len(found) == 1:
        found = found[0]
    if found.ndim != 1 or not found.size:
        raise AnnotationError(
            f"{path}: video {video!r} has {reprlib.repr(scores)[:60]}, expected a list of one number a class"
        )
    bad = found[~np.isfinite(found) | ((found < 0) & (not logits))]
    if len(bad):
        raise AnnotationError(
            f"{path}: video {video!r} has {len(bad)} scores that are negative or no number, such as {bad[0]:g}; "
            "expected probabilities: are these logits? --logits takes them as such"
        )
    return softmax(found) if logits else found


def _plain(name: str) -> str:
    """A name without what files differ in."""
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN]))
