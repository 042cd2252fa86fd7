"""Events between two sides: recomputed the slow way, mirrored by swapping, still by standing still."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core.analysis.changes import KINDS, MatchSettings, changes, count_by
from mravff_core.analysis.found import Found
from mravff_core.errors import ConfigError
from mravff_core.evaluation import mean_average_precision
from mravff_core.segments import temporal_iou

CLIPS = ("clip_0", "clip_1")
LABELS = 3
COLUMNS = ["clip_id", "start_s", "end_s", "label", "score"]
# Few distinct values, so that equal overlaps and scores are common.
rows = st.tuples(
    st.sampled_from(CLIPS),
    st.integers(0, 6).map(float),
    st.integers(1, 4).map(float),
    st.integers(0, LABELS - 1),
    st.integers(0, 10).map(lambda tenths: tenths / 10),
)
tables = st.lists(rows, max_size=14).map(
    lambda found: pd.DataFrame(
        [(clip, s, s + length, label, score) for clip, s, length, label, score in found], columns=COLUMNS
    )
)
choices = st.builds(
    MatchSettings,
    min_score=st.sampled_from([0.0, 0.3, 0.6]),
    min_tiou=st.sampled_from([0.1, 0.3, 0.5]),
    moved_tiou=st.sampled_from([0.5, 0.75, 1.0]),
    correct_tiou=st.sampled_from([0.3, 0.5]),
)
TRUTH = pd.DataFrame(
    {
        "clip_id": ["clip_0", "clip_0", "clip_0", "clip_1", "clip_1"],
        "segment_id": ["s0", "s1", "s2", "s3", "s4"],
        "start_s": [0.0, 2.0, 2.5, 1.0, 5.0],
        "end_s": [2.0, 5.0, 5.0, 3.0, 8.0],
        "label": [0, 1, 1, 2, 0],
    }
)


def found(table: pd.DataFrame, correct_tiou: float = 0.5) -> Found:
    return Found.of(table, TRUTH, CLIPS, correct_tiou=correct_tiou)


def events(a: pd.DataFrame, b: pd.DataFrame, chosen: MatchSettings) -> pd.DataFrame:
    return changes(found(a, chosen.correct_tiou), found(b, chosen.correct_tiou), chosen)


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Clip by clip, best first, as stored."""
    return table.sort_values(
        ["clip_id", "score", "start_s", "end_s", "label"], ascending=[True, False, True, True, True], ignore_index=True
    )


def slow_pairs(a: pd.DataFrame, b: pd.DataFrame, chosen: MatchSettings) -> list[tuple[int, int]]:
    """The documented rule, word by word: rows of a and b that are one event."""
    a, b = ordered(a), ordered(b)
    a_rows, b_rows = (table.to_dict("list") for table in (a, b))
    overlap = temporal_iou(a[["start_s", "end_s"]].to_numpy(), b[["start_s", "end_s"]].to_numpy())
    shown_a, shown_b = (table["score"].to_numpy() >= chosen.min_score for table in (a, b))
    pairs: list[tuple[int, int]] = []

    def play(ask, same_label: bool) -> None:
        candidates = [
            (-overlap[i, j], -(a_rows["score"][i] + b_rows["score"][j]), i + j, i, j)
            for i in range(len(a))
            for j in range(len(b))
            if a_rows["clip_id"][i] == b_rows["clip_id"][j]
            and overlap[i, j] >= chosen.min_tiou
            and (not same_label or a_rows["label"][i] == b_rows["label"][j])
            and ask(i, j)
        ]
        for *_, i, j in sorted(candidates):
            if i not in {pair[0] for pair in pairs} and j not in {pair[1] for pair in pairs}:
                pairs.append((i, j))

    play(lambda i, j: shown_a[i] and shown_b[j], True)
    play(lambda i, j: shown_a[i] and shown_b[j], False)
    settled = list(pairs)
    free = [i for i in range(len(a)) if i not in {pair[0] for pair in settled}]
    play(lambda i, j: shown_a[i] and not shown_b[j] and i in free, True)
    play(lambda i, j: not shown_a[i] and shown_b[j], True)
    return sorted(pairs)


@given(tables, tables, choices)
@settings(max_examples=50, deadline=None)
def test_pairs_follow_the_documented_rule(a: pd.DataFrame, b: pd.DataFrame, chosen: MatchSettings) -> None:
    table = events(a, b, chosen)
    firsts = {clip: ordered(a)["clip_id"].searchsorted(clip) for clip in CLIPS}
    seconds = {clip: ordered(b)["clip_id"].searchsorted(clip) for clip in CLIPS}
    both = table[(table["a_place"] >= 0) & (table["b_place"] >= 0)]
    pairs = sorted(
        (int(firsts[row.clip_id] + row.a_place), int(seconds[row.clip_id] + row.b_place)) for row in both.itertuples()
    )
    assert pairs == slow_pairs(a, b, chosen)
    shown = [(table["a_score"] >= chosen.min_score), (table["b_score"] >= chosen.min_score)]
    assert shown[0].sum() == (a["score"] >= chosen.min_score).sum(), "each detection is in exactly one event"
    assert shown[1].sum() == (b["score"] >= chosen.min_score).sum()
    assert (table["kind"] == "lost").equals(shown[0] & ~shown[1])
    assert (table["kind"] == "gained").equals(~shown[0] & shown[1])
    together = table[shown[0] & shown[1]]
    assert (together["kind"] == "renamed").equals(together["a_label"] != together["b_label"])
    kept = together[together["kind"] != "renamed"]
    assert (kept["kind"] == "moved").equals(kept["tiou"] < chosen.moved_tiou)


