"""Rows beside the first one of the Clip page: other runs, or the same run with another sound."""

from __future__ import annotations

from mravff_core.analysis.side import Side
from mravff_core.audio_condition import AudioCondition
from mravff_core.errors import MravffError
from mravff_core.workspace import RunInfo, Workspace

MOST_OTHERS = 3


def read_sides(
    text: str, workspace: Workspace, label_set: str, main: Side | None
) -> tuple[tuple[Side, ...], list[str]]:
    """Sides of an address, without the first row's own; a sentence for each that cannot be shown."""
    infos = {info.run: info for info in workspace.readable_runs()[0]}
    found: list[Side] = []
    complaints: list[str] = []
    for part in filter(None, text.split(",")):
        try:
            side = Side.parse(part)
            if side.audio.kind == "swap" and not side.audio.clip_id.startswith("+"):
                workspace.clip(side.audio.clip_id)
        except MravffError as error:
            complaints.append(f"The address asks for a second side that is not there: {error}.")
            continue
        info = infos.get(side.run)
        if info is None:
            complaints.append(f"The address asks for the run {side.run!r} beside the first, which is not there.")
        elif label_set not in info.label_sets:
            complaints.append(f"The run {side.run!r} finds no {label_set}s, so it cannot stand beside the first.")
        elif side != main and side not in found:
            found.append(side)
    if len(found) > MOST_OTHERS:
        complaints.append(f"Only {MOST_OTHERS} rows can stand beside the first; the address asks for {len(found)}.")
    return tuple(found[:MOST_OTHERS]), complaints


def offered_sides(infos: list[RunInfo], label_set: str, main: Side) -> list[Side]:
    """What can be put beside the first row: every stored sound of every run of the label set, and no sound."""
    offered: list[Side] = []
    for info in sorted(infos, key=lambda info: info.run != main.run):
        if label_set not in info.label_sets:
            continue
        conditions = {AudioCondition.parse(text) for text in info.conditions}
        if info.listens:
            conditions |= {AudioCondition(), AudioCondition("off"), AudioCondition("silence")}
        elif info.has_detector:
            conditions = {AudioCondition()}
        offered += [Side(info.run, condition) for condition in sorted(conditions, key=_usual_first)]
    return [side for side in offered if side != main]


def usual_side(infos: list[RunInfo], label_set: str, main: Side) -> Side | None:
    """What stands beside the first row when nothing is said: the same without its sound, else another run."""
    offered = offered_sides(infos, label_set, main)
    own = Side(main.run, AudioCondition("off" if main.audio.kind == "on" else "on"))
    return own if own in offered else next(iter(offered), None)


def _usual_first(condition: AudioCondition) -> tuple[int, str]:
    order = ("on", "off", "silence")
    return (order.index(condition.kind) if condition.kind in order else len(order), str(condition))
