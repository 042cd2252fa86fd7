"""What all bases share: convolutional embedding, a pyramid of blocks, a neck and two heads.

A base differs from another in its blocks, which its configuration names, and perhaps in its boundary head.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from mravff_core.config import BaseConfig
from mravff_core.errors import FeatureError
from mravff_core.model.bases.base import Base, Pyramid
from mravff_core.model.bases.blocks import ConvBlock, ConvNormRelu, MaxPoolBlock, TransformerBlock
from mravff_core.model.bases.checks import check_base
from mravff_core.model.bases.heads import BoundaryHead, ClassHead
from mravff_core.model.bases.necks import GroupNormNeck, IdentityNeck, TopDownNeck
from mravff_core.model.bases.padding import PaddingRule, encoder_strides, windows
from mravff_core.model.bases.sgp import sgp_block
from mravff_core.model.bases.trident import TridentHead
from mravff_core.model.layers import MaskedConv1d, StepMask, fitted
from mravff_core.model.pieces import in_pieces


class PyramidBase(Base):
    """A base whose levels come one from the other, each by one block.

    Args:
        config: see `BaseConfig`.
        classes: number of classes.
    Raises: ConfigError for values that do not fit each other.
    """

    position: Tensor

    def __init__(self, config: BaseConfig, classes: int) -> None:
        super().__init__()
        check_base(config, classes)
        self.config = config
        self.padding = PaddingRule.of(config)
        self.strides = encoder_strides(config)[config.neck_first_level :]
        self.channels = config.neck_channels
        self.projections = nn.ModuleList(
            [MaskedConv1d(a, b, 1) for a, b in zip(config.input_groups, config.embed_groups, strict=True)]
        )
        first = config.embed_channels if config.input_groups else config.input_channels
        widths = [first] + [config.embed_channels] * config.embed_layers
        self.embed = nn.ModuleList(
            [
                ConvNormRelu(
                    widths[i],
                    widths[i + 1],
                    config.embed_kernel,
                    norm=config.embed_norm,
                    margin=config.norm_margin,
                    silent=config.silent_padding,
                )
                for i in range(config.embed_layers)
            ]
        )
        stem_layers = 0 if config.blocks == "maxpool" else config.stem_layers
        self.stem = nn.ModuleList([_block(config, 0, 1) for _ in range(stem_layers)])
        self.branch = nn.ModuleList([_block(config, level, config.scale_factor) for level in range(1, config.levels)])
        self.neck = _neck(config, len(self.strides))
        self.class_head = ClassHead(config, classes, config.head_kernel)
        self.boundary_head = self._boundary_head(classes)
        self.head_reach = max(self.class_head.tower.reach, self.boundary_head.reach)
        if config.absolute_position:
            table = position_encoding(config.max_steps, config.embed_channels)
            self.register_buffer("position", table, persistent=False)

    def _boundary_head(self, classes: int) -> BoundaryHead | TridentHead:
        """The head that turns a pyramid into boundary offsets, as `Base.locate` does."""
        return BoundaryHead(self.config, len(self.strides))

    def check_length(self, steps: int, max_buffer_factor: float) -> None:
        """Published detectors stop at a multiple of the length they were trained on. Raises: FeatureError."""
        if not self.config.official_padding:
            return
        extent, stride = self.padding.extent(steps), self.strides[0]
        longest = math.ceil(self.config.max_steps * max_buffer_factor / stride) * stride
        if extent > longest:
            raise FeatureError(
                f"the clip has {steps} feature steps, {extent} with padding, but the checkpoint's configuration ends "
                f"at {longest} (max_seq_len × max_buffer_len_factor); shorten the clip or raise the factor"
            )
        self._check_halving(steps)

    def source(self, level: int) -> int:
        """See `Base.source`."""
        return self.neck.source(level)

    def reach(self, level: int) -> int | None:
        """See `Base.reach`."""
        # Published padding follows from the length of the whole clip.
        if self.config.absolute_position or self.config.official_padding or self.neck.reach is None:
            return None
        coarsest = self.source(level)
        blocks = (*self.stem, *self.branch[: self.config.neck_first_level + coarsest])
        strides = (1,) * len(self.stem) + encoder_strides(self.config)
        reaches = [self.config.embed_layers * (self.config.embed_kernel // 2)]
        for block, stride in zip(blocks, strides, strict=False):
            seen = cast("int | None", block.reach)
            if seen is None:
                return None
            reaches.append(reaches[-1] + stride * seen)
        # A coarse step that several fine ones are made from stands at the first of them.
        own, made_from = self.strides[level], self.strides[level : coarsest + 1]
        reaches = reaches[len(reaches) - len(made_from) :]
        farthest = max(reach + stride - own for reach, stride in zip(reaches, made_from, strict=True))
        return farthest + self.neck.reach * own

    def pyramid(self, visual: Tensor, valid: Tensor, *, only: int | None = None) -> Pyramid:
        """See `Base.pyramid`."""
        first = self.config.neck_first_level
        count = self.config.levels if only is None else first + self.source(only) + 1
        lengths = valid[:, 0].sum(dim=1).tolist()
        for length in lengths:
            self._check_halving(length)
        padding = self.padding.up_to(count)
        total = max(padding.whole(visual.shape[-1]), *(padding.computed(length) for length in lengths))
        if not bool(valid.all()):
            visual = visual.masked_fill(~valid, 0.0)
        encoded, steps = self._encode(visual, lengths, total, count)
        seen = self._to_their_extent(steps, lengths) if isinstance(self.neck, GroupNormNeck) else steps
        return Pyramid(self.neck(encoded[first:], seen[first:]), tuple(steps[first:]))

    def classify(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """See `Base.classify`."""
        return self.class_head(pyramid)

    def locate(self, pyramid: Pyramid) -> tuple[Tensor, ...]:
        """See `Base.locate`."""
        return self.boundary_head(pyramid)

    def _to_their_extent(self, steps: list[StepMask], lengths: list[int]) -> list[StepMask]:
        """Masks that count published padding which is not computed: its steps are all alike at a level."""
        extents = torch.tensor([self.padding.extent(length) for length in lengths], device=steps[0].valid.device)
        return [mask.continued_to(extents // stride) for mask, stride in zip(steps, self.padding.strides, strict=False)]

    def _check_halving(self, steps: int) -> None:
        """Refuse a length that published weights have no result for. Raises: FeatureError."""
        if not self.config.official_padding or steps <= self.config.max_steps:
            return
        extent = self.padding.extent(steps)
        if extent % self.padding.strides[-1]:
            raise FeatureError(
                f"the published code pads a clip of {steps} feature steps to {extent}, which {self.config.levels} "
                f"levels cannot halve evenly, and so fails; shorten the clip to {self.config.max_steps} steps"
            )

    def _encode(
        self, visual: Tensor, lengths: list[int], total: int, count: int
    ) -> tuple[list[Tensor], list[StepMask]]:
        """Levels of the encoder and which of their steps are real.

        Args:
            visual: [batch, channels, time], 0 where not real.
            lengths: real steps of each clip.
            total: steps to give the finest level; a multiple of the stride of every level that is made.
            count: levels to make, from the finest.
        """
        extents = [self.padding.extent(length) for length in lengths]
        steps = StepMask.of_lengths(
            torch.tensor(lengths, device=visual.device), torch.tensor(extents, device=visual.device), total
        )
        features = self._embed(fitted(visual, total), steps, extents)
        for block in self.stem:
            features = block(features, steps)
        levels, level_steps = [features], [steps]
        for block in self.branch[: count - 1]:
            levels.append(block(levels[-1], level_steps[-1]))
            level_steps.append(level_steps[-1].every(self.config.scale_factor))
        return levels, level_steps

    def _embed(self, visual: Tensor, steps: StepMask, extents: list[int]) -> Tensor:
        """Features [batch, embed channels, time] that enter the first block."""
        features = visual
        if self.config.input_groups:
            groups = visual.split(list(self.config.input_groups), dim=1)
            projected = [project(group, steps) for project, group in zip(self.projections, groups, strict=True)]
            features = torch.cat(projected, dim=1)
        for layer in self.embed:
            reach = self.config.embed_kernel // 2
            features = in_pieces(layer, [features], steps, reach=reach, whole=self.training)
        if self.config.absolute_position:
            features = features + steps.keep_valid(self._position(extents, features.shape[-1]))
        return features

    def _position(self, extents: list[int], total: int) -> Tensor:
        """Position encoding [batch, channels, total], stretched for sequences longer than `max_steps`."""
        rows = []
        for extent in extents:
            table = self.position
            if extent > self.config.max_steps:
                table = functional.interpolate(table, extent, mode="linear", align_corners=False)
            rows.append(functional.pad(table[..., :total], (0, max(0, total - table.shape[-1]))))
        return torch.cat(rows)


def position_encoding(steps: int, channels: int) -> Tensor:
    """Sine and cosine encoding [1, channels, steps], scaled by 1 / sqrt(channels).

    Even channels hold the sine, odd ones the cosine, of wavelengths from 2 pi to 20,000 pi
    (Vaswani et al., Attention is all you need, 2017).
    """
    pair = torch.arange(channels, dtype=torch.float64) // 2
    angle = torch.arange(steps, dtype=torch.float64)[None] / 10000 ** (2 * pair / channels)[:, None]
    table = torch.where(torch.arange(channels)[:, None] % 2 == 0, angle.sin(), angle.cos())
    return (table.float() / math.sqrt(channels))[None]


def _block(config: BaseConfig, level: int, stride: int) -> nn.Module:
    """The block that makes a level."""
    if config.blocks == "maxpool":
        return MaxPoolBlock(stride, config.pool_width)
    if config.blocks == "conv":
        return ConvBlock(config.embed_channels, stride=stride)
    if config.blocks == "sgp":
        return sgp_block(config, level, stride)
    return TransformerBlock(
        config.embed_channels,
        config.heads,
        window=windows(config)[level],
        stride=stride,
        dropout=config.dropout,
        path_dropout=config.drop_path,
        relative_position=config.relative_position,
    )


def _neck(config: BaseConfig, levels: int) -> IdentityNeck | GroupNormNeck | TopDownNeck:
    if config.neck_norm_groups is not None:
        return GroupNormNeck(config.neck_channels, config.neck_norm_groups)
    if config.neck == "identity":
        return IdentityNeck(
            config.neck_channels,
            levels,
            norm=config.neck_norm,
            shared=config.neck_norm_shared,
            margin=config.norm_margin,
        )
    return TopDownNeck(
        config.embed_channels,
        config.neck_channels,
        levels,
        scale_factor=config.scale_factor,
        norm=config.neck_norm,
        margin=config.norm_margin,
    )
