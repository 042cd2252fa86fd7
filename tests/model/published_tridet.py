"""A plain second reading of the published TriDet, to compare ours with.

Pads literally as far as the published code does and expands every class, step and bin.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tests.model.published import SMALL, Published, _norm_shapes, changed

SMALL_TRIDET: dict[str, Any] = {
    "dataset": SMALL["dataset"],
    "model": {
        "backbone_arch": [2, 1, 2],
        "regression_range": [[0, 4], [2, 8], [4, 10000]],
        "n_sgp_win_size": 3,
        "sgp_mlp_dim": 20,
        "embd_dim": 16,
        "fpn_dim": 16,
        "head_dim": 8,
        "num_bins": 4,
        "max_buffer_len_factor": 4.0,
    },
    "test_cfg": {"min_score": 0.001, "nms_sigma": 0.4},
}
_DEFAULTS = {
    "backbone_type": "SGP",
    "n_sgp_win_size": -1,
    "k": 1.5,
    "boudary_kernel_size": 3,
    "use_trident_head": True,
    "downsample_type": "max",
    "num_bins": 16,
}


def small_tridet_config(**changes: Any) -> dict[str, Any]:
    """`SMALL_TRIDET` with changes as in `changed`."""
    return changed(SMALL_TRIDET, changes)


class PublishedTriDet(Published):
    """The published network for one official configuration, with random weights."""

    window_setting = "n_sgp_win_size"

    def __init__(self, config: dict[str, Any], seed: int = 0) -> None:
        super().__init__({**config, "model": {**_DEFAULTS, **config["model"]}}, seed)

    def _multiple(self) -> int:
        return max(s * w if w > 1 else s for s, w in zip(self.strides, self.windows, strict=True))

    def _boundaries(self, offsets: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """With the Trident head [time, classes, 2], from bins [time, 2 * (bins + 1)] and two heads more."""
        if not self.model["use_trident_head"]:
            return super()._boundaries(offsets, x, mask)
        count = self.model["num_bins"]
        left, right = offsets[:, : count + 1], offsets[:, count + 1 :]
        starts = functional.pad(self._head("start_head", "start_head.cls_head", x, mask)[0], (count, 0))
        ends = functional.pad(self._head("end_head", "end_head.cls_head", x, mask)[0], (0, count))
        far_to_near = torch.arange(count, -1, -1).float()
        left = (starts.unfold(1, count + 1, 1) + left).softmax(-1) @ far_to_near
        right = (ends.unfold(1, count + 1, 1) + right).softmax(-1) @ far_to_near.flip(0)
        return torch.stack([left.T, right.T], dim=-1)

    def _block(self, name: str, x: Tensor, mask: Tensor, stride: int, window: int) -> tuple[Tensor, Tensor]:
        if self.model["backbone_type"] == "conv":
            return super()._block(name, x, mask, stride, window)
        kept = mask[..., ::stride]
        if stride > 1 and self.model["downsample_type"] == "max":
            x = functional.max_pool1d(x, stride + 1, stride, (stride + 1) // 2)
        elif stride > 1:
            x = self._point(f"{name}.downsample.1", functional.avg_pool1d(x, stride))
        normed = self._norm(f"{name}.ln", x)
        overall = torch.relu(self._each(f"{name}.global_fc", normed.mean(-1, keepdim=True)))
        windows = self._each(f"{name}.convw", normed) + self._each(f"{name}.convkw", normed)
        mixed = self._each(f"{name}.fc", normed) * overall + windows * self._each(f"{name}.psi", normed) + normed
        out = x * kept + mixed * self.weights.get(f"{name}.drop_path_out.scale", 1.0)
        weight, bias = self.weights[f"{name}.gn.weight"], self.weights[f"{name}.gn.bias"]
        hidden = self._point(f"{name}.mlp.0", functional.group_norm(out, 16, weight, bias))
        hidden = self._point(f"{name}.mlp.2", functional.gelu(hidden))
        return out + hidden * self.weights.get(f"{name}.drop_path_mlp.scale", 1.0), kept

    def _each(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.conv1d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))

    def _heads(self) -> list[tuple[str, str, int, int]]:
        classes, kernel = self.data["num_classes"], self.model["head_kernel_size"]
        if not self.model["use_trident_head"]:
            return super()._heads()
        edge = self.model["boudary_kernel_size"]
        return [
            ("cls_head", "cls_head", classes, kernel),
            ("start_head", "cls_head", classes, edge),
            ("end_head", "cls_head", classes, edge),
            ("reg_head", "offset_head", 2 * (self.model["num_bins"] + 1), kernel),
        ]

    def _block_shapes(self, name: str, width: int, stride: int, window: int) -> dict[str, tuple[int, ...]]:
        if self.model["backbone_type"] == "conv":
            return super()._block_shapes(name, width, stride, window)
        in_stem = ".stem." in name
        window = 1 if in_stem else window
        wide = round((window + 1) * self.model["k"])
        wide = wide + 1 if wide % 2 == 0 else wide
        kernels = {"psi": window, "fc": 1, "convw": window, "convkw": wide, "global_fc": 1}
        shapes = {**_norm_shapes(f"{name}.ln", width), f"{name}.gn.weight": (width,), f"{name}.gn.bias": (width,)}
        for layer, kernel in kernels.items():
            shapes |= {f"{name}.{layer}.weight": (width, 1, kernel), f"{name}.{layer}.bias": (width,)}
        hidden = 4 * width if self.model["sgp_mlp_dim"] is None else self.model["sgp_mlp_dim"]
        for layer, outputs, inputs in (("mlp.0", hidden, width), ("mlp.2", width, hidden)):
            shapes |= {f"{name}.{layer}.weight": (outputs, inputs, 1), f"{name}.{layer}.bias": (outputs,)}
        if stride > 1 and self.model["downsample_type"] == "avg":
            shapes |= {f"{name}.downsample.1.weight": (width, width, 1), f"{name}.downsample.1.bias": (width,)}
        if self.drop_path and not in_stem:
            shapes |= {f"{name}.drop_path_out.scale": (1, width, 1), f"{name}.drop_path_mlp.scale": (1, width, 1)}
        return shapes
