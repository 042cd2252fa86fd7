"""A workspace keeps what it is given, whole, and says clearly what it lacks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import pytest

from mravff_core import TimeGrid, Workspace
from mravff_core.data.features import Features
from mravff_core.errors import ConfigError, FeatureError, WorkspaceError
from mravff_core.files import folder_written_aside, write_text, written_aside
from mravff_core.workspace import Clip
from mravff_core.workspace.clip import clip_id_of, is_clip_id

ROOT = Path(__file__).parents[2]
GRID = TimeGrid(hop_frames=4, window_frames=8, frames_per_second=30)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="test", label_sets={"verb": ["cut", "stir"], "noun": ["pan"]})
    made.add_clips([Clip("b", "B", "b.mp4", 10.0), Clip("a", "A clip", "a.mp4", 12.5, split="validation")])
    return made


def test_clips_come_back_ordered_and_equal(workspace: Workspace) -> None:
    again = Workspace(workspace.folder)
    assert again.clip_ids() == ["a", "b"]
    assert again.clip_ids("validation") == ["a"]
    assert again.clip("a") == Clip("a", "A clip", "a.mp4", 12.5, split="validation")


def test_a_clip_added_by_another_object_is_seen(workspace: Workspace) -> None:
    other = Workspace(workspace.folder)
    assert "c" not in other.clip_ids()
    workspace.add_clips([Clip("c", "C", "c.mp4", 1.0)])
    assert "c" in other.clip_ids()


def at_once(number: int, act: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=act, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_clips_added_at_once_all_stay(workspace: Workspace) -> None:
    def add(number: int) -> None:
        Workspace(workspace.folder).add_clips([Clip(f"n{number}", "", "x.mp4", 1.0)])

    at_once(8, add)
    assert set(workspace.clip_ids()) == {"a", "b", *(f"n{number}" for number in range(8))}


def test_segments_and_sounds_of_some_clips_replace_those_alone_also_at_once(workspace: Workspace) -> None:
    def replace(number: int) -> None:
        row = {"clip_id": [f"c{number}"], "start_s": [0.0], "end_s": [1.0]}
        segments = pd.DataFrame({**row, "segment_id": [f"s{number}"], "verb": [0], "noun": [0]})
        opened = Workspace(workspace.folder)
        opened.set_annotations(segments, [f"c{number}", "gone"])
        opened.set_sound_events(pd.DataFrame({**row, "sound": ["hiss"]}), [f"c{number}"])

    table = {"clip_id": ["c0", "gone"], "start_s": 5.0, "end_s": 6.0, "segment_id": ["old", "gone"], "verb": 0}
    workspace.set_annotations(pd.DataFrame({**table, "noun": 0}))
    at_once(8, replace)
    assert list(workspace.annotations["segment_id"]) == [f"s{number}" for number in range(8)]
    assert workspace.sound_events is not None
    assert list(workspace.sound_events["clip_id"]) == [f"c{number}" for number in range(8)]


def test_truth_holds_one_label_set(workspace: Workspace) -> None:
    workspace.set_annotations(
        pd.DataFrame(
            {
                "clip_id": ["b", "a"],
                "segment_id": ["s2", "s1"],
                "start_s": [1.0, 0.0],
                "end_s": [2.0, 0.5],
                "verb": [1, 0],
                "noun": [0, None],
            }
        )
    )
    assert list(workspace.truth("verb")["label"]) == [0, 1]
    assert list(workspace.truth("noun")["segment_id"]) == ["s2"]
    assert workspace.truth("verb", ["b"]).columns.tolist() == ["clip_id", "segment_id", "start_s", "end_s", "label"]
    with pytest.raises(WorkspaceError, match="no label set 'adverb'; it has verb, noun"):
        workspace.truth("adverb")


def test_features_survive_the_disk(workspace: Workspace) -> None:
    stored = Features(np.arange(12, dtype=np.float32).reshape(3, 4), GRID)
    workspace.set_features("visual", "a", stored)
    again = workspace.features("visual", "a")
    np.testing.assert_array_equal(again.array, stored.array)
    assert again.grid.to_mapping() == GRID.to_mapping()
    with pytest.raises(FeatureError, match="no such feature file"):
        workspace.features("visual", "b")
    workspace.remove_clip("a")
    assert not workspace.feature_path("visual", "a").exists()
    with pytest.raises(WorkspaceError, match="has no clip 'a'"):
        workspace.features("visual", "a")


def test_missing_things_are_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"expected a workspace with workspace\.yaml"):
        Workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="has no clip 'zzz'"):
        workspace.clip("zzz")
    with pytest.raises(WorkspaceError, match="has no run 'x'"):
        workspace.run("x")
    with pytest.raises(WorkspaceError, match="is gone"):
        workspace.video_path("a")
    with pytest.raises(WorkspaceError, match="other label sets"):
        Workspace.create(workspace.folder, name="test", label_sets={"verb": ["other"]})


def test_ids_of_segments_that_begin_anew_in_every_clip_are_told_apart(workspace: Workspace) -> None:
    times = {"start_s": [0.0, 2.0, 0.0, 2.0, 4.0], "end_s": [1.0, 3.0, 1.0, 3.0, 5.0], "verb": 0, "noun": None}
    table = pd.DataFrame({"clip_id": list("aabbb"), "segment_id": ["0", "1", "0", "1", "own"], **times})
    workspace.set_annotations(table)
    ids = workspace.truth("verb")["segment_id"].tolist()
    assert ids == ["a_0", "a_1", "b_0", "b_1", "own"]
    workspace.set_annotations(workspace.annotations.assign(segment_id=["x", "x", "x", "y", "z"]))
    ids = workspace.truth("verb")["segment_id"].tolist()
    assert len(set(ids)) == 5 and ids[3:] == ["y", "z"]


def test_settings_with_a_typo_are_refused(workspace: Workspace) -> None:
    settings = workspace.folder / "workspace.yaml"
    settings.write_text(settings.read_text() + "labelsets: {}\n")
    with pytest.raises(ConfigError, match="has no field labelsets"):
        Workspace(workspace.folder)


def test_a_damaged_table_is_named(workspace: Workspace) -> None:
    (workspace.folder / "clips.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(WorkspaceError, match=r"clips\.parquet: not readable as Parquet"):
        Workspace(workspace.folder).clip_ids()


@pytest.mark.parametrize("title", ["../../etc/passwd", "-rf.mp4", " über Küche.mp4", "", "...", "日本", "a/b\\c\x00"])
def test_every_title_gives_a_safe_id(title: str) -> None:
    assert is_clip_id(clip_id_of(title))
    assert "/" not in clip_id_of(title)


def test_reserved_ids_never_collide(workspace: Workspace) -> None:
    with workspace.reserved_clip_id("a") as first, workspace.reserved_clip_id("a") as second:
        assert (first, second) == ("a_2", "a_3")
    with workspace.reserved_clip_id("a") as again:
        assert again == "a_2"


def test_an_id_taken_while_another_asks_is_not_given_twice(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody adds the clip and lets go of its id between this one's look at the table and its reservation."""
    acquire = filelock.FileLock.acquire

    def acquire_after_another(lock: filelock.FileLock, *args: object, **kwargs: object) -> object:
        if "new.lock" in lock.lock_file and "new" not in workspace.clip_ids():
            workspace.add_clips([Clip("new", "New", "", 1.0)])
        return acquire(lock, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire_after_another)
    with workspace.reserved_clip_id("new") as clip_id:
        assert clip_id == "new_2"


