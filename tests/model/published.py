"""A plain second reading of the published ActionFormer, to compare ours with.

Works straight from a state dictionary with official names, pads literally as far as the
published code does, and attends with a dense matrix. Slow and short on purpose.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch

Weights = dict[str, Tensor]

SMALL: dict[str, Any] = {
    "dataset": {"input_dim": 12, "num_classes": 5, "max_seq_len": 64, "default_fps": 30},
    "model": {
        "backbone_arch": [2, 1, 2],
        "regression_range": [[0, 4], [2, 8], [4, 10000]],
        "n_mha_win_size": 5,
        "n_head": 2,
        "embd_dim": 16,
        "fpn_dim": 16,
        "head_dim": 8,
        "max_buffer_len_factor": 4.0,
    },
    "test_cfg": {"min_score": 0.001, "nms_sigma": 0.4},
}
_DEFAULTS = {
    "backbone_type": "convTransformer",
    "n_mha_win_size": -1,
    "fpn_type": "identity",
    "scale_factor": 2,
    "embd_kernel_size": 3,
    "embd_with_ln": True,
    "fpn_with_ln": True,
    "fpn_start_level": 0,
    "head_kernel_size": 3,
    "head_num_layers": 3,
    "head_with_ln": True,
    "use_abs_pe": False,
    "use_rel_pe": False,
}


def small_config(**changes: Any) -> dict[str, Any]:
    """`SMALL` with changes as in `changed`."""
    return changed(SMALL, changes)


def changed(small: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A configuration with changes to `model`, or to `dataset` for its keys, or whole sections."""
    config = copy.deepcopy(small)
    for key, value in changes.items():
        if key in ("train_cfg", "test_cfg"):
            config.setdefault(key, {}).update(value)
        else:
            config["dataset" if key in config["dataset"] else "model"][key] = value
    return config


def written(folder: Path, weights: Weights) -> Path:
    """A checkpoint as the published code saves one."""
    path = folder / "model.pth.tar"
    torch.save({"epoch": 3, "state_dict_ema": {f"module.{name}": value for name, value in weights.items()}}, path)
    return path


def assert_as_published(
    detector: Detector, published: Published, clips: Sequence[Tensor], *, tolerance: float = 1e-4
) -> None:
    """Whether a batch of clips, [channels, time] each, gives what the published network gives each of them."""
    within = {"atol": tolerance, "rtol": tolerance}
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    steps, valid = int(lengths.max()), None
    if len(clips) > 1:  # padded further than the longest; what lies beyond a clip's end must not matter
        steps += 7
        valid = torch.arange(steps) < lengths[:, None, None]
    padded = [functional.pad(clip, (0, steps - clip.shape[1]), value=9.0) for clip in clips]
    with torch.no_grad():
        output = detector(Batch(torch.stack(padded), valid_mask=valid))
    for number, clip in enumerate(clips):
        for level, (logits, offsets) in enumerate(published(clip)):
            real = output.level_masks[level][number, 0]
            torch.testing.assert_close(output.class_logits[level][number][real], logits, **within)
            torch.testing.assert_close(output.boundary_offsets[level][number][real], offsets, **within)


