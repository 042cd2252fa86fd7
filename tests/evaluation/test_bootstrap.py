"""Intervals over clips: the draws are what they say, and the intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mravff_core.errors import ConfigError
from mravff_core.evaluation import bootstrap, mean_average_precision, paired_bootstrap, spread, uncertainty
from mravff_core.evaluation.matching import match, precisions
from mravff_core.evaluation.spread import draw_clips, false_discovery
from mravff_core.evaluation.tables import scene

TIOU = [0.3, 0.5]


def made_up(
    clips: int, seed: int, *, labels: int = 3, right: float = 0.6, wrong: int = 4
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clips with two true segments each, a share of them found, and wrong detections; no equal scores."""
    random = np.random.default_rng(seed)
    count = 2 * clips
    truth = pd.DataFrame(
        {
            "clip_id": [f"c{k // 2:03d}" for k in range(count)],
            "start_s": np.tile([0.0, 20.0], clips),
            "end_s": np.tile([10.0, 30.0], clips),
            "label": random.integers(0, labels, count),
        }
    )
    found = truth[random.random(count) < right].copy()
    found["end_s"] -= random.uniform(0, 8, len(found))
    noise = pd.DataFrame(
        {
            "clip_id": [f"c{k // wrong:03d}" for k in range(clips * wrong)],
            "start_s": 100.0,
            "end_s": 101.0,
            "label": random.integers(0, labels, clips * wrong),
        }
    )
    table = pd.concat([found, noise], ignore_index=True)
    skill = np.where(np.arange(len(table)) < len(found), 0.5, 0.0)
    return truth, table.assign(score=skill + random.random(len(table)))


def test_weighing_clips_equals_repeating_them() -> None:
    truth, found = made_up(7, 1)
    scored = scene(truth, found, "epic")
    weights = draw_clips(len(scored.clips), 20, seed=3)
    drawn = precisions(scored, match(scored, np.asarray(TIOU)), weights)
    for draw, weight in enumerate(weights):
        copies = [(clip, copy) for clip, times in zip(scored.clips, weight, strict=True) for copy in range(times)]
        tables = [
            pd.concat([t[t["clip_id"] == clip].assign(clip_id=f"{clip}_{copy}") for clip, copy in copies])
            for t in (truth, found)
        ]
        literal = mean_average_precision(tables[0], tables[1], TIOU).per_class
        rows = np.isin(scored.labels, literal.index)
        np.testing.assert_allclose(drawn[draw][rows], literal.to_numpy(), atol=1e-12)
        assert np.isnan(drawn[draw][~rows]).all()


def test_intervals_hold_the_value_of_all_clips_about_as_often_as_they_say() -> None:
    truth, found = made_up(2000, 10, labels=1)
    known = mean_average_precision(truth, found, TIOU).average
    names = truth["clip_id"].unique()
    random = np.random.default_rng(0)
    within = 0
    for _ in range(50):
        some = random.choice(names, 40, replace=False)
        result = bootstrap(truth[truth["clip_id"].isin(some)], found[found["clip_id"].isin(some)], TIOU, resamples=150)
        within += result.average.low <= known <= result.average.high
    assert 43 <= within <= 50


def test_equal_seeds_draw_alike_and_the_order_of_rows_does_not_matter() -> None:
    truth, found = made_up(12, 2)
    one = bootstrap(truth, found, TIOU, resamples=50, seed=4)
    two = bootstrap(
        truth.sample(frac=1, random_state=1), found.sample(frac=1, random_state=2), TIOU, resamples=50, seed=4
    )
    pd.testing.assert_frame_equal(one.per_class_threshold, two.per_class_threshold)
    np.testing.assert_array_equal(one.draws, two.draws)
    assert (bootstrap(truth, found, TIOU, resamples=50, seed=5).draws != one.draws).any()


def test_every_interval_holds_its_value() -> None:
    truth, found = made_up(15, 3, labels=6)
    result = bootstrap(truth, found, TIOU, resamples=200)
    assert result.average.low < result.average.value < result.average.high
    assert result.average.value == mean_average_precision(truth, found, TIOU).average
    for table in (result.per_threshold, result.per_class, result.per_class_threshold):
        said = table.dropna()
        assert len(said) and ((said["low"] <= said["value"]) & (said["value"] <= said["high"])).all()
    np.testing.assert_allclose(result.per_class["value"], result.scores.per_class.mean(axis=1))
    # Rare labels flatter the draws; what is left of that is nothing.
    assert result.draws.mean() == pytest.approx(result.average.value)
    wider = np.sqrt(15 / 14)
    for level in (0.95, 0.5):
        found_at = bootstrap(truth, found, TIOU, resamples=200, level=level)
        tail = stats.norm.cdf(wider * stats.t.ppf((1 - level) / 2, df=14))
        assert tail < (1 - level) / 2
        wanted = np.quantile(result.draws, [tail, 1 - tail])
        np.testing.assert_allclose([found_at.average.low, found_at.average.high], wanted, rtol=1e-6)


def test_intervals_end_where_precisions_do() -> None:
    truth, _ = made_up(12, 3)
    all_but_one, one = (
        bootstrap(truth, rows.assign(score=0.9), TIOU, resamples=200) for rows in (truth[1:], truth[:1])
    )
    assert np.nanmax(all_but_one.draws) > 1 and all_but_one.average.high == 1
    assert np.nanmin(one.draws) < 0 and one.average.low == 0
    for found in (all_but_one, one):
        for table in (found.per_threshold, found.per_class, found.per_class_threshold):
            assert table["low"].min() >= 0 and table["high"].max() <= 1


