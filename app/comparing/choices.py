"""What can be chosen on the Compare page."""

from __future__ import annotations

from dataclasses import dataclass

from mravff_core.analysis.changes import MatchSettings
from mravff_core.analysis.side import Side
from mravff_core.audio_condition import AudioCondition

SECTIONS = {"sides": "Two sides", "stress": "Stress curves"}
ANY = ""


@dataclass(frozen=True)
class CompareChoices:
    """Names are those of the address.

    Attributes:
        section: key of `SECTIONS`.
        a, a_sound, b, b_sound: run and audio condition of either side.
        labels: label set, where the runs share several; their first if empty.
        min, match, moved, correct: thresholds, see `MatchSettings`.
        order: of the classes.
        classes: title of the open tab on them; empty for the chart.
        kind, outcome, name, clip: which events are listed; empty for all.
        event: the chosen one.
        runs: whose stress curves are shown; empty for all of the first run's label set.
        measure: what they show.
    """

    section: str = "sides"
    a: str = ""
    a_sound: str = "on"
    b: str = ""
    b_sound: str = "on"
    labels: str = ""
    min: float = 0.2
    match: float = 0.3
    moved: float = 0.75
    correct: float = 0.5
    order: str = "overall"
    classes: str = ""
    kind: str = ANY
    outcome: str = ANY
    name: str = ANY
    clip: str = ANY
    event: str = ""
    runs: tuple[str, ...] = ()
    measure: str = "map"

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both sides. Raises: ConfigError for a sound that is not known."""
        return Side(self.a, AudioCondition.parse(self.a_sound)), Side(self.b, AudioCondition.parse(self.b_sound))

    @property
    def settings(self) -> MatchSettings:
        """Thresholds of the events; what moved cannot overlap less than what matches."""
        return MatchSettings(self.min, self.match, max(self.moved, self.match), self.correct)
