"""Detections of actions, a verb and a noun together, from those of two separate detectors.

An action's label is verb * number of nouns + noun. EPIC-Kitchens' action metric scores it like any
other label.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.compiled import compiled
from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation.overlap import tiou
from mravff_core.evaluation.tables import FOUND_COLUMNS, checked_detections, clip_index
from mravff_core.segments import action_labels

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def merge_actions(
    verbs: pd.DataFrame,
    nouns: pd.DataFrame,
    noun_classes: int,
    *,
    min_tiou: float = 0.5,
    max_segments: int = 2000,
) -> pd.DataFrame:
    """Actions from the detections of two separate detectors, one of verbs and one of nouns.

    A verb and a noun of the same clip make an action where they choose each other: of all nouns
    with that label, none other agrees better with the verb, and the other way round. How well two
    agree is the product of their scores and their temporal intersection over union, which also is
    the action's score; equal ones go to the earlier segment. The action's segment is the mean of
    both, weighted by their scores.

    Args:
        verbs: `clip_id`, `start_s`, `end_s`, `label` and `score` in [0, 1].
        nouns: the same, labels below `noun_classes`.
        noun_classes: how many nouns there are.
        min_tiou: least overlap of the two, above 0 and up to 1.
        max_segments: best actions kept of each clip.
    Returns: `clip_id`, `start_s`, `end_s`, `label`, `score`; clip by clip, best first, equal scores by
        start, end and label.
    Raises: AnnotationError for malformed tables, ConfigError for impossible settings.
    """
    if not 0 < min_tiou <= 1 or max_segments < 1:
        raise ConfigError(f"min_tiou is {min_tiou} and max_segments {max_segments}; expected 0 to 1, and 1 or more")
    tables = [checked_detections(table) for table in (verbs, nouns)]
    clip_index(*tables)  # clips numbered here and named there would share nothing
    _check_nouns(tables[1]["label"].to_numpy(), noun_classes)
    of_verbs, of_nouns = (table.groupby("clip_id", sort=True).indices for table in tables)
    merged = []
    for clip in of_verbs:
        if clip in of_nouns:
            verb, noun = tables[0].iloc[of_verbs[clip]], tables[1].iloc[of_nouns[clip]]
            actions = _merge_clip(verb, noun, noun_classes, min_tiou).head(max_segments)
            actions.insert(0, "clip_id", verb["clip_id"].iloc[0])
            merged.append(actions)
    if not merged:
        return tables[0].iloc[:0]
    return pd.concat(merged, ignore_index=True)[list(FOUND_COLUMNS)]


def _check_nouns(nouns: NDArray[np.generic], noun_classes: int) -> None:
    if len(nouns) and not 0 <= nouns.min() <= nouns.max() < noun_classes:
        wrong = nouns.min() if nouns.min() < 0 else nouns.max()
        raise AnnotationError(f"detections: noun {wrong} is no class, expected 0 to {noun_classes - 1}")


def _merge_clip(verbs: pd.DataFrame, nouns: pd.DataFrame, noun_classes: int, min_tiou: float) -> pd.DataFrame:
    order = ["start_s", "end_s", "label", "score"]
    verbs, nouns = verbs.sort_values(order), nouns.sort_values(order)
    verb_s, noun_s = (table[["start_s", "end_s"]].to_numpy() for table in (verbs, nouns))
    verb_score, noun_score = (table["score"].to_numpy() for table in (verbs, nouns))
    verb_names, verb_label = np.unique(verbs["label"].to_numpy(), return_inverse=True)
    noun_names, noun_label = np.unique(nouns["label"].to_numpy(), return_inverse=True)
    labels = np.array([len(verb_names), len(noun_names)])
    verb, noun, agreement = _mutual(verb_s, verb_score, verb_label, noun_s, noun_score, noun_label, labels, min_tiou)
    first, total = verb_score[verb], verb_score[verb] + noun_score[noun]
    share = np.divide(first, total, out=np.full(len(total), 0.5), where=total > 0)[:, None]
    segments = share * verb_s[verb] + (1 - share) * noun_s[noun]
    table = pd.DataFrame(
        {
            "start_s": segments[:, 0],
            "end_s": segments[:, 1],
            "label": action_labels(verb_names[verb_label[verb]], noun_names[noun_label[noun]], noun_classes),
            "score": agreement,
        }
    )
    return table.sort_values(["score", "start_s", "end_s", "label"], ascending=[False, True, True, True])


@compiled()
def _mutual(
    verb_s: Floats,
    verb_score: Floats,
    verb_label: Integers,
    noun_s: Floats,
    noun_score: Floats,
    noun_label: Integers,
    labels: Integers,
    min_tiou: float,
) -> tuple[Integers, Integers, Floats]:
    """Verbs and nouns that choose each other, and how well they agree; of equal choices the first."""
    noun_of = np.full((len(verb_s), labels[1]), -1, dtype=np.int32)
    verb_of = np.full((len(noun_s), labels[0]), -1, dtype=np.int32)
    noun_worth, verb_worth = np.full(noun_of.shape, -1.0), np.full(verb_of.shape, -1.0)
    for verb in range(len(verb_s)):
        for noun in range(len(noun_s)):
            if noun_s[noun, 0] >= verb_s[verb, 1]:
                break
            overlap = tiou(verb_s[verb], noun_s[noun])
            if overlap < min_tiou:
                continue
            worth = verb_score[verb] * noun_score[noun] * overlap
            if worth > noun_worth[verb, noun_label[noun]]:
                noun_worth[verb, noun_label[noun]], noun_of[verb, noun_label[noun]] = worth, noun
            if worth > verb_worth[noun, verb_label[verb]]:
                verb_worth[noun, verb_label[verb]], verb_of[noun, verb_label[verb]] = worth, verb
    verbs = np.empty(noun_of.size, dtype=np.int64)
    nouns, worths, count = np.empty_like(verbs), np.empty(noun_of.size), 0
    for verb in range(len(verb_s)):
        for label in range(labels[1]):
            noun = noun_of[verb, label]
            if noun >= 0 and verb_of[noun, verb_label[verb]] == verb:
                verbs[count], nouns[count], worths[count] = verb, noun, noun_worth[verb, label]
                count += 1
    return verbs[:count].copy(), nouns[:count].copy(), worths[:count].copy()
