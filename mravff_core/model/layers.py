"""Building blocks that know which steps are real: masks, convolution, maximum, norm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from mravff_core.errors import FeatureError
from mravff_core.model.products import apply_pointwise, on_cpu_without_gradients, products


@dataclass(frozen=True)
class StepMask:
    """Which steps of a level are real, and which exist at all for their neighbours.

    A batch is padded so that clips of different lengths fit one tensor. A padded step is
    never valid. Whether its neighbours may see it is another matter: our own detectors treat
    it like the void beyond a sequence's end, so that padding cannot matter; published weights
    were trained on sequences that carry on for a fixed length with non-zero constants, which
    a step near the end does see.

    Attributes:
        valid: [batch, 1, time] bool, True where features are real.
        present: [batch, 1, time] bool, True where a step exists for its neighbours; includes
            every valid step. None means all do.
        repeats: [batch, 1, time] float, how many equal steps of the sequence each one stands
            for, 0 where none exists. None means one each.
        all_valid: whether every step is known to be valid.
    """

    valid: Tensor
    present: Tensor | None = None
    repeats: Tensor | None = None
    all_valid: bool = False

    @classmethod
    def of_lengths(cls, lengths: Tensor, extents: Tensor, total: int) -> StepMask:
        """Masks of sequences with `lengths` valid and `extents` present steps, [batch] each, in `total` steps."""
        step = torch.arange(total, device=lengths.device)[None, None]
        present = None if bool((extents >= total).all()) else step < extents[:, None, None]
        return cls(step < lengths[:, None, None], present, all_valid=bool((lengths >= total).all()))

    def every(self, stride: int) -> StepMask:
        """Masks of the level that keeps every `stride`-th step."""
        if stride == 1:
            return self
        assert self.repeats is None, "steps that stand for several cannot be skipped evenly"
        present = None if self.present is None else self.present[..., ::stride]
        return StepMask(self.valid[..., ::stride], present, all_valid=self.all_valid)

    def continued_to(self, extents: Tensor) -> StepMask:
        """The same, the last step standing for all further ones up to `extents` [batch] steps too."""
        beyond = (extents - self.valid.shape[-1]).clamp(min=0)
        if not bool(beyond.any()):
            return self
        assert self.repeats is None, "the last step stands for several already"
        repeats = (torch.ones_like(self.valid) if self.present is None else self.present).float()
        repeats[..., -1] += beyond[:, None]
        return replace(self, repeats=repeats)

    def padding_as_valid(self) -> StepMask:
        """The same, all steps that exist taken for real ones."""
        valid = torch.ones_like(self.valid) if self.present is None else self.present
        return replace(self, valid=valid, all_valid=self.present is None)

    def between(self, first: int, last: int) -> StepMask:
        """Masks of steps `first` to `last`, the last excluded."""
        present, repeats = (
            None if counts is None else counts[..., first:last] for counts in (self.present, self.repeats)
        )
        return StepMask(self.valid[..., first:last], present, repeats, self.all_valid)

    def rows(self, places: Tensor) -> StepMask:
        """Masks of clips of the batch by number."""
        present, repeats = (None if counts is None else counts[places] for counts in (self.present, self.repeats))
        return StepMask(self.valid[places], present, repeats, self.all_valid)

    def keep_valid(self, features: Tensor) -> Tensor:
        """`features` [batch, channels, time] with steps that are not valid set to 0."""
        return features if self.all_valid else features * self.valid.to(features.dtype)

    def keep_present(self, features: Tensor) -> Tensor:
        """`features` [batch, channels, time] with steps that do not exist set to 0."""
        return features if self.present is None else features * self.present.to(features.dtype)

    def mean(self, features: Tensor) -> Tensor:
        """Mean of `features` [batch, channels, time] over all steps that exist, [batch, channels, 1]."""
        weights = self.present if self.repeats is None else self.repeats
        if weights is None:
            return features.mean(dim=-1, keepdim=True)
        with torch.autocast(features.device.type, enabled=False):
            precise = at_least_single(features)
            share = weights.to(precise.dtype) / weights.sum(dim=-1, keepdim=True)
            return (precise @ share.transpose(1, 2)).to(features.dtype)


class MaskedConv1d(nn.Conv1d):
    """Convolution that keeps length (over stride) and gives 0 at steps that are not valid.

    Args:
        kernel: odd width.
        stride: output keeps every `stride`-th step; the input's length must be a multiple of it.
    """

    def __init__(
        self, channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = True
    ) -> None:
        super().__init__(channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:  # type: ignore[override]
        """[batch, channels, time] to [batch, out_channels, time / stride]; `steps` are those of the input."""
        features = steps.keep_present(features)
        dense = self.groups == self.stride[0] == 1
        if dense and self.kernel_size[0] == 1:
            mixed = apply_pointwise(self, features)
        elif dense and 2 * self.out_channels <= self.in_channels and on_cpu_without_gradients(features):
            mixed = self._tap_by_tap(features)
        else:
            mixed = super().forward(features)
        return steps.every(self.stride[0]).keep_valid(mixed)

    def _tap_by_tap(self, features: Tensor) -> Tensor:
        """The convolution as one product for all taps, then added up shifted: quicker where outputs are few."""
        weight, time, reach = self.weight, features.shape[-1], self.kernel_size[0] // 2
        parts = products([weight.permute(2, 0, 1).flatten(0, 1)], [features], None).unflatten(1, (-1, len(weight)))
        mixed = parts[:, reach]
        if self.bias is not None:
            mixed += self.bias[:, None]
        for tap in range(max(0, reach - time + 1), min(2 * reach + 1, reach + time)):
            if tap < reach:
                mixed[..., reach - tap :] += parts[:, tap, :, : tap - reach]
            elif tap > reach:
                mixed[..., : reach - tap] += parts[:, tap, :, tap - reach :]
        return mixed


class MaskedMaxPool(nn.Module):
    """Centred maximum, keeping every `stride`-th step; the output is 0 at steps that are not valid.

    Args:
        width: steps that each maximum is taken over, odd; None for `stride`, or one more if that is even.
    """

    def __init__(self, stride: int, width: int | None = None) -> None:
        super().__init__()
        self.stride = stride
        self.width = stride // 2 * 2 + 1 if width is None else width

    def forward(self, features: Tensor, steps: StepMask) -> Tensor:
        """[batch, channels, time] to [batch, channels, time / stride]; `steps` are those of the input."""
        return steps.every(self.stride).keep_valid(self.pool(features, steps))

    def pool(self, features: Tensor, steps: StepMask) -> Tensor:
        """The same, but padding steps that exist keep their maximum; anything where none exists."""
        if self.width == self.stride == 1:
            return features
        if steps.present is not None:
            # Finite, so that a window without any existing step can still be set to 0.
            features = features.masked_fill(~steps.present, torch.finfo(features.dtype).min)
        return nn.functional.max_pool1d(features, self.width, stride=self.stride, padding=self.width // 2)


class ChannelNorm(nn.GroupNorm):
    """Layer norm over the channels of [batch, channels, time], with scale and shift per channel.

    To others it is a group norm, of one group and every step on its own: the published detectors'
    optimisers refuse weights of any norm that they do not know by its class.

    Args:
        margin: added to the variance.
    """

    def __init__(self, channels: int, margin: float = 1e-5) -> None:
        super().__init__(1, channels, eps=margin)

    def forward(self, features: Tensor) -> Tensor:
        """Same shape, in the precision of the weights; mean 0 and variance 1 over channels before scale and shift."""
        features = at_least_single(features)
        if len(features) == 1 and features.shape[1] > 1 and on_cpu_without_gradients(features):
            # A batch norm with steps for channels and channels for clips: the same in two fifths of the time.
            normed = nn.functional.batch_norm(features[0], None, None, training=True, eps=self.eps)
            return normed.mul_(self.weight[:, None]).add_(self.bias[:, None])[None].to(self.weight.dtype)
        centred = features - features.mean(dim=1, keepdim=True)
        spread = torch.rsqrt(centred.square().mean(dim=1, keepdim=True) + self.eps)
        # Broadcast along channels, addcmul takes several times as long as these two.
        return (centred * spread * self.weight[:, None]).add_(self.bias[:, None]).to(self.weight.dtype)

    def steps_first(self, features: Tensor) -> Tensor:
        """The same for [batch, time, channels], which takes a fifth of the time."""
        features = at_least_single(features)
        weight, bias = self.weight.to(features.dtype), self.bias.to(features.dtype)
        return nn.functional.layer_norm(features, weight.shape, weight, bias, self.eps).to(self.weight.dtype)


def fitted(features: Tensor, width: int) -> Tensor:
    """`features` [batch, channels, time] cut or padded with 0 to a width; no copy where nothing is added."""
    missing = width - features.shape[-1]
    return nn.functional.pad(features, (0, missing)) if missing > 0 else features[..., :width]


def refuse_other_type(name: str, features: Tensor, weights: Tensor) -> None:
    """Raise a FeatureError for features of another number type than the weights', where nothing casts by itself."""
    # Autocast leaves double precision and whole numbers as they are.
    single = {torch.float32, torch.float16, torch.bfloat16}
    cast = torch.is_autocast_enabled(features.device.type) and {features.dtype, weights.dtype} <= single
    if features.dtype != weights.dtype and not cast:
        raise FeatureError(
            f"{name} are of {features.dtype}, expected {weights.dtype} as the weights are; bring them there with .to()"
        )


def at_least_single(features: Tensor) -> Tensor:
    """`features`, in single precision where they come in half."""
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
