"""Detections of other tools become runs that are listed, read and scored like any other."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.data.detection_files import read_detections
from mravff_core.errors import AnnotationError, CheckpointError, WorkspaceError
from mravff_core.inference.evaluate_run import evaluate_run
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import load_detector
from mravff_core.workspace import Clip
from mravff_core.workspace.clip import clip_id_from_source, is_clip_id, source_name
from mravff_core.workspace.import_detections import import_detections
from mravff_core.workspace.runs import Run

VERBS, NOUNS = ["cut", "stir", "pour"], ["pan", "onion", "tap", "lid"]
RESULTS: dict[str, Any] = {
    "a": [
        {"label": "stir", "score": 0.4, "segment": [4.0, 6.5]},
        {"label": "cut", "score": 0.9, "segment": [1.0, 2.0]},
    ],
    "b": [],
    "elsewhere": [{"label": "cut", "score": 0.9, "segment": [0, 1]}],
}
EPIC: dict[str, Any] = {
    "version": "0.2",
    "challenge": "action_detection",
    "results": {"a": [{"verb": 2, "noun": 3, "action": "2,3", "score": 0.5, "segment": [0.5, 1.5]}]},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="test", label_sets={"verb": VERBS, "noun": NOUNS})
    made.add_clips([Clip(clip_id, clip_id, "", 10.0) for clip_id in ("a", "b", "c")])
    truth = {"clip_id": ["a", "a"], "segment_id": ["s1", "s2"], "start_s": [1.0, 4.0], "end_s": [2.0, 6.5]}
    made.set_annotations(pd.DataFrame({**truth, "verb": [0, 1], "noun": [0, 1]}))
    return made


def written(folder: Path, document: Any, name: str = "result.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_activitynet_result_becomes_a_run(workspace: Workspace, tmp_path: Path) -> None:
    made = import_detections(workspace, written(tmp_path, {"results": RESULTS}), "theirs")
    assert (made.detections, made.clips, made.clips_not_in_workspace, made.clips_without_detections) == (2, 2, 1, 1)
    (info,) = workspace.runs()
    assert (info.run, info.base, info.fusion, info.label_set, info.classes) == ("theirs", "imported", "none", "verb", 3)
    assert (info.label_sets, info.has_detector, info.conditions) == (("verb",), False, ("on",))
    run = workspace.run("theirs")
    found = run.detections("on")
    assert found is not None
    assert found.to_dict("records") == [
        {"clip_id": "a", "start_s": 1.0, "end_s": 2.0, "label": 0, "score": 0.9},
        {"clip_id": "a", "start_s": 4.0, "end_s": 6.5, "label": 1, "score": 0.4},
    ]
    assert run.predicted_clips("on") == {"a", "b"}
    assert run.gates("on", "a") == []


def test_a_clip_that_a_file_calls_by_two_names_counts_once(workspace: Workspace, tmp_path: Path) -> None:
    both = {"a": RESULTS["a"][:1], "v_a": RESULTS["a"][1:]}
    made = import_detections(workspace, written(tmp_path, {"results": both}), "theirs")
    assert (made.detections, made.clips, made.clips_not_in_workspace, made.clips_without_detections) == (2, 1, 0, 2)


def test_an_epic_submission_gives_verbs_nouns_and_actions(workspace: Workspace, tmp_path: Path) -> None:
    made = import_detections(workspace, written(tmp_path, EPIC), "theirs")
    run = workspace.run("theirs")
    assert made.label_sets == ("verb", "noun", "action") and run.label_sets == made.label_sets
    labels = {}
    for name in (None, "verb", "noun", "action"):
        table = run.detections("on", label_set=name)
        assert table is not None
        labels[name] = table["label"].tolist()
    assert labels == {None: [2], "verb": [2], "noun": [3], "action": [2 * len(NOUNS) + 3]}


@pytest.mark.parametrize("action", ["3,2", "2", "2,3,4", 603, None, "2,x"])
def test_an_action_that_contradicts_its_verb_and_noun_is_refused(
    workspace: Workspace, tmp_path: Path, action: Any
) -> None:
    right = EPIC["results"]["a"][0]
    path = written(tmp_path, EPIC | {"results": {"a": [right, right | {"action": action}]}})
    sentence = f"result.json: detection 1 of clip 'a' has action '{action}', expected '2,3' as it has verb 2 and noun 3"
    with pytest.raises(AnnotationError, match=sentence):
        import_detections(workspace, path, "theirs")


@pytest.mark.parametrize("change", [{"action": "2, 3"}, {"verb": 2.0}, {"verb": "pour", "action": "pour,3"}])
def test_an_action_may_be_written_in_other_ways(workspace: Workspace, tmp_path: Path, change: dict[str, Any]) -> None:
    right = EPIC["results"]["a"][0]
    import_detections(workspace, written(tmp_path, EPIC | {"results": {"a": [right | change]}}), "theirs")
    table = workspace.run("theirs").detections("on", label_set="action")
    assert table is not None and table["label"].tolist() == [2 * len(NOUNS) + 3]


def test_an_archive_packed_on_a_mac_is_read(workspace: Workspace, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("test.json", json.dumps({"results": RESULTS}))
        archive.writestr("__MACOSX/._test.json", b"\x00\x05\x16\x07")
    assert import_detections(workspace, tmp_path / "r.zip", "theirs").detections == 2


@pytest.mark.parametrize("suffix", [".zip", ".parquet"])
def test_files_damaged_in_the_middle_are_named(workspace: Workspace, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"r{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("test.json", json.dumps({"results": RESULTS}))
    else:
        pd.DataFrame({"clip_id": ["a"], "start_s": [1.0], "end_s": [2.0], "score": [1.0], "verb": ["cut"]}).to_parquet(
            path
        )
    content = bytearray(path.read_bytes())
    content[44:52] = b"\xff" * 8
    content[4:10] = b"\xff" * 6 if suffix == ".parquet" else content[4:10]
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=f"r{suffix}: not readable as {suffix[1:].upper()}"):
        import_detections(workspace, path, "theirs")


def test_an_archive_that_cannot_be_unpacked_is_named(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("test.json", "{}")
    content = bytearray(path.read_bytes())
    for place in (6, content.find(b"PK\x01\x02") + 8):
        content[place] |= 1  # encrypted
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match=r"r.zip: not readable as ZIP \(.*encrypted"):
        import_detections(workspace, path, "theirs")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("labels", [{"label": [1, 0]}, {"verb": ["stir", "cut"]}, {"verb": [1, 0], "noun": [3, 0]}])
def test_tables_of_names_or_numbers_are_read(
    workspace: Workspace, tmp_path: Path, suffix: str, labels: dict[str, list[Any]]
) -> None:
    rows = {"clip_id": ["a", "b"], "start_s": [0.0, 1.0], "end_s": [1.0, 2.0], "score": [0.2, 0.3], **labels}
    path = tmp_path / f"found.{suffix}"
    pd.DataFrame(rows).to_csv(path, index=False) if suffix == "csv" else pd.DataFrame(rows).to_parquet(path)
    import_detections(workspace, path, "theirs")
    table = workspace.run("theirs").detections("on")
    assert table is not None and table["label"].tolist() == [1, 0]


ACTIONFORMER: dict[str, Any] = {
    "video-id": ["a", "a", "elsewhere"],
    "t-start": np.array([4, 1, 0], np.float32),
    "t-end": np.array([6.5, 2, 1], np.float32),
    "label": np.array([1, 0, 0]),
    "score": np.array([0.5, 0.75, 0.25], np.float32),
}


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_actionformer_saves_for_its_own_evaluation_is_read(
    workspace: Workspace, tmp_path: Path, protocol: int
) -> None:
    path = tmp_path / "eval_results.pkl"
    path.write_bytes(pickle.dumps(ACTIONFORMER, protocol))
    made = import_detections(workspace, path, "theirs", label_set="verb")
    assert (made.detections, made.clips, made.clips_not_in_workspace) == (2, 1, 1)
    found = workspace.run("theirs").detections("on")
    assert found is not None
    assert found.drop(columns="clip_id").to_dict("list") == {
        "start_s": [1.0, 4.0],
        "end_s": [2.0, 6.5],
        "label": [0, 1],
        "score": [0.75, 0.5],
    }
    assert evaluate_run(workspace, "theirs")["average"] == 1.0


@pytest.mark.parametrize(
    ("results", "match"),
    [
        ({**ACTIONFORMER, "score": Path("x")}, "refused, since reading it could run code"),
        ({**ACTIONFORMER, "score": [0.5]}, "not readable as PKL"),
        ({"results": {}}, "is not what ActionFormer saves, a mapping of video-id, t-start, t-end, label, score"),
    ],
)
def test_other_pickles_are_refused(workspace: Workspace, tmp_path: Path, results: dict[str, Any], match: str) -> None:
    path = tmp_path / "r.pkl"
    path.write_bytes(pickle.dumps(results))
    with pytest.raises(AnnotationError, match=match):
        import_detections(workspace, path, "theirs")
    assert workspace.runs() == []


def test_imported_detections_are_scored_and_never_predicted(workspace: Workspace, tmp_path: Path) -> None:
    import_detections(workspace, written(tmp_path, {"results": RESULTS}), "theirs")
    assert evaluate_run(workspace, "theirs")["average"] == 1.0
    assert predict(workspace, "theirs", clip_ids=["a", "c"]).computed == 0
    with pytest.raises(WorkspaceError, match="has no detector: it cannot say what audio off would change"):
        predict(workspace, "theirs", condition="off")
    with pytest.raises(CheckpointError, match="imported detections, which have no detector"):
        load_detector(workspace.run("theirs").folder)


def test_a_name_that_is_taken_is_kept_unless_replaced(workspace: Workspace, tmp_path: Path) -> None:
    path = written(tmp_path, {"results": RESULTS})
    import_detections(workspace, path, "theirs")
    with pytest.raises(WorkspaceError, match="is there already"):
        import_detections(workspace, path, "theirs")
    import_detections(workspace, written(tmp_path, EPIC), "theirs", replace=True)
    assert workspace.run("theirs").label_sets == ("verb", "noun", "action")
    with pytest.raises(WorkspaceError, match=r"'\.\./x' is not usable"):
        import_detections(workspace, path, "../x")


def test_a_run_is_not_there_while_it_is_written(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], set[str]]] = []

    def look(*_: object) -> None:
        infos, damaged = Workspace(workspace.folder).readable_runs()
        seen.append(([info.run for info in infos], set(damaged)))
        aside = next(path.name for path in workspace.runs_folder.iterdir() if path.is_dir())
        assert not workspace.has_run(aside)

    monkeypatch.setattr(Run, "store_all", look)
    import_detections(workspace, written(tmp_path, {"results": RESULTS}), "theirs")
    assert seen == [([], set())] and workspace.has_run("theirs")


def test_names_of_videos_survive_as_clip_ids() -> None:
    names = ("P01_01", "-abc_DEF", "v_-abc_DEF", "v_v_-abc_DEF", "__x", "v__x", "v_plain", "v_1", "v_", "-", ".x")
    for name in names:
        assert is_clip_id(clip_id_from_source(name)) and source_name(clip_id_from_source(name)) == name, name
    assert len({clip_id_from_source(name) for name in names}) == len(names)
    for name in ("a/b", "", "x" * 121, "-" + "x" * 118):
        with pytest.raises(WorkspaceError, match="not usable as a clip id"):
            clip_id_from_source(name)


@pytest.mark.parametrize("own", ["-x", "v_-x", "y", "v_y"])
@pytest.mark.parametrize("said", ["", "v_"])
def test_files_may_put_a_prefix_before_the_names_of_videos(tmp_path: Path, own: str, said: str) -> None:
    made = Workspace.create(tmp_path / "ws", name="w", label_sets={"verb": ["cut"]})
    made.add_clips([Clip(clip_id_from_source(own), own, "", 20.0)])
    results = {said + own.removeprefix("v_"): [{"segment": [1, 2], "score": 0.5, "label": "cut"}]}
    assert import_detections(made, written(tmp_path, {"results": results}), "theirs").clips == 1


def test_a_single_label_is_the_workspaces_first_unless_something_else_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Workspace.create(tmp_path / "ws", name="w", label_sets={"sport": ["cut", "stir"], "verb": ["cut"]})
    made.add_clips([Clip("a", "a", "", 10.0)])
    path, here = written(tmp_path, {"results": RESULTS}), ["--workspace", str(made.folder)]
    assert main(["import", *here, "detections", str(path), "--run", "theirs"]) == 0
    assert made.run("theirs").info.label_sets == ("sport",)
    item = {"label": "stir", "segment": [1.0, 2.0]}
    truth = written(tmp_path, {"database": {"a": {"annotations": [item]}}}, "truth.json")
    assert main(["import", *here, "--annotations", str(truth)]) == 0
    assert Workspace(made.folder).annotations["sport"].tolist() == [1]
    assert main(["import", *here, "--annotations", str(truth), "--label-set", "verb"]) == 2
    assert "verb has no class 'stir'" in capsys.readouterr().err


def test_the_command_line_prints_one_document(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, {"results": RESULTS})
    words = ["--workspace", str(workspace.folder), "--json"]
    assert main(["import", *words, "detections", str(path), "--run", "theirs"]) == 0
    assert json.loads(capsys.readouterr().out)["detections"] == 2
    assert main(["runs", *words]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run"], row["base"], row["has_detector"], row["label_sets"]) == ("theirs", "imported", False, ["verb"])


@pytest.mark.parametrize(
    ("name", "document", "match"),
    [
        ("r.json", '{"results": {"a": [', "not readable as JSON"),
        ("r.json", {"database": {}}, "has no 'results' mapping, .* an annotation file"),
        ("r.json", {"results": {"a": {}}}, "clip 'a' holds dict, expected a list"),
        ("r.json", {"results": {"a": [{"label": "cut", "segment": [1, 2]}]}}, "detection 0 of clip 'a'"),
        ("r.json", {"results": {"a": [{"label": "cut", "score": 1, "segment": [2, 1]}]}}, "end before they start"),
        ("r.json", {"results": {"a": [{"label": "cut", "score": "?", "segment": [1, 2]}]}}, "no number as score"),
        ("r.json", {"results": {"a": [{"label": "fly", "score": 1, "segment": [1, 2]}]}}, "no class \\('fly'\\)"),
        ("r.json", {"results": {"a": [{"label": 3, "score": 1, "segment": [1, 2]}]}}, "no class \\('3'\\)"),
        ("r.json", {"results": {"zz": []}}, "none of its 1 clips is in the workspace \\(such as 'zz'\\)"),
        ("r.json", {"results": {"a": [{"label": True, "score": 1, "segment": [1, 2]}]}}, "no class \\('True'\\)"),
        ("r.json", '{"results": {"a": [], "a": [{}]}}', "holds 'a' twice with different content"),
        ("r.json", "[" * 100_000, "not readable as JSON .*nested too deeply"),
        ("r.json", {"results": {"a": [{"label": ["cut"], "score": 1, "segment": [1, 2]}]}}, "detection 0 of clip 'a'"),
        ("r.json", {"results": {"a": [{"label": "cut", "score": 10**400, "segment": [1, 2]}]}}, "no number as score"),
        ("r.json", {"results": {"a": [{"label": "cut", "score": 1, "segment": [1, 10**400]}]}}, "no number as end_s"),
        (
            "r.json",
            {"results": {"a": [{**EPIC["results"]["a"][0], "verb": float("inf")}]}},
            "it has verb inf and noun 3",
        ),
        ("r.csv", "clip_id,start,end,score\n", "lacks column start_s, end_s"),
        ("r.csv", "clip_id,start_s,end_s,score,label\na,1,2,1,cut\n,1,2,1,cut\n", "1 of 2 detections name no clip"),
        ("r.csv", "clip_id,start_s,end_s,score,label,verb\na,1,2,1,cut,cut\n", "has columns label and verb"),
        ("r.csv", "clip_id,start_s,end_s,score\na,1,2,1\n", "has no column of labels beside clip_id"),
        (
            "r.csv",
            "clip_id,start_s,end_s,score,label\na,1,2,,cut\n",
            "no number as score, the first in clip 'a': 'nan'",
        ),
        ("r.csv", "clip_id,start_s,end_s,score,adverb\na,0,1,1,x\n", "'adverb', which is no label set"),
        ("r.parquet", "PAR1", "not readable as PARQUET"),
        ("r.pkl", "", "not readable as PKL"),
        ("r.txt", "", "suffix '.txt' is not known"),
    ],
)
def test_malformed_files_are_refused_whole(
    workspace: Workspace, tmp_path: Path, name: str, document: Any, match: str
) -> None:
    with pytest.raises((AnnotationError, WorkspaceError), match=match):
        import_detections(workspace, written(tmp_path, document, name), "theirs")
    assert workspace.runs() == [] and not list(workspace.folder.glob("runs/*"))


def test_a_large_result_is_read_in_seconds(tmp_path: Path) -> None:
    item = {"label": "cut", "score": 0.5, "segment": [1.0, 2.0]}
    path = written(tmp_path, {"results": {f"clip_{number}": [item] * 500 for number in range(100)}})
    assert len(read_detections(path).table) == 50_000
