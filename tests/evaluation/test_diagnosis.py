"""The diagnosis equals the official one on THUMOS14, and its parts agree with each other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.errors import AnnotationError, ConfigError
from mravff_core.evaluation import ERRORS, KINDS, Buckets, Diagnosis, diagnose
from mravff_core.evaluation.characteristics import heard_share, quantiles
from mravff_core.segments import temporal_iou

OFFICIAL_KINDS = dict(zip(
    ("True Positive", "Double Detection Err", "Wrong Label Err", "Localization Err", "Confusion Err", "Background Err"),
    KINDS, strict=True,
))  # fmt: skip
OFFICIAL_NAMES = {"length": "length", "coverage": "coverage", "num-instances": "instances"}


@pytest.fixture(scope="module")
def thumos(shared: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """True segments of THUMOS14's test split, detections in its clips, and the names of the labels."""
    database = json.loads((shared / "data/thumos14/thumos14_test_extra_characteristics.json").read_text())["database"]
    rows = [(c, *a["segment"], a["label"], a["coverage"]) for c, clip in database.items() for a in clip["annotations"]]
    truth = pd.DataFrame(rows, columns=["clip_id", "start_s", "end_s", "name", "coverage"])
    names = sorted(truth["name"].unique())
    with gzip.open(shared / "golden/eval/thumos_preds_noties.json.gz") as file:
        results = json.load(file)["results"]
    found = [
        (clip, *one["segment"], names.index(one["label"]), one["score"])
        for clip in set(truth["clip_id"]) & set(results)
        for one in results[clip]
    ]
    return (
        truth.assign(label=truth["name"].map(names.index)),
        pd.DataFrame(found, columns=["clip_id", "start_s", "end_s", "label", "score"]),
        names,
    )


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    text = (shared / "golden/eval/detad_results_clean.json").read_text()
    return json.loads(text)["results"]["clean/thumos_0.5"]


@pytest.fixture(scope="module")
def diagnosed(thumos: tuple[pd.DataFrame, pd.DataFrame, list[str]]) -> Diagnosis:
    return diagnose(thumos[0], thumos[1], data_set="thumos14")


def test_equals_the_official_error_kinds(
    diagnosed: Diagnosis, golden: dict[str, Any], thumos: tuple[pd.DataFrame, pd.DataFrame, list[str]]
) -> None:
    official = golden["false_positive"]
    assert diagnosed.average == pytest.approx(official["average_mAP_N"], abs=1e-9)
    for label, name in enumerate(thumos[2]):
        np.testing.assert_allclose(diagnosed.per_class.loc[label], official["ap_per_class"][name], atol=1e-9)
    for kind, ours in OFFICIAL_KINDS.items():
        assert diagnosed.counts.loc[0.5, ours] == official["fp_error_types_count"]["0.5"][kind]
        for band in range(1, 11):
            assert diagnosed.profile.loc[(0.5, band), ours] == official["score_ranges_count"][f"{band}G"]["0.5"][kind]
        if ours in ERRORS:
            assert diagnosed.gains.loc[0.5, ours] == pytest.approx(official["average_mAP_gain"][kind], abs=1e-9)
            for label, name in enumerate(thumos[2]):
                with_gain = diagnosed.per_class.loc[label, 0.5] + diagnosed.gains_per_class.loc[label, ours]
                assert with_gain == pytest.approx(official["ap_gain_per_class"][kind][name][0], abs=1e-9)


