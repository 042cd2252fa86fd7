"""Gather a report: its sections, what it is about and how to make it again."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

import mravff_core
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.report.document import Document
from mravff_core.report.plan import SECTIONS, ReportPlan
from mravff_core.report.sections import BUILDERS, Work
from mravff_core.workspace import Workspace


def build_report(
    workspace: Workspace,
    plan: ReportPlan,
    *,
    device: str = "auto",
    progress: Callable[[float, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Document:
    """Make every section of a report, predicting what is missing.

    Args:
        progress: called with the share done, 0 to 1, and what is being done.
        cancel: asked between steps; True stops.
    Raises: ConfigError, WorkspaceError, what `predict` raises, CancelledError.
    """
    plan = plan.checked(workspace)
    if workspace.truth(plan.label_set).empty:
        raise WorkspaceError(
            f"{workspace.folder}: no clip has true {plan.label_set} segments to report against; "
            f"import some with '{workspace.command('import --annotations FILE')}'"
        )
    sections = []
    names = [name for name in SECTIONS if name in plan.sections]
    for number, name in enumerate(names):
        if cancel is not None and cancel():
            raise CancelledError("the report was stopped")

        def report(share: float, begun: int = number, words: str = SECTIONS[name]) -> None:
            if progress is not None:
                progress((begun + share) / len(names), words)

        report(0.0)
        sections.append(BUILDERS[name](Work(workspace, plan, device, report, cancel or (lambda: False))))
    return Document(plan.title, _facts(workspace, plan), (plan.command(workspace),), tuple(sections))


def _facts(workspace: Workspace, plan: ReportPlan) -> dict[str, str]:
    truth = workspace.truth(plan.label_set)
    runs = dict.fromkeys(side.run for side in plan.parsed)
    hashes = [
        f"{name} ({workspace.run(name).model_hash()[:12]})"
        if workspace.run(name).has_detector
        else f"{name} ({workspace.run(name).info.base})"
        for name in runs
    ]
    versions = {
        "mravff_core": mravff_core.__version__,
        "Python": platform.python_version(),
        "PyTorch": str(torch.__version__),
        "pandas": pd.__version__,
    }
    return {
        "Data set": f"{workspace.settings.name}, folder {Path(workspace.folder).name}",
        "Clips and true segments": f"{truth['clip_id'].nunique()} clips, {len(truth)} {plan.label_set} segments",
        "Runs (start of the weights' SHA-256)": ", ".join(hashes),
        "Runs and sounds": ", ".join(f"{side.run} with sound {side.audio}" for side in plan.parsed),
        "Classes": ", ".join(plan.classes) or "all",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    }
