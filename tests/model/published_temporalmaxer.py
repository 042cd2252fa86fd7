"""A plain second reading of the published TemporalMaxer, to compare ours with.

Pads literally as far as the published code does, and norms over all of it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from tests.model.published import SMALL, Published, _norm_shapes, changed

SMALL_TEMPORALMAXER: dict[str, Any] = {
    "model_name": "TemporalMaxerArchitecture",
    "dataset": SMALL["dataset"],
    "model": {
        "backbone_type": "convPooler",
        "backbone_arch": [2, 2],
        "regression_range": [[0, 4], [2, 8], [4, 10000]],
        "embd_dim": 16,
        "fpn_dim": 16,
        "head_dim": 8,
        "max_buffer_len_factor": 4.0,
    },
    "test_cfg": {"min_score": 0.001, "nms_sigma": 0.4},
}


def small_temporalmaxer_config(**changes: Any) -> dict[str, Any]:
    """`SMALL_TEMPORALMAXER` with changes as in `changed`."""
    return changed(SMALL_TEMPORALMAXER, changes)


class PublishedTemporalMaxer(Published):
    """The published network for one official configuration, with random weights."""

    def __init__(self, config: dict[str, Any], seed: int = 0) -> None:
        self.neck_norm = config["model"].get("fpn_norm", "groupnorm")
        self.groups = config["model"].get("num_group", 4)
        embedding, halvings = config["model"]["backbone_arch"]
        model = {**config["model"], "backbone_arch": [embedding, 0, halvings], "fpn_with_ln": False}
        super().__init__({**config, "model": model}, seed)
        for name in [name for name in self.weights if name.startswith("neck.fpn_norms.")]:
            self.weights[name] = self.weights[f"neck.fpn_norms.0.{name.rpartition('.')[2]}"]

    def _multiple(self) -> int:
        return max(self.strides)

    def _block(self, name: str, x: Tensor, mask: Tensor, stride: int, window: int) -> tuple[Tensor, Tensor]:
        kept = mask[..., ::stride]
        return functional.max_pool1d(x, 3, stride, 1) * kept, kept

    def _neck(self, levels: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        if self.neck_norm == "groupnorm":
            return [functional.group_norm(x, self.groups) for x in levels]
        return [self._norm(f"neck.fpn_norms.{i}", x) for i, x in enumerate(levels)]

    def _block_shapes(self, name: str, width: int, stride: int, window: int) -> dict[str, tuple[int, ...]]:
        return {}

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = super()._shapes()
        if self.neck_norm == "layernorm":
            for level in range(len(self.strides)):
                shapes |= _norm_shapes(f"neck.fpn_norms.{level}", self.model["fpn_dim"])
        return shapes
