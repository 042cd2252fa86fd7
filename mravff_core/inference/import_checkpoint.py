"""Take a trained detector into a workspace as a run: an official checkpoint, or a folder of ours."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from mravff_core.config import read_yaml
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.model.checkpoints import load_detector, save_detector
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.published_config import class_score_file
from mravff_core.segments import PROPOSAL, check_order
from mravff_core.workspace import Workspace
from mravff_core.workspace.feature_record import feature_record, other_grid


@dataclass(frozen=True)
class ImportedCheckpoint:
    """What a call made.

    Attributes:
        run: its name.
        base, fusion, label_sets: what it is.
        features: the feature sets that it reads, by modality.
        class_score_file: what an official configuration gives detections their classes by, whatever classes they have.
        other_grid: how the visual features lie in time otherwise than an official configuration says, if they do.
    """

    run: str
    base: str
    fusion: str
    label_sets: tuple[str, ...]
    features: dict[str, str]
    class_score_file: str | None = None
    other_grid: str | None = None


def import_checkpoint(
    workspace: Workspace,
    path: Path | str,
    run_name: str,
    *,
    config: Path | str | None = None,
    label_set: str | None = None,
    visual: str = "visual",
    audio: str = "audio",
) -> ImportedCheckpoint:
    """Make a run of a trained detector, which predicts exactly what it did where it comes from.

    Args:
        workspace: whose features it is to read.
        path: ActionFormer, TriDet or TemporalMaxer file, official or OpenTAD's, or folder of a detector of ours.
        run_name: of the run that is made.
        config: configuration of an official checkpoint, in YAML or OpenTAD's in Python.
        label_set: what its classes are, in the workspace's order; None for the one with as many. A single
            class is `proposal` where no label set has just one.
        visual, audio: feature sets that it reads.
    Raises: WorkspaceError for a name that is taken or not usable, or a label set that is not
        there; ConfigError if classes or features do not fit; CheckpointError, FeatureError.
    """
    folder = workspace.new_run_folder(run_name)
    if folder.exists():
        raise WorkspaceError(f"{folder}: is there already; choose another name")
    detector = load_detector(path, config=config, device="cpu")
    own = detector.config
    label_sets = _label_sets(workspace, own, label_set, path)
    sets = {"visual": visual} if own.fusion.kind == "none" else {"visual": visual, "audio": audio}
    widths = {"visual": own.base.input_channels, "audio": own.fusion.audio_channels}
    clip_id = _clip_with(workspace, sets)
    record = feature_record(workspace, sets, clip_id)
    for modality, name in sets.items():
        if record[modality]["channels"] != widths[modality]:
            raise ConfigError(
                f"{path}: takes {widths[modality]} {modality} channels, the feature set {name!r} has "
                f"{record[modality]['channels']}; name the features that it was trained on"
            )
    first, *further = label_sets
    detector.config = dataclasses.replace(
        own,
        label_set=first,
        labels=tuple(workspace.class_names(first)),
        features=record,
        further_label_sets=tuple(
            dataclasses.replace(other, name=name, labels=tuple(workspace.class_names(name)))
            for other, name in zip(own.further_label_sets, further, strict=True)
        ),
    )
    save_detector(detector, folder)
    return ImportedCheckpoint(
        run=run_name,
        base=own.base.kind,
        fusion=own.fusion.kind,
        label_sets=tuple(label_sets),
        features=sets,
        class_score_file=None if config is None else class_score_file(read_yaml(config)),
        other_grid=None if config is None else other_grid(own.features["visual"], workspace.features(visual, clip_id)),
    )


def _label_sets(workspace: Workspace, config: DetectorConfig, wanted: str | None, path: Path | str) -> list[str]:
    """Label sets of the workspace that a detector's classes are, in the detector's order; `wanted` is the first."""
    found: list[str] = []
    for name, labels in config.label_sets.items():
        fitting = [own for own, classes in workspace.label_sets.items() if len(classes) == len(labels)]
        if len(labels) == 1 and (not fitting or PROPOSAL in (wanted, name)):
            fitting.append(PROPOSAL)
        chosen = None if found else wanted
        if chosen is None and (name in fitting or len(fitting) == 1):
            chosen = name if name in fitting else fitting[0]
        if chosen is not None and chosen not in (*workspace.label_sets, PROPOSAL):
            known = ", ".join(workspace.label_sets)
            raise WorkspaceError(f"{workspace.folder}: has no label set {chosen!r}; it has {known}")
        if chosen is None or chosen not in fitting:
            sizes = ", ".join(f"{own} of {len(classes)}" for own, classes in workspace.label_sets.items())
            raise ConfigError(
                f"{path}: has {len(labels)} classes, the workspace has {sizes}; name its label set, import the data "
                "set with --classes if the last of them have no segment, or was it trained on other labels?"
            )
        check_order(labels, chosen, workspace.class_names(chosen), path)
        found.append(chosen)
    return found


def _clip_with(workspace: Workspace, sets: dict[str, str]) -> str:
    """The first clip that has all features wanted. Raises: WorkspaceError if none has."""
    for clip_id in workspace.clip_ids():
        if all(workspace.has_features(name, clip_id) for name in sets.values()):
            return clip_id
    raise WorkspaceError(
        f"{workspace.folder}: no clip has features {' and '.join(map(repr, sets.values()))}; "
        "import or extract them first, or name others"
    )
