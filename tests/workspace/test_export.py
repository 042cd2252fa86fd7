"""What is exported reads back equal, and challenges' servers would take it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.workspace import Clip
from mravff_core.workspace.export import export_detections
from mravff_core.workspace.import_detections import import_detections

VERBS, NOUNS = ("cut", "stir", "01", "NA"), ("pan", "tap:water", "1")
CLIPS = ("a", "v_-b", "c")


def detections(classes: int, seed: int, count: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start_s = rng.uniform(0, 50, count)
    columns = {"start_s": start_s, "end_s": start_s + rng.uniform(0.1, 9, count)}
    labels, scores = rng.integers(0, classes, count), rng.uniform(size=count)
    table = pd.DataFrame({"clip_id": rng.choice(CLIPS[:2], count), **columns, "label": labels, "score": scores})
    return table.astype({"clip_id": "str"})


def submission(folder: Path) -> Path:
    """An EPIC submission whose detections are pairs."""
    pairs = detections(len(VERBS) * len(NOUNS), 3)
    results: dict[str, list[dict[str, Any]]] = {"c": [], "a": [], "-b": []}
    for row in pairs.itertuples():
        verb, noun = divmod(int(row.label), len(NOUNS))
        item = {"verb": verb, "noun": noun, "action": f"{verb},{noun}"}
        item |= {"score": float(row.score), "segment": [float(row.start_s), float(row.end_s)]}
        results[str(row.clip_id).removeprefix("v_")].append(item)
    path = folder / "joint.json"
    path.write_text(json.dumps({"results": results}))
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="w", label_sets={"verb": VERBS, "noun": NOUNS})
    made.add_clips([Clip(clip_id, clip_id, "", 60.0) for clip_id in CLIPS])
    for name, classes in (("verb", VERBS), ("noun", NOUNS)):
        detections(len(classes), len(name) + len(classes)).to_parquet(tmp_path / f"{name}.parquet")
        import_detections(made, tmp_path / f"{name}.parquet", f"{name}s", label_set=name)
    import_detections(made, submission(tmp_path), "joint")
    return made


def found(workspace: Workspace, run: str, label_set: str) -> pd.DataFrame:
    table = workspace.run(run).detections("on", label_set=label_set)
    assert table is not None and len(table) > 20
    return table


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "zip"])
@pytest.mark.parametrize("label_set", ["verb", "noun"])
def test_one_label_set_reads_back_equal(workspace: Workspace, tmp_path: Path, suffix: str, label_set: str) -> None:
    form = suffix if suffix in ("csv", "parquet") else "activitynet"
    path = tmp_path / f"out.{suffix}"
    export_detections(workspace, f"{label_set}s", path, form)  # type: ignore[arg-type]
    import_detections(workspace, path, "again", label_set=label_set)
    pd.testing.assert_frame_equal(found(workspace, "again", label_set), found(workspace, f"{label_set}s", label_set))


@pytest.mark.parametrize(
    ("form", "suffix"), [("epic", "json"), ("epic", "zip"), ("csv", "csv"), ("parquet", "parquet")]
)
def test_joint_detections_read_back_equal(workspace: Workspace, tmp_path: Path, form: Any, suffix: str) -> None:
    export_detections(workspace, "joint", tmp_path / f"out.{suffix}", form, label_set="action")
    made = import_detections(workspace, tmp_path / f"out.{suffix}", "again")
    assert made.label_sets == ("verb", "noun", "action")
    for label_set in made.label_sets:
        pd.testing.assert_frame_equal(found(workspace, "again", label_set), found(workspace, "joint", label_set))


def test_a_submission_is_what_the_server_checks(workspace: Workspace, tmp_path: Path) -> None:
    """The rules of the published checker: version, challenge, levels 0 to 5, classes in range, action as 'v,n'."""
    export_detections(workspace, "verbs", tmp_path / "s.zip", "epic", noun_run="nouns", supervision=(0, 2, 5))
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert archive.namelist() == ["test.json"]
        document = json.loads(archive.read("test.json"))
    assert (document["version"], document["challenge"]) == ("0.2", "action_detection")
    assert [document[key] for key in ("sls_pt", "sls_tl", "sls_td")] == [0, 2, 5]
    items = [item for items in document["results"].values() for item in items]
    assert set(document["results"]) == {"a", "-b"} and items
    for item in items:
        assert set(item) == {"verb", "noun", "action", "score", "segment"}
        assert item["verb"] in range(len(VERBS)) and item["noun"] in range(len(NOUNS))
        assert item["action"] == f"{item['verb']},{item['noun']}"
        assert len(item["segment"]) == 2 and 0 < item["score"] <= 1


def test_clips_without_detections_are_named(workspace: Workspace, tmp_path: Path) -> None:
    export_detections(workspace, "joint", tmp_path / "r.json", "activitynet", label_set="noun", clip_ids=["c", "a"])
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["results"]["c"] == [] and set(document["results"]) == {"a", "c"}
    assert document["version"] == "VERSION 1.3" and document["external_data"]["used"] is False
    assert {item["label"] for item in document["results"]["a"]} <= set(NOUNS)


@pytest.mark.parametrize(("form", "label_sets"), [("epic", ("verb", "noun", "action")), ("activitynet", ("verb",))])
def test_a_submission_without_a_detection_is_still_one(
    workspace: Workspace, tmp_path: Path, form: Any, label_sets: tuple[str, ...]
) -> None:
    assert export_detections(workspace, "joint", tmp_path / "s.zip", form, clip_ids=["c"]) == 0
    assert import_detections(workspace, tmp_path / "s.zip", "again").label_sets == label_sets


def test_equal_detections_give_equal_files(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        export_detections(workspace, "joint", tmp_path / name, "epic")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_command_writes_what_it_says(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "--workspace", str(workspace.folder), "--run", "joint", "--out", str(tmp_path / "s.zip")]
    assert main([*words, "--format", "epic", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["detections"] == 40
    assert zipfile.is_zipfile(tmp_path / "s.zip")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--run", "gone", "--format", "csv", "--out", "x.csv"], "has no run 'gone'"),
        (["--run", "verbs", "--format", "epic", "--out", "x.json"], "run 'verbs' detects verb and no actions"),
        (["--run", "verbs", "--format", "csv", "--out", "x.csv", "--label-set", "noun"], "finds verb, not noun"),
        (["--run", "verbs", "--noun-run", "verbs", "--format", "csv", "--out", "x.csv"], "finds verb, not noun"),
        (["--run", "joint", "--format", "epic", "--out", "x.csv"], "suffix '.csv' does not fit epic"),
        (["--run", "joint", "--format", "epic", "--out", "x.zip", "--sls", "9,1,1"], "supervision levels are 9, 1, 1"),
        (["--run", "joint", "--format", "epic", "--out", "x.zip", "--sls", "a"], "--sls is 'a'"),
        (["--run", "joint", "--format", "epic", "--out", "x.zip", "--sls", "1.5,1,1"], "expected three whole numbers"),
        (["--run", "joint", "--format", "csv", "--out", "x.csv", "--audio", "off"], "cannot say what audio off"),
    ],
)
def test_bad_requests_get_one_sentence_and_leave_nothing(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    match: str,
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert main(["export", "--workspace", str(workspace.folder), *words]) == 2
    shown = capsys.readouterr()
    assert match in shown.err and shown.out == "" and not list((tmp_path / "out").iterdir())


def test_without_detections_there_is_nothing_to_write(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="no stored detections with audio silence"):
        export_detections(workspace, "verbs", tmp_path / "x.csv", "csv", condition="silence")
    with pytest.raises(ConfigError, match="does not fit activitynet"):
        export_detections(workspace, "verbs", tmp_path / "x.parquet", "activitynet")
