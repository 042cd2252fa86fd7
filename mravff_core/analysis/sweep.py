"""Ablations: a recipe trained with every base, fusion and seed asked for, resumably.

runs/<sweep>_<base>_<fusion>_s<seed>/     one training each; `sweep.txt` there names the sweep
sweeps/<sweep>/scores/<run>.parquet       its average precision by audio condition and class
sweeps/<sweep>/table.json                 means, intervals and paired differences

Several processes may work on one sweep: each takes runs that nobody else is working on.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import yaml

from mravff_core.audio_condition import AudioCondition
from mravff_core.config import BaseConfig, FusionConfig, Recipe, from_mapping, read_yaml, to_mapping
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.files import write_text
from mravff_core.inference.evaluate_run import Scored, evaluate_run
from mravff_core.training.from_workspace import train_in_workspace
from mravff_core.training.state import has_begun
from mravff_core.workspace import Run, Workspace
from mravff_core.workspace.clip import is_clip_id
from mravff_core.workspace.runs import SWEEP_MARKER
from mravff_core.workspace.tables import read_table, write_table

OVERALL = "(all)"
"""Class name of the rows that hold the mean over classes."""
MOST_SEEDS = 1000
_ON, _OFF = AudioCondition("on"), AudioCondition("off")
SCORE_COLUMNS = ("run", "model", "base", "fusion", "seed", "audio", "class", "average_precision")


@dataclass(frozen=True)
class Member:
    """One training of a sweep.

    Attributes:
        sweep: name of the sweep.
        recipe: resolved; its name is that of the run.
        base, fusion, seed: how it differs from the others.
    """

    sweep: str
    recipe: Recipe
    base: str
    fusion: str
    seed: int

    @property
    def run(self) -> str:
        """Name of its run."""
        return self.recipe.name


def members_of(
    recipe: Recipe, *, seeds: int, fusions: Sequence[str], bases: Sequence[str] = (), name: str | None = None
) -> list[Member]:
    """All trainings of a sweep, seeds outermost: one cut short has tried all variants alike.

    Args:
        recipe: what they have in common, further settings of base and fusion included.
        seeds: how many, from the recipe's own on.
        fusions: kinds, with further settings as in `mrav:mix=residual:gate=channel`; the first is
            what the others are compared with.
        bases: kinds; none for the recipe's own.
        name: of the sweep; None for the recipe's.
    Raises: ConfigError for unknown kinds, no seeds or very many, or a name that is not usable as a file name.
    """
    name = recipe.name if name is None else name
    if not is_clip_id(name):
        raise ConfigError(f"sweep name {name!r} is not usable; expected letters, digits and ._- only")
    if seeds < 1 or not fusions:
        raise ConfigError(f"a sweep needs at least one seed and one fusion; found {seeds} and {len(fusions)}")
    if seeds > MOST_SEEDS:
        raise ConfigError(f"a sweep takes up to {MOST_SEEDS} seeds, found {seeds}; is that the seed itself?")
    first = recipe.train.seed
    return [
        Member(name, _variant(recipe, name, base, fusion, seed), base, fusion, seed)
        for seed in range(first, first + seeds)
        for base in dict.fromkeys(bases or (recipe.base.kind,))
        for fusion in dict.fromkeys(fusions)
    ]


def sweep(
    workspace: Workspace,
    members: Sequence[Member],
    *,
    device: str = "auto",
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Member]:
    """Train and score every member that is not done; a training cut short goes on where it was.

    Args:
        members: of one or several sweeps.
        progress: called with the share done, 0 to 1.
        cancel: asked between trainings and within them; True stops.
    Returns: members left out because another process is at work on them now.
    Raises: ConfigError if a run of a member's name was made, or is to be made, with another recipe;
        CancelledError; what training and evaluation raise.
    """
    wanted: dict[str, Member] = {}
    for member in members:
        if wanted.setdefault(member.run, member).recipe != member.recipe:
            raise ConfigError(f"two recipes make a run {member.run!r}; give one of them another name")
        _check_recipe(workspace, member)
    busy = []
    for number, member in enumerate(members):
        if cancel is not None and cancel():
            raise CancelledError(f"the sweep was stopped after {number} of {len(members)} runs; they are stored")
        if not is_done(workspace, member):
            locks = sweep_folder(workspace, member.sweep) / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            try:
                with filelock.FileLock(locks / f"{member.run}.lock", blocking=False):
                    _finish(workspace, member, device, cancel)
            except filelock.Timeout:
                busy.append(member)
        if progress is not None:
            progress((number + 1) / len(members))
    return busy


def is_done(workspace: Workspace, member: Member) -> bool:
    """Whether a member is trained and its scores are those of the weights that are there."""
    run = Run(workspace.runs_folder / member.run)
    path = _score_path(workspace, member.sweep, member.run)
    return Run.is_run(run.folder) and path.is_file() and run.model_hash() in set(read_table(path)["model"])


def scores(workspace: Workspace, name: str) -> pd.DataFrame:
    """All scores of a sweep so far: `SCORE_COLUMNS`, one row a run, audio condition and class.

    Raises: ConfigError if the workspace has no such sweep or nothing of it is finished.
    """
    paths = sorted((sweep_folder(workspace, name) / "scores").glob("[!.]*.parquet"))
    if not paths:
        known = ", ".join(sorted(path.name for path in (workspace.folder / "sweeps").glob("*"))) or "none"
        raise ConfigError(f"{workspace.folder}: has no finished run of a sweep {name!r}; its sweeps are: {known}")
    return pd.concat([read_table(path, SCORE_COLUMNS) for path in paths], ignore_index=True)


def sweep_folder(workspace: Workspace, name: str) -> Path:
    """Where a sweep's scores and table lie."""
    return workspace.folder / "sweeps" / name


