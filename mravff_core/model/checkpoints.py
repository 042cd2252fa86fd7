"""Detectors on disk: our own folders, and files of the published code.

A folder of ours holds `config.yaml` (a `DetectorConfig`) and `model.safetensors` (weights
under the names of our modules). Nothing in either can run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mravff_core.config import from_mapping, read_yaml, to_mapping
from mravff_core.errors import CheckpointError, ConfigError, first_line
from mravff_core.files import folder_written_aside, written_aside
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.model.official import read_official

CONFIG_NAME = "config.yaml"
WEIGHTS_NAME = "model.safetensors"
_OFFICIAL_SUFFIXES = (".pth.tar", ".pth", ".pt")
_SHOWN = 4


def load_detector(
    path: Path | str, *, config: Path | str | Mapping[str, Any] | None = None, device: str | torch.device = "auto"
) -> Detector:
    """Load a detector, ready for inference.

    Args:
        path: a run or checkpoint folder of ours, or an ActionFormer, TriDet or TemporalMaxer file of their
            own code or OpenTAD's (`.pth.tar`, `.pth`, `.pt`; averaged weights are preferred where it holds both).
        config: for an official file, its YAML file, OpenTAD's in Python, or the mapping read from it; keys
            that are missing keep the official defaults. Not used for a folder of ours.
        device: `auto` for cuda, else mps, else cpu; or any device of torch.
    Raises: CheckpointError if the weights are missing, unsafe, damaged or do not fit the
        configuration; ConfigError for an impossible configuration or device.
    """
    path = Path(path)
    target = choose_device(device)
    if path.is_dir():
        _refuse_folder_of_official_files(path)
        if config is not None:
            raise ConfigError(f"{path}: a folder of ours has its own {CONFIG_NAME}; leave out config")
        detector_config, weights = _read_folder(path)
    elif path.is_file():
        if config is None:
            raise ConfigError(
                f"{path}: an official checkpoint needs its configuration, YAML or OpenTAD's Python; name it too: "
                "config in Python, --config or --from-config on the command line"
            )
        detector_config, weights = read_official(path, config)
    else:
        raise CheckpointError(f"{path}: no such file or folder; expected a detector folder or an official checkpoint")
    try:
        detector = Detector(detector_config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    _fill(detector, weights, path)
    return detector.to(target).eval()


def read_config(folder: Path) -> DetectorConfig:
    """Configuration of a detector in a folder of ours. Raises: CheckpointError, ConfigError."""
    if (folder / "imported.yaml").is_file():
        raise CheckpointError(f"{folder}: holds imported detections, which have no detector; choose another run")
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder}: has no {name}; expected a detector folder with {CONFIG_NAME} and {WEIGHTS_NAME}"
            )
    return from_mapping(DetectorConfig, read_yaml(folder / CONFIG_NAME), str(folder / CONFIG_NAME))


def save_detector(detector: Detector, folder: Path | str, *, half: bool = False) -> None:
    """Write a detector as a folder that `load_detector` reads; each file appears whole or not at all.

    Args:
        folder: made if missing; other files in it are left alone.
        half: store weights as float16, half as large; they load as float32.
    Raises: CheckpointError if a weight is not finite (after rounding, if `half`).
    """
    folder = Path(folder)
    dtype = torch.float16 if half else torch.float32
    weights = {name: value.detach().cpu().to(dtype).contiguous() for name, value in detector.state_dict().items()}
    _refuse_unfinite(weights, folder)
    if not folder.exists():
        with folder_written_aside(folder) as aside:
            _write_folder(detector, weights, aside)
    else:
        _write_folder(detector, weights, folder)


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """The device a name stands for; `auto` is cuda, else mps, else cpu.

    Raises: ConfigError for a device that torch does not know or this machine lacks.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error, 120)
        raise ConfigError(f"device {str(device)!r} cannot be used here ({reason}); try auto or cpu") from error
    return chosen


def _refuse_folder_of_official_files(folder: Path) -> None:
    if (folder / CONFIG_NAME).exists():
        return
    official = sorted(file.name for kind in _OFFICIAL_SUFFIXES for file in folder.glob(f"*{kind}"))
    if official:
        shown = ", ".join(official[-_SHOWN:])
        raise CheckpointError(
            f"{folder}: a folder of official checkpoints ({shown}); expected one of the files, "
            f"such as {folder / official[-1]}"
        )


def _read_folder(folder: Path) -> tuple[DetectorConfig, dict[str, Tensor]]:
    config = read_config(folder)
    weights_path = folder / WEIGHTS_NAME
    try:
        weights = load_file(weights_path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{weights_path}: not readable as safetensors ({error}); cut short while copied?"
        ) from error
    return config, {name: value.float() for name, value in weights.items()}


def _write_folder(detector: Detector, weights: dict[str, Tensor], folder: Path) -> None:
    with written_aside(folder / WEIGHTS_NAME) as aside:
        save_file(weights, aside)
    with written_aside(folder / CONFIG_NAME) as aside:
        text = yaml.safe_dump(to_mapping(detector.config), sort_keys=False, allow_unicode=True)
        aside.write_text(text, encoding="utf-8")


def _fill(detector: Detector, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put weights into a detector. Raises: CheckpointError, naming what does not fit."""
    own = detector.state_dict()
    problems = {
        "lacks": [name for name in own if name not in weights],
        "has beyond that": [name for name in weights if name not in own],
        "differs in shape at": [
            f"{name} ({list(weights[name].shape)}, expected {list(value.shape)})"
            for name, value in own.items()
            if name in weights and weights[name].shape != value.shape
        ],
    }
    found = [f"{verb} {_some(names)}" for verb, names in problems.items() if names]
    if found:
        raise CheckpointError(
            f"{path}: the weights do not fit the configuration: the file {'; '.join(found)}; "
            "does the configuration belong to another checkpoint?"
        )
    _refuse_unfinite(weights, path)
    detector.load_state_dict(dict(weights))


def _refuse_unfinite(weights: Mapping[str, Tensor], path: Path) -> None:
    unfinite = [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]
    if unfinite:
        raise CheckpointError(f"{path}: weights are not finite in {_some(unfinite)}; did training diverge?")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
