"""Predictions over a workspace: resumable, equal however they came about, honest about silence."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mravff_core import AudioCondition, Predictor, Workspace, load_detector
from mravff_core.errors import CancelledError, FeatureError, WorkspaceError
from mravff_core.inference import run_predict
from mravff_core.inference.evaluate_run import Scored, evaluate_run
from mravff_core.inference.predictor import Prediction
from mravff_core.inference.run_predict import predict
from mravff_core.inference.sound import heard_clip, with_noise
from mravff_core.media.encoders import ENCODERS
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.outputs import FusionTrace
from mravff_core.workspace import Clip, Run
from tests.small_workspace import small_detector, small_workspace


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return small_workspace(tmp_path_factory.mktemp("predict") / "ws")


@pytest.fixture
def workspace(original: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(original.folder, tmp_path / "ws")
    return Workspace(tmp_path / "ws")


def detections(workspace: Workspace, condition: str = "on", run: str = "verb_mrav") -> pd.DataFrame:
    table = workspace.run(run).detections(condition)
    assert table is not None
    assert len(table) > 10
    return table


def test_a_stopped_run_goes_on_and_ends_equal(workspace: Workspace) -> None:
    whole = Workspace(workspace.folder)
    predict(whole, "verb_mrav")
    expected = detections(whole)
    expected_gates = whole.run("verb_mrav").gates("on", "clip_0")
    shutil.rmtree(workspace.folder / "runs/verb_mrav/predictions")

    answers = iter([False, True])
    with pytest.raises(CancelledError, match=r"after \d of 3 clips"):
        predict(workspace, "verb_mrav", cancel=lambda: next(answers, True))
    done = workspace.run("verb_mrav").predicted_clips()
    assert 0 < len(done) < 3
    summary = predict(workspace, "verb_mrav")
    assert (summary.computed, summary.kept) == (3 - len(done), len(done))
    pd.testing.assert_frame_equal(detections(workspace), expected)
    for level, wanted in zip(workspace.run("verb_mrav").gates("on", "clip_0"), expected_gates, strict=True):
        np.testing.assert_array_equal(level.gates, wanted.gates)
    assert predict(workspace, "verb_mrav").computed == 0


def test_features_that_change_after_a_stopped_run_are_noticed(workspace: Workspace) -> None:
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        predict(workspace, "verb_mrav", cancel=lambda: next(answers, True))
    (done,) = workspace.run("verb_mrav").predicted_clips()
    features = workspace.features("visual", done)
    features.array[:] = 0
    workspace.set_features("visual", done, features)
    assert predict(workspace, "verb_mrav").computed == 3


def test_after_a_kill_only_clips_whose_features_changed_are_made_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the manifest: what each clip was made from stands with its predictions."""
    with monkeypatch.context() as killed:
        killed.setattr(run_predict, "_write_manifest", lambda *_: None)
        killed.setattr(Run, "merge", lambda *_: None)
        predict(workspace, "verb_mrav")
    features = workspace.features("visual", "clip_1")
    features.array[:] = 0
    workspace.set_features("visual", "clip_1", features)
    assert (predict(workspace, "verb_mrav").computed, predict(workspace, "verb_mrav").computed) == (1, 0)


def test_a_kill_between_manifest_and_merging_loses_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(Run, "merge", kill)
        predict(workspace, "verb_mrav")
    workspace.run("verb_mrav").merge()
    assert predict(workspace, "verb_mrav").computed == 0


def test_predictions_of_which_nobody_knows_from_what_are_made_again(workspace: Workspace) -> None:
    predict(workspace, "verb_mrav")
    folder = workspace.run("verb_mrav").predictions_folder("on")
    for name, content in (("manifest.json", b""), ("manifest.json", b"[]"), ("model.txt", b"\xff")):
        (folder / name).write_bytes(content)
        assert predict(workspace, "verb_mrav").computed == 3
        assert predict(workspace, "verb_mrav").computed == 0


