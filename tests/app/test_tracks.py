"""Track data: the container, and what stands in it against the workspace's own tables."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from app.context import AppContext
from app.sources import sources
from app.tracks.attention import attention
from app.tracks.attribution import attribution
from app.tracks.container import decode, encode
from app.tracks.gates import gates
from app.tracks.segments import most_detections, segments
from app.tracks.signal import prepare_signals, signal
from app.view import View
from mravff_core import AudioCondition
from mravff_core.analysis.explain_run import Question, explain_detection
from mravff_core.errors import WorkspaceError
from mravff_core.segments import temporal_iou
from mravff_core.workspace import Clip

ON = AudioCondition()
arrays = st.sampled_from([np.float32, np.float64, np.uint8, np.int16]).flatmap(
    lambda dtype: numpy_strategies.arrays(
        dtype, numpy_strategies.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)
    )
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), arrays, max_size=4), st.dictionaries(st.text(), st.integers()))
@settings(max_examples=60, deadline=None)
def test_a_container_gives_back_what_went_in(given_arrays: dict, meta: dict) -> None:
    data = encode(given_arrays, meta)
    read, read_meta = decode(data)
    assert read_meta == meta and read.keys() == given_arrays.keys() and len(data) % 8 == 0
    for name, array in given_arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_container_refuses_types_that_browsers_do_not_read() -> None:
    with pytest.raises(TypeError, match="'weights' has type int64"):
        encode({"weights": np.arange(3)}, {})


def test_segments_carry_the_best_match_of_their_own_class(app_context: AppContext) -> None:
    workspace = app_context.workspace
    data = segments(workspace, "clip_0", label_set="verb", run="verb_mrav", condition=ON)
    stored = workspace.run("verb_mrav").detections("on", ["clip_0"])
    truth = workspace.truth("verb", ["clip_0"])
    assert data["labels"] == list(workspace.label_sets["verb"]) and data["total"] == len(stored)
    assert [row["score"] for row in data["detections"]] == stored["score"].tolist()
    assert len({row["id"] for row in data["detections"] + data["truth"]}) == len(stored) + len(truth)
    by_id = {row["id"]: row for row in data["truth"]}
    matched = 0
    for row in data["detections"]:
        bounds = np.array([[row["start_s"], row["end_s"]]])
        overlaps = temporal_iou(bounds, truth[["start_s", "end_s"]].to_numpy())[0]
        same = overlaps[(truth["label"] == row["label"]).to_numpy()]
        expected = same.max() if same.size and same.max() > 0 else overlaps.max()
        assert row["best_tiou"] == pytest.approx(expected, abs=1e-4)
        if row["best_truth"] and same.size and same.max() > 0:
            assert by_id[row["best_truth"]]["label"] == row["label"]
            matched += 1
    assert matched


def test_long_clips_are_sent_more_detections() -> None:
    assert [most_detections(duration_s) for duration_s in (5.0, 600.0, 1800.0, 7200.0)] == [1000, 1000, 3000, 5000]


def test_without_a_run_there_is_still_the_truth(app_context: AppContext) -> None:
    data = segments(app_context.workspace, "clip_1", label_set="noun", run=None, condition=ON)
    assert len(data["truth"]) == 2 and data["detections"] == [] and not data["looked"]


def test_a_run_that_has_not_looked_at_a_clip_has_missed_nothing_in_it(app_context: AppContext) -> None:
    looked = [
        segments(app_context.workspace, "clip_1", label_set="verb", run="verb_mrav", condition=condition)["looked"]
        for condition in (ON, AudioCondition("shift", shift_s=4.75))
    ]
    assert looked == [True, False]


def test_signal_has_the_clips_length_and_loudness(app_context: AppContext) -> None:
    read, meta = decode(signal(app_context.workspace, "clip_0"))
    bands, columns = read["mel"].shape
    assert bands == len(meta["mel_frequencies_hz"])
    assert columns * meta["mel_hop_s"] == pytest.approx(2.0, abs=0.1)
    assert len(read["waveform_min"]) * meta["waveform_hop_s"] == pytest.approx(2.0, abs=0.1)
    assert read["waveform_max"].max() == pytest.approx(0.09, rel=0.2)
    loudest = meta["mel_frequencies_hz"][int(read["mel"][:, columns // 2].argmax())]
    assert loudest == pytest.approx(300.0, abs=60)
    assert signal(app_context.workspace, "clip_0") == signal(app_context.workspace, "clip_0")


def test_signals_are_prepared_once_and_not_after_closing(app_context: AppContext) -> None:
    folder = app_context.workspace.cache_folder / "signal"
    shutil.rmtree(folder, ignore_errors=True)
    prepare_signals(app_context.workspace, lambda: True)
    assert not folder.exists()
    prepare_signals(app_context.workspace, lambda: False)
    assert {path.name.split(".")[0] for path in folder.iterdir()} == {"clip_0", "clip_1"}, "the third is silent"


def test_a_silent_clip_has_an_empty_signal(app_context: AppContext) -> None:
    read, _ = decode(signal(app_context.workspace, "clip_2"))
    assert read["mel"].size == 0 and read["waveform_min"].size == 0


def test_gates_are_the_stored_ones_level_by_level(app_context: AppContext) -> None:
    read, meta = decode(gates(app_context.workspace, "clip_0", run="verb_mrav", condition=ON))
    stored = app_context.workspace.run("verb_mrav").gates("on", "clip_0")
    assert len(meta["levels"]) == len(stored) == 3
    for number, (level, entry) in enumerate(zip(stored, meta["levels"], strict=True)):
        np.testing.assert_array_equal(read[f"level_{number}"], level.gates)
        assert entry["first_s"] == pytest.approx(level.times_s[0])
        assert entry["step_s"] == pytest.approx(2**number * 4 / 30)


def test_attention_sums_to_one_over_offsets_of_whole_steps(app_context: AppContext) -> None:
    detector = app_context.detectors.get("verb_mrav")
    for level in range(3):
        data = attention(app_context.workspace, "clip_0", detector=detector, condition=ON, level=level)
        read, meta = decode(data)
        np.testing.assert_allclose(read["weights"].sum(axis=0), 1.0, atol=1e-5)
        assert meta["levels"] == 3 and meta["level"] == level
        assert meta["offsets_s"][len(meta["offsets_s"]) // 2] == 0
        assert np.diff(meta["offsets_s"]) == pytest.approx(meta["step_s"])
    heads = [
        decode(attention(app_context.workspace, "clip_0", detector=detector, condition=ON, level=1, head=head))[0]
        for head in range(meta["heads"])
    ]
    mean, _ = decode(attention(app_context.workspace, "clip_0", detector=detector, condition=ON, level=1))
    np.testing.assert_allclose(np.mean([one["weights"] for one in heads], axis=0), mean["weights"], atol=1e-6)
    with pytest.raises(WorkspaceError, match="found level 0 and head 9, expected levels 0 to 2 and heads 0 to"):
        attention(app_context.workspace, "clip_0", detector=detector, condition=ON, level=0, head=9)
    with pytest.raises(WorkspaceError, match="found level 3"):
        attention(app_context.workspace, "clip_0", detector=detector, condition=ON, level=3)


@pytest.mark.parametrize("condition", [AudioCondition("off"), ON])
def test_there_is_no_attention_where_nothing_is_heard(app_context: AppContext, condition: AudioCondition) -> None:
    clip_id = "clip_0" if condition.kind == "off" else "clip_2"
    detector = app_context.detectors.get("verb_mrav")
    read, meta = decode(attention(app_context.workspace, clip_id, detector=detector, condition=condition, level=0))
    assert read["weights"].size == 0 and meta["levels"] == 0


def test_a_clip_of_features_alone_asks_for_no_video_and_no_sound(app_context: AppContext) -> None:
    workspace = app_context.workspace
    workspace.add_clips([Clip("bare", "Bare", "", 4.0)])
    try:
        found = sources(workspace, View(clip="bare", label_set="verb"), None, predicted=False)
        assert found["signal"] is None and found["segments"]
        assert sources(workspace, View(clip="clip_0", label_set="verb"), None, predicted=False)["signal"]
    finally:
        workspace.remove_clip("bare")


def test_attribution_adds_up_to_the_score_and_names_what_it_is_compared_with(app_context: AppContext) -> None:
    question = Question("verb_mrav", "clip_0", 0, vision_baseline="frozen")
    found = explain_detection(app_context.workspace, question, device="cpu")
    read, meta = decode(attribution(found))
    np.testing.assert_allclose(read["audio"], found.attribution.gradients.audio, rtol=1e-6)
    total = float(read["audio"].sum() + read["vision"].sum())
    difference = meta["score"] - meta["baseline_score"]
    assert abs(total - difference) == pytest.approx(meta["gap"] * abs(difference), abs=1e-4)
    assert meta["audio_value"] + meta["vision_value"] == pytest.approx(difference, abs=1e-4)
    assert meta["first_s"] + 3 * meta["step_s"] == pytest.approx(found.attribution.times_s[3])
    assert len(read["edges_s"]) == len(read["audio_occlusion"]) + 1
    assert (meta["audio_baseline"], meta["vision_baseline"]) == ("digital silence", "a still picture")
    low, high = meta["share_range"]
    assert 0 <= low <= meta["audio_share"] <= high <= 1 and meta["baselines"] > 2


def test_sums_of_several_steps_keep_total_and_middle(app_context: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explain_detection(app_context.workspace, Question("verb_mrav", "clip_0", 0), device="cpu")
    fine, fine_meta = decode(attribution(found))
    monkeypatch.setattr("app.tracks.attribution._MOST_STEPS", 5)
    coarse, meta = decode(attribution(found))
    assert len(coarse["vision"]) <= 5
    assert coarse["vision"].sum() == pytest.approx(fine["vision"].sum(), rel=1e-4)
    pool = round(meta["step_s"] / fine_meta["step_s"])
    middle_s = fine_meta["first_s"] + fine_meta["step_s"] * np.arange(pool).mean()
    assert meta["first_s"] == pytest.approx(middle_s)
