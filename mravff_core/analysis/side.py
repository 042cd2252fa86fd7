"""One side of a comparison: a run and what it heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError
from mravff_core.segments import DETECTION_COLUMNS
from mravff_core.workspace import RunInfo, Workspace


@dataclass(frozen=True)
class Side:
    """A run's detections under one audio condition, written `RUN[@CONDITION]`.

    Attributes:
        run: name of the run; imported detections are a run as well.
        audio: what it heard.
    """

    run: str
    audio: AudioCondition = field(default_factory=AudioCondition)

    @classmethod
    def parse(cls, text: str | Side) -> Side:
        """Read `RUN` (sound as recorded) or `RUN@CONDITION`.

        Raises: ConfigError if there is no run's name or the condition is not known.
        """
        if isinstance(text, Side):
            return text
        run, separator, condition = text.strip().partition("@")
        if not run or (separator and not condition):
            raise ConfigError(f"side {text!r} is not known; expected RUN or RUN@CONDITION, such as my_run@off")
        return cls(run, AudioCondition.parse(condition or "on"))

    def __str__(self) -> str:
        return self.run if self.audio.kind == "on" else f"{self.run}@{self.audio}"


def shared_label_sets(infos: Sequence[RunInfo]) -> list[str]:
    """Label sets that all runs know, in the first one's order."""
    return [name for name in infos[0].label_sets if all(name in info.label_sets for info in infos)] if infos else []


def detections_of(workspace: Workspace, side: Side, label_set: str, clip_ids: Sequence[str]) -> pd.DataFrame:
    """A side's stored detections of some clips, best first in each; empty where none are stored.

    Returns: `clip_id`, `start_s`, `end_s`, `label`, `score`.
    """
    table = workspace.run(side.run).detections(side.audio, clip_ids, label_set=label_set)
    return pd.DataFrame(columns=["clip_id", *DETECTION_COLUMNS]) if table is None else table
