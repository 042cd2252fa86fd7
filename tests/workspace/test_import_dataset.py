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
from mravff_core.errors import AnnotationError, FeatureError, WorkspaceError
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import build_detector
from mravff_core.workspace.import_dataset import make_workspace, plan_import
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
    save_detector(build_detector(replace(config, label_set="sport", features=sets)), made.runs_folder / "run")
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
    assert good[["start_s", "end_s"]].to_numpy().tolist() == [[1.0, 4.0], [18.0, 20.0]]


@pytest.mark.parametrize("segment", [(20.0, 20.2), (20.1, 20.4), (-0.4, -0.1)])
def test_nothing_is_lost_within_what_is_rounded(tmp_path: Path, segment: tuple[float, float]) -> None:
    write_all(tmp_path, {"one": video([(*segment, "Diving"), (19.0, 20.4, "Diving")])})
    checked = plan(tmp_path)
    assert found(checked) == {"segments outside the clip": 1}
    assert checked.checked.segments[["start_s", "end_s"]].to_numpy().tolist() == [[19.0, 20.0]]


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
    with pytest.raises(WorkspaceError, match=r"other label sets \(sport \(2\)\)"):
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
    assert found(plan_import("T", files, visual=(VISUAL, tmp_path / "visual"), values=values)) == {}
    assert whole == dict.fromkeys(DATABASE, reads)


def test_class_names_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    write_all(tmp_path, DATABASE)
    (tmp_path / "classes.txt").write_text("Diving\nBilliards\n", encoding="utf-8-sig")
    assert found(plan(tmp_path, classes=tmp_path / "classes.txt")) == {}


@pytest.mark.parametrize(
    ("label_ids", "match"),
    [
        ([0, 0], "labels 'a' and 'b' have both the number 0"),
        ([0, -1], "label 'b' has the number -1, expected a whole one from 0 to 99999"),
        ([0, 10**8], "has the number 100000000, expected"),
        ([True, 1], "label 'a' has the number True"),
        ([0, "x"], "has the number 'x'"),
        ([0, 1.5], "has the number 1.5"),
        (["1", 0.0], ""),
    ],
)
def test_numbers_of_labels_are_whole_and_each_its_own(tmp_path: Path, label_ids: list[Any], match: str) -> None:
    both = video([(0, 1, "a"), (1, 2, "b")])
    for item, number in zip(both["annotations"], label_ids, strict=True):
        item["label_id"] = number
    (tmp_path / "a.json").write_text(json.dumps({"database": {"v": both}}))
    if not match:
        assert read_dataset([tmp_path / "a.json"], label_set="sport").label_sets == {"sport": ("b", "a")}
        return
    with pytest.raises(AnnotationError, match=match):
        read_dataset([tmp_path / "a.json"], label_set="sport")


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"database": {}}))
    with pytest.raises(AnnotationError, match="names no video"):
        read_dataset([tmp_path / "a.json"], label_set="sport")
    (tmp_path / "a.json").write_text(json.dumps({"database": DATABASE}))
    (tmp_path / "b.json").write_text(json.dumps({"database": {"one": DATABASE["one"]}}))
    with pytest.raises(AnnotationError, match=r"b.json: speaks of video 'one', as another of the files does \(1 such"):
        read_dataset([tmp_path / "a.json", tmp_path / "b.json"], label_set="sport")
    rows = "x,train,0,1,cut\nx,val,2,3,cut\n"
    (tmp_path / "a.csv").write_text(f"clip_id,split,start_s,end_s,verb\n{rows}")
    with pytest.raises(AnnotationError, match="clip 'x' has split train and val, expected one"):
        read_dataset([tmp_path / "a.csv"], label_set="verb")
    (tmp_path / "a.csv").write_text("clip_id,start_s,end_s,verb\nx,0,1,cut\n")
    with pytest.raises(AnnotationError, match="speaks of video 'x'"):
        read_dataset([tmp_path / "a.csv", tmp_path / "a.csv"], label_set="verb")


