"""The command that imports a data set asks before anything is lost, and says in one sentence what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mravff_core import Workspace
from mravff_core.cli import main
from mravff_core.errors import FeatureError
from mravff_core.workspace.import_detections import import_detections
from tests.workspace.small_data_set import DATABASE, steps, video, write_all


def command(folder: Path, *more: str) -> list[str]:
    words = ["import", "thumos14", "--annotations", str(folder / "a.json"), "--features", str(folder / "visual")]
    return [*words, "--channels", "6", "--workspace", str(folder / "ws"), *more]


def test_the_command_asks_before_anything_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    (tmp_path / "visual/one.npy").unlink()
    assert main(command(tmp_path)) == 2
    shown = capsys.readouterr()
    assert "no visual features" in shown.out and "one: one.npy" in shown.out
    assert "agree to it by --allow-missing" in shown.err and not (tmp_path / "ws").exists()
    assert main(command(tmp_path, "--json")) == 2
    assert {"found": "no visual features", "clip": "one", "what": "one.npy"} in json.loads(capsys.readouterr().out)[
        "each"
    ]
    first, *others = command(tmp_path, "--json")
    assert main([first, "--allow-missing", *others]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clips"] == {"test": 1} and document["findings"][0]["number"] == 1
    assert Workspace(tmp_path / "ws").clip_ids() == ["v_-two"]


def test_segments_of_no_class_are_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, {"one": video([(1.0, 2.0, "Ambiguous"), (3.0, 4.0, "Diving")])})
    assert main(command(tmp_path)) == 2
    assert "one: sport 'Ambiguous'" in capsys.readouterr().out
    assert main(command(tmp_path, "--allow-missing")) == 0
    assert Workspace(tmp_path / "ws").label_sets == {"sport": ("Diving",)}


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (["--annotations", "gone.json"], "gone.json: no such annotation file"),
        (["--features", "gone"], "gone: no such folder of visual features"),
        (["--audio-features", "gone"], "gone: no such folder of audio features"),
        (["--features", "{here}/a.json"], "a.json: is a file that is not called .h5; expected a folder, or one .h5"),
        (["--videos", "gone"], "gone: no such folder of videos"),
        (["--classes", "gone.txt"], "gone.txt: no such file of class names"),
        (["--channels", "5"], "none of 2 clips can be used"),
        (["--hop", "-4"], "--hop is -4, expected a number above 0"),
        (["--window", "0"], "--window is 0, expected a number above 0"),
        (["--audio-hop", "0.48"], "but no --audio-features DIR"),
        (["--audio", "vggish"], "but no --audio-features DIR"),
        (["--files", "x.npy"], "lacks '{name}'"),
        (["--label-set", "sport", "--annotations", "{here}/bad.json"], "fps of video 'v' is 'fast'"),
        (["--annotations", "{here}/bare.json"], "bare.json: has no label of sport on any of its 2 videos"),
        (["--annotations", "{here}/two.json"], "label 'a' has the numbers 0 and 1"),
        (["--annotations", "{here}/a.json", "{here}/plain.csv"], "beside files of another kind"),
        (["--annotations", "{here}/plain.csv"], "lacks column start_s"),
        (["--annotations", "{here}"], "holds none of EPIC-Kitchens' annotation files"),
        (["--annotations", "{here}/epic.csv"], "lacks EPIC_100_verb_classes.csv and EPIC_100_noun_classes.csv"),
        (["--annotations", "{here}/EPIC_100_train.pkl"], "a pickle may run code and is never opened, take the CSV"),
        (["--annotations", "{here}/notes.txt"], "suffix '.txt' is not known; expected .json or .csv annotations"),
        (["--features", "{here}/pickles"], "save the array as .npy); another folder, or another kind of features?"),
        (["--workspace", "{here}/visual"], "is there already and no workspace"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], match: str
) -> None:
    write_all(tmp_path, DATABASE)
    (tmp_path / "bad.json").write_text(json.dumps({"database": {"v": video([], fps="fast")}}))
    twice = video([(0, 1, "a"), (1, 2, "a")])
    for number, item in enumerate(twice["annotations"]):
        item["label_id"] = number
    (tmp_path / "two.json").write_text(json.dumps({"database": {"v": twice}}))
    (tmp_path / "bare.json").write_text(json.dumps({"database": {"v": video([]), "w": video([])}}))
    (tmp_path / "plain.csv").write_text("clip_id,verb\nx,cut\n")
    (tmp_path / "epic.csv").write_text("video_id,start_timestamp\nP01_01,00:00:01.00\n")
    for name in ("EPIC_100_train.pkl", "notes.txt", *(f"pickles/{clip_id}.pkl" for clip_id in DATABASE)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x80\x04.")
    before = sorted(tmp_path.rglob("*"))
    assert main(command(tmp_path, *(word.replace("{here}", str(tmp_path)) for word in more))) == 2
    shown = capsys.readouterr()
    last = shown.err.strip().splitlines()[-1]
    assert match in last and last.startswith("error: ") and shown.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_runs_are_scored_at_the_data_sets_own_overlaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    assert main(command(tmp_path)) == 0
    made = Workspace(tmp_path / "ws")
    third = {"segment": [1.0, 2.0], "score": 0.5, "label": "Diving"}
    (tmp_path / "found.json").write_text(json.dumps({"results": {"one": [third]}}))
    import_detections(made, tmp_path / "found.json", "theirs", label_set="sport")
    words = ["evaluate", "--run", "theirs", "--split", "validation", "--workspace", str(made.folder), "--json"]
    for more, overlaps in (([], ["0.3", "0.4", "0.5", "0.6", "0.7"]), (["--tiou", "0.1,0.3"], ["0.1", "0.3"])):
        capsys.readouterr()
        assert main([*words, *more]) == 0
        (document,) = json.loads(capsys.readouterr().out)
        assert list(document["per_threshold"]) == overlaps
        assert document["per_threshold"]["0.3"] == 0.5
        assert document["average"] == pytest.approx(0.5 if more else 0.5 / 5)


def test_generic_features_must_be_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    words = command(tmp_path)
    words[1] = "generic"
    assert main([*words]) == 2
    assert "--hop must say how the features were made" in capsys.readouterr().err
    assert main([*words, "--hop", "4", "--window", "16", "--fps", "0", "--label-set", "stunt"]) == 0
    made = Workspace(tmp_path / "ws")
    assert made.label_sets == {"stunt": ("Billiards", "Diving")} and made.settings.name == "ws"


def test_saved_steps_may_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    assert main(command(tmp_path, "--every", "3", "--json")) == 0
    kinds = {finding["found"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert "features and length disagree" not in kinds
    found = Workspace(tmp_path / "ws").features("visual", "one")
    np.testing.assert_array_equal(found.array, np.load(tmp_path / "visual/one.npy").T[:, ::3])
    assert (found.grid.hop_frames, found.grid.window_frames) == (12, 16)


def test_files_that_are_named_are_the_only_ones_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, DATABASE)
    np.save(tmp_path / "visual/one_flow.npy", np.ones((steps(), 6), np.float32))
    assert main(command(tmp_path, "--files", "{name}_flow.npy", "--json")) == 2
    finding = json.loads(capsys.readouterr().out)["findings"][0]
    assert (finding["found"], finding["for example"]) == ("no visual features", "-two: -two_flow.npy")
    assert main(command(tmp_path, "--files", "{name}_flow.npy", "--allow-missing")) == 0
    made = Workspace(tmp_path / "ws")
    assert made.clip_ids() == ["one"] and made.features("visual", "one").array.min() == 1


def test_values_that_are_not_finite_are_found_by_all_but_a_glance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(tmp_path, DATABASE)
    bad = np.zeros((steps(), 6), np.float32)
    bad[-1, 2] = np.inf
    np.save(tmp_path / "visual/one.npy", bad)
    assert main(command(tmp_path)) == 2
    assert f"one: 1 of {bad.size} values are not finite" in capsys.readouterr().out
    assert main(command(tmp_path, "--skip-values")) == 0
    assert "every clip is in order, as far as headers of files tell" in capsys.readouterr().out
    with pytest.raises(FeatureError, match=r"visual/one\.npy: 1 of \d+ values are not finite"):
        Workspace(tmp_path / "ws").features("visual", "one")


def test_every_reason_is_named_where_no_clip_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path, {name: video([(1.0, 2.0, "Diving")], fps=0) for name in ("one", "two", "three")})
    (tmp_path / "visual/three.npy").unlink()
    assert main(command(tmp_path)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "none of 3 clips can be used: 1 no visual features (three: three.npy), 2 unknown frame rates (one: " in last
    assert last.endswith("say it by --fps)")
