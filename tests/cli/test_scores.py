"""`evaluate` and `diagnose` print what the functions give, as tables and as one JSON document."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mravff_core.analysis.errors import analyse_errors
from mravff_core.cli import main
from mravff_core.evaluation import bootstrap, mean_average_precision, paired_bootstrap
from mravff_core.inference.run_predict import predict
from mravff_core.workspace import Workspace
from mravff_core.workspace.import_detections import import_detections
from tests.small_workspace import small_workspace

TIOU = (0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = small_workspace(tmp_path_factory.mktemp("scores") / "ws")
    for run in ("verb_mrav", "verb_visual"):
        predict(workspace, run)
    return workspace


def printed(capsys: pytest.CaptureFixture[str], workspace: Workspace, *arguments: str) -> str:
    assert main([*arguments, "--workspace", str(workspace.folder)]) == 0
    return capsys.readouterr().out


def test_evaluate_prints_precision_intervals_and_the_paired_difference(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--run", "verb_mrav", "--resamples", "50", "--against", "verb_visual", "--json")
    (document,) = json.loads(printed(capsys, workspace, "evaluate", *options))
    truth = workspace.truth("verb")
    found, other = (workspace.run(run).detections("on") for run in ("verb_mrav", "verb_visual"))
    assert document["average"] == pytest.approx(mean_average_precision(truth, found, TIOU).average)
    own = paired_bootstrap(truth, found, other, TIOU, resamples=50).average
    assert document["difference"]["value"] == pytest.approx(own.value)
    assert document["difference"]["low"] == pytest.approx(own.low)
    low, high = document["intervals"]["average"]
    assert low <= document["average"] <= high
    assert set(document["recall"]) == {"1", "5"}
    assert set(document["difference"]["per_class"]) == set(document["per_class"])
    assert set(document["intervals"]["per_threshold"]) == {f"{tiou:g}" for tiou in TIOU}
    drawn = bootstrap(truth, found, TIOU, resamples=50).per_class_threshold
    exact = mean_average_precision(truth, found, TIOU).per_class
    assert list(document["per_class_threshold"]) == list(document["per_class"])
    names = workspace.class_names("verb", exact.index.tolist())
    for name, (label, values) in zip(names, exact.iterrows(), strict=True):
        assert document["per_class_threshold"][name] == pytest.approx({f"{t:g}": values[t] for t in TIOU})
        for tiou in TIOU:
            ends = drawn.loc[(label, tiou), ["low", "high"]]
            expected = [None if pd.isna(end) else pytest.approx(end) for end in ends]
            assert document["intervals"]["per_class_threshold"][name][f"{tiou:g}"] == expected
    stored = workspace.run("verb_mrav").predictions_folder("on") / "metrics.json"
    assert json.loads(stored.read_text(encoding="utf-8")) == document
    header, _, row = printed(capsys, workspace, "evaluate", *options[:-1]).splitlines()
    assert "minus verb_visual (on)" in header and header.index("recall@1x") < header.index("recall@5x")
    recall = sum(document["recall"]["5"].values()) / len(TIOU)
    place = header.index("recall@5x")
    assert float(row[place : place + len("recall@5x")]) == pytest.approx(100 * recall, rel=1e-3)
    lines = printed(capsys, workspace, "evaluate", *options[:-1], "--csv").splitlines()
    assert lines[0].endswith("difference,difference_low,difference_high,p,q") and len(lines) == 4


def test_one_clip_gets_no_interval_in_words_nor_in_json(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("evaluate", "--run", "verb_mrav", "--clips", "clip_0", "--resamples", "50", "--against", "verb_visual")
    (document,) = json.loads(printed(capsys, workspace, *options, "--json"))
    assert document["intervals"]["average"] == [None, None]
    assert [document["difference"][name] for name in ("low", "high", "p")] == [None] * 3
    assert " to " not in printed(capsys, workspace, *options)
    sides = ("compare", "--a", "verb_mrav", "--b", "verb_visual", "--clips", "clip_0", "--resamples", "50")
    assert "[" not in printed(capsys, workspace, *sides)


def test_what_is_stored_is_of_whole_splits_only(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    stored = workspace.run("verb_visual").predictions_folder("on") / "metrics.json"
    printed(capsys, workspace, "evaluate", "--run", "verb_visual", "--clips", "clip_0")
    assert not stored.exists()
    printed(capsys, workspace, "evaluate", "--run", "verb_visual", "--split", "validation")
    assert json.loads(stored.read_text(encoding="utf-8"))["clips"] == 3


def test_clips_of_several_splits_are_never_mixed_without_a_word(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workspace.folder, tmp_path / "ws")
    mixed = Workspace(tmp_path / "ws")
    mixed.add_clips([replace(mixed.clip("clip_0"), split="train")])
    words = ["evaluate", "--run", "verb_visual", "--workspace", str(mixed.folder), "--json"]
    for split, clips, notes in (([], 3, True), (["--split", "validation"], 2, False)):
        assert main([*words, *split]) == 0
        shown = capsys.readouterr()
        assert json.loads(shown.out)[0]["clips"] == clips
        assert ("clips of train and validation count together; --split NAME" in shown.err) is notes
    assert main([*words, "--split", "train", "--clips", "clip_1"]) == 2
    assert "--clips and --split both say which clips" in capsys.readouterr().err


def test_what_is_found_where_nothing_is_true_is_wrong_in_a_named_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = small_workspace(tmp_path / "ws")
    truth = workspace.annotations
    perfect = truth[["clip_id", "start_s", "end_s", "verb"]].assign(score=0.5)
    perfect.loc[truth["clip_id"] == "clip_2", "score"] = 0.9
    perfect.to_csv(tmp_path / "found.csv", index=False)
    import_detections(workspace, tmp_path / "found.csv", "perfect")
    workspace.set_annotations(truth[truth["clip_id"] != "clip_2"])
    words = ["evaluate", "--run", "perfect", "--workspace", str(workspace.folder), "--json", "--resamples", "20"]
    assert main(words) == 0
    shown = capsys.readouterr()
    (document,) = json.loads(shown.out)
    assert (document["average"], document["clips"], document["clips_without_segments"]) == (1.0, 2, 0)
    assert "no true verb segment" not in shown.err
    assert main([*words, "--split", "validation"]) == 0
    shown = capsys.readouterr()
    (document,) = json.loads(shown.out)
    found = workspace.run("perfect").detections("on")
    expected = mean_average_precision(workspace.truth("verb"), found, TIOU).average
    assert document["average"] == pytest.approx(expected) and expected < 1
    assert (document["clips"], document["clips_without_segments"]) == (3, 1)
    assert "1 of the clips have no true verb segment; what is found there counts as wrong" in shown.err


def test_all_who_score_count_the_same_clips_of_a_named_split(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workspace.folder, tmp_path / "ws")
    copy = Workspace(tmp_path / "ws")
    copy.set_annotations(copy.annotations[copy.annotations["clip_id"] != "clip_2"])
    for split, clips in (([], 2), (["--split", "validation"], 3)):
        scores = {}
        for command in (
            ("evaluate", "--run", "verb_mrav"),
            ("diagnose", "--run", "verb_mrav"),
            ("compare", "--a", "verb_visual", "--b", "verb_mrav", "--resamples", "0"),
            ("stress", "--runs", "verb_mrav", "--conditions", "on", "--resamples", "0"),
        ):
            words = [*command, *split, "--device", "cpu", "--json", "--workspace", str(copy.folder)]
            assert main(words) == 0
            shown = capsys.readouterr()
            scores[command[0]] = json.loads(shown.out)
            assert ("1 of the clips have no true verb segment" in shown.err) is bool(split)
        average = scores["evaluate"][0]["average"]
        assert scores["compare"]["overall"]["b"] == pytest.approx(average)
        assert scores["stress"][0]["map"] == pytest.approx(average)
        counted = [scores["evaluate"][0], scores["diagnose"], scores["compare"], scores["stress"][0]]
        assert [document["clips"] for document in counted] == [clips] * 4
    analysis = analyse_errors(copy, "verb_mrav", clip_ids=copy.clip_ids("validation"))
    assert scores["diagnose"]["gains"]["0.5"] == pytest.approx(analysis.gains(0.5).to_dict())
    kinds = analysis.detections(0.5).set_index("clip_id")["kind"]
    assert len(kinds["clip_2"]) and set(kinds["clip_2"]) == {"background"}


def test_actions_need_both_runs_and_name_both_classes(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--workspace", str(workspace.folder), "--verb-run", "verb_mrav"]) == 2
    assert "--verb-run and --noun-run go together" in capsys.readouterr().err
    assert main(["evaluate", "--workspace", str(workspace.folder), "--run", "verb_mrav", "--labels", "noun"]) == 2
    assert "run 'verb_mrav' finds verb, not noun" in capsys.readouterr().err
    actions = workspace.truth("action")
    nouns = workspace.label_sets["noun"]
    assert (actions["label"] // len(nouns)).tolist() == workspace.truth("verb")["label"].tolist()
    assert workspace.class_names("action", [len(nouns) + 1]) == [f"{workspace.label_sets['verb'][1]} {nouns[1]}"]


def test_diagnose_prints_what_the_page_shows(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    document = json.loads(printed(capsys, workspace, "diagnose", "--run", "verb_visual", "--json"))
    analysis = analyse_errors(workspace, "verb_visual")
    assert document["gains"]["0.5"] == pytest.approx(analysis.gains(0.5).to_dict())
    counts = pd.DataFrame(document["profile"]["0.5"]).set_index("band")
    pd.testing.assert_frame_equal(counts, analysis.profile(0.5), check_names=False, check_dtype=False)
    out = tmp_path / "errors.csv"
    printed(capsys, workspace, "diagnose", "--run", "verb_visual", "--tiou", "0.5", "--csv", str(out))
    assert pd.read_csv(out)["kind"].tolist() == analysis.detections(0.5)["kind"].tolist()
    table = printed(capsys, workspace, "diagnose", "--run", "verb_visual")
    assert "without wrong label" in table and "missed %" in table
    lost = pd.DataFrame(document["gains_per_class"]).mean(axis=1)
    assert lost.to_dict() == pytest.approx(pd.DataFrame(document["gains"]).mean(axis=1).to_dict())


def test_diagnose_tells_misses_by_several_characteristics(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("diagnose", "--run", "verb_visual", "--missed-by")
    document = json.loads(printed(capsys, workspace, *words, "length,coverage", "--json"))
    pairs = analyse_errors(workspace, "verb_visual").diagnosis.missed_by("length", "coverage")
    rows = pd.DataFrame(document["missed_by"])
    assert rows[["length", "coverage"]].to_records(index=False).tolist() == pairs.index.tolist()
    assert rows[["segments", "share", "missed"]].to_numpy() == pytest.approx(pairs.to_numpy())
    assert "coverage" in printed(capsys, workspace, *words, "length,coverage").splitlines()[-len(rows) - 2]
    assert main([*words, "colour", "--workspace", str(workspace.folder)]) == 2
    assert "characteristic 'colour' is not known here; known are length" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "diagnose"])
def test_a_threshold_named_twice_counts_once(
    command: str, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (command, "--run", "verb_mrav", "--clips", "clip_0", "clip_1", "--json", "--tiou")
    assert printed(capsys, workspace, *options, "0.5,0.1,0.5") == printed(capsys, workspace, *options, "0.5,0.1")


def test_imported_detections_are_not_asked_about_other_sounds(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workspace.folder, tmp_path / "ws")
    copy = Workspace(tmp_path / "ws")
    (tmp_path / "found.csv").write_text("clip_id,start_s,end_s,label,score\nclip_0,0,1,cut,0.5\n")
    import_detections(copy, tmp_path / "found.csv", "theirs")
    for audio, runs in (("on", ["theirs", "verb_mrav", "verb_visual"]), ("off", ["verb_mrav", "verb_visual"])):
        documents = json.loads(printed(capsys, copy, "evaluate", "--audio", audio, "--json"))
        assert [document["run"] for document in documents] == runs


def test_imported_detections_miss_what_they_leave_out_of_a_named_split(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(workspace.folder, tmp_path / "ws")
    copy = Workspace(tmp_path / "ws")
    first = copy.truth("verb", ["clip_0"]).assign(score=0.5)
    first["label"] = [copy.class_names("verb")[label] for label in first["label"]]
    first.to_csv(tmp_path / "found.csv", columns=["clip_id", "start_s", "end_s", "label", "score"], index=False)
    import_detections(copy, tmp_path / "found.csv", "theirs")
    missed = len(copy.truth("verb")) - len(first)
    assert missed > 0
    for words, clips, lost in (([], 1, 0), (["--split", "validation"], 3, missed)):
        options = [*words, "--json", "--device", "cpu"]
        assert json.loads(printed(capsys, copy, "diagnose", "--run", "theirs", *options))["clips"] == clips
        analysis = analyse_errors(copy, "theirs", clip_ids=copy.clip_ids("validation") if words else None)
        assert (~analysis.truths()["found"].to_numpy(bool)).sum() == lost
        sides = ("--a", "theirs", "--b", "verb_mrav", "--resamples", "0")
        compared = json.loads(printed(capsys, copy, "compare", *sides, *options))
        assert compared["clips"] == clips
    (scored,) = json.loads(printed(capsys, copy, "evaluate", "--run", "theirs", *options))
    assert compared["overall"]["a"] == pytest.approx(scored["average"])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("evaluate", "--run", "verb_mrav"), "recall@5x is among"),
        (("compare", "--a", "verb_mrav", "--b", "verb_visual", "--resamples", "20"), "* where one leaves out 0"),
        (("stress", "--runs", "verb_mrav", "--conditions", "off", "--resamples", "20"), "0 all sight to 1 all sound"),
    ],
)
def test_tables_for_people_say_what_their_numbers_are(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], words: str
) -> None:
    where = ("--workspace", str(workspace.folder))
    assert main([*command, *where]) == 0
    said = capsys.readouterr().err
    assert "note: scores are in percent" in said and words in said
    assert ("intervals 95 %" in said) == ("--resamples" in command)
    assert main([*command, *where, "--json"]) == 0
    assert "in percent" not in capsys.readouterr().err
