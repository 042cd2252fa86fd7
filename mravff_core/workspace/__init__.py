"""A project on disk: clips, annotations, features, runs, and what people put on segments."""

from mravff_core.workspace.bookmarks import Bookmarks, MarkedSegment, Note
from mravff_core.workspace.clip import Clip
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.runs import LevelGates, Run, RunInfo

__all__ = ["Bookmarks", "Clip", "LevelGates", "MarkedSegment", "Note", "Run", "RunInfo", "Workspace"]
