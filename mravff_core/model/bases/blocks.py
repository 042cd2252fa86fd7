"""Encoder blocks: transformer, convolution, maximum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mravff_core.model.attention import attend, join_heads, rooms, split_heads
from mravff_core.model.chance import StepDropout, drop_path
from mravff_core.model.layers import ChannelNorm, MaskedConv1d, MaskedMaxPool, StepMask
from mravff_core.model.pieces import in_pieces
from mravff_core.model.products import Pointwise, products_in_row


class ConvNormRelu(nn.Module):
    """Masked convolution, optional norm, ReLU; the convolution has a bias only where no norm follows.

    Args:
        margin: see `ChannelNorm`.
        silent: steps that are not valid come out as 0, rather than as what the norm makes of 0.
    """

    def __init__(
        self, channels: int, out_channels: int, kernel: int, *, norm: bool, margin: float = 1e-5, silent: bool = False
    ) -> None:
        super().__init__()
        self.conv = MaskedConv1d(channels, out_channels, kernel, bias=not norm)
        self.norm = ChannelNorm(out_channels, margin) if norm else nn.Identity()
        self.silent = silent

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, out_channels, time]."""
        mixed = torch.relu_(self.norm(self.conv(features, steps)))
        return steps.keep_valid(mixed) if self.silent else mixed


class ConvAttention(nn.Module):
    """Self-attention whose queries, keys and values come from depthwise convolutions.

    Args:
        window: steps attended to, centred on the query; 1 or less for all. An even window
            reaches as far as the next odd one.
        stride: keeps every `stride`-th step.
        relative_position: adds a learnt score per head and relative position; local windows only.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        window: int,
        stride: int = 1,
        dropout: float = 0.0,
        relative_position: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.window = window // 2 * 2 + 1 if window > 1 else -1
        self.stride = stride
        kernel = stride + 1 if stride > 1 else 3
        for name in ("query", "key", "value"):
            conv = MaskedConv1d(channels, channels, kernel, stride=stride, groups=channels, bias=False)
            self.add_module(f"{name}_conv", conv)
            self.add_module(f"{name}_norm", ChannelNorm(channels))
            self.add_module(name, Pointwise(channels, channels))
        self.out = Pointwise(channels, channels)
        self.dropout = StepDropout(dropout)
        self.relative_bias: nn.Parameter | None = None
        if relative_position and self.window > 1:
            bias = torch.zeros(heads, self.window)
            self.relative_bias = nn.Parameter(nn.init.trunc_normal_(bias, std=(2 / channels) ** 0.5))

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]; 0 at steps that are not valid."""
        kept = steps.every(self.stride)
        of_queries, of_keys = rooms(kept.valid.shape[-1], self.window)
        projected = []
        for name, room in (("query", of_queries), ("key", of_keys), ("value", of_keys)):
            mixed = self.get_submodule(f"{name}_conv")(features, steps)
            mixed = self.get_submodule(f"{name}_norm")(mixed)
            project = self.get_submodule(name)
            assert isinstance(project, nn.Conv1d)
            row = products_in_row([project.weight[:, :, 0]], [mixed], [project.bias], room=room)
            projected.append(split_heads(row, self.heads))
        query, key, value = projected
        attended = attend(query, key, value, kept.valid[:, 0], window=self.window, bias=self.relative_bias)
        return kept.keep_valid(self.dropout(self.out(join_heads(attended))))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block, optionally keeping every `stride`-th step."""

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        window: int,
        stride: int = 1,
        dropout: float = 0.0,
        path_dropout: float = 0.0,
        relative_position: bool = False,
    ) -> None:
        super().__init__()
        self.stride = stride
        # In steps of the input, as for every block; None for all that there are.
        self.reach = stride * (window // 2 + 1) if window > 1 else None
        self.attention_norm = ChannelNorm(channels)
        self.attention = ConvAttention(
            channels, heads, window=window, stride=stride, dropout=dropout, relative_position=relative_position
        )
        self.attention_path = drop_path(channels, path_dropout)
        self.pool = MaskedMaxPool(stride)
        self.mlp_norm = ChannelNorm(channels)
        self.mlp = nn.Sequential(
            Pointwise(channels, 4 * channels),
            nn.GELU(),
            StepDropout(dropout),
            Pointwise(4 * channels, channels),
            StepDropout(dropout),
        )
        self.mlp_path = drop_path(channels, path_dropout)

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]; 0 at steps that are not valid."""
        whole = self.training or self.reach is None
        return in_pieces(self._mix, [features], steps, reach=self.reach or 0, whole=whole, stride=self.stride)

    def _mix(self, features: Tensor, steps: StepMask) -> Tensor:
        kept = steps.every(self.stride)
        attended = self.attention(self.attention_norm(features), steps)
        out = self.pool(features, steps) + self.attention_path(attended)
        return out + self.mlp_path(kept.keep_valid(self.mlp(self.mlp_norm(out))))


class ConvBlock(nn.Module):
    """Residual block of two convolutions, twice as wide between them, without norm."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        # One step of the input by the first convolution, one of the output by the second.
        self.reach = stride + 1
        self.widen = MaskedConv1d(channels, 2 * channels, 3, stride=stride)
        self.narrow = MaskedConv1d(2 * channels, channels, 3)
        self.shortcut = MaskedConv1d(channels, channels, 1, stride=stride) if stride > 1 else None

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]."""
        kept = steps.every(self.stride)
        out = self.narrow(torch.relu(self.widen(features, steps)), kept)
        shortcut = features if self.shortcut is None else self.shortcut(features, steps)
        return torch.relu(out + shortcut)


class MaxPoolBlock(nn.Module):
    """Nothing but the maximum; 0 at steps that are not valid."""

    def __init__(self, stride: int, width: int | None = None) -> None:
        super().__init__()
        self.stride = stride
        self.pool = MaskedMaxPool(stride, width)
        self.reach = self.pool.width // 2

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]."""
        return self.pool(features, steps)
