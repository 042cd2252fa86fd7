"""Annotation files of a data set are read as they were meant, and refused in one sentence where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mravff_core.data.dataset_files import read_dataset
from mravff_core.data.datasets import DATA_SETS
from mravff_core.errors import AnnotationError
from tests.workspace.small_data_set import DATABASE, video


def test_class_names_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"database": DATABASE}))
    (tmp_path / "classes.txt").write_text("Diving\nBilliards\n", encoding="utf-8-sig")
    files = read_dataset([tmp_path / "a.json"], label_set="sport", classes=tmp_path / "classes.txt")
    assert files.label_sets == {"sport": ("Diving", "Billiards")}


@pytest.mark.parametrize("words", [("Validation", "Test"), ("training", "validation")])
def test_thumos_videos_are_in_the_splits_that_their_names_say(tmp_path: Path, words: tuple[str, str]) -> None:
    trained_on, scored_on = (video([(0, 1, "a")], subset=subset) for subset in words)
    database = {"video_validation_0000051": trained_on, "video_test_0000004": scored_on}
    (tmp_path / "a.json").write_text(json.dumps({"database": database}))
    own = DATA_SETS["thumos14"].named_splits
    files = read_dataset([tmp_path / "a.json"], label_set="sport", named_splits=own)
    assert [found.split for found in files.videos.values()] == ["validation", "test"]


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


def test_a_length_that_is_left_blank_is_unknown(tmp_path: Path) -> None:
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
    (tmp_path / "a.json").write_text(json.dumps({"database": DATABASE}))
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(AnnotationError, match=match):
        read_dataset([tmp_path / "a.json"], label_set="sport", classes=tmp_path / "classes.txt")


def test_numbers_beyond_all_bounds_are_no_lengths(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": video([(1, 2, "a")], duration=10**400)}}))
    with pytest.raises(AnnotationError, match="duration of video 'one' is 1000"):
        read_dataset([tmp_path / "a.json"], label_set="sport")


@pytest.mark.parametrize(("subset", "split"), [(" ", "own"), ("Training", "train"), ("valid", "validation")])
def test_subsets_have_one_word_each_and_a_blank_one_is_none(tmp_path: Path, subset: str, split: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": video([(1.0, 2.0, "Diving")], subset=subset)}}))
    assert read_dataset([tmp_path / "a.json"], label_set="sport").videos["one"].split == split


@pytest.mark.parametrize(("label_set", "told"), [("noun", True), ("sport", False)])
def test_verbs_and_nouns_in_two_json_files_are_told_where_both_are(tmp_path: Path, label_set: str, told: bool) -> None:
    for name in ("verb.json", "noun.json"):
        (tmp_path / name).write_text(json.dumps({"database": DATABASE}))
    with pytest.raises(AnnotationError, match=r"speaks of video '-two', .* \(2 such videos\)") as refused:
        read_dataset([tmp_path / "verb.json", tmp_path / "noun.json"], label_set=label_set)
    assert ("verbs and nouns together are read from EPIC-Kitchens' CSV files" in str(refused.value)) is told


def test_numbers_of_labels_order_the_classes(tmp_path: Path) -> None:
    first = video([(1.0, 2.0, "Zumba")])
    first["annotations"][0]["label_id"] = 0
    second = video([(1.0, 2.0, "Archery")])
    second["annotations"][0]["label_id"] = 2
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": first, "two": second}}))
    files = read_dataset([tmp_path / "a.json"], label_set="sport")
    assert files.label_sets == {"sport": ("Zumba", "class 1", "Archery")}


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [((10, 9, "2"), ("2", "9", "10")), (("10", "9", "b"), ("10", "9", "b")), (("1", "01"), ("01", "1"))],
)
def test_labels_that_are_all_numbers_are_ordered_by_size(
    tmp_path: Path, labels: tuple[Any, ...], ordered: tuple[str, ...]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": video([(0, 1, label) for label in labels])}}))
    assert read_dataset([tmp_path / "a.json"], label_set="sport").label_sets["sport"] == ordered
    rows = "".join(f"one,0,1,{label}\n" for label in labels)
    (tmp_path / "a.csv").write_text(f"clip_id,start_s,end_s,sport\n{rows}")
    assert read_dataset([tmp_path / "a.csv"], label_set="verb").label_sets["sport"] == ordered


@pytest.mark.parametrize("numbered", [False, True])
def test_ambiguous_is_no_class_of_thumos(tmp_path: Path, numbered: bool) -> None:
    one = video([(1.0, 2.0, "Ambiguous"), (3.0, 4.0, "Diving"), (3.0, 4.0, "Billiards")])
    for number, item in enumerate(one["annotations"] if numbered else []):
        item["label_id"] = 2 - number
    (tmp_path / "a.json").write_text(json.dumps({"database": {"one": one}}))
    (tmp_path / "classes.txt").write_text("Diving\nAmbiguous\n")
    none = DATA_SETS["thumos14"].no_classes
    files = read_dataset([tmp_path / "a.json"], label_set="sport", no_classes=none)
    assert files.label_sets == {"sport": ("Billiards", "Diving")} and len(files.segments) == 3
    files = read_dataset([tmp_path / "a.json"], label_set="sport", no_classes=none, classes=tmp_path / "classes.txt")
    assert files.label_sets == {"sport": ("Diving", "Ambiguous")}


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


def test_unreadable_sound_files_are_refused(tmp_path: Path) -> None:
    from mravff_core.data.sound_events import read_epic_sounds

    (tmp_path / "s.csv").write_text("video_id,class\nx,y\n")
    with pytest.raises(AnnotationError, match="lacks column start_timestamp, stop_timestamp"):
        read_epic_sounds([tmp_path / "s.csv"])
    with pytest.raises(AnnotationError, match="no such file of sound events"):
        read_epic_sounds([tmp_path / "gone.csv"])


def test_a_file_of_sounds_given_twice_counts_once(tmp_path: Path) -> None:
    from mravff_core.data.sound_events import read_epic_sounds

    path = tmp_path / "s.csv"
    path.write_text("video_id,start_timestamp,stop_timestamp,class\nx,00:00:01.0,00:00:02.0,rustle\n")
    assert len(read_epic_sounds([path, path])) == 1
