"""What people put on segments: notes, and sets of segments under a name.

notes/notes.json    one note a segment
notes/sets.json     segments by the name of their set
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from mravff_core.config import from_mapping
from mravff_core.errors import WorkspaceError
from mravff_core.files import write_json

_LONGEST_NAME, _LONGEST_NOTE = 80, 10_000


@dataclass(frozen=True)
class MarkedSegment:
    """One true segment or detection, described so that it is found again after a run was made anew.

    Attributes:
        clip_id: its clip.
        start_s, end_s: seconds.
        label_set, label: class, by name.
        kind: `true` or `detection`.
        run, audio: whose detection under which audio condition; empty for a true segment.
        score: of a detection.
    """

    clip_id: str
    start_s: float
    end_s: float
    label_set: str
    label: str
    kind: str = "true"
    run: str = ""
    audio: str = ""
    score: float | None = None

    @property
    def key(self) -> str:
        """Text that is equal for the same segment; times count to the millisecond, the score not at all."""
        times = f"{self.start_s:.3f}-{self.end_s:.3f}"
        return "|".join((self.clip_id, times, self.label_set, self.label, self.kind, self.run, self.audio))


@dataclass(frozen=True)
class Note:
    """A note on a segment; `changed` is a date and time, ISO 8601, UTC."""

    segment: MarkedSegment
    text: str
    changed: str


class Bookmarks:
    """Notes and saved sets of one workspace; safe to use from several threads and processes.

    Args:
        workspace_folder: of the workspace.
    """

    def __init__(self, workspace_folder: Path | str) -> None:
        self._folder = Path(workspace_folder) / "notes"

    def notes(self) -> list[Note]:
        """All notes, the one changed last first. Raises: WorkspaceError for a damaged file."""
        path = self._folder / "notes.json"
        found = [_note(entry, path) for entry in _read(path, [])]
        return sorted(found, key=lambda note: (note.changed, note.segment.key), reverse=True)

    def note(self, segment: MarkedSegment) -> str:
        """The note on a segment, empty where there is none."""
        return next((note.text for note in self.notes() if note.segment.key == segment.key), "")

    def set_note(self, segment: MarkedSegment, text: str) -> None:
        """Put a note on a segment in place of an earlier one; empty text removes it.

        Raises: WorkspaceError for a text that is too long.
        """
        text = text.strip()
        if len(text) > _LONGEST_NOTE:
            raise WorkspaceError(f"the note has {len(text)} characters, expected at most {_LONGEST_NOTE}")
        changed = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")

        def change(entries: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
            kept = [entry for entry in entries if _note(entry, path).segment.key != segment.key]
            return [*kept, dataclasses.asdict(Note(segment, text, changed))] if text else kept

        self._change("notes.json", [], change)

    def sets(self) -> dict[str, list[MarkedSegment]]:
        """Saved sets by name, in the order of their names. Raises: WorkspaceError for a damaged file."""
        path = self._folder / "sets.json"
        raw = _read(path, {})
        return {name: [_segment(entry, path) for entry in raw[name]] for name in sorted(raw)}

    def add_to_set(self, name: str, segments: Iterable[MarkedSegment]) -> int:
        """Add segments to a set, which is made if there is none; a segment that is in it already counts once.

        Returns: how many the set holds now.
        Raises: WorkspaceError for an empty or overlong name.
        """
        name = name.strip()
        if not name or len(name) > _LONGEST_NAME:
            raise WorkspaceError(
                f"{name[:_LONGEST_NAME]!r} … has {len(name)} characters, which is no name for a set; expected 1 to "
                f"{_LONGEST_NAME}"
            )
        added = list(segments)

        def change(sets: dict[str, Any], path: Path) -> dict[str, Any]:
            held = [_segment(entry, path) for entry in sets.get(name, [])]
            merged = {segment.key: segment for segment in [*held, *added]}
            return {**sets, name: [dataclasses.asdict(segment) for segment in merged.values()]}

        return len(self._change("sets.json", {}, change)[name])

    def remove_from_set(self, name: str, segments: Iterable[MarkedSegment]) -> None:
        """Take segments out of a set; one that is then empty is gone."""
        gone = {segment.key for segment in segments}

        def change(sets: dict[str, Any], path: Path) -> dict[str, Any]:
            kept = [entry for entry in sets.get(name, []) if _segment(entry, path).key not in gone]
            others = {other: entries for other, entries in sets.items() if other != name}
            return {**others, name: kept} if kept else others

        self._change("sets.json", {}, change)

    def remove_set(self, name: str) -> None:
        """Forget a set; the notes on its segments stay."""

        def change(sets: dict[str, Any], _path: Path) -> dict[str, Any]:
            return {other: entries for other, entries in sets.items() if other != name}

        self._change("sets.json", {}, change)

    def _change(self, name: str, empty: Any, change: Callable[[Any, Path], Any]) -> Any:
        path = self._folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self._folder / ".lock", timeout=30):
            changed = change(_read(path, empty), path)
            write_json(path, changed)
        return changed


def _read(path: Path, empty: Any) -> Any:
    if not path.is_file():
        return empty
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"{path}: not readable as JSON ({error}); edited by hand?") from error
    if type(value) is not type(empty):
        raise WorkspaceError(f"{path}: holds a {type(value).__name__}, expected a {type(empty).__name__}")
    return value


def _segment(raw: Any, path: Path) -> MarkedSegment:
    try:
        return from_mapping(MarkedSegment, raw, str(path))
    except TypeError as error:
        raise WorkspaceError(f"{path}: a segment lacks what describes it ({error}); edited by hand?") from error


def _note(raw: Any, path: Path) -> Note:
    try:
        return Note(_segment(raw["segment"], path), str(raw["text"]), str(raw["changed"]))
    except (KeyError, TypeError) as error:
        raise WorkspaceError(f"{path}: a note lacks its segment, text or date ({error}); edited by hand?") from error
