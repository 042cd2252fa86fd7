"""Every malformed input gets exit code 2, one clear sentence that names it, and leaves nothing behind."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mravff_core import Workspace
from mravff_core.cli import main
from tests.media.factory import make_video, tone
from tests.small_workspace import small_workspace

Prepare = Callable[[Path], list[str]]


class RunsCode:
    """Unpickling this would make a file; it must never be unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.trace,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad")
    small_workspace(made / "ws", clips=2)
    return made


def snapshot(folder: Path) -> dict[str, bytes]:
    skipped = {"cache", "predictions", "bad"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "ws").rglob("*")
        if path.is_file() and not skipped & set(path.parts) and path.name != ".lock"
    }


def bad_file(folder: Path, name: str, content: bytes) -> str:
    path = folder / "bad" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return str(path)


def localize(content: bytes | None, name: str = "clip.mp4") -> Prepare:
    def prepare(folder: Path) -> list[str]:
        path = str(folder / "bad" / "gone.mp4") if content is None else bad_file(folder, name, content)
        return ["localize", path, "--workspace", str(folder / "ws"), "--out", str(folder / "ws" / "result.json")]

    return prepare


def video_of_a_folder(folder: Path) -> list[str]:
    (folder / "bad" / "folder.mp4").mkdir(parents=True, exist_ok=True)
    return ["localize", str(folder / "bad" / "folder.mp4"), "--workspace", str(folder / "ws")]


def sound_only(folder: Path) -> list[str]:
    import av

    (folder / "bad").mkdir(exist_ok=True)
    path = folder / "bad" / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        block = av.AudioFrame.from_ndarray(tone(1.0)[None], format="fltp", layout="mono")
        block.sample_rate = 16000
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return ["localize", str(path), "--workspace", str(folder / "ws")]