EPIC_FILES = {
    "EPIC_100_validation.csv": "narration_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    "a,P01_01,00:00:01.00,00:00:02.50,0,1\n",
    "EPIC_100_test_timestamps.csv": "narration_id,video_id,start_timestamp,stop_timestamp\n",
    "EPIC_100_video_info.csv": "video_id,duration,fps\nP01_01,60.5,59.94\n",
    "EPIC_100_verb_classes.csv": "id,key\n0,take\n1,NA\n",
    "EPIC_100_noun_classes.csv": "id,key\n0,pan\n1,pot\n",
}


@pytest.mark.parametrize(
    ("name", "more", "match"),
    [
        ("EPIC_100_validation.csv", "b,P01_01,x,x,x,x,x,x\n", "not readable as CSV .*; truncated?"),
        ("EPIC_100_validation.csv", "\xe9,P01_01,00:00:01.00,00:00:02.50,0,1\n", "not readable as CSV"),
        ("EPIC_100_validation.csv", "b,,00:00:01.00,00:00:02.50,0,1\n", "has rows that name no video"),
        ("EPIC_100_test_timestamps.csv", "b,,00:00:01.00,00:00:02.50\n", "has rows that name no video"),
        ("EPIC_100_video_info.csv", "P01_02,long,50\n", "duration of video 'P01_02' is 'long'"),
        ("EPIC_100_video_info.csv", "P01_02,inf,50\n", "duration of video 'P01_02' is inf"),
        ("EPIC_100_video_info.csv", "P01_02,1,2,3,4\n", "not readable as CSV"),
        ("EPIC_100_verb_classes.csv", "2,put,3\n", "not readable as CSV"),
        ("EPIC_100_verb_classes.csv", "2,\n", "class 2 has no name"),
    ],
)
def test_damaged_files_of_epic_are_named(tmp_path: Path, name: str, more: str, match: str) -> None:
    for file, text in EPIC_FILES.items():
        (tmp_path / file).write_text(text)
    assert read_dataset([tmp_path], label_set="verb").label_sets["verb"] == ("take", "NA")
    (tmp_path / name).write_text(EPIC_FILES[name] + more, encoding="latin-1")
    with pytest.raises(AnnotationError, match=match) as caught:
        read_dataset([tmp_path], label_set="verb")
    assert name in str(caught.value)


def test_a_length_that_nobody_has_is_taken_from_the_features(tmp_path: Path) -> None:
    for file, text in {**EPIC_FILES, "EPIC_100_video_info.csv": "video_id,duration,fps\nP01_01,,59.94\n"}.items():
        (tmp_path / file).write_text(text)
    assert read_dataset([tmp_path], label_set="verb").videos["P01_01"].duration_s == 0


def test_labels_have_one_column_and_a_name_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("clip_id,start_s,end_s,label,verb\nx,0,1,cut,cut\n")
    with pytest.raises(AnnotationError, match="has columns label and verb, which are the same here"):
        read_dataset([tmp_path / "a.csv"], label_set="verb")
    (tmp_path / "a.csv").write_text("clip_id,start_s,end_s,action\nx,0,1,cut\n")
    with pytest.raises(AnnotationError, match="labels cannot be called 'action'"):
        read_dataset([tmp_path / "a.csv"], label_set="verb")
    (tmp_path / "a.csv").write_text("clip_id,start_s,end_s,verb,note\nx,0,1,cut,\n")
    found = read_dataset([tmp_path / "a.csv"], label_set="verb")
    assert list(found.label_sets) == ["verb"] and "note" not in found.segments


@pytest.mark.parametrize(
    ("content", "match"),
    [("Jümp\n".encode("utf-16"), "save it as UTF-8"), ("Jümp\n".encode("latin-1"), "not readable")],
)
def test_class_names_in_another_encoding_are_refused(tmp_path: Path, content: bytes, match: str) -> None:
    write_all(tmp_path, DATABASE)
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(AnnotationError, match=match):
        plan(tmp_path, classes=tmp_path / "classes.txt")