class Published:
    """The published network for one official configuration, with random weights."""

    window_setting = "n_mha_win_size"
    margin = 1e-5

    def __init__(self, config: dict[str, Any], seed: int = 0) -> None:
        self.data = config["dataset"]
        self.model = {**_DEFAULTS, **config["model"]}
        self.drop_path = config.get("train_cfg", {}).get("droppath", 0.1) > 0
        self.factor = self.model["scale_factor"]
        window = self.model[self.window_setting]
        self.count = self.model["backbone_arch"][2] + 1
        self.windows = window if isinstance(window, list) else [window] * self.count
        self.first = self.model["fpn_start_level"]
        self.strides = [self.factor**level for level in range(self.first, self.count)]
        generator = torch.Generator().manual_seed(seed)
        self.weights: Weights = {}
        for name, shape in self._shapes().items():
            value = torch.randn(shape, generator=generator)
            scale = (value[0].numel() ** -0.5) if len(shape) == 3 and shape[0] > 1 else 0.3
            around = 1.0 if name.endswith(("norm.weight", "gn.weight", "scale")) or ".ln" in name else 0.0
            self.weights[name] = around + scale * value

    def __call__(self, features: Tensor) -> list[tuple[Tensor, Tensor]]:
        """[channels, time] to logits [steps, classes], offsets [steps, K, 2] of each level's real steps."""
        levels, masks = self._levels(features)
        results = []
        for level, (x, mask) in enumerate(zip(levels, masks, strict=True)):
            logits = self._head("cls_head", "cls_head.cls_head", x, mask)
            offsets = self._head("reg_head", "reg_head.offset_head", x, mask)
            offsets = torch.relu(offsets * self.weights[f"reg_head.scale.{level}.scale"])[0].T
            real = mask[0, 0] > 0
            results.append((logits[0].T[real], self._boundaries(offsets, x, mask)[real]))
        return results

    def _boundaries(self, offsets: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Distances to start and end, [time, K, 2], from what the boundary head says, [time, outputs]."""
        return offsets[:, None]

    def _levels(self, features: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        length, longest = features.shape[-1], self.data["max_seq_len"]
        total = longest if length <= longest else -(-length // self._multiple()) * self._multiple()
        mask = (torch.arange(total) < length)[None, None].float()
        x = self._embed(functional.pad(features, (0, total - length))[None], mask)
        levels, masks = [x], [mask]
        for block in range(self.count - 1):
            x, mask = self._block(f"backbone.branch.{block}", x, mask, self.factor, self.windows[block + 1])
            levels.append(x)
            masks.append(mask)
        return self._neck(levels[self.first :], masks[self.first :]), masks[self.first :]

    def _multiple(self) -> int:
        return max(
            stride * (window // 2) * 2 if window > 1 else stride
            for stride, window in zip(self.strides, self.windows, strict=False)
        )

    def _conv(self, name: str, x: Tensor, mask: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        weight = self.weights[f"{name}.conv.weight"]
        bias = self.weights.get(f"{name}.conv.bias")
        out = functional.conv1d(x, weight, bias, stride, weight.shape[-1] // 2, groups=groups)
        return out * mask[..., ::stride]

    def _normed_conv(self, conv: str, norm: str, x: Tensor, mask: Tensor) -> Tensor:
        return torch.relu(self._norm(norm, self._conv(conv, x, mask)))

    def _point(self, name: str, x: Tensor) -> Tensor:
        return functional.conv1d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, name: str, x: Tensor) -> Tensor:
        if f"{name}.weight" not in self.weights:
            return x
        mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
        return (x - mean) / (variance + self.margin).sqrt() * self.weights[f"{name}.weight"] + self.weights[
            f"{name}.bias"
        ]

    def _embed(self, x: Tensor, mask: Tensor) -> Tensor:
        groups = self.data["input_dim"]
        if isinstance(groups, list):
            parts = x.split(groups, dim=1)
            x = torch.cat([self._conv(f"backbone.proj.{i}", part, mask) for i, part in enumerate(parts)], dim=1)
        for layer in range(self.model["backbone_arch"][0]):
            x = self._normed_conv(f"backbone.embd.{layer}", f"backbone.embd_norm.{layer}", x, mask)
        if self.model["use_abs_pe"] and self.model["backbone_type"] != "conv":
            x = x + self._position(x.shape[1], x.shape[2]) * mask
        for block in range(self.model["backbone_arch"][1]):
            x, _ = self._block(f"backbone.stem.{block}", x, mask, 1, self.windows[0])
        return x

    def _position(self, channels: int, total: int) -> Tensor:
        longest = self.data["max_seq_len"]
        table = torch.zeros(channels, longest, dtype=torch.float64)
        for channel in range(channels):
            angle = torch.arange(longest, dtype=torch.float64) / 10000 ** (2 * (channel // 2) / channels)
            table[channel] = angle.sin() if channel % 2 == 0 else angle.cos()
        table = table.float()[None] / channels**0.5
        if total >= longest:
            table = functional.interpolate(table, total, mode="linear", align_corners=False)
        return table[..., :total]

    def _block(self, name: str, x: Tensor, mask: Tensor, stride: int, window: int) -> tuple[Tensor, Tensor]:
        kept = mask[..., ::stride]
        if self.model["backbone_type"] == "conv":
            out = torch.relu(self._conv(f"{name}.conv1", x, mask, stride))
            out = self._conv(f"{name}.conv2", out, kept)
            same = x if stride == 1 else self._conv(f"{name}.downsample", x, mask, stride)
            return torch.relu(out + same), kept
        attended = self._attention(f"{name}.attn", self._norm(f"{name}.ln1", x), mask, stride, window)
        skip = functional.max_pool1d(x, stride + 1, stride, (stride + 1) // 2) if stride > 1 else x
        out = skip * kept + attended * self.weights.get(f"{name}.drop_path_attn.scale", 1.0)
        hidden = self._point(f"{name}.mlp.0", self._norm(f"{name}.ln2", out))
        hidden = self._point(f"{name}.mlp.3", functional.gelu(hidden)) * kept
        return out + hidden * self.weights.get(f"{name}.drop_path_mlp.scale", 1.0), kept

    def _attention(self, name: str, x: Tensor, mask: Tensor, stride: int, window: int) -> Tensor:
        kept, heads, channels = mask[..., ::stride], self.model["n_head"], x.shape[1]
        parts = []
        for kind in ("query", "key", "value"):
            mixed = self._norm(f"{name}.{kind}_norm", self._conv(f"{name}.{kind}_conv", x, mask, stride, channels))
            parts.append(self._point(f"{name}.{kind}", mixed).view(heads, channels // heads, -1).transpose(1, 2))
        query, key, value = parts
        scores = query @ key.transpose(1, 2) * (channels // heads) ** -0.5
        steps = torch.arange(scores.shape[-1])
        if window > 1:
            distance = steps[None] - steps[:, None] + window // 2
            if self.model["use_rel_pe"]:
                table = self.weights[f"{name}.rel_pe"][0, 0]
                scores = scores + table[:, distance.clamp(0, window - 1)]
            scores = scores.masked_fill((distance < 0) | (distance > window // 2 * 2), -torch.inf)
        weights = scores.masked_fill(kept[0] == 0, -1e9).softmax(-1)
        out = (weights @ value).transpose(1, 2).reshape(1, channels, -1)
        return self._point(f"{name}.proj", out) * kept

    def _neck(self, levels: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        if self.model["fpn_type"] == "identity":
            return [self._norm(f"neck.fpn_norms.{i}", x) for i, x in enumerate(levels)]
        merged = [self._conv(f"neck.lateral_convs.{i}", x, masks[i]) for i, x in enumerate(levels)]
        for i in range(len(merged) - 2, -1, -1):
            merged[i] = merged[i] + merged[i + 1].repeat_interleave(self.factor, dim=-1)
        smooth = [self._conv(f"neck.fpn_convs.{i}", x, masks[i], 1, x.shape[1]) for i, x in enumerate(merged)]
        return [self._norm(f"neck.fpn_norms.{i}", x) for i, x in enumerate(smooth)]

    def _head(self, name: str, last: str, x: Tensor, mask: Tensor) -> Tensor:
        for layer in range(self.model["head_num_layers"] - 1):
            x = self._normed_conv(f"{name}.head.{layer}", f"{name}.norm.{layer}", x, mask)
        return self._conv(last, x, mask)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Official names and shapes."""
        shapes: dict[str, tuple[int, ...]] = {}
        inputs, widths = self.data["input_dim"], self.model["embd_dim"]
        if isinstance(inputs, list):
            for i, (a, b) in enumerate(zip(inputs, widths, strict=True)):
                shapes |= {f"backbone.proj.{i}.conv.weight": (b, a, 1), f"backbone.proj.{i}.conv.bias": (b,)}
            inputs = widths = sum(widths)
        for i in range(self.model["backbone_arch"][0]):
            kernel = self.model["embd_kernel_size"]
            shapes[f"backbone.embd.{i}.conv.weight"] = (widths, inputs if i == 0 else widths, kernel)
            shapes |= self._norm_or_bias(f"backbone.embd.{i}", f"backbone.embd_norm.{i}", widths, "embd_with_ln")
        for i in range(self.model["backbone_arch"][1]):
            shapes |= self._block_shapes(f"backbone.stem.{i}", widths, 1, self.windows[0])
        for i in range(self.count - 1):
            shapes |= self._block_shapes(f"backbone.branch.{i}", widths, self.factor, self.windows[i + 1])
        neck, norm = self.model["fpn_dim"], self.model["fpn_with_ln"]
        for i in range(len(self.strides)):
            if norm:
                shapes |= _norm_shapes(f"neck.fpn_norms.{i}", neck)
            if self.model["fpn_type"] == "fpn":
                shapes[f"neck.lateral_convs.{i}.conv.weight"] = (neck, widths, 1)
                shapes[f"neck.fpn_convs.{i}.conv.weight"] = (neck, 1, 3)
                if not norm:
                    shapes[f"neck.lateral_convs.{i}.conv.bias"] = (neck,)
                    shapes[f"neck.fpn_convs.{i}.conv.bias"] = (neck,)
            shapes[f"reg_head.scale.{i}.scale"] = ()
        for head, last, outputs, kernel in self._heads():
            width = neck
            for i in range(self.model["head_num_layers"] - 1):
                shapes[f"{head}.head.{i}.conv.weight"] = (self.model["head_dim"], width, kernel)
                width = self.model["head_dim"]
                shapes |= self._norm_or_bias(f"{head}.head.{i}", f"{head}.norm.{i}", width, "head_with_ln")
            shapes[f"{head}.{last}.conv.weight"] = (outputs, width, kernel)
            shapes[f"{head}.{last}.conv.bias"] = (outputs,)
        return shapes

    def _heads(self) -> list[tuple[str, str, int, int]]:
        """Name, name of the last layer, outputs and kernel of each head."""
        kernel = self.model["head_kernel_size"]
        return [("cls_head", "cls_head", self.data["num_classes"], kernel), ("reg_head", "offset_head", 2, kernel)]

    def _norm_or_bias(self, conv: str, norm: str, width: int, setting: str) -> dict[str, tuple[int, ...]]:
        return _norm_shapes(norm, width) if self.model[setting] else {f"{conv}.conv.bias": (width,)}

    def _block_shapes(self, name: str, width: int, stride: int, window: int) -> dict[str, tuple[int, ...]]:
        if self.model["backbone_type"] == "conv":
            shapes = {
                f"{name}.conv1.conv.weight": (2 * width, width, 3),
                f"{name}.conv1.conv.bias": (2 * width,),
                f"{name}.conv2.conv.weight": (width, 2 * width, 3),
                f"{name}.conv2.conv.bias": (width,),
            }
            if stride > 1:
                shapes |= {
                    f"{name}.downsample.conv.weight": (width, width, 1),
                    f"{name}.downsample.conv.bias": (width,),
                }
            return shapes
        shapes = {**_norm_shapes(f"{name}.ln1", width), **_norm_shapes(f"{name}.ln2", width)}
        for kind in ("query", "key", "value"):
            shapes[f"{name}.attn.{kind}_conv.conv.weight"] = (width, 1, stride + 1 if stride > 1 else 3)
            shapes |= _norm_shapes(f"{name}.attn.{kind}_norm", width)
        for kind in ("query", "key", "value", "proj"):
            shapes |= {f"{name}.attn.{kind}.weight": (width, width, 1), f"{name}.attn.{kind}.bias": (width,)}
        if self.model["use_rel_pe"] and window > 1:
            shapes[f"{name}.attn.rel_pe"] = (1, 1, self.model["n_head"], window)
        shapes |= {f"{name}.mlp.0.weight": (4 * width, width, 1), f"{name}.mlp.0.bias": (4 * width,)}
        shapes |= {f"{name}.mlp.3.weight": (width, 4 * width, 1), f"{name}.mlp.3.bias": (width,)}
        if self.drop_path:
            shapes |= {f"{name}.drop_path_attn.scale": (1, width, 1), f"{name}.drop_path_mlp.scale": (1, width, 1)}
        return shapes


def _norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (1, width, 1), f"{name}.bias": (1, width, 1)}
