"""One raw video in: detections out, or one sentence and nothing left behind."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mravff_core import AudioCondition, Predictor, Workspace
from mravff_core.cli import main
from mravff_core.config import LabelSet
from mravff_core.errors import CancelledError, ConfigError, MediaError, WorkspaceError
from mravff_core.inference.add_video import add_video
from mravff_core.inference.extract import encode_video
from mravff_core.inference.localize import localize
from mravff_core.inference.run_predict import predict
from mravff_core.inference.sound import altered_sound, with_noise
from mravff_core.media.encoders import ENCODERS, AudioEncoder
from mravff_core.media.probe import probe
from mravff_core.media.sound import read_audio
from mravff_core.model.detector import Detector, DetectorConfig
from tests.media.factory import make_video, tone
from tests.small_workspace import small_detector, small_workspace


@pytest.fixture(scope="module")
def detector() -> Detector:
    return small_detector()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return small_workspace(tmp_path / "ws", clips=2)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    return make_video(folder / "-über a clip.mp4", 3.0, frames_per_second=25, audio=tone(3.0))


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts}


def test_the_document_follows_its_schema(video: Path, detector: Detector) -> None:
    document = localize(video, detector).to_mapping(min_score=0.0, run="verb_mrav")
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["schema"] == "mravff.localize/1"
    assert document["clip"]["duration_s"] == pytest.approx(3.0, abs=0.1)
    assert document["grid"]["steps"] == math.ceil(3.0 * 7.5)
    assert [level["step_s"] for level in document["gates"]] == pytest.approx([4 / 30, 8 / 30, 16 / 30], abs=1e-5)
    for level in document["gates"]:
        assert len(level["times_s"]) == len(level["gate"])
        assert all(0 <= gate <= 1 for gate in level["gate"])
    scores = [found["score"] for found in document["detections"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 5
    for found in document["detections"]:
        assert 0 <= found["start_s"] <= found["end_s"] <= document["clip"]["duration_s"]
        assert found["name"] == document["labels"][found["label"]]
    assert {"probe", "encode", "detect"} == set(document["seconds"])


def test_a_joint_detector_answers_in_every_label_set(video: Path, detector: Detector) -> None:
    config = detector.config
    nouns = LabelSet("noun", ("pan", "tap"))
    joint = Detector(replace(config, further_label_sets=(nouns,))).eval()
    document = localize(video, joint).to_mapping(min_score=0.0)
    verbs = list(config.labels)
    assert document["label_sets"] == {config.label_set: verbs, "noun": ["pan", "tap"]}
    names = {
        config.label_set: verbs,
        "noun": ["pan", "tap"],
        "action": [f"{verb} {noun}" for verb in verbs for noun in ("pan", "tap")],
    }
    assert {found["label_set"] for found in document["detections"]} == set(names)
    for found in document["detections"]:
        assert found["name"] == names[found["label_set"]][found["label"]]
    scores = [found["score"] for found in document["detections"]]
    assert scores == sorted(scores, reverse=True)


def test_warnings_name_the_video_as_its_owner_does(tmp_path: Path, workspace: Workspace) -> None:
    passing = make_video(tmp_path / "0a1b2c3d.mp4", 1.0, audio=tone(2.0))
    added = add_video(workspace, passing, run_name=None, title="My film.mp4", keep=True)
    assert any("My film.mp4" in line for line in added.warnings)
    assert "0a1b2c3d" not in workspace.clip(added.clip_id).warnings + "".join(added.warnings)


def test_a_silent_video_is_localized_with_a_warning(tmp_path: Path, detector: Detector) -> None:
    silent = make_video(tmp_path / "silent.mp4", 1.0)
    result = localize(silent, detector)
    assert any("no sound track" in warning for warning in result.warnings)
    assert all((level.gates == 0).all() for level in result.gates)


@pytest.mark.parametrize("condition", ["off", "silence", "noise:0", "shift:-1"])
def test_the_video_is_heard_under_a_condition(video: Path, detector: Detector, condition: str) -> None:
    altered = localize(video, detector, condition=condition)
    assert str(altered.audio_condition).startswith(condition.split(":")[0])
    assert not altered.detections.equals(localize(video, detector).detections)


def test_the_same_video_gives_the_same_as_in_a_workspace(video: Path, workspace: Workspace, detector: Detector) -> None:
    added = add_video(workspace, video, run_name="verb_mrav")
    stored = workspace.run("verb_mrav").detections("on", [added.clip_id])
    assert stored is not None
    alone = localize(video, detector).detections
    assert stored.drop(columns="clip_id").round(6).equals(alone.astype(stored.dtypes.drop("clip_id")).round(6))
    assert workspace.clip(added.clip_id).title == "-über a clip.mp4"
    assert workspace.video_path(added.clip_id) == video


def test_videos_of_one_name_become_different_clips(video: Path, workspace: Workspace) -> None:
    first = add_video(workspace, video, run_name=None, keep=True)
    second = add_video(workspace, video, run_name=None, keep=True)
    assert first.clip_id != second.clip_id
    assert workspace.video_path(first.clip_id).parent == workspace.folder / "media"


def test_what_browsers_cannot_play_is_converted(tmp_path: Path, workspace: Workspace) -> None:
    odd = make_video(tmp_path / "odd.avi", 1.0, codec="mpeg4", audio_codec="mp3", audio=tone(1.0))
    added = add_video(workspace, odd, run_name="verb_mrav")
    assert workspace.video_path(added.clip_id).suffix == ".mp4"


@pytest.mark.parametrize("keep", [False, True])
def test_a_failed_addition_leaves_nothing(tmp_path: Path, workspace: Workspace, keep: bool) -> None:
    before = files_in(workspace.folder)
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(MediaError, match=r"notes\.mp4"):
        add_video(workspace, text, run_name="verb_mrav", keep=keep)
    good = make_video(tmp_path / "good.mp4", 1.0, audio=tone(1.0))
    with pytest.raises(CancelledError):
        add_video(workspace, good, run_name="verb_mrav", keep=keep, cancel=lambda: True)
    with pytest.raises(WorkspaceError, match="has no run"):
        add_video(workspace, good, run_name="nope", keep=keep)
    assert files_in(workspace.folder) == before
    assert workspace.clip_ids() == ["clip_0", "clip_1"]


def test_features_of_unknown_origin_cannot_be_made(video: Path) -> None:
    known = small_detector().config
    foreign = DetectorConfig(known.label_set, known.labels, known.base, known.fusion, known.test, {})
    with pytest.raises(WorkspaceError, match="does not say which features"):
        localize(video, Detector(foreign))
    record = {"visual": {"set": "visual", "encoder": "slowfast"}}
    foreign = DetectorConfig(known.label_set, known.labels, known.base, known.fusion, known.test, record)
    with pytest.raises(WorkspaceError, match="'slowfast', which cannot be made from a video here"):
        localize(video, Detector(foreign))


def test_another_clips_sound_needs_a_workspace(video: Path, detector: Detector) -> None:
    with pytest.raises(ConfigError, match="needs a workspace"):
        localize(video, detector, condition="swap:other")


def test_before_a_late_sound_lies_the_encoders_silence(video: Path, detector: Detector) -> None:
    features = encode_video(video, {"visual": "light_visual", "audio": "light_audio"}, has_audio=True).features
    wanted = Predictor(detector).detect(
        features["visual"].array,
        features["audio"].array,
        grid=features["visual"].grid,
        audio_grid=features["audio"].grid,
        duration_s=probe(video).duration_s,
        audio_condition="shift:+1",
        silence=ENCODERS["light_audio"]().silence(),  # type: ignore[attr-defined]
    )
    pd.testing.assert_frame_equal(localize(video, detector, condition="shift:+1").detections, wanted.detections)


def test_noise_is_mixed_into_the_samples_where_they_are_at_hand(video: Path) -> None:
    encoder = ENCODERS["light_audio"]()
    assert isinstance(encoder, AudioEncoder)
    own = encoder.encode(video)
    condition = AudioCondition.parse("noise:0")
    samples = with_noise(read_audio(video, sample_rate=encoder.sample_rate), 0.0)
    wanted = encoder.encode_samples(samples, encoder.sample_rate).array
    np.testing.assert_array_equal(altered_sound(video, own, condition, encoder).array, wanted)
    for without in (altered_sound(None, own, condition, encoder), altered_sound(video, own, condition, None)):
        np.testing.assert_array_equal(without.array, with_noise(own.array, 0.0))


def test_an_added_video_is_heard_as_was_asked(video: Path, workspace: Workspace) -> None:
    added = add_video(workspace, video, run_name="verb_mrav", condition="off")
    run = workspace.run("verb_mrav")
    assert run.has("off", added.clip_id) and not run.has("on", added.clip_id)


@pytest.mark.parametrize("run", ["verb_mrav", "verb_visual"])
@pytest.mark.parametrize("condition", ["on", "noise:0"])
def test_a_video_that_is_localized_and_added_is_encoded_once(
    video: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, run: str, condition: str
) -> None:
    plain = add_video(workspace, video, run_name=None)
    encoded = []

    def counted(kind: type) -> type:
        class Counted(kind):  # type: ignore[misc]
            def encode(self, *args: Any, **more: Any) -> Any:
                encoded.append(kind)
                return super().encode(*args, **more)

        return Counted

    for name, kind in list(ENCODERS.items()):
        monkeypatch.setitem(ENCODERS, name, counted(kind))  # type: ignore[arg-type]
    words = ["localize", str(video), "--add", "--workspace", str(workspace.folder), "--run", run, "--device", "cpu"]
    assert main([*words, "--audio", condition]) == 0
    assert len(encoded) == len(set(encoded)) == 2
    added = workspace.clip_ids()[-1]
    assert added != plain.clip_id
    for feature_set in ("visual", "audio"):
        first, second = (workspace.features(feature_set, clip) for clip in (plain.clip_id, added))
        np.testing.assert_array_equal(first.array, second.array)


def test_steps_of_gates_are_those_of_the_levels_that_are_fused(video: Path) -> None:
    known = small_detector().config
    without_finest = Detector(replace(known, base=replace(known.base, neck_first_level=1)))
    levels = localize(video, without_finest).to_mapping()["gates"]
    assert [level["step_s"] for level in levels] == pytest.approx([8 / 30, 16 / 30], abs=1e-5)
    assert levels[0]["times_s"][1] - levels[0]["times_s"][0] == pytest.approx(8 / 30, abs=1e-3)


@pytest.mark.parametrize("name", ["big_buck_bunny_0_30.webm", "chaplin.mp4", "bitmap.mp4"])
def test_real_videos_are_localized(shared: Path, detector: Detector, name: str) -> None:
    result = localize(shared / "data/media" / name, detector)
    assert result.steps >= 1
    assert len(result.gates) == 3


def test_a_video_is_predicted_again_from_its_stored_features(video: Path, workspace: Workspace) -> None:
    added = add_video(workspace, video, run_name="verb_mrav")
    summary = predict(workspace, "verb_visual", clip_ids=[added.clip_id])
    assert summary.computed == 1
