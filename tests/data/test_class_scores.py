"""Class scores of whole videos: which score is whose, and what no such file says."""

from __future__ import annotations

import json
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
    of_clip = found.of_clips(["a", "v_-b", "c", "d", "v_d", "e"])
    assert {clip: scores.tolist() for clip, scores in of_clip.items()} == {
        "a": [1],
        "v_-b": [2],
        "c": [3],
        "d": [4],
        "v_d": [5],
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
        ('{"x": [1], "x": [2]}', "holds 'x' twice"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_class_scores(written(tmp_path, document))


def test_a_missing_file_and_a_pickle_are_said(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no\.json: no such file of class scores"):
        read_class_scores(tmp_path / "no.json")
    path = tmp_path / "scores.pkl"
    path.write_bytes(np.arange(3.0).dumps())
    with pytest.raises(AnnotationError, match="or a pickle, which is never opened"):
        read_class_scores(path)


def test_other_classes_than_the_label_sets_are_refused(tmp_path: Path) -> None:
    found = read_class_scores(written(tmp_path, {"results": {"x": [1, 2]}}))
    with pytest.raises(AnnotationError, match="has scores of 2 classes, the label set has 3"):
        found.places(LABELS)
    found = read_class_scores(written(tmp_path, {"results": {"x": [1, 2, 3]}, "class": [*LABELS[:2], "Archery"]}))
    with pytest.raises(AnnotationError, match="1 of 3 labels are no class there \\('Washing dishes'\\)"):
        found.places(LABELS)
