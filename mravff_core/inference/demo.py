"""The demo kitchen as a workspace: rendered clips, their truth, features and shipped runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from mravff_core.config import read_yaml
from mravff_core.errors import WorkspaceError
from mravff_core.files import folder_written_aside, write_text
from mravff_core.inference.extract import extract
from mravff_core.inference.run_predict import predict
from mravff_core.kitchen import truth
from mravff_core.kitchen.render import render_split
from mravff_core.kitchen.script import NOUNS, VERBS, ClipPlan, plan_clip
from mravff_core.kitchen.shipped import shipped_runs
from mravff_core.media.probe import probe
from mravff_core.workspace import Clip, Workspace

ENCODERS = {"visual": "light_visual", "audio": "light_audio"}
SPLITS = {"train": 48, "validation": 16}
SETTINGS = "kitchen.yaml"

Progress = Callable[[float], None]
Cancel = Callable[[], bool]


def make_demo(
    folder: Path | str,
    *,
    seed: int = 0,
    clips: int | None = None,
    with_training: bool = False,
    workers: int = 2,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> dict[str, Any]:
    """Render validation clips, encode them and detect with the shipped runs, audio on and off.

    Everything that is there already is kept, so a stopped call goes on where it was.

    Args:
        folder: workspace to make or go on with.
        seed: another seed gives another kitchen.
        clips: validation clips, 16 by default.
        with_training: render and encode the training clips too.
        workers: clips rendered at once.
    Returns: `workspace`, `clips`, `runs`.
    Raises: WorkspaceError if the folder holds something else or another seed's kitchen.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise WorkspaceError(f"{folder}: is a file, expected an empty or new folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "workspace.yaml").is_file():
        raise WorkspaceError(f"{folder}: holds other files and is no workspace; choose an empty or new folder")
    workspace = Workspace.create(
        folder, name="Demo kitchen", label_sets={"verb": list(VERBS), "noun": list(NOUNS)}, encoders=ENCODERS
    )
    _remember(workspace, seed, clips)
    report = progress or (lambda _share: None)
    render_part = 0.6 if not with_training else 0.2
    add_split(workspace, "validation", workers=workers, progress=_part(report, 0.0, render_part), cancel=cancel)
    if with_training:
        add_split(workspace, "train", workers=workers, progress=_part(report, render_part, 0.8), cancel=cancel)
    for shipped in shipped_runs():
        if not (workspace.runs_folder / shipped.name / "model.safetensors").is_file():
            with folder_written_aside(workspace.runs_folder / shipped.name) as aside:
                shutil.copytree(shipped, aside, dirs_exist_ok=True)
    _predict_all(workspace, _part(report, 0.8, 1.0), cancel)
    report(1.0)
    return {
        "workspace": str(workspace.folder),
        "clips": len(workspace.clips),
        "runs": [info.run for info in workspace.runs()],
    }


def is_demo(workspace: Workspace) -> bool:
    """Whether a workspace is a demo kitchen, whose missing splits can be rendered."""
    return (workspace.folder / SETTINGS).is_file()


def add_split(
    workspace: Workspace,
    split: str,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Render and encode one split of a demo workspace and add its truth; what is there is kept."""
    plans = plans_of(workspace, split)
    if {plan.clip_id for plan in plans} <= set(workspace.clip_ids(split)) and not _unencoded(workspace, plans):
        return
    report = progress or (lambda _share: None)
    media = workspace.folder / "media"
    seed = read_yaml(workspace.folder / SETTINGS)["seed"]
    render_split(
        media, split, clips=len(plans), seed=seed, workers=workers, progress=_part(report, 0.0, 0.75), cancel=cancel
    )
    workspace.add_clips([_clip(media / f"{plan.clip_id}.mp4", plan, split) for plan in plans])
    every_plan = [
        plan for name in SPLITS for plan in plans_of(workspace, name) if name in set(workspace.clips["split"])
    ]
    workspace.set_annotations(truth.annotations(every_plan))
    workspace.set_sound_events(truth.sound_events(every_plan))
    extract(
        workspace,
        [plan.clip_id for plan in plans],
        workers=workers,
        progress=_part(report, 0.75, 1.0),
        cancel=cancel,
    )


def plans_of(workspace: Workspace, split: str) -> list[ClipPlan]:
    """Scripts of one split of a demo workspace. Raises: WorkspaceError if it is none."""
    if not is_demo(workspace):
        raise WorkspaceError(f"{workspace.folder}: is no demo kitchen, so its {split} clips cannot be rendered")
    settings = read_yaml(workspace.folder / SETTINGS)
    return [plan_clip(settings["seed"], split, index) for index in range(settings["clips"][split])]


def _unencoded(workspace: Workspace, plans: list[ClipPlan]) -> bool:
    return any(not workspace.has_features(name, plan.clip_id) for name in ENCODERS for plan in plans)


def _remember(workspace: Workspace, seed: int, clips: int | None) -> None:
    """Keep seed and size beside the workspace, and refuse to mix two kitchens."""
    path = workspace.folder / SETTINGS
    wanted = {"seed": seed, "clips": {**SPLITS, "validation": clips or SPLITS["validation"]}}
    if path.is_file():
        known = read_yaml(path)
        if known["seed"] != seed:
            raise WorkspaceError(
                f"{workspace.folder}: holds the kitchen of seed {known['seed']}, not {seed}; choose another "
                "folder, or that seed"
            )
        if clips is None or known == wanted:
            return
    write_text(path, yaml.safe_dump(wanted, sort_keys=False))


def _clip(path: Path, plan: ClipPlan, split: str) -> Clip:
    title = plan.clip_id.replace("_", " ")
    return Clip.of_video(plan.clip_id, probe(path), title=title, path=path.name, split=split)


def _predict_all(workspace: Workspace, report: Progress, cancel: Cancel | None) -> None:
    validation = workspace.clip_ids("validation")
    shipped = {folder.name for folder in shipped_runs()}
    jobs = [
        (info.run, condition)
        for info in workspace.runs()
        if info.run in shipped
        for condition in (("on", "off") if info.listens else ("on",))
    ]
    for number, (run_name, condition) in enumerate(jobs):
        part = _part(report, number / len(jobs), (number + 1) / len(jobs))
        predict(workspace, run_name, condition=condition, clip_ids=validation, progress=part, cancel=cancel)


def _part(report: Progress, low: float, high: float) -> Progress:
    return lambda share: report(low + (high - low) * share)
