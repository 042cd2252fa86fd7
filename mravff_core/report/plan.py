"""What a report shows."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from mravff_core.analysis.side import Side, shared_label_sets
from mravff_core.errors import ConfigError
from mravff_core.workspace import Bookmarks, Workspace

# In the order of the page.
SECTIONS = {
    "overview": "Runs",
    "compare": "Comparison",
    "gates": "Gates",
    "errors": "Errors",
    "stress": "Stress curves",
    "segments": "Segments and notes",
}
USUAL = ("overview", "compare", "gates", "errors", "segments")


@dataclass(frozen=True)
class ReportPlan:
    """What a report shows.

    Attributes:
        sides: `RUN[@CONDITION]`; the first two are compared (second minus first), gates and errors
            are those of the last.
        title: of the page.
        sections: names out of `SECTIONS`.
        label_set: whose classes; the first that all runs know if empty.
        classes: names of the classes that tables and figures by class show; all if empty.
        sets: names of saved sets whose segments are shown.
        notes: whether segments with notes are shown besides.
        films: whether shown segments can be played.
        tiou: overlap from which a detection is right.
        min_score: least score of detections that lists show.
        resamples: of the bootstrap over clips.
    """

    sides: tuple[str, ...]
    title: str = "Error analysis"
    sections: tuple[str, ...] = USUAL
    label_set: str = ""
    classes: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    notes: bool = True
    films: bool = True
    tiou: float = 0.5
    min_score: float = 0.2
    resamples: int = 1000

    def checked(self, workspace: Workspace) -> ReportPlan:
        """The plan with its label set filled in.

        Raises: ConfigError for a section, class or set that is not there, or no side or section; WorkspaceError
            for a run that is not there.
        """
        if not self.sides:
            raise ConfigError("a report needs at least one run; found none")
        if not self.sections:
            raise ConfigError(f"a report needs at least one section; found none, choose among {', '.join(SECTIONS)}")
        common = shared_label_sets([workspace.run(side.run).info for side in self.parsed])
        if not common or (self.label_set and self.label_set not in common):
            shared = f"do not share the label set {self.label_set!r}" if self.label_set else "share no label set"
            raise ConfigError(f"the runs {', '.join(self.sides)} {shared}; a report is about one label set")
        if not 0 < self.tiou <= 1:
            raise ConfigError(f"the report's tIoU is {self.tiou:g}, expected 0 to 1, 0 excluded")
        label_set = self.label_set or common[0]
        for what, wanted, there in (
            ("section", self.sections, tuple(SECTIONS)),
            (f"{label_set} class", self.classes, tuple(workspace.classes(label_set).values())),
            ("saved set", self.sets, tuple(Bookmarks(workspace.folder).sets())),
        ):
            missing = [name for name in wanted if name not in there]
            if missing:
                listed = ", ".join(there) or "none"
                raise ConfigError(
                    f"the report asks for the {what} {missing[0]!r}, which is not there; there are {listed}"
                )
        return replace(self, label_set=label_set)

    @property
    def parsed(self) -> tuple[Side, ...]:
        """The sides. Raises: ConfigError for one that cannot be read."""
        return tuple(Side.parse(text) for text in self.sides)

    def command(self, workspace: Workspace, out: str = "report.html") -> str:
        """The command that makes the same report."""
        words = ["python", "-m", "mravff_core", "report", "--workspace", str(workspace.folder), "--out", out]
        words += ["--runs", *self.sides, "--title", self.title, "--sections", *self.sections]
        words += ["--labels", self.label_set] if self.label_set else []
        words += ["--classes", *self.classes] if self.classes else []
        words += ["--sets", *self.sets] if self.sets else []
        words += [] if self.notes else ["--no-notes"]
        words += [] if self.films else ["--no-films"]
        words += ["--tiou", f"{self.tiou:g}", "--min-score", f"{self.min_score:g}", "--resamples", str(self.resamples)]
        return shlex.join(words)


def usual_sides(workspace: Workspace) -> tuple[str, ...]:
    """The first gated run without and with sound, else the first run. Raises: ConfigError if there is none."""
    infos = sorted(workspace.readable_runs()[0], key=lambda info: info.label_set != "verb")
    for info in infos:
        if info.fusion == "mrav" and info.has_detector:
            return (f"{info.run}@off", info.run)
    if not infos:
        raise ConfigError(f"{workspace.folder}: has no run to report on; train one or import detections")
    return (infos[0].run,)