def truncated_video(folder: Path) -> list[str]:
    (folder / "bad").mkdir(exist_ok=True)
    content = make_video(folder / "bad" / "whole.mp4", 1.0).read_bytes()
    return ["localize", bad_file(folder, "cut.mp4", content[: len(content) // 8]), "--workspace", str(folder / "ws")]


def annotations(name: str, text: str) -> Prepare:
    return lambda folder: [
        "import",
        "--annotations",
        bad_file(folder, name, text.encode()),
        "--workspace",
        str(folder / "ws"),
    ]


def feature_file(write: Callable[[Path], object]) -> Prepare:
    def prepare(folder: Path) -> list[str]:
        path = Workspace(folder / "ws").feature_path("visual", "clip_0")
        write(path)
        return ["predict", "--workspace", str(folder / "ws"), "--run", "verb_visual", "--clips", "clip_0"]

    return prepare


def checkpoint(change: Callable[[Path], object]) -> Prepare:
    def prepare(folder: Path) -> list[str]:
        broken = folder / "bad" / "run"
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(folder / "ws/runs/verb_mrav", broken)
        change(broken)
        video = str(folder / "ws/media/clip_0.mp4")
        return ["localize", video, "--checkpoint", str(broken), "--workspace", str(folder / "ws")]

    return prepare


def recipe(text: str) -> Prepare:
    return lambda folder: ["train", bad_file(folder, "recipe.yaml", text.encode()), "--workspace", str(folder / "ws")]


def in_workspace(*words: str) -> Prepare:
    return lambda folder: [*words, "--workspace", str(folder / "ws")]


def zip_file() -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "a")
    return buffer.getvalue()


def pickled_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(RunsCode(folder / "was_run")))


def yaml_that_runs(folder: Path) -> None:
    (folder / "config.yaml").write_text("!!python/object/apply:os.system ['true']")


def unknown_field(folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("label_set:", "lable_set:"))


def setting(line: str, changed: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.yaml"
        assert re.search(line, path.read_text())
        path.write_text(re.sub(line, changed, path.read_text(), count=1))

    return change


def fewer_labels(folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("- pour\n", ""))


CASES: dict[str, tuple[Prepare, str]] = {
    "video missing": (localize(None), "gone.mp4"),
    "video empty": (localize(b""), "clip.mp4"),
    "video is text": (localize(b"hello " * 100), "clip.mp4"),
    "video is an archive": (localize(zip_file()), "clip.mp4"),
    "video is noise": (localize(np.random.default_rng(0).bytes(50_000)), "clip.mp4"),
    "video is a web page": (localize(b"<html><script>alert(1)</script></html>", "x.webm"), "x.webm"),
    "video is a folder": (video_of_a_folder, "folder.mp4"),
    "video cut short": (truncated_video, "cut.mp4"),
    "video has no picture": (sound_only, "song.mp4"),
    "annotations missing": (in_workspace("import", "--annotations", "gone.json"), "gone.json: no such annotation file"),
    "annotations empty": (annotations("a.csv", ""), "a.csv: not readable as CSV"),
    "annotations half a document": (annotations("a.json", '{"database": {'), "a.json: not readable as JSON"),
    "annotations are results": (annotations("a.json", '{"results": {}}'), "no 'database'"),
    "annotations backwards": (annotations("a.csv", "clip_id,start_s,end_s,verb\nclip_0,2,1,cut\n"), "end before"),
    "annotations without times": (annotations("a.csv", "clip_id,verb\nclip_0,cut\n"), "lacks column start_s, end_s"),
    "annotations of unknown labels": (annotations("a.csv", "clip_id,start_s,end_s,verb\nclip_0,0,1,fly\n"), "'fly'"),
    "annotations of other clips": (
        annotations("a.csv", "clip_id,start_s,end_s,verb\nx,0,1,cut\n"),
        "none of its 1 clips",
    ),
    "features damaged": (feature_file(lambda path: path.write_bytes(b"PK\x03\x04nothing")), "clip_0.npz: not readable"),
    "features not finite": (
        feature_file(
            lambda path: np.savez(
                path,
                features=np.full((192, 9), np.inf),
                hop_frames=4,
                window_frames=8,
                frames_per_second=30,
                offset_frames=2,
            )
        ),
        "not finite",
    ),
    "features of another encoder": (
        feature_file(
            lambda path: np.savez(
                path, features=np.zeros((7, 9)), hop_frames=4, window_frames=8, frames_per_second=30, offset_frames=2
            )
        ),
        "expected [192, time]",
    ),
    "features without a grid": (feature_file(lambda path: np.savez(path, features=np.zeros((192, 9)))), "no time grid"),
    "features pickled": (
        feature_file(lambda path: np.savez(path, features=np.array([RunsCode(path)], dtype=object))),
        "clip_0.npz",
    ),
    "weights pickled": (checkpoint(pickled_weights), "not readable as safetensors"),
    "weights cut short": (
        checkpoint(lambda run: (run / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:999])),
        "not readable as safetensors",
    ),
    "weights missing": (checkpoint(lambda run: (run / "model.safetensors").unlink()), "has no model.safetensors"),
    "configuration runs code": (checkpoint(yaml_that_runs), "config.yaml: not readable as YAML"),
    "configuration misspelt": (checkpoint(unknown_field), "has no field lable_set"),
    "configuration of another model": (checkpoint(fewer_labels), "do not fit the configuration"),
    "configuration of a billion channels": (
        checkpoint(setting(r"input_channels: \d+", "input_channels: 1000000000")),
        "config.yaml.base: input_channels 1000000000, embed_channels",
    ),
    "configuration of endless sound": (
        checkpoint(setting(r"audio_channels: \d+", "audio_channels: 1000000000")),
        "fusion.audio_channels 1000000000, fusion.audio_kernel 3 together need",
    ),
    "configuration of numbers too long to read": (
        checkpoint(setting(r"input_channels: \d+", "input_channels: 1" + "0" * 5000)),
        "config.yaml: not readable as YAML",
    ),
    "checkpoint missing": (in_workspace("localize", "x.mp4", "--checkpoint", "gone"), "gone: no such file or folder"),
    "recipe missing": (in_workspace("train", "gone.yaml"), "gone.yaml: no such file"),
    "recipe is code": (
        lambda folder: ["train", bad_file(folder, "recipe.py", b"import os\nmodel = dict(type='ActionFormer')")],
        "recipe.py: line 1: import os would have to be run, which is not done",
    ),
    "recipe is no YAML": (recipe("a: [1"), "not readable as YAML"),
    "recipe misspelt": (recipe("train: {epocs: 3}"), "TrainConfig has no field epocs"),
    "recipe of the wrong type": (recipe("train: {epochs: many}"), "train.epochs: found str 'many', expected int"),
    "recipe for no clips": (recipe("data: {train_split: nothing}"), "no clip with true verb segments"),
    "recipe without batches": (
        recipe("data: {train_split: validation}\ntrain: {batch_size: 0}"),
        "train.batch_size is 0, expected 1 or more",
    ),
    "recipe for no machine": (
        recipe("base: {input_channels: 1000000000}"),
        "recipe.yaml.base: input_channels 1000000000, embed_channels 512, embed_kernel 3 together need 6,144 GB of "
        "memory, this machine has",
    ),
    "recipe of a share beyond all numbers": (recipe("test: {sigma: 1" + "0" * 400 + "}"), "test.sigma: found int 1000"),
    "recipe for an impossible model": (
        recipe("data: {train_split: validation}\nbase: {heads: 3}"),
        "embed_channels (512) must be a multiple of heads (3)",
    ),
    "start's configuration without a start": (
        in_workspace("train", "gone.yaml", "--from-config", "x.yaml"),
        "--from-config goes with --from",
    ),
    "name of a run outside the workspace": (
        lambda folder: [*recipe("name: x")(folder), "--run", "../elsewhere"],
        "run name '../elsewhere' is not usable",
    ),
    "condition unknown": (in_workspace("predict", "--audio", "loud"), "audio condition 'loud' is not known"),
    "run unknown": (in_workspace("predict", "--run", "nope"), "has no run 'nope'"),
    "clip unknown": (in_workspace("predict", "--clips", "nope"), "has no clip 'nope'"),
    "thresholds unknown": (in_workspace("evaluate", "--tiou", "a,b"), "--tiou is 'a,b'"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare, sentence = CASES[case]
    kept = Workspace(folder / "ws").feature_path("visual", "clip_0")
    content = kept.read_bytes()
    before = snapshot(folder)
    try:
        arguments = prepare(folder)
        capsys.readouterr()
        assert main(arguments) == 2
    finally:
        kept.write_bytes(content)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "Traceback" not in errors[0]
    assert snapshot(folder) == before
    assert not list(folder.rglob("was_run"))
    assert not list(folder.rglob("*.part*"))


def test_a_demo_is_not_made_of_nonsense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert main(["demo", "--workspace", str(file)]) == 2
    assert "notes.txt: is a file" in capsys.readouterr().err
    assert main(["runs", "--workspace", str(file)]) == 2
    assert "notes.txt: found a file" in capsys.readouterr().err
    for option in ("--workers", "--clips"):
        with pytest.raises(SystemExit, match="2"):
            main(["demo", "--workspace", str(tmp_path / "new"), option, "-3"])
        assert "expected 1 or more" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"] and file.read_text() == "mine"


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 25


def test_an_unsafe_official_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "epoch.pth.tar"
    torch.save({"state_dict_ema": RunsCode(tmp_path / "was_run")}, path)
    from mravff_core import load_detector
    from mravff_core.errors import CheckpointError

    with pytest.raises(CheckpointError, match=r"epoch\.pth\.tar"):
        load_detector(path, config={"dataset": {"num_classes": 3}})
    assert not (tmp_path / "was_run").exists()


def test_a_workspace_that_is_none_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--workspace", str(tmp_path)]) == 2
    assert "python -m mravff_core demo" in capsys.readouterr().err


def test_json_alone_is_on_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--workspace", str(folder / "ws"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["base"], row["fusion"], row["label_set"]) for row in rows] == [
        ("verb_mrav", "actionformer", "mrav", "verb"),
        ("verb_visual", "actionformer", "none", "verb"),
    ]
    assert main(["localize", str(folder / "ws/media/clip_0.mp4"), "--workspace", str(folder / "ws"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"detections", "gates"} <= set(document)
    assert main(["doctor", "--workspace", str(folder / "ws"), "--json"]) == 0
    assert "2 clips (0 without video), 2 runs" in json.loads(capsys.readouterr().out)["workspace"]


def test_doctor_reports_all_and_fails_where_there_is_no_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--workspace", str(tmp_path / "none"), "--json"]) == 2
    captured = capsys.readouterr()
    assert "found nothing" in json.loads(captured.out)["workspace"]
    assert captured.err.startswith("error: ")


@pytest.mark.parametrize("command", [["localize", "none.mp4", "--out"], ["gates", "--run", "verb_mrav", "--csv"]])
def test_a_file_to_write_in_no_folder_is_refused_before_any_work(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(tmp_path / "none" / "x.out")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main([*command, str(tmp_path)]) == 2
    assert "which is a folder" in capsys.readouterr().err


def test_what_is_refused_at_once_shows_no_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["localize", str(tmp_path / "none.mp4")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_no_work_is_done_on_a_video_that_there_is_no_workspace_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["localize", str(folder / "ws/media/clip_0.mp4"), "--add", "--out", "result.json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "expected a workspace" in said
    assert not (tmp_path / "result.json").exists()


def test_a_training_never_takes_the_name_of_imported_detections(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "ws", tmp_path / "ws")
    table = tmp_path / "found.csv"
    table.write_text("clip_id,start_s,end_s,label,score\nclip_0,0,1,cut,0.5\n")
    ours = ["--run", "theirs", "--workspace", str(tmp_path / "ws")]
    assert main(["import", "detections", str(table), *ours]) == 0
    assert main([*recipe("data: {train_split: validation}")(tmp_path)[:2], *ours]) == 2
    assert "theirs: holds imported detections" in capsys.readouterr().err


def test_a_benchmark_that_is_not_there_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "nonsense"])
    assert "no benchmark nonsense; there are inference" in capfd.readouterr().err
