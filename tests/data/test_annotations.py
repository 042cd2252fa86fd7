"""Annotation files become segments in seconds, or one clear sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from mravff_core.data.annotations import read_annotations, to_workspace_table
from mravff_core.errors import AnnotationError, ConfigError

LABEL_SETS = {"verb": ("cut", "stir"), "noun": ("pan", "onion")}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_activitynet_json_is_read(tmp_path: Path) -> None:
    database = {"v1": {"duration": 9.0, "annotations": [{"segment": [1, 2.5], "label": "stir"}]}, "v2": {}}
    table = read_annotations(written(tmp_path, "a.json", json.dumps({"database": database})))
    assert table.to_dict("records") == [
        {"clip_id": "v1", "segment_id": "v1_0", "start_s": 1.0, "end_s": 2.5, "verb": "stir"}
    ]
    indexed = to_workspace_table(table, LABEL_SETS, "a.json")
    assert indexed["verb"].tolist() == [1]
    assert indexed["noun"].isna().all()


def test_plain_csv_takes_names_and_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "clip_id,start_s,end_s,verb,noun\nv,0,1,cut,1\nv,2,3.5,stir,\n")
    indexed = to_workspace_table(read_annotations(path), LABEL_SETS, path)
    assert indexed["verb"].tolist() == [0, 1]
    assert indexed["noun"].tolist()[0] == 1
    assert pd.isna(indexed["noun"].tolist()[1])
    assert indexed["segment_id"].tolist() == ["v_0", "v_1"]


def test_names_that_look_like_numbers_are_names(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "clip_id,start_s,end_s,verb\nv,0,1,1\nv,2,3.5,2\nv,4,5,3\n")
    indexed = to_workspace_table(read_annotations(path), {"verb": ["1", "2", "3"]}, path)
    assert indexed["verb"].tolist() == [0, 1, 2]


def test_names_in_a_table_are_never_numbers(tmp_path: Path) -> None:
    rows = "001,0,1,NA\n1e5,0,1,007\nNA,0,1,\n-x,0,1,2\n"
    path = tmp_path / "a.csv"
    path.write_text(f"clip_id,start_s,end_s,verb\n{rows}".replace("\n", "\r\n"), encoding="utf-8-sig")
    table = read_annotations(path)
    assert table["clip_id"].tolist() == ["001", "1e5", "NA", "-x"]
    indexed = to_workspace_table(table, {"verb": ["x", "NA", "y", "007"]}, path)
    assert indexed["verb"].tolist()[:2] == [1, 3] and pd.isna(indexed["verb"].tolist()[2])
    assert indexed["verb"].tolist()[3] == 2


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    database = {"v1": {"annotations": [{"segment": [1, 2.5], "label": "stir"}]}}
    (tmp_path / "a.json").write_text(json.dumps({"database": database}), encoding="utf-8-sig")
    assert read_annotations(tmp_path / "a.json")["verb"].tolist() == ["stir"]


def test_segments_that_run_backwards_may_be_kept_but_not_all(tmp_path: Path) -> None:
    text = "clip_id,start_s,end_s,verb\nv,3,1,cut\nv,4,6,cut\n"
    path = written(tmp_path, "a.csv", text)
    assert len(read_annotations(path, backwards_too=True)) == 2
    with pytest.raises(AnnotationError, match="1 segments end before they start"):
        read_annotations(path)
    path = written(tmp_path, "b.csv", text.replace("4,6", "6,4"))
    with pytest.raises(AnnotationError, match="2 segments end before they start"):
        read_annotations(path, backwards_too=True)


def test_real_epic_annotations_are_read(shared: Path) -> None:
    table = read_annotations(shared / "data/epic100/EPIC_100_validation.csv")
    assert len(table) == 9668
    assert table["clip_id"].nunique() == 138
    assert (table["end_s"] > table["start_s"]).all()


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.json", "{", "not readable as JSON"),
        ("a.json", '{"results": {}}', "has no 'database' mapping"),
        ("a.json", '{"database": {"v": {"annotations": 3}}}', "clip 'v' is no mapping with a list"),
        (
            "a.json",
            '{"database": {"v": {"annotations": [{"segment": [1], "label": "x"}]}}}',
            "annotation 0 of clip 'v'",
        ),
        ("a.json", '{"database": {"v": {"annotations": [{"segment": ["a", 2], "label": "x"}]}}}', "start_s 'a'"),
        (
            "a.json",
            f'{{"database": {{"v": {{"annotations": [{{"segment": [0, {10**400}], "label": "x"}}]}}}}}}',
            "segment 0 has end_s '1000",
        ),
        (
            "a.json",
            '{"database": {"v": {"annotations": [{"segment": [3, 2], "label": "x"}]}}}',
            "end before they start",
        ),
        *[
            (
                "a.json",
                f'{{"database": {{"v": {{"annotations": [{{"segment": [1, 2], "label": {label}}}]}}}}}}',
                "a label",
            )
            for label in ("null", "true", '""', '["x"]', "NaN")
        ],
        (
            "a.json",
            '{"database": {"v": {"duration": 1}, "v": {"duration": 2}}}',
            "holds 'v' twice with different content",
        ),
        ("a.csv", "", "not readable as CSV"),
        ("a.csv", "video,from,to\n1,2,3\n", "lacks column clip_id, start_s, end_s"),
        ("a.csv", "clip_id,start_s,end_s,verb\nv,0,nan,cut\n", "segment 0 has end_s"),
        (
            "a.csv",
            "video_id,start_timestamp,stop_timestamp,verb_class,noun_class\nv,00:01,00:00:02.0,1,1\n",
            "not hours:minutes:seconds",
        ),
        ("a.txt", "x", "suffix '.txt' is not known"),
        (
            "a.csv",
            "clip_id,start_s,end_s,verb\nv,0,1,cut\n,0,1,cut\n",
            "1 segments name no clip, the first is segment 1",
        ),
        ("a.csv", "clip_id,start_s,end_s,verb,verb\nv,0,1,cut,stir\n", "has 2 columns called 'verb'"),
        (
            "a.csv",
            "clip_id,start_s,end_s,verb\nv,0,1,cut,fine\nv,0,1,stir\n",
            "lines with more cells than its first line",
        ),
        ("a.csv", "clip_id,start_s,end_s,verb\nv,0,1,cut,a,b\n", "text with commas but without quotes"),
        ("a.csv", "clip_id,start_s,end_s,audibility\nv,0,1,\nv,0,1,loud\n", "segment 1 has audibility 'loud'"),
        ("a.csv", "clip_id,start_s,end_s,audibility\nv,0,1,1.5\n", "audibility '1.5', expected 0 to 1"),
    ],
)
def test_malformed_files_get_one_sentence(tmp_path: Path, name: str, text: str, match: str) -> None:
    with pytest.raises(AnnotationError, match=match) as caught:
        read_annotations(written(tmp_path, name, text))
    assert name in str(caught.value)


@pytest.mark.parametrize("label_set", ["", "clip_id", "start_s", "audibility", "split"])
def test_labels_are_not_called_like_other_columns(tmp_path: Path, label_set: str) -> None:
    database = {"v": {"annotations": [{"segment": [1, 2], "label": "x"}]}}
    with pytest.raises(ConfigError, match=f"a label set cannot be called '{label_set}'"):
        read_annotations(written(tmp_path, "a.json", json.dumps({"database": database})), label_set)


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", ",clip_id,start_s,end_s,verb,\n0,v,0,1,cut,\n1,v,2,3,stir,\n")
    assert list(read_annotations(path).columns) == ["clip_id", "start_s", "end_s", "verb", "segment_id"]


def test_commas_at_the_ends_of_lines_shift_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "clip_id,start_s,end_s,verb\nv,0,1,cut,\nw,2,3,stir,\n")
    assert read_annotations(path)[["clip_id", "start_s", "end_s", "verb"]].to_numpy().tolist() == [
        ["v", 0, 1, "cut"],
        ["w", 2, 3, "stir"],
    ]


def test_unknown_labels_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "clip_id,start_s,end_s,verb\nv,0,1,fly\n")
    with pytest.raises(AnnotationError, match="verb has no class 'fly'; it has 2, such as cut, stir"):
        to_workspace_table(read_annotations(path), LABEL_SETS, path)
    path = written(tmp_path, "b.csv", "clip_id,start_s,end_s,adverb\nv,0,1,fly\n")
    with pytest.raises(AnnotationError, match="expected one of verb, noun"):
        to_workspace_table(read_annotations(path), LABEL_SETS, path)