def test_equals_the_official_misses_and_sensitivity(diagnosed: Diagnosis, golden: dict[str, Any]) -> None:
    for name, ours in OFFICIAL_NAMES.items():
        for bucket, official in golden["false_negative"][name]["0.5"].items():
            row = diagnosed.missed.loc[(ours, bucket)]
            assert row["share"] == pytest.approx(official["all"], abs=1e-9)
            assert row["missed"] == pytest.approx(official["unmatched"], abs=1e-9)
        for bucket, official in golden["sensitivity"][name].items():
            row = diagnosed.sensitivity.loc[(ours, bucket)]
            assert row["precision"] == pytest.approx(official, abs=1e-9)
            assert row["segments"] == golden["sensitivity"]["gt_bucket_counts"][name][bucket]
    pairs = diagnosed.missed_by("length", "coverage")
    official_pairs = golden["false_negative"]["pairwise_length_coverage"]["0.5"]
    assert len(pairs) == len(official_pairs)
    for (length, coverage), row in pairs.iterrows():
        official = official_pairs[f"('{length}', '{coverage}')"]
        assert (row["share"], row["missed"]) == pytest.approx((official["all"], official["unmatched"]), abs=1e-9)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True segments, some of them equal or without length, and detections with many equal scores."""
    bounds = st.sampled_from([0.0, 1.0, 2.0, 3.5, 5.0])
    lengths = st.sampled_from([0.0, 1.0, 2.0, 4.0])

    def rows(count: int, labels: int) -> list[tuple[str, float, float, int]]:
        starts = [draw(bounds) for _ in range(count)]
        return [
            (f"c{draw(st.integers(0, 2))}", start, start + draw(lengths), draw(st.integers(0, labels)))
            for start in starts
        ]

    columns = ["clip_id", "start_s", "end_s", "label"]
    truth = pd.DataFrame([("c0", 0.0, 2.0, 0), *rows(draw(st.integers(0, 6)), 2)], columns=columns)
    found = pd.DataFrame(rows(draw(st.integers(1, 12)), 3), columns=columns)
    return truth, found.assign(score=[draw(st.sampled_from([0.2, 0.5, 0.9])) for _ in range(len(found))])


@settings(deadline=None, max_examples=20)
@given(scenes(), st.integers(0, 1000))
def test_the_parts_agree_with_each_other(scene: tuple[pd.DataFrame, pd.DataFrame], seed: int) -> None:
    truth, found = scene
    result = diagnose(truth, found, tiou_thresholds=[0.3, 0.5], bands=2, min_precision=0.0)
    counting = found["label"].isin(truth.loc[truth["end_s"] > truth["start_s"], "label"])
    for tiou in (0.3, 0.5):
        table, segments = result.detections(tiou), result.truths(tiou)
        # Every detection that counts has one kind, and the profile counts those within the bands.
        assert sorted(table["row"]) == np.flatnonzero(counting).tolist() and table["kind"].notna().all()
        within = table[table["band"] > 0]["kind"].value_counts()
        assert result.counts.loc[tiou].to_dict() == {kind: within.get(kind, 0) for kind in KINDS}
        # Each true positive found one segment of its own label, and none found it twice.
        right = table[table["kind"] == "true positive"]
        assert right["truth_row"].is_unique and (right["tiou"] >= tiou).all()
        assert (truth["label"].to_numpy()[right["truth_row"]] == right["label"]).all()
        assert set(segments.loc[segments["found"], "found_by"]) == set(right["row"])
        overlaps = temporal_iou(found[["start_s", "end_s"]].to_numpy(), truth[["start_s", "end_s"]].to_numpy())
        named = table[table["truth_row"] >= 0]
        np.testing.assert_allclose(named["tiou"], overlaps[named["row"], named["truth_row"]])
        assert (table.loc[table["truth_row"] < 0, "tiou"] == 0).all()
    assert (result.gains.to_numpy() >= -1e-12).all()
    assert (result.gains_per_class.to_numpy() >= -1e-12).all()
    shuffled = diagnose(
        truth.sample(frac=1, random_state=seed), found.sample(frac=1, random_state=seed),
        tiou_thresholds=[0.3, 0.5], bands=2, min_precision=0.0,
    )  # fmt: skip
    pd.testing.assert_frame_equal(shuffled.profile, result.profile)
    pd.testing.assert_frame_equal(shuffled.gains, result.gains)
    pd.testing.assert_frame_equal(shuffled.sensitivity, result.sensitivity)


def plain_sensitivity(truth: pd.DataFrame, result: Diagnosis, of_bucket: set[int]) -> float:
    """Mean over labels and thresholds, as the definition reads, of one bucket's rows in the true segments."""
    tables = [result.detections(tiou).assign(right=lambda t: t["kind"] == "true positive") for tiou in (0.3, 0.7)]
    counting = truth[truth["end_s"] > truth["start_s"]]
    usual = len(counting) / counting["label"].nunique()
    precisions = []
    for label in sorted(truth["label"].loc[list(of_bucket)].unique()):
        to_find = sum(truth["label"].loc[row] == label for row in of_bucket)
        ranked = [table[table["label"] == label].to_dict("records") for table in tables]
        about_it = [
            all(not one["right"] or one["truth_row"] in of_bucket for one in at_each)
            for at_each in zip(*ranked, strict=True)
        ]
        for own in ranked:
            hits, wrong, at_hits = 0, 0, []
            for one, counts in zip(own, about_it, strict=True):
                if counts and one["right"]:
                    hits += 1
                    weight = hits / to_find * usual
                    at_hits.append(weight / (weight + wrong))
                elif counts:
                    wrong += 1
            precisions.append(sum(max(at_hits[place:]) for place in range(hits)) / to_find)
    return float(np.mean(precisions))


