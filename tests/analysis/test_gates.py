"""Gates by class and level: recomputed plainly from the stored tables, and what must always hold."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mravff_core import Workspace
from mravff_core.analysis.gates import (
    SegmentFilter,
    audio_effect,
    class_gates,
    gate_effect_correlation,
    gate_profile,
    has_audio_effect,
    of_pair,
    pair_gates,
    with_effect,
)
from mravff_core.analysis.resampling import mean_by_group
from mravff_core.analysis.segment_gates import SegmentSource, gates_at, gates_inside, segment_gates
from mravff_core.cli import main
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.evaluation import mean_average_precision
from mravff_core.segments import temporal_iou
from tests.small_workspace import VERBS

RUN = "verb_mrav"
TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)


def stored_gates(workspace: Workspace) -> pd.DataFrame:
    return pd.read_parquet(workspace.runs_folder / RUN / "predictions" / "on" / "gates.parquet")


def plain_gate(gates: pd.DataFrame, clip_id: str, level: int, start_s: float, end_s: float) -> float:
    """As the definition says, step by step."""
    steps = gates[(gates["clip_id"] == clip_id) & (gates["level"] == level)].sort_values("time_s")
    inside = steps[(steps["time_s"] >= start_s) & (steps["time_s"] <= end_s)]
    if len(inside):
        return float(inside["gate"].astype(float).mean())
    distance = (steps["time_s"] - (start_s + end_s) / 2).abs()
    return float(steps.loc[distance.idxmin(), "gate"])


def test_gates_inside_true_segments_are_plain_means(predicted: Workspace) -> None:
    gates, table = stored_gates(predicted), segment_gates(predicted, SegmentSource(RUN))
    assert len(table) == len(predicted.annotations)
    for row in table.to_dict("records"):
        wanted = [plain_gate(gates, row["clip_id"], level, row["start_s"], row["end_s"]) for level in range(3)]
        assert [row[f"gate_{level}"] for level in range(3)] == pytest.approx(wanted)
        assert row["gate"] == pytest.approx(np.mean(wanted))


def test_segments_wholly_outside_their_clip_have_no_gates(predicted: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(predicted.folder, tmp_path / "copy"))
    before = segment_gates(workspace, SegmentSource(RUN))
    outside = workspace.annotations.iloc[:3].assign(
        segment_id=["late", "early", "partly"], start_s=[2.5, -3.0, 1.9], end_s=[3.5, -1.0, 4.0]
    )
    # First, so that the ids of those that stay count them too.
    workspace.set_annotations(pd.concat([outside, workspace.annotations]))
    table = segment_gates(workspace, SegmentSource(RUN))
    assert set(table["segment_id"]) == {"partly", *before["segment_id"]}
    truth = workspace.truth("verb")
    for row in table.to_dict("records"):
        own = truth[truth["clip_id"] == row["clip_id"]].iloc[int(row["player_segment"][1:])]
        assert str(own["segment_id"]) == row["segment_id"]


def test_every_detection_has_its_gates_and_the_players_id(predicted: Workspace) -> None:
    table = segment_gates(predicted, SegmentSource(RUN, kind="detected"))
    found = predicted.run(RUN).detections("on")
    assert found is not None and len(table) == len(found)
    gates = stored_gates(predicted)
    for row in table.iloc[:: len(table) // 9].to_dict("records"):
        assert row["gate_1"] == pytest.approx(plain_gate(gates, row["clip_id"], 1, row["start_s"], row["end_s"]))
        own = found[found["clip_id"] == row["clip_id"]]
        assert own.iloc[int(row["player_segment"][1:])]["score"] == row["score"]


def test_correct_detections_take_true_segments_best_score_first(predicted: Workspace) -> None:
    truth, found = predicted.truth("verb"), predicted.run(RUN).detections("on")
    assert found is not None
    taken: set[str] = set()
    wanted = []
    for row in found.sort_values(
        ["score", "clip_id", "start_s", "end_s"], ascending=[False, True, True, True]
    ).itertuples():
        free = truth[
            (truth["clip_id"] == row.clip_id) & (truth["label"] == row.label) & ~truth["segment_id"].isin(taken)
        ]
        overlap = temporal_iou(np.array([[row.start_s, row.end_s]]), free[["start_s", "end_s"]].to_numpy())[0]
        if len(free) and overlap.max() >= 0.3:
            taken.add(free.iloc[int(overlap.argmax())]["segment_id"])
            wanted.append((row.clip_id, row.start_s, row.label))
    table = segment_gates(predicted, SegmentSource(RUN, kind="correct", tiou=0.3))
    assert wanted and sorted(wanted) == sorted(zip(table["clip_id"], table["start_s"], table["label"], strict=True))


def test_class_means_counts_and_spread_by_plain_pandas(predicted: Workspace) -> None:
    segments = segment_gates(predicted, SegmentSource(RUN))
    table = class_gates(segments, VERBS, resamples=50).set_index("name")
    for label, name in enumerate(VERBS):
        own = segments[segments["label"] == label]
        levels = own[["gate_0", "gate_1", "gate_2"]].mean()
        assert table.loc[name, ["gate_0", "gate_1", "gate_2"]].tolist() == pytest.approx(levels.tolist())
        assert table.loc[name, "spread"] == pytest.approx(levels.max() - levels.min())
        assert (table.loc[name, "count"], table.loc[name, "clips"]) == (len(own), own["clip_id"].nunique())
        assert table.loc[name, "gate_low"] <= table.loc[name, "gate"] <= table.loc[name, "gate_high"]
    most = int(table["count"].max())
    kept = class_gates(segments, VERBS, min_count=most, resamples=0)
    assert set(kept["name"]) == set(table.index[table["count"] == most])
    assert class_gates(segments, VERBS, min_count=most + 1, resamples=0).empty
    with pytest.raises(ConfigError, match="resamples is -1, expected 0 or more"):
        class_gates(segments, VERBS, resamples=-1)


def test_intervals_come_from_drawing_clips() -> None:
    generator = np.random.default_rng(5)
    clips = np.repeat(np.arange(8), 5)
    values = generator.random((40, 2))
    found = mean_by_group(values, np.zeros(40, np.int64), clips, size=1, resamples=4000)
    draws = generator.integers(0, 8, (4000, 8))
    means = np.stack([values[clips == clip].mean(axis=0) for clip in range(8)])[draws].mean(axis=1)
    tail = stats.norm.cdf(np.sqrt(8 / 7) * stats.t.ppf(0.025, df=7))
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    assert found.low[0] == pytest.approx(low, abs=0.01) and found.high[0] == pytest.approx(high, abs=0.01)


def test_intervals_of_few_clips_hold_the_true_mean_as_often_as_they_say() -> None:
    """Each column is a trial of its own: ten clips of one segment each."""
    values = np.random.default_rng(3).normal(size=(10, 2000))
    found = mean_by_group(values, np.zeros(10, np.int64), np.arange(10), size=1, resamples=1000)
    held = ((found.low[0] <= 0) & (found.high[0] >= 0)).mean()
    assert 0.93 <= held <= 0.97


def test_one_clip_gives_no_interval() -> None:
    groups, clips = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    found = mean_by_group(np.arange(4.0)[:, None], groups, clips, size=2, resamples=100)
    assert math.isnan(found.low[0, 0]) and not math.isnan(found.low[1, 0])


SEGMENTS = st.lists(st.tuples(st.floats(0, 12), st.floats(0.01, 8)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(SEGMENTS, st.integers(1, 40), st.integers(0, 999))
def test_gates_inside_are_what_the_definition_says(spans: list[tuple[float, float]], steps: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels = [(level, np.arange(0, steps, 2**level)) for level in range(3)]
    gates = pd.concat(
        [
            pd.DataFrame({"clip_id": "a", "level": level, "time_s": 0.25 + 0.3 * at, "gate": generator.random(len(at))})
            for level, at in levels
        ],
        ignore_index=True,
    )
    segments = pd.DataFrame([("a", start_s, start_s + length_s) for start_s, length_s in spans])
    segments.columns = pd.Index(["clip_id", "start_s", "end_s"])
    found = gates_inside(gates, segments)
    for row, (_, start_s, end_s) in enumerate(segments.itertuples(index=False)):
        for level in range(3):
            assert found[row, level] == pytest.approx(plain_gate(gates, "a", level, start_s, end_s))
    assert gates["gate"].min() - 1e-12 <= found.min() and found.max() <= gates["gate"].max() + 1e-12


def test_a_rise_at_the_start_shows_in_the_profile_whatever_the_length() -> None:
    times_s = np.arange(0, 60, 0.1)
    segments = pd.DataFrame({"clip_id": "a", "start_s": [10.0, 30.0], "end_s": [12.0, 40.0]})
    gate = np.full(len(times_s), 0.2)
    for start_s, end_s in zip(segments["start_s"], segments["end_s"], strict=True):
        gate[(times_s >= start_s) & (times_s < start_s + 0.25 * (end_s - start_s))] = 0.9
    gates = pd.DataFrame({"clip_id": "a", "level": 0, "time_s": times_s, "gate": gate})
    profile = gate_profile(gates, segments, places=41, resamples=0).set_index("position")["gate"]
    assert profile[(profile.index > 0.03) & (profile.index < 0.22)].min() > 0.85
    assert profile[(profile.index < -0.03) | (profile.index > 0.28)].max() < 0.25
    outside = gates_at(gates, pd.DataFrame({"clip_id": ["a"], "start_s": [0.0], "end_s": [4.0]}), np.array([-0.5, 0.5]))
    assert math.isnan(outside[0, 0, 0]) and outside[0, 0, 1] == pytest.approx(0.2)


def test_the_effect_of_audio_is_the_difference_of_two_scores(predicted: Workspace) -> None:
    effect = audio_effect(predicted, RUN, resamples=60)
    truth, run = predicted.truth("verb"), predicted.run(RUN)
    on, off = (mean_average_precision(truth, run.detections(sound), TIOUS) for sound in ("on", "off"))
    assert effect.loc[0, "effect"] == pytest.approx(on.average - off.average)
    wanted = (on.per_class - off.per_class).mean(axis=1)
    assert effect.loc[1:, "effect"].tolist() == pytest.approx(wanted.tolist())
    quick = audio_effect(predicted, RUN, resamples=0)
    assert quick["effect"].tolist() == pytest.approx(effect["effect"].tolist()) and quick["effect_low"].isna().all()


def test_the_effect_counts_only_clips_that_were_looked_at_both_ways(predicted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    workspace = Workspace(tmp_path / "ws")
    workspace.run(RUN).forget("off", ["clip_0", "clip_2"])
    effect = audio_effect(workspace, RUN, resamples=0)
    truth, run = workspace.truth("verb", ["clip_1"]), workspace.run(RUN)
    on, off = (mean_average_precision(truth, run.detections(sound, ["clip_1"]), TIOUS) for sound in ("on", "off"))
    assert effect.loc[0, ["ap_on", "ap_off"]].tolist() == pytest.approx([on.average, off.average])


def test_the_effect_is_that_in_the_chosen_clips(predicted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    workspace = Workspace(tmp_path / "ws")
    workspace.set_annotations(workspace.annotations[workspace.annotations["clip_id"] != "clip_2"])
    everywhere, chosen = audio_effect(workspace, RUN, resamples=0), ["clip_1", "clip_2"]
    assert not has_audio_effect(workspace, RUN, clip_ids=chosen, resamples=0)
    effect = audio_effect(workspace, RUN, clip_ids=chosen, resamples=0)
    truth, run = workspace.truth("verb", chosen), workspace.run(RUN)
    on, off = (mean_average_precision(truth, run.detections(sound, chosen), TIOUS) for sound in ("on", "off"))
    assert effect.loc[0, ["ap_on", "ap_off"]].tolist() == pytest.approx([on.average, off.average])
    assert has_audio_effect(workspace, RUN, clip_ids=chosen[::-1], resamples=0)
    pd.testing.assert_frame_equal(audio_effect(workspace, RUN, resamples=0), everywhere)
    with pytest.raises(WorkspaceError, match="none of the chosen clips has true verb segments to score against"):
        audio_effect(workspace, RUN, clip_ids=["clip_2"])


def test_filters_keep_what_they_say(predicted: Workspace) -> None:
    segments = segment_gates(predicted, SegmentSource(RUN, kind="detected"))
    kept = SegmentFilter(min_score=0.3, length_s=(0.2, 1.0), clips=("clip_0", "clip_1"))(segments)
    length_s = segments["end_s"] - segments["start_s"]
    wanted = (segments["score"] >= 0.3) & (length_s >= 0.2) & (length_s <= 1.0) & (segments["clip_id"] != "clip_2")
    assert (
        0 < wanted.sum() < len(segments) and kept["segment_id"].tolist() == segments.loc[wanted, "segment_id"].tolist()
    )
    assert SegmentFilter(audibility=(0.5, 1.0))(segments).empty, "nobody knows how audible these are"


def test_pairs_are_means_over_the_segments_they_lead_to(predicted: Workspace) -> None:
    segments = segment_gates(predicted, SegmentSource(RUN))
    names = (predicted.label_sets["verb"], predicted.label_sets["noun"])
    pairs = pair_gates(segments, ("verb", "noun"), names, min_count=1)
    assert pairs["count"].sum() == len(segments)
    for row in pairs.to_dict("records"):
        own = of_pair(segments, ("verb", "noun"), names, (row["first_name"], row["second_name"]))
        assert (len(own), own["gate"].mean()) == (row["count"], pytest.approx(row["gate"]))


def test_correlation_is_spearmans() -> None:
    generator = np.random.default_rng(2)
    classes = pd.DataFrame({"gate": generator.random(30).round(1), "effect": generator.random(30).round(1)})
    classes["effect"] += classes["gate"]
    found = gate_effect_correlation(classes)
    assert found.value == pytest.approx(classes["gate"].corr(classes["effect"], method="spearman"))
    assert found.low < found.value < found.high and found.classes == 30
    assert math.isnan(gate_effect_correlation(classes.head(2)).value)


def test_results_are_kept_until_what_they_rest_on_changes(predicted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    workspace = Workspace(tmp_path / "ws")
    first = segment_gates(workspace, SegmentSource(RUN))
    assert segment_gates(workspace, SegmentSource(RUN)) is first
    workspace.set_annotations(workspace.annotations.assign(start_s=lambda table: table["start_s"] + 0.1))
    moved = segment_gates(workspace, SegmentSource(RUN))
    assert moved["start_s"].tolist() == pytest.approx((first["start_s"] + 0.1).tolist())
    workspace.run(RUN).forget("on", ["clip_0"])
    assert set(segment_gates(workspace, SegmentSource(RUN))["clip_id"]) == {"clip_1", "clip_2"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SegmentSource("verb_visual"), "has no gates .its fusion is 'none'"),
        (SegmentSource(RUN, audio="off"), "every gate is 0 by definition"),
        (SegmentSource(RUN, audio="silence"), "predict --run verb_mrav --audio silence --workspace /"),
    ],
)
def test_where_there_are_no_gates_the_way_to_them_is_said(
    predicted: Workspace, source: SegmentSource, words: str
) -> None:
    with pytest.raises(WorkspaceError, match=words):
        segment_gates(predicted, source)


def test_the_command_prints_the_same_numbers(predicted: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["gates", "--workspace", str(predicted.folder), "--run", RUN, "--resamples", "60"]
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    segments = segment_gates(predicted, SegmentSource(RUN))
    effect = audio_effect(predicted, RUN, resamples=60)
    table = with_effect(class_gates(segments, VERBS, resamples=60), effect)
    assert [row["name"] for row in document["per_class"]] == table["name"].tolist()
    for column in ("gate", "gate_2", "gate_low", "effect"):
        assert [row[column] for row in document["per_class"]] == pytest.approx(table[column].tolist())
    assert main([*command, "--clips", "clip_1", "--json"]) == 0
    chosen = audio_effect(predicted, RUN, clip_ids=["clip_1"], resamples=60)
    assert json.loads(capsys.readouterr().out)["overall_effect"]["ap_on"] == pytest.approx(chosen.loc[0, "ap_on"])
    assert main([*command, "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("label,name,count,clips,gate,")
    assert main([*command, "--sort", "loudness"]) == 2
    assert "--sort is 'loudness'" in capsys.readouterr().err