def test_an_id_that_leaves_its_folder_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="not usable"):
        workspace.add_clips([Clip("../a", "", "", 1.0)])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_aside(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    with pytest.raises(RuntimeError), folder_written_aside(tmp_path / "folder") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_is_replaced_whole_though_the_old_one_goes_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in ("old", "new"):
        with folder_written_aside(tmp_path / "folder") as aside:
            (aside / content).write_text(content)
            if content == "new":
                # As if the process were killed by then.
                monkeypatch.setattr("mravff_core.files.shutil.rmtree", lambda *_, **__: None)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["folder"]
    monkeypatch.undo()
    with folder_written_aside(tmp_path / "folder") as aside:
        (aside / "newer").write_text("newer")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["newer"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotADirectoryError), folder_written_aside(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="only Linux has a folder in which nothing can be made")
def test_a_folder_in_which_nothing_can_be_made_is_refused_at_once() -> None:
    with pytest.raises(FileNotFoundError), folder_written_aside("/proc/workspace"):
        pass
    with pytest.raises(WorkspaceError, match=r"/proc/workspace: cannot be made \(No such file"):
        Workspace.create("/proc/workspace", name="none", label_sets={"verb": ["open"]})


@contextmanager
def writing(program: str, *targets: Path) -> Iterator[list[Path]]:
    """Where processes write aside that run a program for a target each, the first of them killed by then."""
    writers, asides = [], []
    try:
        for target in targets:
            command = [sys.executable, "-c", program, str(target)]
            writers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
            assert writers[-1].stdout is not None
            asides.append(Path(writers[-1].stdout.readline().strip()))
        writers[0].kill()
        writers[0].wait()
        yield asides
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_what_a_killed_process_left_aside_is_removed_and_a_living_ones_stays(tmp_path: Path) -> None:
    write = (
        "import sys, time; from pathlib import Path; from mravff_core.files import folder_written_aside\n"
        "with folder_written_aside(sys.argv[1]) as aside:\n"
        "    (aside / 'half').write_text('half'); print(aside, flush=True); time.sleep(600)"
    )
    with (
        writing(write, tmp_path / "killed", tmp_path / "living") as (killed, living),
        folder_written_aside(tmp_path / "mine") as aside,
        folder_written_aside(tmp_path / "other") as other,
    ):
        assert not killed.exists() and (living / "half").exists()
        assert aside.is_dir() and other.is_dir()
    with folder_written_aside(tmp_path / "last"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "mine", "other"]


def test_a_file_that_a_killed_process_left_aside_is_removed_and_a_living_ones_stays(tmp_path: Path) -> None:
    write = (
        "import sys, time; from mravff_core.files import written_aside\n"
        "with written_aside(sys.argv[1]) as aside:\n"
        "    aside.write_text('half'); print(aside, flush=True); time.sleep(600)"
    )
    with writing(write, tmp_path / "killed.pt", tmp_path / "living.pt") as (killed, living):
        write_text(tmp_path / "mine.txt", "whole")
        assert not killed.exists() and living.read_text() == "half"
        assert sorted(path.name for path in tmp_path.iterdir()) == [living.name, f"{living.name}.lock", "mine.txt"]


def test_who_reads_a_file_while_it_is_written_anew_reads_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with target.open() as reader:
        with written_aside(target) as aside:
            aside.write_text("new and longer")
            assert target.read_text() == "old"
        assert reader.read() == "old"
    assert target.read_text() == "new and longer"


def test_a_workspace_that_was_removed_is_said_to_be_gone(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", name="W", label_sets={"verb": ["cut"]})
    shutil.rmtree(tmp_path / "w")
    with pytest.raises(WorkspaceError, match="w: is no longer there; was it moved or removed"):
        workspace.clip_ids()