def test_numbers_beyond_all_bounds_are_no_lengths(tmp_path: Path) -> None:
    write_all(tmp_path, {"one": video([], duration=10**400)})
    with pytest.raises(AnnotationError, match="duration of video 'one' is 1000"):
        plan(tmp_path)


def test_a_blank_subset_is_none(tmp_path: Path) -> None:
    write_all(tmp_path, {"one": video([(1.0, 2.0, "Diving")], subset=" ")})
    assert plan(tmp_path).checked.clips[0].split == "own"


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


@pytest.mark.parametrize(("label_set", "told"), [("noun", True), ("sport", False)])
def test_verbs_and_nouns_in_two_json_files_are_told_where_both_are(tmp_path: Path, label_set: str, told: bool) -> None:
    for name in ("verb.json", "noun.json"):
        (tmp_path / name).write_text(json.dumps({"database": DATABASE}))
    with pytest.raises(AnnotationError, match=r"speaks of video '-two', .* \(2 such videos\)") as refused:
        read_dataset([tmp_path / "verb.json", tmp_path / "noun.json"], label_set=label_set)
    assert ("verbs and nouns together are read from EPIC-Kitchens' CSV files" in str(refused.value)) is told


def test_classes_that_are_spelt_alike_are_told(tmp_path: Path) -> None:
    segments = [(0.0, 1.0, "Long jump"), (2.0, 3.0, "long  jump "), (4.0, 5.0, "Longjump"), (6.0, 7.0, "Long jump")]
    write_all(tmp_path, {"one": video(segments)})
    planned = plan(tmp_path)
    (row,) = planned.checked.findings.rows()
    assert (row["found"], row["number"], row["clips"]) == ("classes spelt alike", 1, 0)
    assert row["for example"] == "sport 'Long jump' and 'long  jump '"
    assert not planned.checked.findings.needs_permission and len(planned.checked.segments) == 4


def test_numbers_of_labels_order_the_classes(tmp_path: Path) -> None:
    first = video([(1.0, 2.0, "Zumba")])
    first["annotations"][0]["label_id"] = 0
    second = video([(1.0, 2.0, "Archery")])
    second["annotations"][0]["label_id"] = 2
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": first, "two": second}}))
    files = read_dataset([tmp_path / "a.json"], label_set="sport")
    assert files.label_sets == {"sport": ("Zumba", "class 1", "Archery")}


def test_a_number_of_frames_says_the_rate_as_opentads_files_do(tmp_path: Path) -> None:
    counted, told = (video([(1.0, 2.0, "Diving")], fps=rate, frame=500) for rate in (None, 30.0))
    (tmp_path / "a.json").write_text(json.dumps({"database": {"counted": counted, "told": told}}))
    files = read_dataset([tmp_path / "a.json"], label_set="sport")
    assert [files.videos[name].frames_per_second for name in ("counted", "told")] == [25, 30]


def test_plain_csv_says_split_and_length(tmp_path: Path) -> None:
    rows = "x,train,10,25,0,1,cut\nx,train,10,25,2,3,pour\ny,val,5,30,1,2,\n"
    (tmp_path / "a.csv").write_text(f"clip_id,split,duration_s,frames_per_second,start_s,end_s,verb\n{rows}")
    files = read_dataset([tmp_path / "a.csv"], label_set="verb")
    assert files.label_sets == {"verb": ("cut", "pour")}
    described = [(video.split, video.duration_s, video.frames_per_second) for video in files.videos.values()]
    assert described == [("train", 10, 25), ("validation", 5, 30)]


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


