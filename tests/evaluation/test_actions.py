"""Actions from two separate runs, whatever the order of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation import mean_average_precision, merge_actions

NOUNS = 5


def table(rows: list[tuple[str, float, float, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label", "score"])


def test_a_verb_and_a_noun_that_agree_make_an_action() -> None:
    merged = merge_actions(table([("a", 0, 10, 2, 0.9)]), table([("a", 0, 8, 3, 0.3), ("a", 9, 30, 4, 0.9)]), NOUNS)
    assert merged["label"].tolist() == [13]
    row = merged.iloc[0]
    assert row["score"] == pytest.approx(0.9 * 0.3 * 0.8)
    assert (row["start_s"], row["end_s"]) == pytest.approx((0, 0.75 * 10 + 0.25 * 8))
    verb, noun = table([("a", 0, 10, 2, 0.9)]), table([("a", 0, 5, 3, 0.3)])
    assert [len(merge_actions(verb, noun, NOUNS, min_tiou=least)) for least in (0.5, 0.51)] == [1, 0]


def test_each_detection_joins_one_of_a_label_only() -> None:
    verbs = table([("a", 0, 10, 1, 0.9), ("a", 0, 9, 1, 0.4)])
    merged = merge_actions(verbs, table([("a", 0, 10, 2, 0.8), ("b", 0, 10, 2, 0.8)]), NOUNS)
    assert len(merged) == 1 and merged["score"].iloc[0] == pytest.approx(0.72)
    assert merge_actions(verbs, table([("b", 0, 10, 2, 0.8)]), NOUNS).empty


def test_perfect_verbs_and_nouns_give_perfect_actions_in_any_order() -> None:
    random = np.random.default_rng(0)
    count = 60
    truth = pd.DataFrame({"clip_id": [f"c{k % 4}" for k in range(count)], "start_s": 10.0 * np.arange(count)})
    truth["end_s"] = truth["start_s"] + random.uniform(1, 9, count)
    verb, noun = random.integers(0, 4, count), random.integers(0, NOUNS, count)
    verbs, nouns = truth.assign(label=verb, score=0.5), truth.assign(label=noun, score=0.5)
    merged = merge_actions(verbs, nouns, NOUNS)
    actions = truth.assign(label=verb * NOUNS + noun)
    assert mean_average_precision(actions, merged, [0.5, 0.9]).average == pytest.approx(1.0)
    shuffled = merge_actions(verbs.sample(frac=1, random_state=1), nouns.sample(frac=1, random_state=2), NOUNS)
    pd.testing.assert_frame_equal(merged, shuffled)
    assert merge_actions(verbs, nouns, NOUNS, max_segments=3).groupby("clip_id").size().tolist() == [3] * 4


def test_clips_keep_the_ids_that_they_came_with() -> None:
    numbered = table([("a", 0, 10, 2, 0.9)]).assign(clip_id=7)
    merged = merge_actions(numbered, numbered, NOUNS)
    assert mean_average_precision(numbered.assign(label=2 * NOUNS + 2), merged, [0.5]).average == 1


def test_splitting_official_joint_detections_and_merging_them_keeps_most_of_their_score(shared: Path) -> None:
    from tests.evaluation.test_average_precision import epic

    verbs, nouns, (truth, joint) = epic(shared, "verb")[1], epic(shared, "noun")[1], epic(shared, "action")
    merged = merge_actions(verbs, nouns, 1000)
    together = mean_average_precision(truth, joint, [0.5]).average
    apart = mean_average_precision(truth, merged, [0.5]).average
    assert 0.8 * together < apart < 1.2 * together


def test_impossible_settings_are_named() -> None:
    one = table([("a", 0, 10, 2, 0.9)])
    with pytest.raises(ConfigError, match="min_tiou is 0"):
        merge_actions(one, one, NOUNS, min_tiou=0)
    with pytest.raises(AnnotationError, match="noun 7 is no class"):
        merge_actions(one, pd.concat([one, one.assign(label=7)]), NOUNS)
    with pytest.raises(AnnotationError, match="clip_id is of types int64, str"):
        merge_actions(one, one.assign(clip_id=1), NOUNS)
