"""Candidates of each label set of a joint detector, and of verbs and nouns as pairs.

An action's score at a point is the product of its verb's and its noun's probability. All
pairs of a point compete, as joint evaluation wants it, yet few of them are ever formed: the
best pairs of the best few classes bound from below what a pair must reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mravff_core.inference.decode import Candidates, best_scores, decode, gathered, segments_around
from mravff_core.model.detector import DetectorConfig
from mravff_core.model.outputs import DetectorOutput
from mravff_core.segments import ACTION, action_labels

# Classes of either kind whose pairs make the bound, and pairs formed at once.
_BOUND_CLASSES = 8
_PAIRS_AT_ONCE = 1 << 22


def candidates_by_label_set(
    output: DetectorOutput, strides: Sequence[int], config: DetectorConfig, *, clip: int = 0
) -> dict[str, Candidates]:
    """Candidates of one clip for every label set, the first one first, by the test-time settings.

    Where `verb` and `noun` are among several label sets, `action` comes last: their pairs.

    Raises: ValueError if the strides are not those of the output.
    """
    test = config.test

    def candidates(part: DetectorOutput) -> Candidates:
        return decode(
            part,
            strides,
            min_score=test.pre_nms_min_score,
            top_k=test.pre_nms_top_k,
            together=test.pre_nms_of == "clip",
            min_duration_grid=test.min_duration_grid,
            clip=clip,
        )

    if len(config.label_sets) == 1:
        return {config.label_set: candidates(output)}
    parts = {name: _part(output, place) for name, place in config.label_slices.items()}
    found = {name: candidates(part) for name, part in parts.items()}
    if {"verb", "noun"} <= set(parts):
        found[ACTION] = decode_pairs(
            parts["verb"],
            parts["noun"],
            strides,
            min_score=test.pre_nms_min_score,
            top_k=test.pre_nms_top_k,
            together=test.pre_nms_of == "clip",
            min_duration_grid=test.min_duration_grid,
            clip=clip,
        )
    return found


def decode_pairs(
    verbs: DetectorOutput,
    nouns: DetectorOutput,
    strides: Sequence[int],
    *,
    min_score: float,
    top_k: int,
    together: bool = False,
    min_duration_grid: float = 0.0,
    clip: int = 0,
) -> Candidates:
    """Turn the point predictions of verbs and nouns into candidates of both together.

    Args:
        verbs, nouns: of one detector, so of the same points. Where it predicts boundaries per
            class, a pair's are the mean of its verb's and its noun's.
        strides: finest steps from one step of a level to the next.
        min_score: only pairs whose product of probabilities lies above become candidates.
        top_k, together: as for `decode`.
        min_duration_grid: only longer candidates are kept, in finest steps.
        clip: which clip of the batch.
    Returns: labels are verb * number of nouns + noun.
    """
    levels = []
    for level, stride in enumerate(strides):
        real = verbs.level_masks[level][clip, 0]
        verb, noun = (part.class_logits[level][clip][real].float().sigmoid() for part in (verbs, nouns))
        step, first, second, scores = _best_pairs(verb, noun, min_score, top_k)
        sides = [
            part.boundary_offsets[level][clip][real][step, label if part.boundary_offsets[level].shape[2] > 1 else 0]
            for part, label in ((verbs, first), (nouns, second))
        ]
        segments = segments_around(step, (sides[0].float() + sides[1].float()) / 2, stride)
        levels.append((segments, scores, action_labels(first, second, noun.shape[1])))
    return gathered(levels, min_duration_grid, top_k if together else None)


def _part(output: DetectorOutput, place: slice) -> DetectorOutput:
    """What one label set's classes say."""
    offsets = tuple(level[:, :, place] if level.shape[2] > 1 else level for level in output.boundary_offsets)
    return replace(
        output, class_logits=tuple(level[..., place] for level in output.class_logits), boundary_offsets=offsets
    )


def _best_pairs(verbs: Tensor, nouns: Tensor, min_score: float, top_k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Step, verb, noun and score [n] of the best pairs of one level, best first.

    Args:
        verbs, nouns: [steps, classes] probabilities.
    """
    bound = _bound(verbs, nouns, min_score, top_k)
    # A verb that does not reach the bound with its point's best noun does so with none.
    step, verb = torch.nonzero(verbs * nouns.amax(dim=1, keepdim=True) >= bound, as_tuple=True)
    count = nouns.shape[1]
    code = torch.zeros(0, dtype=torch.int64, device=verbs.device)
    scores = verbs.new_zeros(0)
    rows = max(1, _PAIRS_AT_ONCE // count)
    for begin in range(0, len(step), rows):
        some = slice(begin, begin + rows)
        products = verbs[step[some], verb[some]][:, None] * nouns[step[some]]
        row, noun = torch.nonzero(products >= bound, as_tuple=True)
        code = torch.cat([code, (begin + row) * count + noun])
        scores = torch.cat([scores, products[row, noun]])
        best = best_scores(scores, min_score, top_k).sort().values
        code, scores = code[best], scores[best]
    best = best_scores(scores, min_score, top_k)
    pair = code[best] // count
    return step[pair], verb[pair], code[best] % count, scores[best]


def _bound(verbs: Tensor, nouns: Tensor, min_score: float, top_k: int) -> float:
    """A score that each of the `top_k` best pairs reaches, as high as is cheap to know."""
    few = [part.topk(min(_BOUND_CLASSES, part.shape[1]), dim=1).values for part in (verbs, nouns)]
    products = (few[0][:, :, None] * few[1][:, None, :]).flatten()
    if len(products) <= top_k:
        return min_score
    return max(min_score, products.topk(top_k).values[-1].item())
