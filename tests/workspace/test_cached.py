"""Tables that can be made again are made once, and only the latest are kept."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.workspace import cached
from mravff_core.workspace.cached import cached_table, has_cached_table


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(cached, "_memory", type(cached._memory)())
    return Workspace.create(tmp_path / "ws", name="w", label_sets={"verb": ["cut"]})


def table(workspace: Workspace, number: int, made: list[int] | None = None) -> pd.DataFrame:
    def make() -> pd.DataFrame:
        if made is not None:
            made.append(number)
        return pd.DataFrame({"number": [number]})

    return cached_table(workspace, "table", make, files=[], parameters={"number": number})


def test_threads_that_ask_at_once_wait_for_one_table(workspace: Workspace) -> None:
    made: list[int] = []
    threads = [threading.Thread(target=table, args=(workspace, 1, made)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_damaged_table_is_made_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    table(workspace, 1, made)
    monkeypatch.setattr(cached, "_memory", type(cached._memory)())
    table(workspace, 1, made)
    assert made == [1], "it is read from its file"
    (path,) = (workspace.cache_folder / "tables").iterdir()
    path.write_bytes(b"PAR1 half")
    monkeypatch.setattr(cached, "_memory", type(cached._memory)())
    assert table(workspace, 1, made)["number"].tolist() == [1] and made == [1, 1]


def test_only_the_latest_tables_are_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "_MOST_FILES", 3)
    for number in range(6):
        table(workspace, number)
    assert len(list((workspace.cache_folder / "tables").iterdir())) == 3
    kept = [has_cached_table(workspace, "table", files=[], parameters={"number": number}) for number in range(6)]
    assert kept == [False] * 3 + [True] * 3


def test_a_table_that_another_process_drops_at_the_same_time_is_no_fault(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "_MOST_FILES", 2)
    for number in range(2):
        table(workspace, number)
    glob = Path.glob

    def glob_before_another(folder: Path, pattern: str) -> list[Path]:
        found = sorted(glob(folder, pattern))
        found[0].unlink()
        return found

    monkeypatch.setattr(Path, "glob", glob_before_another)
    assert table(workspace, 2)["number"].tolist() == [2]