def test_files_of_epic_say_by_their_names_which_split_they_are(tmp_path: Path) -> None:
    classes = "id,key\n0,take\n1,put\n"
    for name in ("verb", "noun"):
        (tmp_path / f"EPIC_100_{name}_classes.csv").write_text(classes)
    (tmp_path / "EPIC_100_video_info.csv").write_text("video_id,duration,fps\nP01_01,60.5,59.94\n")
    columns = "narration_id,video_id,start_timestamp,stop_timestamp"
    for number, split in enumerate(("train", "validation"), start=1):
        row = f"P01_0{number}_0,P01_0{number},00:00:01.00,00:00:02.50,0,1"
        (tmp_path / f"EPIC_100_{split}.csv").write_text(f"{columns},verb_class,noun_class\n{row}\n")
    (tmp_path / "EPIC_100_test_timestamps.csv").write_text(f"{columns}\nP01_03_0,P01_03,00:00:01.00,00:00:02.50\n")
    files = read_dataset([tmp_path], label_set="verb")
    assert {name: video.split for name, video in files.videos.items()} == {
        "P01_01": "train",
        "P01_02": "validation",
        "P01_03": "test",
    }
    assert (files.videos["P01_01"].duration_s, files.videos["P01_01"].frames_per_second) == (60.5, 59.94)
    assert files.segments["clip_id"].tolist() == ["P01_01", "P01_02"]


@pytest.mark.parametrize(
    ("duration", "classes", "match"),
    [
        ("long", "id,key\n0,cut\n1,pan\n", "video_info.csv: duration of video 'P01_01' is 'long', expected a number"),
        ("-3", "id,key\n0,cut\n1,pan\n", "video_info.csv: duration of video 'P01_01' is -3"),
        ("9", "id,key\n0,cut\none,pan\n", "verb_classes.csv: ids are not 0 to 1, each once"),
    ],
)
def test_numbers_beside_epics_annotations_are_checked(tmp_path: Path, duration: str, classes: str, match: str) -> None:
    for name in ("verb", "noun"):
        (tmp_path / f"EPIC_100_{name}_classes.csv").write_text(classes)
    (tmp_path / "EPIC_100_video_info.csv").write_text(f"video_id,duration,fps\nP01_01,{duration},50\n")
    (tmp_path / "EPIC_100_validation.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:01.0,00:00:02.0,0,1\n"
    )
    with pytest.raises(AnnotationError, match=match):
        read_dataset([tmp_path], label_set="verb")


def test_what_epics_files_leave_open_is_unknown_and_no_name_is_taken_for_nothing(tmp_path: Path) -> None:
    for name in ("verb", "noun"):
        (tmp_path / f"EPIC_100_{name}_classes.csv").write_text("id,key\n0,null\n1,pan\n")
    (tmp_path / "EPIC_100_video_info.csv").write_text("video_id,duration,fps\nP01_01,,50\n")
    (tmp_path / "EPIC_100_validation.csv").write_text(
        "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nP01_01,00:00:01.0,00:00:02.0,0,1\n"
    )
    files = read_dataset([tmp_path], label_set="verb")
    assert (files.videos["P01_01"].duration_s, files.videos["P01_01"].frames_per_second) == (0, 50)
    assert files.label_sets["verb"] == ("null", "pan")


def test_real_thumos_annotations_are_read(shared: Path) -> None:
    files = read_dataset([shared / "data/thumos14/thumos14_test_extra_characteristics.json"], label_set="sport")
    assert (len(files.videos), len(files.segments), len(files.label_sets["sport"])) == (212, 3358, 20)
    assert {video.split for video in files.videos.values()} == {"test"}


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


def test_unreadable_sound_files_are_refused(tmp_path: Path) -> None:
    from mravff_core.data.sound_events import read_epic_sounds

    (tmp_path / "s.csv").write_text("video_id,class\nx,y\n")
    with pytest.raises(AnnotationError, match="lacks column start_timestamp, stop_timestamp"):
        read_epic_sounds([tmp_path / "s.csv"])
    with pytest.raises(AnnotationError, match="no such file of sound events"):
        read_epic_sounds([tmp_path / "gone.csv"])