def test_few_clips_are_surer_only_where_their_number_allows_it() -> None:
    """One run finds everything and the other nothing, in so many clips."""
    never, always = [], []
    for clips in range(2, 12):
        truth = pd.DataFrame({"clip_id": range(clips), "start_s": 0.0, "end_s": 9.0, "label": 0})
        found = truth.assign(score=0.5)
        result = paired_bootstrap(truth, found, found[:0], TIOU, resamples=1000)
        assert result.average.value == result.average.high == 1
        assert (result.average.low == 0) == (result.average.p >= 0.05)
        (always if result.average.p < 0.05 else never).append(clips)
    assert never == [2, 3, 4, 5]
    assert always == [6, 7, 8, 9, 10, 11]


def test_two_clips_are_enough_for_an_interval() -> None:
    result = bootstrap(*made_up(2, 1, labels=1), TIOU, resamples=50)
    assert result.average.low <= result.average.value <= result.average.high


def test_a_label_of_one_clip_has_no_interval() -> None:
    truth, found = made_up(10, 4, labels=1)
    truth.loc[0, "label"] = 7
    row = bootstrap(truth, found, TIOU, resamples=20).per_class.loc[7]
    assert row["clips"] == 1 and np.isnan(row[["low", "high"]].astype(float)).all()
    paired = paired_bootstrap(truth, found, found, TIOU, resamples=20).per_class
    assert np.isnan(paired.loc[7, "p"]) and np.isnan(paired.loc[7, "q"]) and paired.loc[0, "q"] == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_one_clip_says_nothing_about_others_however_many_segments_it_holds(elsewhere: bool) -> None:
    truth, found = made_up(1, 0)
    if elsewhere:
        found = pd.concat([found, found.assign(clip_id="other")], ignore_index=True)
    alone = bootstrap(truth, found, TIOU, resamples=50)
    paired = paired_bootstrap(truth, found, found.iloc[:1], TIOU, resamples=50)
    assert alone.average.value > 0 and paired.average.value != 0
    assert np.isnan([alone.average.low, alone.average.high, paired.average_a.low, paired.average_b.high]).all()
    assert np.isnan([paired.average.low, paired.average.high, paired.average.p]).all()
    assert alone.per_threshold[["low", "high"]].isna().all(axis=None)
    assert paired.per_threshold[["low", "high", "p"]].isna().all(axis=None)


def test_draws_without_any_true_segment_spoil_no_others() -> None:
    truth, found = made_up(1, 0)
    found = pd.concat([found, found.assign(clip_id="other"), found.assign(clip_id="third")], ignore_index=True)
    drawn = bootstrap(truth, found, TIOU, resamples=50)
    paired = paired_bootstrap(truth, found, found.iloc[:1], TIOU, resamples=50)
    empty = draw_clips(3, 50, 0)[:, 0] == 0
    assert empty.any() and not empty.all()
    for draws, value in ((drawn.draws, drawn.average.value), (paired.draws, paired.average.value)):
        np.testing.assert_array_equal(np.isnan(draws), empty)
        assert np.nanmean(draws) == pytest.approx(value)


def test_a_run_does_not_differ_from_itself_and_beats_a_worse_one() -> None:
    truth, found = made_up(40, 5)
    same = paired_bootstrap(truth, found, found.sample(frac=1, random_state=3), TIOU, resamples=100)
    assert (same.average.value, same.average.low, same.average.high, same.average.p) == (0, 0, 0, 1)
    worse = found[found["start_s"] >= 20]
    result = paired_bootstrap(truth, found, worse, TIOU, resamples=200)
    assert result.average.low > 0 and result.average.p < 0.02 and (result.per_class["q"] < 0.05).any()
    back = paired_bootstrap(truth, worse, found, TIOU, resamples=200)
    assert back.average.value == pytest.approx(-result.average.value)
    assert (back.average.low, back.average.high) == pytest.approx((-result.average.high, -result.average.low))
    np.testing.assert_allclose(result.per_class["difference"], result.per_class["a"] - result.per_class["b"])


def test_false_discovery_by_hand() -> None:
    adjusted = false_discovery(np.array([0.04, np.nan, 0.01, 0.5]))
    np.testing.assert_allclose(adjusted, [0.06, np.nan, 0.03, 0.5])


def test_how_much_is_done_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, found = made_up(9, 8)
    whole = paired_bootstrap(truth, found, found[::2], TIOU, resamples=20)
    monkeypatch.setattr(spread, "_COLUMNS_AT_ONCE", 2)
    monkeypatch.setattr(uncertainty, "_DRAWS_AT_ONCE", 7)
    parts = paired_bootstrap(truth, found, found[::2], TIOU, resamples=20)
    pd.testing.assert_frame_equal(parts.per_class, whole.per_class)
    np.testing.assert_array_equal(parts.draws, whole.draws)


def test_impossible_settings_are_named() -> None:
    truth, found = made_up(3, 6)
    with pytest.raises(ConfigError, match="resamples is 0"):
        bootstrap(truth, found, TIOU, resamples=0)
    with pytest.raises(ConfigError, match=r"level is 95\.0"):
        paired_bootstrap(truth, found, found, TIOU, level=95.0)
