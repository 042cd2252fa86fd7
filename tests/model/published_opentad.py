"""A plain second reading of OpenTAD's detectors, and their files, to compare ours with.

The networks are the published ones but for what their convolutions do to padding and how their
norms are steadied; names and settings are OpenTAD's.
"""

from __future__ import annotations

import collections
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tests.model.published import Published, Weights
from tests.model.published_temporalmaxer import PublishedTemporalMaxer
from tests.model.published_tridet import PublishedTriDet

_NAMES = {
    r"backbone\.embd\.": "projection.embed.",
    r"backbone\.embd_norm\.(\d+)": r"projection.embed.\1.norm",
    r"backbone\.": "projection.",
    r"(cls|reg)_head\.head\.": r"rpn_head.\1_convs.",
    r"(cls|reg)_head\.norm\.(\d+)": r"rpn_head.\1_convs.\2.norm",
    r"(start|end)_head\.head\.": r"rpn_head.cls_\1_convs.",
    r"(start|end)_head\.norm\.(\d+)": r"rpn_head.cls_\1_convs.\2.norm",
    r"cls_head\.cls_head\.conv": "rpn_head.cls_head",
    r"reg_head\.offset_head\.conv": "rpn_head.reg_head",
    r"(start|end)_head\.cls_head\.conv": r"rpn_head.cls_\1_head",
    r"reg_head\.scale": "rpn_head.scale",
}


class _AsInOpenTAD(Published):
    def _normed_conv(self, conv: str, norm: str, x: Tensor, mask: Tensor) -> Tensor:
        return super()._normed_conv(conv, norm, x, mask) * mask

    def _conv(self, name: str, x: Tensor, mask: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        speaks_of_padding = name.endswith(".cls_head")
        return super()._conv(name, x, torch.ones_like(mask) if speaks_of_padding else mask, stride, groups)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        self.margin = 1e-6 if "embd_norm" in name or "fpn_norms" in name or "_head.norm" in name else 1e-5
        return super()._norm(name, x)


class ActionFormer(_AsInOpenTAD):
    """OpenTAD's, with random weights."""


class TriDet(_AsInOpenTAD, PublishedTriDet):
    """OpenTAD's, with random weights."""


class TemporalMaxer(_AsInOpenTAD, PublishedTemporalMaxer):
    """OpenTAD's, with random weights; it does not pad, and has a norm of each level."""

    def __init__(self, config: dict[str, Any], seed: int = 0) -> None:
        super().__init__({**config, "model": {"fpn_norm": "layernorm", **config["model"]}}, seed)
        for level, name in enumerate(name for name in self.weights if name.startswith("neck.fpn_norms.")):
            self.weights[name] = self.weights[name] + 0.1 * level

    def __call__(self, features: Tensor) -> list[tuple[Tensor, Tensor]]:
        """See `Published`."""
        self.data = {**self.data, "max_seq_len": features.shape[-1]}
        return super().__call__(features)

    def _block(self, name: str, x: Tensor, mask: Tensor, stride: int, window: int) -> tuple[Tensor, Tensor]:
        return functional.max_pool1d(x, 3, stride, 1), mask[..., ::stride]


def written(folder: Path, weights: Weights) -> Path:
    """A checkpoint as OpenTAD saves one."""
    named: Weights = {}
    for name, value in weights.items():
        found = next((found for found in _NAMES if re.match(found, name)), "")
        flat = value.flatten() if re.search(r"norms?\.|\.ln\d?\.", name) else value
        named["module." + (re.sub(f"^{found}", _NAMES[found], name) if found else name)] = flat
    named["module.rpn_head.loss_normalizer"] = torch.tensor(100)
    path = folder / "best.pth"
    content = {
        "epoch": 3,
        "state_dict": {name: torch.zeros_like(value) for name, value in named.items()},
        "state_dict_ema": named,
        "scheduler": {"milestones": collections.Counter([10, 20])},
    }
    torch.save(content, path)
    return path


def opentad_config(config: dict[str, Any]) -> dict[str, Any]:
    """OpenTAD's settings for a network of the published settings in `Published.config`'s manner."""
    data, model = config["dataset"], config["model"]
    kind = "TriDet" if "num_bins" in model else "ActionFormer" if "n_mha_win_size" in model else "TemporalMaxer"
    arch = model["backbone_arch"] if len(model["backbone_arch"]) == 3 else [model["backbone_arch"][0], 0, 2]
    levels = arch[2] + 1
    first = model.get("fpn_start_level", 0)
    norm = {"type": "LN"}
    projection = {
        "in_channels": data["input_dim"],
        "out_channels": model["embd_dim"],
        "arch": arch,
        "conv_cfg": {"kernel_size": model.get("embd_kernel_size", 3)},
        "norm_cfg": norm if model.get("embd_with_ln", True) else None,
    }
    width = sum(model["embd_dim"]) if isinstance(model["embd_dim"], list) else model["embd_dim"]
    head = {
        "type": f"{kind}Head",
        "num_classes": data["num_classes"],
        "in_channels": width,
        "feat_channels": model["head_dim"],
        "num_convs": model.get("head_num_layers", 3) - 1,
        "prior_generator": {
            "type": "PointGenerator",
            "strides": [2**level for level in range(first, levels)],
            "regression_range": model["regression_range"],
        },
    }
    padded = {
        "path_pdrop": config.get("train_cfg", {}).get("droppath", 0.1),
        "use_abs_pe": model.get("use_abs_pe", False),
        "max_seq_len": data["max_seq_len"],
    }
    if kind == "ActionFormer":
        attention = {"n_head": model["n_head"], "n_mha_win_size": model["n_mha_win_size"]}
        projection |= {"type": "Conv1DTransformerProj", **padded, "attn_cfg": attention}
        projection["conv_cfg"]["proj_pdrop"] = 0.1
    elif kind == "TriDet":
        window = model["n_sgp_win_size"]
        projection |= {
            "type": "TriDetProj",
            **padded,
            "sgp_mlp_dim": model["sgp_mlp_dim"],
            "sgp_win_size": window if isinstance(window, list) else [window] * levels,
            "downsample_type": model.get("downsample_type", "max"),
            "k": model.get("k", 1.5),
        }
        head |= {
            "kernel_size": model.get("head_kernel_size", 3),
            "boundary_kernel_size": model.get("boudary_kernel_size", 3),
            "num_bins": model["num_bins"],
        }
    else:
        projection |= {"type": "TemporalMaxerProj"}
        head |= {"assigner": {"type": "AnchorFreeSimOTAAssigner", "center_radius": 1.5}}
    neck_norm = {"type": "GN", "num_groups": 4, "affine": False} if model.get("fpn_norm") == "groupnorm" else norm
    return {
        "model": {
            "type": kind,
            "projection": projection,
            "neck": {
                "type": "FPNIdentity",
                "in_channels": width,
                "out_channels": width,
                "num_levels": levels,
                "start_level": first,
                "norm_cfg": neck_norm if model.get("fpn_with_ln", True) else None,
            },
            "rpn_head": head,
        },
        "dataset": {
            "test": {
                "type": "EpicKitchensPaddingDataset",
                "fps": 30,
                "feature_stride": 16,
                "sample_stride": 2,
                "offset_frames": 16,
            }
        },
        "post_processing": {
            "pre_nms_topk": 5000,
            "pre_nms_thresh": 0.01,
            "nms": {"use_soft_nms": True, "sigma": 0.4, "max_seg_num": 300, "min_score": 0.002, "voting_thresh": 0.75},
        },
        "work_dir": "exps/small",
    }
