"""Configurations in Python are read for their values, over their bases, and never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mravff_core.config import read_yaml
from mravff_core.errors import ConfigError


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_assignments_give_plain_values(tmp_path: Path) -> None:
    path = _file(
        tmp_path / "plain.py",
        '"""What it is for."""\n'
        "folder = 'data/'  # a comment\n"
        "files = folder + 'missing.txt'\n"
        "steps = 2 * (1024 + 128)\n"
        "model = dict(length=steps, arch=(2, 2, 5), ranges=[(0, 4), (4, 1e4)], norm=None, low=-0.5, m={'a b': True})\n",
    )
    assert read_yaml(path) == {
        "folder": "data/",
        "files": "data/missing.txt",
        "steps": 2304,
        "model": {
            "length": 2304,
            "arch": [2, 2, 5],
            "ranges": [[0, 4], [4, 1e4]],
            "norm": None,
            "low": -0.5,
            "m": {"a b": True},
        },
    }


def test_files_lie_over_their_bases_in_turn(tmp_path: Path) -> None:
    _file(tmp_path / "base/deepest.py", "model = dict(neck=dict(type='FPN', width=8), head=dict(classes=20, layers=2))")
    _file(tmp_path / "base/models.py", "_base_ = 'deepest.py'\nmodel = dict(head=dict(classes=97))")
    _file(tmp_path / "base/data.py", "dataset = dict(test=dict(fps=30))\nmodel = dict(head=dict(layers=3))")
    path = _file(
        tmp_path / "own/recipe.py",
        "_base_ = ['../base/models.py', '../base/data.py']\n"
        "model = dict(neck=dict(_delete_=True, type='Identity'), head=dict(kernel=5))",
    )
    assert read_yaml(path) == {
        "model": {"neck": {"type": "Identity"}, "head": {"classes": 97, "layers": 3, "kernel": 5}},
        "dataset": {"test": {"fps": 30}},
    }


def test_deleting_where_nothing_lies_below_leaves_no_trace(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.py", "model = dict(neck=dict(_delete_=True, inner=dict(_delete_=False, a=1)))")
    assert read_yaml(path) == {"model": {"neck": {"inner": {"a": 1}}}}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("import os", "line 1: import os would have to be run, which is not done"),
        ("a = 1\nb = open('a')", r"line 2: open\('a'\) would have to be run"),
        ("a = b", "line 1: b would have to be run"),
        ("a = [x for x in (1, 2)]", "line 1: .* would have to be run"),
        ("a = dict([('b', 1)])", "line 1: .* would have to be run"),
        ("a = dict(b=1)\nc = dict(**a)", "line 2: .* would have to be run"),
        ("a = {1: 2}", "line 1: .* would have to be run"),
        ("a = 'x' * 9", "line 1: .* would have to be run"),
        ("a = 2 ** 9", "line 1: .* would have to be run"),
        ("a = -'x'", "line 1: .* would have to be run"),
        ("a.b = 1", "line 1: .* would have to be run"),
        ("a += 1", "line 1: .* would have to be run"),
        ("if True:\n    a = 1", "line 1: .* would have to be run"),
        ("a = 1 / 0", "line 1: division by zero"),
        ("a = 10000000 * 10000000 * 10000000", r"line 1: gives a number beyond 1,000,000,000,000,000"),
        ("a = (", r"a\.py: not readable as a configuration in Python"),
        ("_base_ = 'gone.py'", r"gone\.py: no such file"),
        ("_base_ = ['gone.py', 3]", r"_base_ is \['gone.py', 3\], expected names of files"),
        ("_base_ = 5", "_base_ is 5, expected names of files"),
        ("_base_ = dict(a='gone.py')", r"_base_ is {'a': 'gone.py'}, expected names of files"),
        ("\na = " + "-" * 900 + "1", "line 2: a is nested too deeply to be read"),
        ("a = 'b'\nc = " + "+".join(["a"] * 900), "line 2: c is nested too deeply to be read"),
        ("_base_ = 'a.py'", "extends itself"),
    ],
)
def test_anything_else_is_refused_by_line(tmp_path: Path, text: str, match: str) -> None:
    path = _file(tmp_path / "a.py", text)
    with pytest.raises(ConfigError, match=match):
        read_yaml(path)


def test_a_mapping_over_another_kind_is_refused(tmp_path: Path) -> None:
    _file(tmp_path / "base.py", "model = dict(neck=None, head='plain')")
    assert read_yaml(_file(tmp_path / "a.py", "_base_ = 'base.py'\nmodel = dict(neck=dict(a=1))"))["model"] == {
        "neck": {"a": 1},
        "head": "plain",
    }
    with pytest.raises(ConfigError, match=r"b\.py: head is a mapping where .* has .plain.; replace it by _delete_"):
        read_yaml(_file(tmp_path / "b.py", "_base_ = 'base.py'\nmodel = dict(head=dict(a=1))"))


def test_names_that_stand_for_names_do_not_fill_the_memory(tmp_path: Path) -> None:
    for line in ("a{0} = dict(a=a{1}, b=a{1})", "a{0} = a{1} + a{1}"):
        start = "a0 = dict(a=1)" if "dict" in line else "a0 = 'text'"
        text = "\n".join([start, *(line.format(number + 1, number) for number in range(60))])
        with pytest.raises(ConfigError, match="is larger than any configuration"):
            read_yaml(_file(tmp_path / "a.py", text))
