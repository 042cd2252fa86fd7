"""Attention from sight to sound, of one level or several at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mravff_core.model.attention import attend, attention_weights, join_heads, rooms, split_heads
from mravff_core.model.audio_pyramid import Factored
from mravff_core.model.chance import StepDropout
from mravff_core.model.derived import Derived
from mravff_core.model.products import apply_pointwise, products, products_in_row


class CrossAttention(nn.Module):
    """Visual steps ask, audio steps answer.

    Args:
        width: of queries, keys and values, all heads together; None for `channels`.
        window: audio steps in reach of a visual step, odd and centred on it; -1 for all.
    """

    def __init__(
        self, channels: int, *, heads: int, window: int, width: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        width = channels if width is None else width
        self.query = nn.Conv1d(channels, width, 1)
        self.key = nn.Conv1d(channels, width, 1)
        self.value = nn.Conv1d(channels, width, 1)
        self.out = nn.Conv1d(width, channels, 1)
        self.dropout = StepDropout(dropout)
        self._of_factored = Derived(_folded)

    def forward(self, visual: Tensor, audio: Tensor | Factored, valid: Tensor) -> Tensor:
        """[batch, channels, time] each, mask [batch, 1, time], to [batch, channels, time]."""
        return attend_levels([self], [visual], [audio], [valid])[0]

    def heard(self, audio: Tensor | Factored) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What keys and values are products of.

        Returns: features [batch, fewer or all channels, time], weights of keys and of values [width, as many],
            and a bias of values [width], which `answer` adds. The bias that keys have is left out.
        """
        key, value, bias = self.key.weight[:, :, 0], self.value.weight[:, :, 0], self.value.bias
        assert bias is not None
        if isinstance(audio, Tensor):
            return audio, key, value, bias
        key, value, shift = self._of_factored(self.key.weight, self.value.weight, audio.weight, audio.shift)
        return audio.columns, key.mT, value.mT, bias + shift

    def answer(self, attended: Tensor, value_bias: Tensor) -> Tensor:
        """Attended values without their bias, [batch, width, time], to [batch, channels, time]."""
        assert self.out.bias is not None
        weight = self.out.weight[:, :, 0]
        # Weights add up to 1, so that a bias of values is the same before and after.
        return self.dropout(products([weight], [attended], torch.addmv(self.out.bias, weight, value_bias)))

    def weights(self, visual: Tensor, audio: Tensor, valid: Tensor) -> Tensor:
        """Attention weights as `AttentionTrace` describes them."""
        query = split_heads(apply_pointwise(self.query, visual, steps_first=True), self.heads)
        key = split_heads(apply_pointwise(self.key, audio, steps_first=True), self.heads)
        weights = attention_weights(query, key, valid[:, 0], window=self.window)
        return weights * valid[:, :, :, None].to(weights.dtype)


def attend_levels(
    attentions: Sequence[CrossAttention],
    visual: Sequence[Tensor],
    audio: Sequence[Tensor | Factored],
    valid: Sequence[Tensor],
) -> list[Tensor]:
    """What several levels hear, in one go: all that a level has of its own are products.

    Args:
        attentions: of each level, with heads and window in common.
        visual, audio: [batch, channels, time of the level] each.
        valid: [batch, 1, time of the level] bool each.
    Returns: [batch, channels, time of the level] each; nothing for no level.
    """
    if not attentions:
        return []
    lengths, window = [level.shape[-1] for level in visual], attentions[0].window
    of_queries, of_keys = rooms(sum(lengths), window)
    heard, keys, values, value_biases = zip(
        *(attention.heard(level) for attention, level in zip(attentions, audio, strict=True)), strict=True
    )
    queries = [attention.query.weight[:, :, 0] for attention in attentions]
    query_biases = [attention.query.bias for attention in attentions]
    # A bias of keys moves all scores of a query alike, which no softmax notices; only training counts it in.
    key_biases = [attention.key.bias if torch.is_grad_enabled() else None for attention in attentions]
    query = products_in_row(queries, visual, query_biases, room=of_queries)
    key = products_in_row(keys, heard, key_biases, room=of_keys)
    value = products_in_row(values, heard, [None] * len(heard), room=of_keys)
    query, key, value = (split_heads(row, attentions[0].heads) for row in (query, key, value))
    attended = attend(query, key, value, torch.cat(list(valid), dim=-1)[:, 0], window=window, lengths=lengths)
    # What comes next is quickest in memory that was just written.
    del query, key, value, heard
    parts = join_heads(attended).split(lengths, dim=-1)
    return [attention.answer(part, bias) for attention, part, bias in zip(attentions, parts, value_biases, strict=True)]


def _folded(key: Tensor, value: Tensor, weight: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights of keys and of values [fewer, width] for the columns of factored sound, and its shift's values."""
    key, value = key[:, :, 0], value[:, :, 0]
    return weight @ key.mT, weight @ value.mT, value @ shift