def _variant(recipe: Recipe, sweep_name: str, base: str, fusion: str, seed: int) -> Recipe:
    kind, *settings = fusion.split(":")
    changes = {"base": (BaseConfig, {"kind": base}), "fusion": (FusionConfig, {"kind": kind, **_settings(settings)})}
    parts: dict[str, Any] = {
        section: from_mapping(cls, to_mapping(getattr(recipe, section)) | values, section)
        for section, (cls, values) in changes.items()
    }
    train = dataclasses.replace(recipe.train, seed=seed)
    shown = re.sub(r"[^A-Za-z0-9._-]+", "-", fusion)
    return dataclasses.replace(recipe, name=f"{sweep_name}_{base}_{shown}_s{seed}", train=train, **parts)


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    """`name=value` pairs, values as in YAML."""
    pairs = [text.partition("=") for text in texts]
    if any(not sign for _, sign, _ in pairs):
        raise ConfigError(f"fusion settings {':'.join(texts)!r} are not understood; expected kind:name=value:…")
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def _check_recipe(workspace: Workspace, member: Member) -> None:
    """Refuse to count a run that was made otherwise; widths of features are filled in by training."""
    folder = workspace.runs_folder / member.run
    path = folder / "recipe.yaml"
    if not has_begun(folder) or not path.is_file():
        return
    stored = from_mapping(Recipe, read_yaml(path), str(path))
    wanted = dataclasses.replace(
        member.recipe,
        base=dataclasses.replace(member.recipe.base, input_channels=stored.base.input_channels),
        fusion=dataclasses.replace(member.recipe.fusion, audio_channels=stored.fusion.audio_channels),
    )
    if stored != wanted:
        raise ConfigError(f"{path}: the run was made with another recipe; give the sweep another --name")


def _finish(workspace: Workspace, member: Member, device: str, cancel: Callable[[], bool] | None) -> None:
    """Train what is not trained, predict with and without sound, and store the scores last of all."""
    if is_done(workspace, member):  # by another process, between the question and the lock
        return
    run = Run(workspace.runs_folder / member.run)
    write_text(run.folder / SWEEP_MARKER, member.sweep + "\n")
    train_in_workspace(workspace, member.recipe, accelerator=device, cancel=cancel)
    clip_ids = workspace.clip_ids(member.recipe.data.test_split)
    rows = []
    sounds = (_ON,) if member.recipe.fusion.kind == "none" else (_ON, _OFF)
    for audio in sounds:
        document = evaluate_run(workspace, Scored(member.run, audio), clip_ids=clip_ids, device=device)
        known = (member.run, run.model_hash(), member.base, member.fusion, member.seed, str(audio))
        by_class = {OVERALL: document["average"], **document["per_class"]}
        rows += [(*known, name, value) for name, value in by_class.items()]
    write_table(_score_path(workspace, member.sweep, member.run), pd.DataFrame(rows, columns=list(SCORE_COLUMNS)))


def _score_path(workspace: Workspace, name: str, run: str) -> Path:
    return sweep_folder(workspace, name) / "scores" / f"{run}.parquet"
