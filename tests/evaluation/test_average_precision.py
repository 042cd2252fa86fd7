"""Average precision equals the official evaluators', and obeys what any sane measure obeys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation import bootstrap, mean_average_precision, recall_at_k
from mravff_core.segments import temporal_iou

TIOU = [0.1, 0.2, 0.3, 0.4, 0.5]


def epic(shared: Path, task: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True segments and detections of one task as tables."""
    tables = []
    for name in ("epic_gt_val", "epic_preds_noties"):
        with np.load(shared / f"golden/eval/{name}.npz") as stored:
            verb, noun = stored["verb"].astype(int), stored["noun"].astype(int)
            label = {"verb": verb, "noun": noun, "action": 1000 * verb + noun}[task]
            columns = {"clip_id": stored["video_names"][stored["video_index"]], "start_s": stored["t_start"]}
            columns |= {"end_s": stored["t_end"], "label": label}
            tables.append(pd.DataFrame(columns | ({"score": stored["score"]} if "score" in stored.files else {})))
    return tables[0], tables[1]


@pytest.mark.parametrize("task", ["verb", "noun", "action"])
@pytest.mark.parametrize("protocol", ["epic", "activitynet"])
def test_equals_the_official_epic_evaluator(shared: Path, task: str, protocol: str) -> None:
    golden = json.loads((shared / "golden/eval/epic_results.json").read_text())[f"epic_official/noties/upstream/{task}"]
    result = mean_average_precision(*epic(shared, task), TIOU, protocol=protocol)
    np.testing.assert_allclose(result.per_threshold, golden["mAP"], atol=1e-9)
    assert result.average == pytest.approx(golden["average_mAP"], abs=1e-9)
    assert len(result.per_class) == golden["n_classes"]
    for label, precisions in (golden["ap_per_class"] or {}).items():
        np.testing.assert_allclose(result.per_class.loc[int(label)], precisions, atol=1e-9)


@pytest.mark.parametrize("task", ["verb", "noun"])
def test_equals_the_published_actionformer_evaluator(shared: Path, task: str) -> None:
    golden = json.loads((shared / "golden/eval/epic_results.json").read_text())
    result = mean_average_precision(*epic(shared, task), TIOU, protocol="actionformer")
    np.testing.assert_allclose(
        result.per_threshold, golden[f"af_anetdetection/noties/upstream/{task}"]["mAP"], atol=1e-9
    )


def test_equals_it_on_small_cases(shared: Path) -> None:
    cases = json.loads((shared / "golden/eval/af_toy_cases.json").read_text())
    assert cases
    for name, case in cases.items():
        truth = pd.DataFrame(case["gt"], columns=["clip_id", "start_s", "end_s", "label"])
        found = pd.DataFrame(case["pred"], columns=["clip_id", "start_s", "end_s", "label", "score"])
        result = mean_average_precision(truth, found, case["tiou"], protocol="actionformer")
        np.testing.assert_allclose(result.per_threshold, case["mAP"], atol=1e-9, err_msg=name)


