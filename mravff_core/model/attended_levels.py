"""What the attention of every level hears: several short levels in one go, a long one piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from mravff_core.model.audio_pyramid import Factored
from mravff_core.model.cross_attention import attend_levels
from mravff_core.model.layers import StepMask
from mravff_core.model.level_fusion import LevelFusion
from mravff_core.model.pieces import in_pieces, together


class Level(NamedTuple):
    """One level's fusion and what it works on, up to the longest clip's end; vision beyond it stays as it is."""

    fusion: LevelFusion
    visual: Tensor
    audio: Tensor | Factored
    valid: Tensor
    beyond: Tensor


def attended(levels: Sequence[Level]) -> Iterator[Tensor | None]:
    """What each level's attention hears, None where there is none; in one go as many levels as take little memory."""
    for span in together([level.valid.numel() for level in levels]):
        group = levels[span]
        answers = iter(_heard([level for level in group if level.fusion.attention is not None]))
        for level in group:
            yield None if level.fusion.attention is None else next(answers)


def _heard(levels: Sequence[Level]) -> list[Tensor]:
    """What the attention of each level hears, all in one go, and a long one alone piece by piece."""
    attentions = [level.fusion.attention for level in levels if level.fusion.attention is not None]
    audio = [level.audio for level in levels]
    if len(levels) != 1:
        return attend_levels(attentions, [level.visual for level in levels], audio, [level.valid for level in levels])
    (level,), (attention,), (sound,) = levels, attentions, audio

    def attend(visual: Tensor, features: Tensor, steps: StepMask) -> Tensor:
        heard = features if isinstance(sound, Tensor) else replace(sound, columns=features)
        return attend_levels([attention], [visual], [heard], [steps.valid])[0]

    features = [level.visual, sound if isinstance(sound, Tensor) else sound.columns]
    whole = level.fusion.training or level.fusion.reach is None
    return [in_pieces(attend, features, StepMask(level.valid), reach=level.fusion.reach or 0, whole=whole)]
