"""What a person looks at: clip, run, sound, threshold, classes, moment and selection; kept in the URL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.sides import Side, read_sides
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import ConfigError, MravffError
from mravff_core.segments import PROPOSAL, with_actions
from mravff_core.workspace import RunInfo, Workspace

DEFAULT_THRESHOLD = 0.2
# A browser may find a video a little longer than its header says.
_SLACK_S = 0.5


@dataclass(frozen=True)
class View:
    """One view of the Clip page; equal views have equal addresses.

    Attributes:
        clip, run: ids; None where the workspace has none.
        label_set: classes shown; one of the run's own wherever there is a run.
        audio: what the detector hears.
        threshold: detections of a lower score are hidden.
        classes: only these are shown; empty for all.
        time_s: where the playhead stands.
        selected: id of the selected segment, as the player has it.
        others: runs and sounds in rows beside the first.
        usual_labels: whether the label set is the run's first, so that the address need not name it.
    """

    clip: str | None = None
    run: str | None = None
    label_set: str = ""
    audio: AudioCondition = field(default_factory=AudioCondition)
    threshold: float = DEFAULT_THRESHOLD
    classes: tuple[str, ...] = ()
    time_s: float = 0.0
    selected: str | None = None
    others: tuple[Side, ...] = ()
    usual_labels: bool = True

    @property
    def main(self) -> Side | None:
        """The first row: the run and what it hears; None without a run."""
        return Side(self.run, self.audio) if self.run else None

    def to_query(self) -> dict[str, str]:
        """As query parameters; what is as usual is left out."""
        query = {"clip": self.clip or "", "run": self.run or ""}
        if not self.run or not self.usual_labels:
            query["labels"] = self.label_set
        if str(self.audio) != "on":
            query["audio"] = str(self.audio)
        if self.threshold != DEFAULT_THRESHOLD:
            query["min"] = f"{self.threshold:g}"
        if self.classes:
            query["classes"] = ",".join(self.classes)
        if self.time_s > 0:
            query["t"] = f"{self.time_s:.3f}".rstrip("0").rstrip(".")
        if self.selected:
            query["segment"] = self.selected
        if self.others:
            query["with"] = ",".join(map(str, self.others))
        return {name: value for name, value in query.items() if value}

    @classmethod
    def from_query(cls, query: Mapping[str, str], workspace: Workspace) -> tuple[View, list[str]]:
        """Read query parameters; what does not fit the workspace is replaced, with a sentence for each.

        Parameters that are missing are the workspace's first clip and run and the defaults.
        """
        complaints: list[str] = []
        clip = _known(query.get("clip"), clips_in_order(workspace), "clip", complaints)
        there = query.get("clip") in (None, "", clip)
        infos = workspace.readable_runs()[0]
        run = _known(query.get("run"), [info.run for info in preferred(infos)], "run", complaints)
        offered = label_sets_of(next((info for info in infos if info.run == run), None), workspace)
        label_set = _known(query.get("labels"), offered, "label set", complaints) or ""
        names = set(workspace.classes(label_set).values()) if label_set else set()
        wanted = [name for name in query.get("classes", "").split(",") if name]
        complaints += [f"The address names the class {name!r}, which is not there." for name in set(wanted) - names]
        audio = _condition(query.get("audio", "on"), workspace, complaints)
        main = Side(run, audio) if run else None
        others, unknown = read_sides(query.get("with", "") if run else "", workspace, label_set, main)
        complaints += unknown
        return (
            cls(
                clip=clip,
                run=run,
                label_set=label_set,
                audio=audio,
                threshold=_number(query.get("min"), DEFAULT_THRESHOLD, 1.0, "score threshold", complaints),
                classes=tuple(name for name in wanted if name in names),
                # A moment and a segment of another clip mean nothing in this one.
                time_s=_moment(query.get("t"), workspace, clip, complaints) if there and clip else 0.0,
                selected=(query.get("segment") or None) if there else None,
                others=others,
                usual_labels=label_set in offered[:1],
            ),
            complaints,
        )


def label_sets_of(info: RunInfo | None, workspace: Workspace) -> list[str]:
    """Label sets that a run's detections can be looked at by, its first one first; all there are without a run."""
    there = with_actions(workspace.label_sets)
    return list(there) if info is None else [name for name in info.label_sets if name in (*there, PROPOSAL)]


def clips_in_order(workspace: Workspace) -> list[str]:
    """Clip ids as people look for them: their own first, training clips last."""
    table = workspace.clips
    rank = {"own": 0, "train": 2}
    rows = sorted(zip(table["split"], table["clip_id"], strict=True), key=lambda row: (rank.get(row[0], 1), *row))
    return [clip_id for _, clip_id in rows]


def preferred(infos: Sequence[RunInfo]) -> list[RunInfo]:
    """Runs with those that listen first, which people come to see, and the many of a sweep last."""
    return sorted(
        infos,
        key=lambda info: (info.sweep != "", info.fusion != "mrav", info.label_set != "verb", info.fusion == "none"),
    )


def _known(wanted: str | None, there: list[str], what: str, complaints: list[str]) -> str | None:
    if wanted in there:
        return wanted
    if wanted:
        complaints.append(f"The address asks for the {what} {wanted!r}, which is not in this workspace.")
    return there[0] if there else None


def _condition(text: str, workspace: Workspace, complaints: list[str]) -> AudioCondition:
    try:
        condition = AudioCondition.parse(text)
        if condition.kind == "swap" and condition.swap_step is None:
            workspace.clip(condition.clip_id)
    except MravffError as error:
        complaints.append(f"The address asks for a sound that cannot be made: {error}.")
        return AudioCondition()
    return condition


def _moment(text: str | None, workspace: Workspace, clip: str, complaints: list[str]) -> float:
    time_s = _number(text, 0.0, math.inf, "time", complaints)
    duration_s = workspace.clip(clip).duration_s
    if time_s <= duration_s + _SLACK_S:
        return time_s
    complaints.append(f"The address asks for {time_s:g} s, but the clip {clip!r} ends at {duration_s:.1f} s.")
    return 0.0


def _number(text: str | None, usual: float, most: float, what: str, complaints: list[str]) -> float:
    if not text:
        return usual
    try:
        value = float(text)
        if not 0 <= value <= most or math.isinf(value):
            raise ConfigError("outside its range")
    except (ValueError, ConfigError):
        complaints.append(f"The address gives the {what} {text!r}, which makes no sense here.")
        return usual
    return value
