"""Files of the published ActionFormer, TriDet, TemporalMaxer and OpenTAD code: state dictionaries under our names."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mravff_core.config import read_yaml
from mravff_core.errors import CheckpointError
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.opentad import own_layer, published_names
from mravff_core.model.opentad_detectors import is_opentad
from mravff_core.model.published_config import detector_config
from mravff_core.model.renames import renamed

# Official name to ours, tried in this order; a number stays a number.
_RENAMES = [
    (r"backbone\.proj\.(\d+)\.conv\.", r"projections.\1."),
    (r"backbone\.embd\.(\d+)\.conv\.", r"embed.\1.conv."),
    (r"backbone\.embd_norm\.(\d+)\.", r"embed.\1.norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.ln1\.", r"\1.\2.attention_norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.ln2\.", r"\1.\2.mlp_norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.(query|key|value)_conv\.conv\.", r"\1.\2.attention.\3_conv."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.(query|key|value)(_norm)?\.", r"\1.\2.attention.\3\4."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.proj\.", r"\1.\2.attention.out."),
    (r"backbone\.(stem|branch)\.(\d+)\.attn\.rel_pe$", r"\1.\2.attention.relative_bias"),
    (r"backbone\.(stem|branch)\.(\d+)\.mlp\.", r"\1.\2.mlp."),
    (r"backbone\.(stem|branch)\.(\d+)\.drop_path_attn\.", r"\1.\2.attention_path."),
    (r"backbone\.(stem|branch)\.(\d+)\.drop_path_mlp\.", r"\1.\2.mlp_path."),
    (r"backbone\.(stem|branch)\.(\d+)\.conv1\.conv\.", r"\1.\2.widen."),
    (r"backbone\.(stem|branch)\.(\d+)\.conv2\.conv\.", r"\1.\2.narrow."),
    (r"backbone\.(stem|branch)\.(\d+)\.downsample\.conv\.", r"\1.\2.shortcut."),
    (r"backbone\.(stem|branch)\.(\d+)\.ln\.", r"\1.\2.norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.gn\.", r"\1.\2.group_norm."),
    (r"backbone\.(stem|branch)\.(\d+)\.fc\.", r"\1.\2.instant."),
    (r"backbone\.(stem|branch)\.(\d+)\.global_fc\.", r"\1.\2.instant_gate."),
    (r"backbone\.(stem|branch)\.(\d+)\.convw\.", r"\1.\2.narrow."),
    (r"backbone\.(stem|branch)\.(\d+)\.convkw\.", r"\1.\2.wide."),
    (r"backbone\.(stem|branch)\.(\d+)\.psi\.", r"\1.\2.window_gate."),
    (r"backbone\.(stem|branch)\.(\d+)\.downsample\.1\.", r"\1.\2.pool.project."),
    (r"backbone\.(stem|branch)\.(\d+)\.drop_path_out\.", r"\1.\2.mix_path."),
    (r"neck\.fpn_norms\.", r"neck.norms."),
    (r"neck\.lateral_convs\.(\d+)\.conv\.", r"neck.laterals.\1."),
    (r"neck\.fpn_convs\.(\d+)\.conv\.", r"neck.smoothers.\1."),
    (r"cls_head\.cls_head\.conv\.", r"class_head.tower.out."),
    (r"reg_head\.offset_head\.conv\.", r"boundary_head.tower.out."),
    (r"reg_head\.scale\.(\d+)\.scale$", r"boundary_head.scales.\1"),
    (r"cls_head\.head\.(\d+)\.", r"class_head.tower.layers.\1."),
    (r"cls_head\.norm\.(\d+)\.", r"class_head.tower.layers.\1.norm."),
    (r"reg_head\.head\.(\d+)\.", r"boundary_head.tower.layers.\1."),
    (r"reg_head\.norm\.(\d+)\.", r"boundary_head.tower.layers.\1.norm."),
    (r"(start|end)_head\.cls_head\.conv\.", r"boundary_head.\1.tower.out."),
    (r"(start|end)_head\.head\.(\d+)\.", r"boundary_head.\1.tower.layers.\2."),
    (r"(start|end)_head\.norm\.(\d+)\.", r"boundary_head.\1.tower.layers.\2.norm."),
]

# What training code keeps beside the weights. None of it is needed, so it is passed over, its own code never run.
_BESIDE_WEIGHTS = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib._local.PosixPath",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)

_PER_CHANNEL = re.compile(r"((ln[12]?|norms?(\.\d+)?)\.(weight|bias)|drop_path_\w+\.scale)$")


class _Unread:
    """Takes the place of a value that is not needed, and forgets what that was made of."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def read_official(path: Path, config: Path | str | Mapping[str, Any]) -> tuple[DetectorConfig, dict[str, Tensor]]:
    """Configuration and weights of a published checkpoint, under our names.

    Args:
        path: `.pth.tar` or `.pt` file.
        config: its YAML file, or OpenTAD's in Python, or the mapping in it.
    Raises: CheckpointError for a file that is damaged, unsafe or holds no weights; ConfigError
        for a configuration that the published code would refuse as well.
    """
    where = "official configuration" if isinstance(config, Mapping) else str(config)
    raw = dict(config) if isinstance(config, Mapping) else read_yaml(config)
    config_of_ours = detector_config(raw, where)
    found = read_weights(path)
    foreign = own_layer(found)
    if foreign and not is_opentad(raw):
        raise CheckpointError(
            f"{path}: has layers of OpenTAD's, such as {foreign}, but {where} is a configuration of ActionFormer's or "
            "TriDet's own code; name OpenTAD's, a file in Python"
        )
    found = published_names(found) if foreign else found
    weights = {f"base.{rename(name)}": _plain_shape(name, value).float() for name, value in found.items()}
    if config_of_ours.base.neck_norm_shared:
        weights = _with_one_neck_norm(weights, path)
    return config_of_ours, weights


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights of an official file under official names, averaged ones preferred; nothing in it is run.

    Settings and numbers of NumPy that lie beside them are passed over.

    Raises: CheckpointError for a file that is damaged, unsafe or holds no weights.
    """
    try:
        with torch.serialization.safe_globals([(_Unread, name) for name in _BESIDE_WEIGHTS]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: refused, since reading it could run code or it is no checkpoint ({_refusal(error, path)}); "
            "expected plain tensors in lists and mappings: if you trust it, save its state dictionary alone again"
        ) from error
    except Exception as error:
        # A damaged archive surfaces as any of a dozen kinds of error from torch and zipfile.
        raise CheckpointError(
            f"{path}: not readable as a checkpoint ({_first_line(error)}); cut short while copied?"
        ) from error
    chosen = content
    if isinstance(content, Mapping):
        chosen = content.get("state_dict_ema") or content.get("state_dict") or content
    if not isinstance(chosen, Mapping) or not chosen or not all(isinstance(value, Tensor) for value in chosen.values()):
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(
            f"{path}: holds {found}, expected state_dict_ema, state_dict or the named tensors themselves"
        )
    odd = [name for name, value in chosen.items() if not _is_plain(value)]
    if odd:
        raise CheckpointError(
            f"{path}: {len(odd)} tensors, such as {odd[0]}, hold no plain array of real numbers but are sparse, "
            "complex, quantized or empty stand-ins; save them as float32"
        )
    weights = {re.sub(r"^(module\.)+", "", str(name)): value for name, value in chosen.items()}
    return {name: value for name, value in weights.items() if not _is_buffer(name)}


def rename(name: str) -> str:
    """Our name for an official weight; unknown names stay as they are."""
    return renamed(name, _RENAMES)


def _with_one_neck_norm(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weights without the repetitions of a norm that its code holds once and names for every level.

    Raises: CheckpointError if they are no repetitions.
    """
    kept = {}
    for name, value in weights.items():
        first = weights.get(re.sub(r"^base\.neck\.norms\.\d+\.", "base.neck.norms.0.", name), value)
        if first is value:
            kept[name] = value
        elif not torch.equal(first, value):
            raise CheckpointError(
                f"{path}: the neck's norms differ from level to level at {name}, expected one for all; "
                "does the configuration belong to another checkpoint?"
            )
    return kept


def _is_plain(value: Tensor) -> bool:
    odd = value.is_complex() or value.is_quantized or value.is_meta
    return value.layout == torch.strided and not odd


def _is_buffer(name: str) -> bool:
    """Tables that older checkpoints carry and that follow from the configuration."""
    return name.startswith("point_generator.") or name == "backbone.pos_embd"


def _plain_shape(name: str, value: Tensor) -> Tensor:
    """Official norms, scales and position scores carry axes of length 1 that ours leave out."""
    if _PER_CHANNEL.search(name):
        return value.reshape(-1)
    return value.reshape(value.shape[-2:]) if name.endswith(".rel_pe") else value


def _refusal(error: Exception, path: Path) -> str:
    """What in a file is not plain, or what else the file seems to be."""
    if named := re.search(r"GLOBAL (\S+)", str(error)):
        return f"it holds {named[1]}"
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the file it stands for"
    return "a web page" if start.startswith(b"<") else "no archive of PyTorch"


def _first_line(error: Exception) -> str:
    """What a library says is the matter, without its guesses."""
    lines = str(error).strip().splitlines()
    if not lines or isinstance(error, KeyError):
        return f"no archive of PyTorch, {type(error).__name__}"
    return lines[0].partition(". This is")[0][:160]
