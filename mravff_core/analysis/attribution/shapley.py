"""How much of a score comes from sound and how much from sight: two-player Shapley values.

With two players the Shapley value needs no sampling. From the four scores of the clip with
each modality as it is or replaced by its baseline,

    audio  = ((both - vision alone) + (audio alone - neither)) / 2
    vision = ((both - audio alone) + (vision alone - neither)) / 2
    interaction = both - vision alone - audio alone + neither

so that audio + vision = both - neither. The share of audio is |audio| / (|audio| + |vision|):
how much of what either modality did, in whichever direction, was sound's doing.

Reference: Shapley, A Value for n-Person Games, 1953; Grabisch and Roubens, 1999 (interaction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mravff_core.analysis.attribution.scorer import Inputs, Scorer, without_rounding


@dataclass(frozen=True)
class ModalityShare:
    """Shapley values of sound and sight.

    Attributes:
        audio, vision: in units of the score; they add up to `both - neither`.
        interaction: what only the two together bring; already halved into either value.
        both, audio_alone, vision_alone, neither: the four scores.
    """

    audio: float
    vision: float
    interaction: float
    both: float
    audio_alone: float
    vision_alone: float
    neither: float

    @property
    def audio_share(self) -> float | None:
        """From 0 (all sight) to 1 (all sound); None where neither modality does anything."""
        total = abs(self.audio) + abs(self.vision)
        return abs(self.audio) / total if total > 0 else None


def modality_share(scorer: Scorer, inputs: Inputs, baseline: Inputs, *, both: float | None = None) -> ModalityShare:
    """Shapley values of one clip against one baseline.

    Args:
        inputs, baseline: features as they are and as the baseline has them.
        both: the score of `inputs` where it is known already.
    """
    return modality_shares(scorer, inputs, [baseline], both=both)[0]


def modality_shares(
    scorer: Scorer, inputs: Inputs, baselines: Sequence[Inputs], *, both: float | None = None
) -> list[ModalityShare]:
    """Shapley values of one clip against each of several baselines, in common chunks."""
    visual, audio = inputs
    variants: list[Inputs] = [] if both is not None else [inputs]
    for still, silent in baselines:
        variants += [(still, audio), (visual, silent), (still, silent)]
    scores = scorer.scores(variants).tolist()
    whole = both if both is not None else scores.pop(0)
    return [shapley_of_scores(whole, *scores[begin : begin + 3]) for begin in range(0, len(scores), 3)]


def shapley_of_scores(both: float, audio_alone: float, vision_alone: float, neither: float) -> ModalityShare:
    """Shapley values from the four scores."""
    return ModalityShare(
        audio=without_rounding(((both - vision_alone) + (audio_alone - neither)) / 2, both),
        vision=without_rounding(((both - audio_alone) + (vision_alone - neither)) / 2, both),
        interaction=without_rounding(both - vision_alone - audio_alone + neither, both),
        both=both,
        audio_alone=audio_alone,
        vision_alone=vision_alone,
        neither=neither,
    )