def test_where_nothing_is_left_to_do_no_weights_are_loaded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = predict(workspace, "verb_mrav")

    def load(*_: object, **__: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(run_predict, "load_detector", load)
    again = predict(workspace, "verb_mrav")
    assert (again.kept, again.detections) == (3, first.detections)
    with pytest.raises(AssertionError, match="loaded"):
        predict(workspace, "verb_mrav", condition="off")


@pytest.mark.parametrize("condition", ["on", "off", "shift:+0.5"])
def test_clips_taken_several_at_once_are_found_the_same(
    workspace: Workspace, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(workspace, "verb_mrav", condition=condition)
    expected = detections(workspace, condition)
    shutil.rmtree(workspace.folder / "runs/verb_mrav/predictions")
    monkeypatch.setattr(run_predict, "_clips_at_once", lambda device: 2)
    predict(workspace, "verb_mrav", condition=condition)
    found = detections(workspace, condition)
    assert list(found["clip_id"]) == list(expected["clip_id"])
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)


def test_new_weights_and_new_features_are_noticed(workspace: Workspace) -> None:
    predict(workspace, "verb_mrav")
    before = detections(workspace)
    path = workspace.feature_path("visual", "clip_1")
    features = workspace.features("visual", "clip_1")
    features.array[:] = 0
    workspace.set_features("visual", "clip_1", features)
    assert predict(workspace, "verb_mrav").computed == 1
    assert not detections(workspace).equals(before)
    assert path.is_file()
    save_detector(small_detector(seed=1), workspace.run("verb_mrav").folder)
    assert predict(workspace, "verb_mrav").computed == 3


def test_the_audio_conditions_differ_where_they_should(workspace: Workspace) -> None:
    conditions = ["on", "off", "silence", "shift:+0.5", "noise:0", "swap:clip_1"]
    tables = {}
    for condition in conditions:
        predict(workspace, "verb_mrav", condition=condition, clip_ids=["clip_0"])
        tables[condition] = detections(workspace, condition)
    for condition in conditions[1:]:
        assert not tables[condition].equals(tables["on"]), condition
    gates = workspace.run("verb_mrav").gates("off", "clip_0")
    assert all((level.gates == 0).all() for level in gates)
    assert sorted(str(condition) for condition in workspace.run("verb_mrav").conditions()) == sorted(conditions)


def test_before_a_sound_that_comes_late_lies_the_encoders_silence(workspace: Workspace) -> None:
    predict(workspace, "verb_mrav", condition="shift:+0.5", clip_ids=["clip_0"])
    visual, audio = (workspace.features(name, "clip_0") for name in ("visual", "audio"))
    wanted = Predictor(load_detector(workspace.run("verb_mrav").folder)).detect(
        visual.array,
        audio.array,
        grid=visual.grid,
        audio_grid=audio.grid,
        duration_s=workspace.clip("clip_0").duration_s,
        audio_condition="shift:+0.5",
        silence=ENCODERS["light_audio"]().silence(),  # type: ignore[attr-defined]
    )
    found = detections(workspace, "shift:+0.5").drop(columns="clip_id")
    pd.testing.assert_frame_equal(found, wanted.detections)


def test_the_next_clips_sound_is_that_clips_sound(workspace: Workspace) -> None:
    """The third clip has no sound: after the second comes the first again."""
    for clip_id, heard in (("clip_0", "clip_1"), ("clip_1", "clip_0"), ("clip_2", "clip_0")):
        assert heard_clip(workspace, clip_id, AudioCondition.parse("swap:+1")) == heard
    predict(workspace, "verb_mrav", condition="swap:+1")
    predict(workspace, "verb_mrav", condition="swap:clip_1", clip_ids=["clip_0"])
    named, next_ = detections(workspace, "swap:clip_1"), detections(workspace, "swap:+1")
    pd.testing.assert_frame_equal(next_[next_["clip_id"] == "clip_0"].reset_index(drop=True), named)
    for clip_id in ("clip_1", "clip_2"):
        workspace.remove_clip(clip_id)
    with pytest.raises(WorkspaceError, match="no other clip with sound that 'clip_0'"):
        heard_clip(workspace, "clip_0", AudioCondition.parse("swap:+1"))


@pytest.mark.parametrize(("step", "heard"), [(1, "bcda"), (2, "cdab"), (3, "dabc"), (4, "bcda")])
def test_each_step_further_on_uses_every_sound_of_a_split_once(tmp_path: Path, step: int, heard: str) -> None:
    workspace = Workspace.create(tmp_path / "ws", name="Four", label_sets={"verb": ["cut"]})
    clip = Clip("a", "A", "", duration_s=2.0)
    workspace.add_clips([replace(clip, clip_id=name, split="train" if name == "e" else "test") for name in "abcde"])
    condition = AudioCondition.parse(f"swap:+{step}")
    assert "".join(heard_clip(workspace, name, condition) for name in "abcd") == heard


def test_a_clip_without_sound_is_seen_as_with_audio_off(workspace: Workspace) -> None:
    for condition in ("on", "off"):
        predict(workspace, "verb_mrav", condition=condition, clip_ids=["clip_2"])
    pd.testing.assert_frame_equal(detections(workspace, "on"), detections(workspace, "off"))


def test_a_visual_detector_has_no_gates_and_needs_no_sound(workspace: Workspace) -> None:
    for path in (workspace.folder / "features/audio").iterdir():
        path.unlink()
    predict(workspace, "verb_visual")
    assert len(detections(workspace, run="verb_visual"))
    assert workspace.run("verb_visual").gates("on", "clip_0") == []


def test_of_a_gate_in_every_channel_the_mean_is_stored() -> None:
    gates = torch.tensor([[[0.0, 0.25, 1.0], [1.0, 0.25, 0.5]]])
    (level,) = run_predict.level_gates(Prediction(pd.DataFrame(), FusionTrace((gates,)), (np.arange(3.0),)))
    assert level.gates.tolist() == [0.5, 0.25, 0.75]


def test_the_manifest_says_from_what_and_by_what(workspace: Workspace) -> None:
    predict(workspace, "verb_mrav", condition="off")
    run = workspace.run("verb_mrav")
    manifest = json.loads((run.predictions_folder("off") / "manifest.json").read_text())
    assert manifest["audio"] == "off"
    assert manifest["model_sha256"] == run.model_hash()
    assert set(manifest["clips"]) == {"clip_0", "clip_1", "clip_2"}
    assert {"torch", "numpy", "python", "mravff_core"} == set(manifest["versions"])


def test_scores_count_only_clips_with_truth(workspace: Workspace) -> None:
    result = evaluate_run(workspace, "verb_mrav")
    assert result["clips"] == 3
    assert 0 <= result["average"] <= 1
    assert set(result["per_class"]) <= {"cut", "stir", "pour"}
    workspace.set_annotations(workspace.annotations.iloc[:0])
    with pytest.raises(WorkspaceError, match="no clip has true verb segments"):
        evaluate_run(workspace, "verb_mrav")


def test_what_a_run_is_compared_with_is_detected_under_its_own_sound(workspace: Workspace) -> None:
    document = evaluate_run(workspace, "verb_mrav", against=Scored("verb_mrav", AudioCondition("off")), resamples=20)
    scores = [evaluate_run(workspace, Scored("verb_mrav", AudioCondition(audio)))["average"] for audio in ("on", "off")]
    assert document["difference"]["value"] == pytest.approx(scores[0] - scores[1]) != 0
    assert workspace.run("verb_mrav").predicted_clips("off") == {"clip_0", "clip_1", "clip_2"}


def test_perfect_detections_score_one(workspace: Workspace) -> None:
    run = workspace.run("verb_mrav")
    predict(workspace, "verb_mrav")
    for clip_id, truth in workspace.truth("verb").groupby("clip_id"):
        run.store("on", str(clip_id), truth[["start_s", "end_s", "label"]].assign(score=0.9), [])
    run.merge("on")
    assert evaluate_run(workspace, "verb_mrav")["average"] == pytest.approx(1.0)


@pytest.mark.parametrize("snr_db", [20.0, 0.0, -10.0])
def test_noise_has_the_power_it_claims(snr_db: float) -> None:
    signal = np.sin(np.arange(50_000, dtype=np.float32))
    noisy = with_noise(signal, snr_db)
    measured = 10 * np.log10(np.mean(signal**2) / np.mean((noisy - signal) ** 2))
    assert measured == pytest.approx(snr_db, abs=0.2)
    np.testing.assert_array_equal(noisy, with_noise(signal, snr_db))


def test_missing_things_are_named(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="has no run 'nope'"):
        predict(workspace, "nope")
    with pytest.raises(WorkspaceError, match="has no clip 'nope'"):
        predict(workspace, "verb_mrav", clip_ids=["nope"])
    with pytest.raises(WorkspaceError, match="has no clip 'nope'"):
        predict(workspace, "verb_mrav", condition="swap:nope")


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_clip_that_a_detector_refuses_is_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Published detectors end at a length of their own."""

    def refuse(*_: object) -> None:
        raise FeatureError("the clip is too long")

    detector = load_detector(workspace.run("verb_mrav").folder, device="cpu")
    monkeypatch.setattr(detector.base, "check_length", refuse)
    monkeypatch.setattr(run_predict, "_clips_at_once", lambda device: at_once)
    with pytest.raises(FeatureError, match=r"^clip_0( or clip_1)?: the clip is too long"):
        predict(workspace, "verb_mrav", detector=detector)
