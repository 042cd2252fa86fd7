"""Data sets become workspaces that point to their features, and nothing is lost without a word."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.data.dataset_files import read_dataset
from mravff_core.data.datasets import DATA_SETS
from mravff_core.errors import FeatureError, WorkspaceError
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import load_detector, save_detector
from mravff_core.model.detector import Detector
from mravff_core.workspace.import_dataset import make_workspace, plan_import
from tests.media.factory import make_video, tone
from tests.model.small import small_detector
from tests.workspace.small_data_set import DATABASE, RATE, SECONDS, VISUAL, found, plan, steps, video, write_all


def test_a_clean_data_set_becomes_a_workspace(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    made = make_workspace(checked := plan(tmp_path), tmp_path / "ws")
    assert found(checked) == {} and not checked.checked.findings.needs_permission
    assert made.label_sets == {"sport": ("Billiards", "Diving")}
    assert made.clip_ids("validation") == ["one"] and made.clip_ids("test") == ["v_-two"]
    clip = made.clip("v_-two")
    assert (clip.title, clip.duration_s, clip.frames_per_second, clip.has_audio, clip.path) == (
        "-two",
        20,
        30,
        True,
        "",
    )
    assert made.truth("sport")[["clip_id", "start_s", "label"]].to_numpy().tolist() == [
        ["one", 1.0, 1],
        ["one", 5.0, 0],
        ["v_-two", 2.0, 1],
    ]
    visual, audio = made.features("visual", "v_-two"), made.features("audio", "v_-two")
    np.testing.assert_array_equal(visual.array, np.load(tmp_path / "visual/-two.npy").T)
    assert visual.grid.to_seconds(0.0) == pytest.approx(8 / RATE) and audio.grid.hop_s == 0.96
    assert not list(made.folder.glob("features/*"))


def test_a_run_predicts_from_features_that_lie_elsewhere(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    made = make_workspace(plan(tmp_path), tmp_path / "ws")
    config = small_detector(kind="mrav").config
    sets = {"visual": {"set": "visual"}, "audio": {"set": "audio"}}
    save_detector(Detector(replace(config, label_set="sport", features=sets)), made.runs_folder / "run")
    assert predict(made, "run", device="cpu").computed == 2
    assert predict(made, "run", device="cpu").computed == 0
    np.save(tmp_path / "visual/one.npy", np.zeros((steps() - 1, 6), np.float32))
    assert predict(made, "run", device="cpu").computed == 1
    (tmp_path / "visual/one.npy").unlink()
    with pytest.raises(FeatureError, match=r"visual/one\.npy: no such feature file"):
        predict(made, "run", device="cpu")


def test_every_fault_is_found_and_named(tmp_path: Path) -> None:
    names = ["good", "gone", "wide", "mute", "short", "late", "a b", "long", "nan", "loud"]
    database = {name: video([(1.0, 4.0, "Diving")]) for name in names}
    database["good"]["annotations"] += [
        {"segment": [3.0, 3.0], "label": "Diving"},
        {"segment": [18.0, 25.0], "label": "Diving"},
        {"segment": [30.0, 35.0], "label": "Diving"},
        {"segment": [6.0, 5.0], "label": "Diving"},
        {"segment": [1.0, 2.0], "label": "Flying"},
        {"segment": [2.0, 3.0], "label": 0.5},
    ]
    write_all(tmp_path, database)
    (tmp_path / "visual/gone.npy").unlink()
    np.save(tmp_path / "visual/wide.npy", np.zeros((30, 7), np.float32))
    (tmp_path / "audio/mute.npy").unlink()
    np.save(tmp_path / "visual/short.npy", np.zeros((30, 6), np.float32))
    np.save(tmp_path / "audio/late.npy", np.zeros((9, 5), np.float32))
    np.save(tmp_path / "audio/long.npy", np.zeros((9, 4), np.float32))
    one_bad = np.zeros((steps(), 6), np.float32)
    one_bad[-1, -1] = np.nan
    np.save(tmp_path / "visual/nan.npy", one_bad)
    np.save(tmp_path / "audio/loud.npy", np.full((20, 5), 1e300))
    (tmp_path / "classes.txt").write_text("Diving\nBilliards\n")
    checked = plan(tmp_path, classes=tmp_path / "classes.txt")
    assert found(checked) == {
        "unusable names": 1,
        "no visual features": 1,
        "visual features unfit": 2,
        "no audio features": 1,
        "audio features unfit": 2,
        "features and length disagree": 1,
        "sound and picture disagree": 2,
        "segments outside the clip": 2,
        "segments without length": 1,
        "segments that end before they start": 1,
        "unknown labels": 2,
    }
    assert checked.checked.findings.needs_permission
    made = make_workspace(checked, tmp_path / "ws")
    assert made.clip_ids() == ["good", "late", "long", "loud", "mute", "short"]
    assert [made.clip(name).has_audio for name in ("good", "mute", "long", "loud")] == [True, False, False, False]
    assert "sound lasts 8.64 s, picture 20.00 s" in made.clip("late").warnings
    assert "cover 4.40 s of 20.00 s" in made.clip("short").warnings
    good = made.truth("sport", ["good"])
    assert good[["start_s", "end_s"]].to_numpy().tolist() == [[1.0, 4.0], [18.0, 25.0], [30.0, 35.0]]


def test_videos_are_found_by_name_at_any_depth(tmp_path: Path) -> None:
    write_all(tmp_path, {name: video([(1.0, 4.0, "Diving")]) for name in ("one", "two", "three")})
    folder = tmp_path / "videos/deep"
    folder.mkdir(parents=True)
    make_video(folder / "one.mp4", SECONDS, frames_per_second=5, audio=tone(SECONDS))
    make_video(folder / "v_two.M4V", SECONDS, frames_per_second=5)
    (folder / "three.txt").touch()
    checked = plan(tmp_path, sound=False, videos=tmp_path / "videos")
    assert found(checked) == {"no video files": 1} and not checked.checked.findings.needs_permission
    assert {clip.clip_id: (clip.path, clip.has_audio) for clip in checked.checked.clips} == {
        "one": (str(folder / "one.mp4"), True),
        "two": (str(folder / "v_two.M4V"), False),
        "three": ("", False),
    }
    assert {clip.warnings for clip in checked.checked.clips} == {""}


def test_videos_of_another_length_or_that_do_not_play_are_kept_with_a_warning(tmp_path: Path) -> None:
    write_all(tmp_path, {name: video([(1.0, 4.0, "Diving")]) for name in ("cut", "old", "torn")})
    folder = tmp_path / "videos"
    folder.mkdir()
    make_video(folder / "cut.mp4", 8.0, frames_per_second=5)
    make_video(folder / "old.mkv", SECONDS, frames_per_second=5)
    (folder / "torn.mp4").write_bytes(b"no video" * 50)
    checked = plan(tmp_path, sound=False, videos=folder)
    assert found(checked) == {"video and clip disagree": 1, "videos that may not play": 2}
    assert not checked.checked.findings.needs_permission
    warnings = {clip.clip_id: clip.warnings for clip in checked.checked.clips}
    assert "video lasts 8.00 s, the clip 20.00 s" in warnings["cut"]
    assert "h264 in .mkv of a form that browsers do not all play" in warnings["old"]
    assert "does not play" in warnings["torn"]
    assert all(clip.path for clip in checked.checked.clips)


def test_segments_stay_as_they_are_wherever_they_lie(tmp_path: Path) -> None:
    a_moment_outside = [(19.0, 20.4), (20.1, 20.4), (-0.4, -0.1), (-0.2, 3.0)]
    far_outside = [(19.0, 20.6), (30.0, 35.0), (-0.6, 3.0)]
    for segments, count in ((a_moment_outside, 0), (far_outside, 3)):
        write_all(tmp_path, {"one": video([(*segment, "Diving") for segment in segments])})
        checked = plan(tmp_path).checked
        assert len(checked.findings.by_kind.get("segments outside the clip", [])) == count
        assert checked.findings.needs_permission == (count > 0)
        assert checked.segments[["start_s", "end_s"]].to_numpy().tolist() == [list(each) for each in segments]


def test_a_hop_between_sound_and_picture_is_no_fault(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE, audio_s=SECONDS - 0.5)
    assert found(plan(tmp_path)) == {}
    write_all(tmp_path, DATABASE, audio_s=SECONDS - 1.9)
    assert found(plan(tmp_path)) == {"sound and picture disagree": 2}


def test_lengths_follow_from_features_where_nobody_says_them(tmp_path: Path) -> None:
    write_all(tmp_path, {"one": video([(1.0, 2.0, "Diving")], duration=None)})
    checked = plan(tmp_path)
    assert found(checked) == {"unknown lengths": 1}
    assert checked.checked.clips[0].duration_s == pytest.approx(SECONDS, abs=4 / RATE)


def test_importing_again_replaces_clips_and_keeps_others(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    make_workspace(plan(tmp_path, sound=False), tmp_path / "ws")
    labels = [(1.0, 2.0, "Billiards"), (3.0, 4.0, "Diving")]
    write_all(tmp_path, {"one": video(labels[:1] * 3 + labels[1:])})
    opened = Workspace(tmp_path / "ws")
    made = make_workspace(plan(tmp_path), tmp_path / "ws")
    assert made.clip_ids() == ["one", "v_-two"] and len(made.annotations) == 5
    assert opened.has_features("audio", "one")
    write_all(tmp_path, {"one": video([(1.0, 2.0, "Chess")])})
    with pytest.raises(WorkspaceError, match=r"other label sets \(sport \(2\)\).*by --classes"):
        make_workspace(plan(tmp_path), tmp_path / "ws")


def test_no_clip_is_there_without_its_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path, {"one": DATABASE["one"]})
    make_workspace(plan(tmp_path), tmp_path / "ws")
    write_all(tmp_path, {"three": DATABASE["one"]})

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "set_annotations", stop)
    with pytest.raises(KeyboardInterrupt):
        make_workspace(plan(tmp_path), tmp_path / "ws")
    assert Workspace(tmp_path / "ws").clip_ids() == ["one"]


def test_a_fusion_without_any_sound_is_not_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    made = make_workspace(plan(tmp_path, sound=False), tmp_path / "ws")
    (tmp_path / "r.yaml").write_text("data: {label_set: sport, train_split: validation}\nfusion: {kind: mrav}\n")
    assert main(["train", str(tmp_path / "r.yaml"), "--workspace", str(made.folder), "--device", "cpu"]) == 2
    assert "no clip of split 'validation' has sound that fusion mrav could learn from" in capsys.readouterr().err
    assert not made.runs_folder.exists()


def test_the_first_clip_to_train_on_may_be_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, {**DATABASE, "a": video([(1.0, 4.0, "Billiards")])})
    (tmp_path / "audio/a.npy").unlink()
    made = make_workspace(plan(tmp_path), tmp_path / "ws")
    recipe = {
        "data": {"label_set": "sport", "train_split": "validation", "test_split": "test"},
        "base": {"embed_channels": 8, "neck_channels": 8, "head_channels": 8, "levels": 2, "max_steps": 64},
        "fusion": {"kind": "mrav"},
        "train": {"epochs": 1, "warmup_epochs": 0, "regression_range": [[0, 8], [8, 10000]]},
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    assert main(["train", str(tmp_path / "r.yaml"), "--workspace", str(made.folder), "--device", "cpu"]) == 0
    heard = load_detector(made.runs_folder / "run", device="cpu").config.features["audio"]
    assert (heard["set"], heard["channels"]) == ("audio", 5)


def test_features_in_another_folder_are_not_taken_from_other_clips(tmp_path: Path) -> None:
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    write_all(first, {"one": DATABASE["one"]})
    write_all(second, {"three": DATABASE["one"]})
    make_workspace(plan(first), tmp_path / "ws")
    with pytest.raises(
        WorkspaceError, match=r"1 of its clips, such as one, have visual features in .*put all into one"
    ):
        make_workspace(plan(second), tmp_path / "ws")
    assert Workspace(tmp_path / "ws").clip_ids() == ["one"]
    for folder in ("visual", "audio"):
        (second / folder / "one.npy").write_bytes((first / folder / "one.npy").read_bytes())
    made = make_workspace(plan(second), tmp_path / "ws")
    assert made.clip_ids() == ["one", "three"] and made.features("visual", "one").array.shape == (6, steps())
    wider = replace(plan(first), sources={"visual": (replace(plan(first).sources["visual"][0], hop_frames=8), "i3d")})
    with pytest.raises(WorkspaceError, match="or of another kind"):
        make_workspace(wider, tmp_path / "ws")


def test_each_split_may_have_a_folder_of_features(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    expected = make_workspace(plan(tmp_path), tmp_path / "flat")
    visual = tmp_path / "visual"
    for split, name in (("validation", "one"), ("Testing", "-two")):
        (visual / split).mkdir()
        (visual / f"{name}.npy").rename(visual / split / f"{name}.npy")
    (visual / "backup").mkdir()
    np.save(visual / "backup" / "one.npy", np.zeros((9, 6), np.float32))
    split_up = plan(tmp_path)
    assert found(split_up) == {}
    workspace = Workspace(make_workspace(split_up, tmp_path / "ws").folder)
    for clip_id in ("one", "v_-two"):
        features = workspace.features("visual", clip_id).array
        # The flat workspace looks where its files no longer are.
        assert features.shape == (6, steps()) and not expected.has_features("visual", clip_id)
    assert np.array_equal(workspace.features("visual", "one").array.T, np.load(visual / "validation" / "one.npy"))
    # One file where all are looked for first, and the folders are those of something else.
    np.save(visual / "one.npy", np.ones((steps(), 6), np.float32))
    assert found(plan(tmp_path)) == {"no visual features": 1}


def test_features_cut_short_are_found_before_they_are_read(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    path = tmp_path / "visual/one.npy"
    path.write_bytes(path.read_bytes()[:-4])
    checked = plan(tmp_path)
    assert found(checked) == {"visual features unfit": 1}
    assert "truncated?" in str(checked.checked.findings.rows()[0]["for example"])


@pytest.mark.parametrize(("values", "reads"), [(True, 1), (False, 0)])
def test_the_values_of_tensor_files_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: bool, reads: int
) -> None:
    write_all(tmp_path, DATABASE)
    for path in (tmp_path / "visual").iterdir():
        torch.save(torch.from_numpy(np.load(path)), path.with_suffix(".pt"))
        path.unlink()
    whole: Counter[str] = Counter()
    load = torch.load

    def counted(path: Path, *, mmap: bool = False, **more: Any) -> Any:
        whole[path.stem] += not mmap
        return load(path, mmap=mmap, **more)

    monkeypatch.setattr(torch, "load", counted)
    files = read_dataset([tmp_path / "a.json"], label_set="sport")
    shares: list[float] = []
    visual = (VISUAL, tmp_path / "visual")
    assert found(plan_import("T", files, visual=visual, values=values, progress=shares.append)) == {}
    assert shares == [0.5, 1.0]
    assert whole == dict.fromkeys(DATABASE, reads)


def test_names_that_have_the_prefix_already_stay_apart(tmp_path: Path) -> None:
    write_all(tmp_path, dict.fromkeys(("v_-two", "-two", "v_one"), DATABASE["one"]))
    made = make_workspace(checked := plan(tmp_path), tmp_path / "ws")
    assert found(checked) == {}
    assert [made.clip(clip_id).title for clip_id in made.clip_ids()] == ["-two", "v_one", "v_-two"]
    for clip_id in made.clip_ids():
        own = np.load(tmp_path / f"visual/{made.clip(clip_id).title}.npy")
        np.testing.assert_array_equal(made.features("visual", clip_id).array, own.T)


def test_a_name_too_long_for_a_file_is_left_out(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    database = {**DATABASE, "x" * 300: DATABASE["one"]}
    (tmp_path / "a.json").write_text(json.dumps({"database": database}))
    assert found(plan(tmp_path)) == {"unusable names": 1}


def test_names_with_a_prefix_and_other_containers_are_found(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    for path in (tmp_path / "visual").iterdir():
        np.savez(path.with_name(f"v_{path.stem}.npz"), feats=np.load(path).T)
        path.unlink()
    checked = plan(tmp_path)
    assert found(checked) == {}
    source, encoder = checked.sources["visual"]
    assert (source.files, source.time_first, encoder) == (("v_{name}.npz",), False, "i3d")


def test_classes_that_are_spelt_alike_are_told(tmp_path: Path) -> None:
    segments = [(0.0, 1.0, "Long jump"), (2.0, 3.0, "long  jump "), (4.0, 5.0, "Longjump"), (6.0, 7.0, "Long jump")]
    write_all(tmp_path, {"one": video(segments)})
    planned = plan(tmp_path)
    (row,) = planned.checked.findings.rows()
    assert (row["found"], row["number"], row["clips"]) == ("classes spelt alike", 1, 0)
    assert row["for example"] == "sport 'Long jump' and 'long  jump '"
    assert not planned.checked.findings.needs_permission and len(planned.checked.segments) == 4


def test_real_epic_and_epic_sounds_enter_a_workspace(shared: Path, tmp_path: Path) -> None:
    files = read_dataset([shared / "data/epic100"], label_set="verb")
    assert {name: len(labels) for name, labels in files.label_sets.items()} == {"verb": 97, "noun": 300}
    names = list(files.videos)[:3]
    kind = replace(DATA_SETS["epic"].visual["slowfast"], channels=2)
    (tmp_path / "f").mkdir()
    for name in names:
        seconds = files.videos[name].duration_s
        np.savez(tmp_path / f"f/{name}.npz", feats=np.zeros((int((seconds * 30 - 32) // 16) + 1, 2), np.float32))
    checked = plan_import("EPIC", files, visual=(kind, tmp_path / "f"))
    assert found(checked) == {"no visual features": 135}
    made = make_workspace(checked, tmp_path / "ws")
    truth = pd.read_csv(shared / "data/epic100/EPIC_100_validation.csv")
    truth = truth[truth["video_id"].isin(names)]
    assert len(made.truth("noun")) == len(truth)
    assert sorted(made.truth("noun")["label"]) == sorted(truth["noun_class"])
    csv = shared / "data/epic_sounds/EPIC_Sounds_validation.csv"
    assert main(["import", "epic-sounds", "--annotations", str(csv), "--workspace", str(made.folder)]) == 0
    events, real = Workspace(made.folder).sound_events, pd.read_csv(csv)
    assert events is not None and len(events) == real["video_id"].isin(names).sum()
    assert set(events["sound"]) <= set(real["class"])


def test_a_workspace_may_take_the_place_of_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(tmp_path, DATABASE)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    make_workspace(plan(tmp_path), tmp_path / "link")
    assert Workspace(tmp_path / "real").clip_ids() == ["one", "v_-two"]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make_workspace(plan(tmp_path), ".")
    assert Workspace(tmp_path / "here").clip_ids() == ["one", "v_-two"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkspaceError, match=r"cannot be written .*; choose another folder"):
        make_workspace(plan(tmp_path), tmp_path / "a.json/ws")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_long_name_leaves_room_for_what_is_the_matter(tmp_path: Path) -> None:
    name = "a" * 100
    write_all(tmp_path, {name: video([(30.0, 40.0, "Diving")])})
    (row,) = [row for row in plan(tmp_path).checked.findings.rows() if row["found"] == "segments outside the clip"]
    assert row["for example"] == f"{'a' * 39}…: 30.00 to 40.00 s of 20.00 s"
