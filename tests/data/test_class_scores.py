"""Class scores of whole videos: which score is whose, and what no such file says."""

from __future__ import annotations

import collections
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mravff_core.data.class_scores import read_class_scores
from mravff_core.errors import AnnotationError

LABELS = ("Hand car wash", "Fixing bicycle", "Washing dishes")


def written(folder: Path, document: Any) -> Path:
    path = folder / "scores.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_file_is_read_with_or_without_names(tmp_path: Path) -> None:
    results = {"x": [0.5, 0.25, 0.25], "y": [0, 0, 1]}
    for document in (results, {"results": results}, {"results": results, "class": list(LABELS)}):
        found = read_class_scores(written(tmp_path, document))
        assert {video: scores.tolist() for video, scores in found.videos.items()} == results
        assert found.names in ((), LABELS) and found.places(LABELS).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "names",
    [
        ["Washing dishes", "Hand car wash", "Fixing bicycle"],
        ["washing_dishes", "hand-car wash", "FIXING  BICYCLE"],
    ],
)
def test_classes_are_matched_by_name(tmp_path: Path, names: list[str]) -> None:
    found = read_class_scores(written(tmp_path, {"results": {"x": [0.1, 0.2, 0.3]}, "class": names}))
    assert found.videos["x"][found.places(LABELS)].tolist() == [0.2, 0.3, 0.1]


def test_names_that_differ_only_in_case_are_told_apart_where_both_sides_do(tmp_path: Path) -> None:
    found = read_class_scores(written(tmp_path, {"results": {"x": [0.1, 0.2]}, "class": ["a_b", "A B"]}))
    assert found.places(["A B", "a_b"]).tolist() == [1, 0]
    with pytest.raises(AnnotationError, match="2 of 2 labels are no class there \\('A-B', 'a-b'\\)"):
        found.places(["A-B", "a-b"])


