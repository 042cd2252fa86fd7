"""A project on disk: clips, annotations, features and runs."""

from mravff_core.workspace.clip import Clip
from mravff_core.workspace.layout import Workspace
from mravff_core.workspace.runs import LevelGates, Run, RunInfo

__all__ = ["Clip", "LevelGates", "Run", "RunInfo", "Workspace"]
