"""Recall equals the published code's and what it is defined as."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mravff_core.errors import ConfigError
from mravff_core.evaluation import recall_at_k
from tests.evaluation.test_average_precision import TIOU, epic


@pytest.mark.parametrize("task", ["verb", "noun"])
def test_equals_the_published_recall(shared: Path, task: str) -> None:
    golden = json.loads((shared / "golden/eval/epic_results.json").read_text())
    official = golden[f"af_anetdetection/noties/upstream/{task}"]
    result = recall_at_k(*epic(shared, task), TIOU)
    np.testing.assert_allclose(result.per_threshold.to_numpy(), official["recall_1x_5x"], atol=1e-9)
    for label, shares in official["recall_per_class"].items():
        for k, column in zip((1, 5), np.transpose(shares), strict=True):
            np.testing.assert_allclose(result.per_class.loc[int(label), k], column, atol=1e-9)


def test_a_true_segment_counts_once_its_detection_is_among_the_best_by_hand() -> None:
    truth = pd.DataFrame({"clip_id": ["a", "a", "b"], "start_s": [0.0, 20.0, 0.0], "label": 0})
    truth["end_s"] = truth["start_s"] + 10
    found = pd.DataFrame({"clip_id": "a", "start_s": [50.0, 0.0, 1.0, 20.0], "label": 0, "score": [0.9, 0.8, 0.7, 0.6]})
    found["end_s"] = found["start_s"] + 10
    # Two of each clip's true segments times k are looked at: the second hits the first segment, the fourth the other.
    shares = recall_at_k(truth, found, [0.5], ks=(1, 2)).per_threshold.loc[0.5]
    assert shares.tolist() == pytest.approx([1 / 3, 2 / 3])
    half = found.iloc[[1]].assign(end_s=5.0)
    reached = recall_at_k(truth, half, [0.5, 0.51], ks=(1,)).per_threshold[1]
    assert reached.tolist() == pytest.approx([1 / 3, 0]), "an overlap of just the threshold is enough"
    for nonsense in ([1, 0], [], [1, 1.5]):
        with pytest.raises(ConfigError, match=re.escape(f"k is {nonsense}, expected whole numbers from 1")):
            recall_at_k(truth, found, [0.5], ks=nonsense)  # type: ignore[arg-type]