@given(tables, tables, choices)
@settings(max_examples=50, deadline=None)
def test_swapping_the_sides_mirrors_the_events(a: pd.DataFrame, b: pd.DataFrame, chosen: MatchSettings) -> None:
    there, back = events(a, b, chosen), events(b, a, chosen)
    swapped = back.rename(columns=lambda name: {"a_": "b_", "b_": "a_"}.get(name[:2], name[:2]) + name[2:])
    swapped["kind"] = swapped["kind"].replace({"gained": "lost", "lost": "gained"})
    keys = ["clip_id", "a_place", "b_place"]
    left, right = (table[there.columns].sort_values(keys, ignore_index=True) for table in (there, swapped))
    pd.testing.assert_frame_equal(left, right)


@given(tables, choices)
@settings(max_examples=30, deadline=None)
def test_a_side_against_itself_is_the_same(a: pd.DataFrame, chosen: MatchSettings) -> None:
    table = events(a, a, chosen)
    assert set(table["kind"]) <= {"same"}
    assert len(table) == (a["score"] >= chosen.min_score).sum()
    assert (table["a_place"] == table["b_place"]).all()


@given(tables, tables, choices, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_never_matters(a: pd.DataFrame, b: pd.DataFrame, chosen: MatchSettings, random) -> None:
    order = list(range(len(a)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(events(a.iloc[order], b, chosen), events(a, b, chosen))


@given(tables, st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=30, deadline=None)
def test_correct_detections_are_those_of_average_precision(a: pd.DataFrame, tiou: float) -> None:
    """Precision at one threshold, rebuilt from which detections are marked correct."""
    side = found(a, tiou)
    table = pd.DataFrame({"clip": side.clip, "label": side.label, "score": side.score, "correct": side.correct})
    table[["start_s", "end_s"]] = side.segments_s
    expected = mean_average_precision(TRUTH, a, [tiou]).per_class[tiou] if len(a) else pd.Series(0.0, range(LABELS))
    for label in range(LABELS):
        own = table[table["label"] == label].sort_values(
            ["score", "clip", "start_s", "end_s"], ascending=[False, True, True, True]
        )
        hits = own["correct"].to_numpy()
        precision = np.cumsum(hits) / (1 + np.arange(len(hits)))
        best = np.maximum.accumulate(precision[::-1])[::-1]
        assert (best[hits].sum() / (TRUTH["label"] == label).sum()) == pytest.approx(expected[label])


def test_each_detection_names_its_best_true_segment() -> None:
    table = pd.DataFrame(
        [
            ("clip_0", 2.0, 5.0, 1, 0.9),  # takes s1
            ("clip_0", 2.1, 5.0, 1, 0.8),  # s1 is taken: takes s2, though s1 overlaps more
            ("clip_0", 2.2, 5.0, 1, 0.7),  # both are taken: wrong, and names the one it overlaps most
            ("clip_0", 0.0, 2.0, 2, 0.6),  # of another label
            ("clip_1", 3.5, 4.5, 0, 0.5),  # overlaps nothing
        ],
        columns=COLUMNS,
    )
    side = found(table)
    assert side.truth_id.tolist() == ["s1", "s2", "s1", "s0", None]
    assert side.correct.tolist() == [True, True, False, False, False]
    assert side.truth_tiou.tolist() == pytest.approx([1.0, 2.5 / 2.9, 2.8 / 3.0, 1.0, 0.0])
    assert side.place.tolist() == [0, 1, 2, 3, 0]


def test_counts_tell_gained_correct_from_gained_wrong() -> None:
    a = pd.DataFrame([("clip_0", 0.0, 2.0, 1, 0.9), ("clip_1", 1.0, 3.0, 2, 0.1)], columns=COLUMNS)
    b = pd.DataFrame(
        [("clip_0", 0.0, 2.0, 0, 0.9), ("clip_1", 1.0, 3.0, 2, 0.7), ("clip_1", 5.0, 6.0, 2, 0.7)], columns=COLUMNS
    )
    table = events(a, b, MatchSettings())
    weak = table[(table["kind"] == "gained") & table["b_correct"]].iloc[0]
    assert (weak["a_score"], weak["a_shown"], weak["b_truth"]) == (0.1, False, "s3"), "it was there, but too weak"
    by_label = count_by(table, "label", range(LABELS)).set_index("label")
    assert by_label.loc[2, ["gained", "gained_correct", "lost"]].tolist() == [2, 1, 0]
    assert by_label["renamed_from"].tolist() == [0, 1, 0] and by_label["renamed_to"].tolist() == [1, 0, 0]
    by_clip = count_by(table, "clip_id", CLIPS).set_index("clip_id")
    assert by_clip.loc["clip_1", ["gained", "renamed"]].tolist() == [2, 0]
    assert by_clip[list(KINDS)].to_numpy().sum() == len(table)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="nothing could have moved"):
        MatchSettings(min_tiou=0.6, moved_tiou=0.5)
    with pytest.raises(ConfigError, match=r"score threshold is 2, expected 0 to 1"):
        MatchSettings(min_score=2)
    with pytest.raises(ConfigError, match="correct_tiou is 0"):
        MatchSettings(correct_tiou=0)
