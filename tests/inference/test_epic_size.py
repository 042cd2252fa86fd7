"""The workspace of EPIC's size, here of a handful of clips: true structure, made-up detections."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mravff_core.cli import main
from mravff_core.errors import AnnotationError, CancelledError, WorkspaceError
from mravff_core.inference.epic_size import make_epic_size
from mravff_core.workspace import Workspace


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in EPIC's form: three short videos, five verbs and four nouns."""
    folder = tmp_path_factory.mktemp("epic_annotations")
    rows = [
        (
            f"P01_0{video}_{k}",
            f"P01_0{video}",
            f"00:00:{4 * k:02d}.50",
            f"00:00:{4 * k + 2:02d}.25",
            (video + k) % 5,
            k % 4,
        )
        for video in range(1, 4)
        for k in range(12)
    ]
    names = ["narration_id", "video_id", "start_timestamp", "stop_timestamp", "verb_class", "noun_class"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "EPIC_100_validation.csv", index=False)
    for label_set, classes in (("verb", 5), ("noun", 4)):
        table = pd.DataFrame({"id": range(classes), "key": [f"{label_set} {k}" for k in range(classes)]})
        table.to_csv(folder / f"EPIC_100_{label_set}_classes.csv", index=False)
    videos = [(f"P01_0{video}", 60.0, 59.94, "1920x1080") for video in range(1, 5)]
    columns = ["video_id", "duration", "fps", "resolution"]
    pd.DataFrame(videos, columns=columns).to_csv(folder / "EPIC_100_video_info.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def made(annotations: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("epic_size") / "made"
    make_epic_size(annotations, folder, seed=3, detections=200)
    return Workspace(folder)


def test_it_has_the_clips_segments_and_classes_of_the_annotations(made: Workspace) -> None:
    assert made.clip_ids() == ["P01_01", "P01_02", "P01_03"]
    assert len(made.annotations) == 36 and made.clip("P01_02").duration_s == 60.0
    assert {name: len(labels) for name, labels in made.label_sets.items()} == {"verb": 5, "noun": 4}


@pytest.mark.parametrize("run", ["verb_mrav", "noun_mrav"])
def test_every_clip_has_its_detections_and_six_levels_of_gates(made: Workspace, run: str) -> None:
    on, off = (made.run(run).detections(condition) for condition in ("on", "off"))
    assert on is not None and off is not None and not on.equals(off)
    assert set(on.groupby("clip_id").size()) == {200}
    assert (on["end_s"] > on["start_s"]).all() and on["end_s"].max() <= 60.0 and on["score"].between(0, 1).all()
    levels = made.run(run).gates("on", "P01_01")
    steps = [len(level.gates) for level in levels]
    assert len(steps) == 6 and all(above == -(-below // 2) for below, above in itertools.pairwise(steps))
    assert not any(np.any(level.gates) for level in made.run(run).gates("off", "P01_01"))


def test_the_same_seed_gives_the_same_and_another_seed_another(
    annotations: Path, made: Workspace, tmp_path: Path
) -> None:
    for seed, same in ((3, True), (4, False)):
        make_epic_size(annotations, tmp_path / str(seed), seed=seed, detections=200)
        other = Workspace(tmp_path / str(seed)).run("verb_mrav").detections("on")
        assert made.run("verb_mrav").detections("on").equals(other) is same  # type: ignore[union-attr]


def test_the_detectors_can_be_run_on_it(annotations: Path, tmp_path: Path) -> None:
    from mravff_core.inference.run_predict import predict

    make_epic_size(annotations, tmp_path / "made", detections=50)
    workspace = Workspace(tmp_path / "made")
    assert predict(workspace, "verb_mrav", condition="on").kept == 3
    assert predict(workspace, "verb_mrav", condition="shift:+2", clip_ids=["P01_01"]).computed == 1


def test_what_is_missing_is_said_and_nothing_is_left(annotations: Path, tmp_path: Path) -> None:
    copy = tmp_path / "annotations"
    shutil.copytree(annotations, copy)
    (copy / "EPIC_100_noun_classes.csv").unlink()
    with pytest.raises(AnnotationError, match=r"lacks EPIC_100_noun_classes\.csv"):
        make_epic_size(copy, tmp_path / "made")
    assert main(["epic-size", "--annotations", str(copy), "--workspace", str(tmp_path / "made")]) == 2
    shutil.copy(annotations / "EPIC_100_noun_classes.csv", copy)
    (copy / "EPIC_100_video_info.csv").unlink()
    with pytest.raises(AnnotationError, match=r"validation\.csv: nothing beside it gives the length of video P01_01"):
        make_epic_size(copy, tmp_path / "made")
    with pytest.raises(AnnotationError, match=r"EPIC_100_validation\.csv: no such file; .*github"):
        make_epic_size(tmp_path, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_one_that_was_stopped_is_gone_on_with(annotations: Path, made: Workspace, tmp_path: Path) -> None:
    asked = iter([False, True])
    with pytest.raises(CancelledError):
        make_epic_size(annotations, tmp_path, seed=3, detections=200, cancel=lambda: next(asked))
    make_epic_size(annotations, tmp_path, seed=3, detections=200)
    for run in ("verb_mrav", "noun_mrav"):
        again, wanted = (workspace.run(run).detections("on") for workspace in (Workspace(tmp_path), made))
        pd.testing.assert_frame_equal(again, wanted)


def test_another_workspace_is_not_overwritten(annotations: Path, tmp_path: Path) -> None:
    Workspace.create(tmp_path / "own", name="Own", label_sets={"verb": ["cut"]})
    with pytest.raises(WorkspaceError, match="holds another workspace"):
        make_epic_size(annotations, tmp_path / "own")


def test_the_real_annotations_have_the_true_size(shared: Path, tmp_path: Path) -> None:
    summary = make_epic_size(shared / "data" / "epic100", tmp_path / "made", detections=1)
    assert (summary["clips"], summary["segments"]) == (138, 9668)
    assert [len(labels) for labels in Workspace(tmp_path / "made").label_sets.values()] == [97, 300]