def test_the_published_code_drops_segments_under_a_millisecond_only() -> None:
    truth = pd.DataFrame({"clip_id": "a", "start_s": 0.0, "end_s": [0.001, 0.0009], "label": [3, 7]})
    found = truth.assign(score=[0.9, 0.8])
    assert mean_average_precision(truth, found, TIOU, protocol="actionformer").per_class.index.tolist() == [3]
    assert mean_average_precision(truth, found, TIOU, protocol="activitynet").per_class.index.tolist() == [3, 7]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Disjoint true segments, and detections with many equal scores."""
    count = draw(st.integers(1, 8))
    truth = pd.DataFrame(
        {
            "clip_id": [f"c{draw(st.integers(0, 2))}" for _ in range(count)],
            "start_s": [10.0 * k for k in range(count)],
            "end_s": [10.0 * k + draw(st.floats(0.5, 9)) for k in range(count)],
            "label": [draw(st.integers(0, 2)) for _ in range(count)],
        }
    )
    rows = []
    for _ in range(draw(st.integers(0, 10))):
        start_s = draw(st.floats(0, 80))
        score = draw(st.sampled_from([0.2, 0.5, 0.9]))
        label, clip_id = draw(st.integers(0, 3)), f"c{draw(st.integers(0, 3))}"
        rows.append((clip_id, start_s, start_s + draw(st.floats(0, 12)), label, score))
    return truth, pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "label", "score"])


def plainly(truth: pd.DataFrame, found: pd.DataFrame, tiou: float) -> dict[int, float]:
    """Average precision by label, as the definition reads and as slow as that is."""
    result = {}
    for label in sorted(set(truth["label"])):
        true = truth[truth["label"] == label].sort_values(["start_s", "end_s"]).to_dict("records")
        free, right = list(range(len(true))), []
        ranked = found[found["label"] == label].to_dict("records")
        for one in sorted(ranked, key=lambda row: (-row["score"], row["clip_id"], row["start_s"], row["end_s"])):
            overlaps = [
                temporal_iou(np.array([one["start_s"], one["end_s"]]), np.array([t["start_s"], t["end_s"]]))[0, 0]
                if t["clip_id"] == one["clip_id"] and place in free
                else 0.0
                for place, t in enumerate(true)
            ]
            best = int(np.argmax(overlaps))
            right.append(overlaps[best] >= tiou)
            if right[-1]:
                free.remove(best)
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        result[label] = sum(precision[rank:].max() for rank in np.flatnonzero(right)) / len(true)
    return result


@settings(deadline=None, max_examples=20)
@given(scenes())
def test_equals_a_plain_reading_of_the_definition(scene: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    truth, found = scene
    crowded = pd.concat([truth, truth.iloc[:1].assign(end_s=truth["end_s"].iloc[0] - 0.2)], ignore_index=True)
    near = crowded.assign(start_s=crowded["start_s"] + 0.1, score=0.5)
    for detections in (found, pd.concat([found, near], ignore_index=True)):
        table = mean_average_precision(crowded, detections, [0.3, 0.6]).per_class
        for tiou in (0.3, 0.6):
            assert table[tiou].to_dict() == pytest.approx(plainly(crowded, detections, tiou), abs=1e-12)


def test_nothing_found_scores_zero_and_repeated_detections_are_wrong() -> None:
    truth = pd.DataFrame({"clip_id": ["a", "a"], "start_s": [0.0, 5.0], "end_s": [2.0, 9.0], "label": [0, 1]})
    assert mean_average_precision(truth, truth.assign(score=1.0).iloc[:0], TIOU).average == 0
    empty = pd.DataFrame(columns=["clip_id", "start_s", "end_s", "label", "score"])
    assert mean_average_precision(truth, empty, TIOU).average == 0
    # Both are of one label: the repeated first one is wrong at rank 2, the other right at rank 3.
    one_label = truth.assign(label=0)
    found = one_label.iloc[[0, 0, 1]].assign(score=[0.9, 0.8, 0.7])
    assert mean_average_precision(one_label, found, TIOU).average == pytest.approx((1 + 2 / 3) / 2)
    with pytest.raises(AnnotationError, match=r"label of row 1 is 0\.5, expected a whole number"):
        mean_average_precision(truth, truth.assign(label=[0, 0.5], score=0.9), TIOU)


@settings(deadline=None, max_examples=20)
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(scene: tuple[pd.DataFrame, pd.DataFrame], random: object) -> None:
    truth, found = scene
    seed = random.randint(0, 2**31)  # type: ignore[attr-defined]
    one = mean_average_precision(truth, found, TIOU)
    other = mean_average_precision(
        truth.sample(frac=1, random_state=seed), found.sample(frac=1, random_state=seed), TIOU
    )
    pd.testing.assert_frame_equal(one.per_class, other.per_class)


@settings(deadline=None, max_examples=20)
@given(scenes())
def test_perfect_detections_score_one_and_no_more(scene: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    truth, found = scene
    perfect = truth.assign(score=1.0)
    assert mean_average_precision(truth, perfect, TIOU).average == pytest.approx(1.0)
    both = pd.concat([perfect, found], ignore_index=True)
    assert mean_average_precision(truth, both, TIOU).average == pytest.approx(1.0)
    assert 0 <= mean_average_precision(truth, found, TIOU).average <= 1


@settings(deadline=None, max_examples=20)
@given(scenes())
def test_a_worse_wrong_detection_never_helps_and_stricter_is_never_easier(
    scene: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    truth, found = scene
    wrong = pd.DataFrame({"clip_id": ["c0"], "start_s": [900.0], "end_s": [901.0], "label": [0], "score": [0.99]})
    before = mean_average_precision(truth, found, TIOU)
    after = mean_average_precision(truth, pd.concat([found, wrong], ignore_index=True), TIOU)
    assert after.average <= before.average + 1e-12
    single = mean_average_precision(truth, truth.iloc[:1].assign(score=0.5), TIOU)
    assert (np.diff(single.per_threshold) <= 1e-12).all()


def test_two_hits_and_a_miss_by_hand() -> None:
    truth = pd.DataFrame({"clip_id": "a", "start_s": [0.0, 10.0], "end_s": [1.0, 11.0], "label": 0})
    found = pd.DataFrame(
        {"clip_id": "a", "start_s": [0.0, 50.0, 10.0], "end_s": [1.0, 51.0, 11.0], "label": 0, "score": [0.9, 0.8, 0.7]}
    )
    # Hits at ranks 1 and 3: precision 1 up to recall 1/2, then 2/3.
    assert mean_average_precision(truth, found, [0.5]).average == pytest.approx((1 + 2 / 3) / 2)


def test_of_two_segments_overlapped_alike_the_earlier_is_found() -> None:
    truth = pd.DataFrame({"clip_id": "a", "start_s": [0.0, 2.0], "end_s": [1.0, 3.0], "label": 0})
    between = {"clip_id": "a", "start_s": 0.5, "end_s": 2.5, "label": 0, "score": 0.9}
    for start_s, wanted in ((2.0, 1.0), (0.0, 0.5)):
        found = pd.DataFrame([between, {**between, "start_s": start_s, "end_s": start_s + 1, "score": 0.5}])
        assert mean_average_precision(truth, found, [0.2]).average == pytest.approx(wanted)


def test_bad_input_is_named() -> None:
    truth = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [1.0], "label": [0]})
    with pytest.raises(AnnotationError, match="detections: lack column score"):
        mean_average_precision(truth, truth, TIOU)
    with pytest.raises(AnnotationError, match="start_s of row 0 is nan"):
        mean_average_precision(truth.assign(start_s=np.nan), truth.assign(score=1.0), TIOU)
    with pytest.raises(AnnotationError, match="true segments: clip_id of row 0 is missing"):
        mean_average_precision(truth.assign(clip_id=None), truth.assign(score=1.0), TIOU)
    with pytest.raises(AnnotationError, match="clip_id is of types int64, str, expected one type in all tables"):
        mean_average_precision(truth.assign(clip_id=1), truth.assign(score=1.0), TIOU)
    with pytest.raises(AnnotationError, match="no true segments"):
        mean_average_precision(truth.iloc[:0], truth.assign(score=1.0), TIOU)
    with pytest.raises(ConfigError, match="must lie in 0 to 1"):
        mean_average_precision(truth, truth.assign(score=1.0), [0.0])
    with pytest.raises(ConfigError, match="protocol 'voc' is not known"):
        mean_average_precision(truth, truth.assign(score=1.0), TIOU, protocol="voc")


@pytest.mark.parametrize("kind", [pd.DataFrame.to_numpy, pd.DataFrame.to_dict, pa.table, lambda table: None])
def test_what_is_no_table_of_pandas_is_named(kind: Callable[[pd.DataFrame], Any]) -> None:
    found = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [1.0], "label": [0], "score": [0.5]})
    for measure in (mean_average_precision, recall_at_k, bootstrap):
        with pytest.raises(
            AnnotationError, match=r"true segments: found .*, expected a pandas\.DataFrame with columns"
        ):
            measure(kind(found), found, TIOU)
        with pytest.raises(AnnotationError, match=r"detections: found .*, expected a pandas\.DataFrame with columns"):
            measure(found, kind(found), TIOU)


def test_columns_that_would_be_misread_are_refused() -> None:
    found = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [1.0], "label": [0], "score": [0.5]})
    for wrong, why in (
        (found.assign(end_s=pd.to_timedelta([1.0], unit="s")), "end_s is of type timedelta64"),
        (found.assign(score=0.5 + 0j), "score is of type complex128"),
        (found.assign(label=1e300), "label of row 0 is 1e.300, expected a whole number"),
        (pd.concat([found, found[["score"]]], axis=1), "found columns .*score, score, expected each once"),
    ):
        with pytest.raises(AnnotationError, match=f"detections: {why}"):
            mean_average_precision(found, wrong, TIOU)


@pytest.mark.parametrize("nonsense", [0.5, "0.5", None, ["a"], np.array(0.5), np.array([[0.1, 0.2]])])
def test_thresholds_that_are_no_list_of_numbers_are_named(nonsense: Any) -> None:
    found = pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [1.0], "label": [0], "score": [0.5]})
    with pytest.raises(ConfigError, match="thresholds "):
        mean_average_precision(found, found, nonsense)


def test_threads_may_score_at_once_where_numba_cannot() -> None:
    """Its own threading layer, all that there is on some machines, ends a process that uses it from two threads."""
    script = """
import threading
import numpy as np, pandas as pd
from mravff_core.evaluation import mean_average_precision
rng = np.random.default_rng(0)
start_s = rng.uniform(0, 1000, 20_000)
found = pd.DataFrame({"clip_id": "a", "start_s": start_s, "end_s": start_s + 2, "label": rng.integers(0, 50, 20_000)})
found["score"] = rng.uniform(size=len(found))
threads = [threading.Thread(target=mean_average_precision, args=(found[:2000], found, [0.1, 0.5])) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("scored")
"""
    environment = {**os.environ, "NUMBA_THREADING_LAYER": "workqueue", "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "scored\n"), done.stderr
