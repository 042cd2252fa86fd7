"""What the documents say to type can be typed, and the settings that they name are there."""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing
from pathlib import Path

import pytest

from mravff_core.cli import _parser, main
from mravff_core.config import Recipe
from mravff_core.model.official_families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:\.venv/bin/)?(?:python -m mravff_core|mravff) (.+)$", re.MULTILINE)
SECTIONS = {name: cls for name, cls in typing.get_type_hints(Recipe).items() if dataclasses.is_dataclass(cls)}
SETTING = re.compile(rf"\b({'|'.join(SECTIONS)})\.(?!py\b|yaml\b|json\b)([a-z_]+)")


def commands() -> list[str]:
    found = []
    for document in DOCUMENTS:
        blocks = re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
        for block in blocks:
            found += COMMAND.findall(block.replace("\\\n", " "))
    return found


@pytest.mark.parametrize("words", commands())
def test_a_command_of_the_documents_is_understood(words: str) -> None:
    _parser().parse_args(shlex.split(words, comments=True))


def help_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    return capsys.readouterr().out


def test_every_command_is_listed_and_shows_an_example_that_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    names = re.findall(r"^  ([a-z][a-z-]+) ", help_of([], capsys), re.MULTILINE)
    kinds = re.findall(r"^    ([a-z][a-z0-9-]+) ", help_of(["import"], capsys), re.MULTILINE)
    assert len(names) > 20 and len(kinds) > 7
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| command |")[2].partition("\n\n")[0]
    in_readme = re.findall(r"^\| `([a-z-]+)", table, re.MULTILINE)
    assert list(dict.fromkeys(in_readme)) == names
    for words in [*([name] for name in names), *(["import", kind] for kind in kinds)]:
        (example,) = re.findall(r"^example: python -m mravff_core (.+)$", help_of(words, capsys), re.MULTILINE)
        assert example.split()[: len(words)] == words
        _parser().parse_args(shlex.split(example))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_settings_and_files_of_the_documents_are_there(document: Path) -> None:
    spans = re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8"))
    for span in spans:
        for section, name in SETTING.findall(span):
            assert name in {field.name for field in dataclasses.fields(SECTIONS[section])}, span
        if re.fullmatch(r"(mravff_core|app|configs|docs|notebooks)/[\w/.]+", span):
            assert (ROOT / span).exists(), span


def test_what_the_library_is_said_to_do_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, typing.Any] = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), names)
    assert names["scored"].average == pytest.approx(0.5)
    assert (tmp_path / "runs/small/model.safetensors").is_file()
    assert set(names["prediction"].detections["label"]) == {0, 1}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.kind)
def test_every_setting_that_is_taken_over_says_what_it_is_called_here(family: typing.Any) -> None:
    rows = (ROOT / "docs/from_other_code.md").read_text(encoding="utf-8").splitlines()
    for theirs, ours in family.fields.items():
        assert any(theirs in row and f"`base.{ours}" in row for row in rows), (theirs, ours)