@settings(deadline=None, max_examples=40)
@given(scenes())
def test_sensitivity_equals_a_plain_reading_of_its_definition(scene: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    truth, found = scene
    # Beside each segment one that is a little shorter falls into another bucket, and detections may find either.
    shorter = truth.assign(end_s=truth["start_s"] + 0.6 * (truth["end_s"] - truth["start_s"]))
    truth = pd.concat([truth, shorter], ignore_index=True)
    found = pd.concat([found, truth.assign(score=0.4), truth.assign(start_s=truth["start_s"] - 0.7, score=0.7)])
    own = Buckets((0.0, 0.9, 1.7, 9.0), ("short", "middling", "long"))
    result = diagnose(truth, found, tiou_thresholds=[0.3, 0.7], buckets={"length": own})
    rows = result.truths(0.3)
    for bucket, precision in result.sensitivity["precision"].loc["length"].items():
        of_bucket = set(rows.loc[rows["length_bucket"] == bucket, "row"])
        assert precision == pytest.approx(plain_sensitivity(truth, result, of_bucket), abs=1e-12)


def one_clip() -> tuple[pd.DataFrame, pd.DataFrame]:
    truth = pd.DataFrame(
        {"clip_id": "a", "start_s": [0.0, 20.0], "end_s": [10.0, 30.0], "label": [0, 1], "audibility": [0.0, 0.8]}
    )
    rows = [(0, 10, 0, 0.9), (0, 9, 0, 0.8), (20, 30, 0, 0.7), (7, 12, 0, 0.6), (17, 22, 0, 0.5), (50, 60, 0, 0.4)]
    found = pd.DataFrame(rows, columns=["start_s", "end_s", "label", "score"]).assign(clip_id="a")
    elsewhere = pd.DataFrame({"clip_id": ["b"], "start_s": 0.0, "end_s": 10.0, "label": 0, "score": 0.3})
    return truth, pd.concat([found, elsewhere], ignore_index=True)


def test_every_kind_by_hand() -> None:
    table = diagnose(*one_clip(), tiou_thresholds=[0.5]).detections()
    assert table["kind"].tolist() == [*KINDS, "background"]
    assert table["truth_row"].tolist() == [0, 0, 1, 0, 1, -1, -1]


def test_perfect_detections_are_precise_in_every_bucket_and_miss_nothing() -> None:
    start_s, lengths = np.array([0.0, 10.0, 30.0, 60.0]), np.array([1, 4, 12, 25])
    truth = pd.DataFrame({"clip_id": "a", "start_s": start_s, "end_s": start_s + lengths, "label": [0, 0, 1, 1]})
    perfect = diagnose(truth, truth.assign(score=[0.9, 0.8, 0.7, 0.6]), data_set="epic")
    assert perfect.sensitivity.loc["length", "segments"].tolist() == [1, 1, 2]
    assert (perfect.sensitivity[["precision", "relative"]] == 1).all(axis=None)
    assert (perfect.missed["missed"].abs() < 1e-12).all()
    truths = perfect.truths()
    assert truths["found"].all() and truths["found_by"].tolist() == [0, 1, 2, 3]


def test_a_hit_is_about_the_segment_it_found_even_where_another_lies_nearer() -> None:
    truth = pd.DataFrame({"clip_id": "a", "start_s": 0.0, "end_s": [10.0, 8.0], "label": [0, 1]})
    (hit,) = diagnose(truth, truth.iloc[:1].assign(end_s=8.0, score=0.5)).detections(0.5).to_dict("records")
    assert (hit["kind"], hit["truth_row"], hit["tiou"]) == ("true positive", 0, pytest.approx(0.8))


def test_what_can_be_heard_and_gates_are_characteristics() -> None:
    truth, found = one_clip()
    result = diagnose(truth.assign(gate=[0.2, 0.9]), found, tiou_thresholds=[0.5])
    assert result.missed["missed"].loc["audible"].to_dict() == {"silent": 0.0, "audible": 1.0}
    assert result.truths()["gate_bucket"].tolist() == ["Q1", "Q4"]
    assert "coverage" not in result.buckets
    events = pd.DataFrame(
        {"clip_id": "a", "start_s": [0.0, 3.0, 2.0, 25.0], "end_s": [4.0, 5.0, 3.0, 40.0], "sound": "x"}
    )
    np.testing.assert_allclose(heard_share(truth, events), [0.5, 0.5])
    silent = diagnose(truth.drop(columns="audibility"), found, tiou_thresholds=[0.5], sound_events=events.iloc[:0])
    assert "audible" not in silent.buckets


def test_buckets_are_closed_on_the_right() -> None:
    assert Buckets((0, 1, 2), ("a", "b")).place(np.array([-1, 0, 1, 1.5, 2, 3, np.nan])).tolist() == [
        -1, 0, 0, 1, 1, -1, -1
    ]  # fmt: skip
    even = quantiles(np.arange(100.0), ("a", "b", "c", "d"))
    assert np.bincount(even.place(np.arange(100.0))).tolist() == [25, 25, 25, 25]
    assert (quantiles(np.full(5, 3.0), ("a", "b")).place(np.full(5, 3.0)) == 0).all()


def test_bad_settings_are_named() -> None:
    truth, found = one_clip()
    for nonsense in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="min_tiou is "):
            diagnose(truth, found, min_tiou=nonsense)
    with pytest.raises(ConfigError, match="bands is 0"):
        diagnose(truth, found, bands=0)
    with pytest.raises(ConfigError, match="data set 'hacs' has no buckets"):
        diagnose(truth, found, data_set="hacs")
    with pytest.raises(ConfigError, match="characteristic 'loudness' is not known"):
        diagnose(truth, found, buckets={"loudness": Buckets((0, 1), ("a",))})
    with pytest.raises(ConfigError, match="expected ascending edges"):
        Buckets((1, 0), ("a",))
    with pytest.raises(ConfigError, match=r"threshold 0\.7 was not diagnosed"):
        diagnose(truth, found).detections(0.7)
    with pytest.raises(AnnotationError, match="clip 'a' has true segments but no duration"):
        diagnose(truth, found, durations_s={"b": 3.0})
    for nothing in (0.0, -1.0, float("nan")):
        with pytest.raises(AnnotationError, match=f"clip 'a' has a duration of {nothing} s"):
            diagnose(truth, found, durations_s={"a": nothing})
    with pytest.raises(AnnotationError, match="coverage holds no numbers"):
        diagnose(truth.assign(coverage="XS"), found)
    with pytest.raises(AnnotationError, match="sound events: lack column end_s"):
        diagnose(truth.drop(columns="audibility"), found, sound_events=truth[["clip_id", "start_s"]])