def test_clips_are_found_with_and_without_the_prefix_of_their_names(tmp_path: Path) -> None:
    found = read_class_scores(written(tmp_path, {"a": [1], "-b": [2], "v_c": [3], "d": [4], "v_d": [5]}))
    of_clip = found.of_clips(["a", "v_-b", "c", "d", "v_d", "e", "v_v_-b"])
    assert {clip: scores.tolist() for clip, scores in of_clip.items()} == {
        "a": [1],
        "v_-b": [2],
        "c": [3],
        "d": [4],
        "v_d": [5],
        "v_v_-b": [2],
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not readable as JSON"),
        ([1], "expected a mapping 'results'"),
        ({"results": {}}, "expected a mapping 'results'"),
        ({"results": [[1]]}, "expected a mapping 'results'"),
        ({"results": {"x": 3}}, "video 'x' has 3, expected a list of one number a class"),
        ({"results": {"x": []}}, "video 'x' has \\[\\], expected a list"),
        ({"results": {"x": [{"label": "a", "score": 1}]}}, "expected a list of one number a class"),
        ({"results": {"x": [0.1, "a"]}}, "expected a list of one number a class"),
        ('{"results": {"x": [0.1, NaN]}}', "video 'x' has 1 scores that are negative or no number, such as nan"),
        ({"results": {"x": [0.1, -2.5]}}, "such as -2.5; expected probabilities: are these logits"),
        (
            {"results": {"x": [1, 2], "y": [1], "z": [1]}},
            "2 of 3 videos have another .* the 2 of the first, such as 'y' w",
        ),
        ({"results": {"x": [1, 2]}, "class": ["a"]}, "1 of 1 videos have another .* the 1 classes named"),
        ({"results": {"x": [1, 2]}, "class": 2}, "names its classes 2, expected a list of names"),
        (
            {"results": {"x": [1, 2]}, "classes": ["a", ["b", "c"]]},
            "names its classes \\['a', \\['b', 'c'\\]\\], expected",
        ),
        ({"results": {"x": [1, 10**400]}}, "video 'x' has .*, expected a list of one number a class"),
        ('{"x": [1], "x": [2]}', "holds 'x' twice"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_class_scores(written(tmp_path, document))


def test_a_missing_file_and_another_format_are_said(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no\.json: no such file of class scores"):
        read_class_scores(tmp_path / "no.json")
    for name, content, words in (
        ("scores.json", pickle.dumps({"x": [1]}), "not readable as JSON .* in another format than its name says"),
        ("scores.pkl", b'{"x": [1]}', "refused, since reading it could run code or it is no pickle"),
        ("scores.pkl", pickle.dumps({"x": [1]})[:-3], "cut short|no pickle"),
        ("scores.pkl", b"", "not readable as a pickle .* cut short"),
        ("scores.pkl", pickle.dumps([1]), "expected a mapping 'results'"),
        ("scores.npy", b"", "not readable as a NumPy array"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AnnotationError, match=words):
            read_class_scores(tmp_path / name)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_plain_containers_and_arrays_is_read(tmp_path: Path, protocol: int) -> None:
    values = [0.5, 0.25, 0.125]
    results = collections.OrderedDict(
        a=values,
        b=np.array(values),
        c=np.array(values, ">f4"),
        d=np.array([values], np.float16),
        e=[np.float64(value) for value in values],
        f=np.asfortranarray([values]),
        g=np.array(values, object),
    )
    path = tmp_path / "scores.pkl"
    for document in (results, {"results": results, "classes": np.array(LABELS)}):
        path.write_bytes(pickle.dumps(document, protocol))
        found = read_class_scores(path)
        assert {video: scores.tolist() for video, scores in found.videos.items()} == dict.fromkeys("abcdefg", values)
        assert found.names == (LABELS if "classes" in document else ())


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """`{"x": numpy.array([1.0])}` as NumPy 1 and Python 2 write it, whose text is bytes."""
    path = tmp_path / "scores.pkl"
    path.write_bytes(
        b"\x80\x02}U\x01xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01\x85cnumpy\n"
        b"dtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08"
        b"\x00\x00\x00\x00\x00\x00\xf0?tbs."
    )
    assert read_class_scores(path).videos["x"].tolist() == [1.0]


class RunsCode:
    """Unpickling this would make a folder; it must never be unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".npy"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, suffix: str) -> None:
    trace, path = tmp_path / "was_run", tmp_path / f"scores{suffix}"
    document = {"x": RunsCode(trace)}
    if suffix == ".npy":
        np.save(path, np.array(document, object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(document))
    with pytest.raises(AnnotationError, match=r"refused, .*\(it names posix\.mkdir\); expected plain lists"):
        read_class_scores(path)
    assert not trace.exists()


@pytest.mark.parametrize("value", [np.array([(1, 2)], "i4,i4"), np.datetime64("2026-01-01"), {1, 2}, 1 + 2j, b"ab"])
def test_a_pickle_of_anything_else_is_refused(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "scores.pkl"
    path.write_bytes(pickle.dumps({"x": value}))
    with pytest.raises(AnnotationError, match=r"scores\.pkl: (refused|video 'x' has)"):
        read_class_scores(path)


def test_thumos_scores_are_those_of_its_classes_by_the_number_of_the_video(tmp_path: Path) -> None:
    scores = np.arange(4 * 101, dtype=np.float32).reshape(4, 101)
    np.save(tmp_path / "uNet_test.npy", scores)
    found = read_class_scores(tmp_path / "uNet_test.npy")
    labels = sorted(found.names)
    of_clip = found.of_clips(["video_test_0000004", "video_test_0000005"])
    assert found.classes == 20 and list(of_clip) == ["video_test_0000004"]
    mine = dict(zip(labels, of_clip["video_test_0000004"][found.places(labels)] - 3 * 101, strict=True))
    # UCF101 numbers its classes from 1, as THUMOS14's own segments do.
    assert mine["BaseballPitch"] == 6 and mine["Diving"] == 25 and mine["VolleyballSpiking"] == 96
    np.save(tmp_path / "uNet_test.npy", scores[:, :20])
    with pytest.raises(AnnotationError, match=r"shape \[4, 20\], which does not say whose scores they are"):
        read_class_scores(tmp_path / "uNet_test.npy")


def test_a_mapping_that_numpy_saved_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.array({"x": np.array([0.5, 0.25])}, object), allow_pickle=True)
    assert read_class_scores(tmp_path / "scores.npy").videos["x"].tolist() == [0.5, 0.25]


def test_logits_become_probabilities_as_for_hacs(tmp_path: Path) -> None:
    path = written(tmp_path, {"results": {"x": [[0.0, np.log(3.0)]], "y": [[-1000.0, 1000.0]]}, "class": ["a", "b"]})
    found = read_class_scores(path, logits=True)
    np.testing.assert_allclose(found.videos["x"], [0.25, 0.75])
    np.testing.assert_allclose(found.videos["y"], [0, 1])
    with pytest.raises(AnnotationError, match="are these logits\\? --logits takes them as such"):
        read_class_scores(path)


def test_other_classes_than_the_label_sets_are_refused(tmp_path: Path) -> None:
    found = read_class_scores(written(tmp_path, {"results": {"x": [1, 2]}}))
    with pytest.raises(AnnotationError, match="has scores of 2 classes, the label set has 3"):
        found.places(LABELS)
    found = read_class_scores(written(tmp_path, {"results": {"x": [1, 2, 3]}, "class": [*LABELS[:2], "Archery"]}))
    with pytest.raises(AnnotationError, match="1 of 3 labels are no class there \\('Washing dishes'\\)"):
        found.places(LABELS)
