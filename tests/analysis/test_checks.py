"""The checks measure what they say, find planted truths, and store what they found with the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from mravff_core import Workspace, load_detector
from mravff_core.analysis.checks import CHECKS_FILE, read_checks, verify_explanations
from mravff_core.analysis.checks.intervals import area_under_curve, estimate, mean_of
from mravff_core.analysis.checks.page import write_page
from mravff_core.analysis.checks.planted_truth import check_planted
from mravff_core.analysis.checks.retrained import LEARNT, learnt_share, retrained, swapped, until_learnt
from mravff_core.analysis.checks.verify import HowMany, verdicts
from mravff_core.config import DataConfig, LabelSet, Recipe, TrainConfig, to_mapping
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.kitchen.shipped import shipped_runs
from mravff_core.model.detector import DetectorConfig
from mravff_core.training.clip import TrainingClip
from mravff_core.workspace import Run
from tests.small_workspace import small_detector


def test_area_under_the_curve_counts_pairs() -> None:
    generator = np.random.default_rng(0)
    scores, positive = generator.integers(0, 9, 60).astype(float), generator.random(60) < 0.4
    pairs = [float(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(area_under_curve(scores, np.ones(60, bool)))


def test_intervals_hold_their_value_and_say_when_there_is_none() -> None:
    found = mean_of([0.0, 1.0, 1.0, 1.0], ["a", "a", "b", "c"])
    assert found.low is not None and found.high is not None
    assert found.low <= 0.75 <= found.high and found.value == 0.75 and found.count == 4
    assert estimate([1.0, 2.0], ["a", "b"], area_under_curve, [1.0, 1.0]).value is None


def test_checks_are_made_stored_and_written_up(
    predicted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mravff_core.analysis.checks.verify.check_all_planted", lambda: [check_planted("audio", 1)])
    workspace = Workspace(shutil.copytree(predicted.folder, tmp_path / "own"))
    run = workspace.run("verb_mrav")
    with pytest.raises(CancelledError, match="nothing of them was stored"):
        verify_explanations(workspace, "verb_mrav", cancel=lambda: True)
    assert read_checks(run) is None
    with pytest.raises(WorkspaceError, match=r"recipe.yaml: is missing, so detector 'verb_mrav' cannot be trained"):
        retrained(workspace, run, small_detector(), swap=True)
    (run.folder / "recipe.yaml").write_text(recipe_of_small_detector(), encoding="utf-8")
    document = verify_explanations(workspace, "verb_mrav", size=HowMany(over_time=2, few=2), retrain=True)
    assert document == read_checks(run) == json.loads((run.folder / CHECKS_FILE).read_text(encoding="utf-8"))
    assert document["segments"] == 4  # two of the three clips have sound
    assert {one["check"] for one in document["verdicts"]} >= {"audio_share", "planted", "randomisation"}
    of_swapped = [one["words"] for one in document["verdicts"] if one["check"] == "swapped_labels"]
    assert len(of_swapped) == 2 and all("likewise on the true labels" in words for words in of_swapped)
    assert all("no proper test: it did not learn those labels" in words for words in of_swapped)
    assert {one["epochs"] for one in document["trainings"].values()} == {4}  # as long as was tried, warm-up included
    folders = list(workspace.cache_folder.glob("retrained/*"))
    weights = [load_file(path / "model.safetensors") for path in folders if _epochs(path) == 4]
    assert len(folders) == 3 and len(weights) == 2
    assert any(not weights[0][name].equal(weights[1][name]) for name in weights[0])
    monkeypatch.setattr("mravff_core.training.loop.start_run", lambda *_args: pytest.fail("trained again"))
    retrained(workspace, run, load_detector(run.folder, device="cpu"), swap=True)
    page = write_page([document])
    assert "## verb_mrav" in page and "1 of 1 planted truths" in page
    document["audibility"]["gate"] = {"value": 0.6, "low": 0.5, "high": 0.7, "count": 300}
    told = next(one for one in verdicts(document) if one["check"] == "gate")
    assert told["passed"] is False and "a hint only" in told["words"]
    document["audibility"]["gate"]["value"] = 0.8996
    told = next(one for one in verdicts(document) if one["check"] == "gate")
    assert told["passed"] is False and "AUC of 0.8996. Below 0.9" in told["words"]
    for low, high, passed in ((-0.01, 0.01, None), (0.13, 0.23, None)):
        document["randomisation"]["swapped_labels"] |= {"value": (low + high) / 2, "low": low, "high": high}
        told = next(one for one in verdicts(document) if one["check"] == "swapped_labels")
        assert told["passed"] is passed
    document["trainings"]["swapped_labels"]["fit"] = 0.95
    for low, high, passed in ((0.13, 0.23, False), (0.15, 0.19, True), (-0.21, 0.1, False)):
        document["randomisation"]["swapped_labels"] |= {"value": (low + high) / 2, "low": low, "high": high}
        told = next(one for one in verdicts(document) if one["check"] == "swapped_labels")
        assert "learnt swapped labels (fit 0.95)" in told["words"]
        assert told["passed"] is passed and ("ask why not others" in told["words"]) is not passed
    for name in ("swapped_labels", "swapped_labels_contrast"):
        document["randomisation"][name]["value"] = None
    told = next(one for one in verdicts(document) if one["check"] == "swapped_labels")
    assert told["passed"] is None and "--retrain" in told["words"]


def _epochs(folder: Path) -> int:
    return len((folder / "training" / "metrics.jsonl").read_text(encoding="utf-8").splitlines())


def test_swapped_labels_are_trained_on_until_learnt_and_no_longer(
    predicted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mravff_core.analysis.checks.retrained.LONGER", (1.0, 60.0, 900.0))
    workspace = Workspace(shutil.copytree(predicted.folder, tmp_path / "own"))
    run = workspace.run("verb_mrav")
    train = TrainConfig(epochs=1, learning_rate=5e-3, ema_decay=0.9, regression_range=((0, 4), (4, 8), (8, 1000)))
    (run.folder / "recipe.yaml").write_text(recipe_of_small_detector(train), encoding="utf-8")
    shares: list[float] = []
    found = until_learnt(workspace, run, small_detector(), device="cpu", progress=shares.append)
    assert found.longer == 60.0 and found.fit >= LEARNT and found.epochs == 60 + train.warmup_epochs
    assert shares == sorted(shares) and shares[-1] < 0.1
    kept = workspace.cache_folder.glob("retrained/*")
    assert sorted(_epochs(folder) for folder in kept) == [1 + train.warmup_epochs, found.epochs]
    with pytest.raises(CancelledError):
        until_learnt(workspace, run, small_detector(), seed=2, device="cpu", cancel=lambda: True)


def test_fit_counts_the_points_at_which_a_true_class_scores_highest() -> None:
    detector = small_detector()
    config = TrainConfig(regression_range=((0, 4), (4, 8), (8, 1000)))
    generator = np.random.default_rng(0)
    visual, audio = generator.normal(size=(2, 192, 32)).astype(np.float32)
    segments = np.array([[2.0, 8.0], [12.0, 26.0]], np.float32)

    def clip(*labels: int) -> TrainingClip:
        return TrainingClip("clip", visual, audio, segments, np.array(labels))

    every = [learnt_share(detector, [clip(a, b)], config) for a in range(3) for b in range(3)]
    assert sum(every) == pytest.approx(3)  # each point names one class of three
    assert max(every) > max(min(every), 1 / 3)
    pair = [learnt_share(detector, [clip(0, 1), clip(1, 0)], config)]
    assert pair == pytest.approx([np.mean([every[1], every[3]])])


def recipe_of_small_detector(train: TrainConfig | None = None) -> str:
    config = small_detector().config
    recipe = Recipe(
        name="verb_mrav",
        data=DataConfig(train_split="validation"),
        base=config.base,
        fusion=config.fusion,
        train=train or TrainConfig(epochs=1, warmup_epochs=1, regression_range=((0, 4), (4, 8), (8, 1000))),
    )
    return yaml.safe_dump(to_mapping(recipe))


def test_segments_exchange_their_labels_within_their_label_set() -> None:
    def clip(number: int) -> TrainingClip:
        labels = np.array([number % 3, 3 + number % 2])
        return TrainingClip(f"clip_{number}", np.zeros((2, 9), np.float32), None, np.zeros((2, 2), np.float32), labels)

    config = DetectorConfig("verb", ("a", "b", "c"), further_label_sets=(LabelSet("noun", ("x", "y")),))
    clips = [clip(number) for number in range(12)]
    found = swapped(clips, config, seed=1)
    before, after = (np.array([many[row].labels for row in range(12)]) for many in (clips, found))
    assert len(found) == 12 and (before != after).any(axis=0).all()
    np.testing.assert_array_equal(np.sort(before, axis=0), np.sort(after, axis=0))
    assert found[3].clip_id == "clip_3" and found[3].visual is clips[3].visual


def test_other_weights_make_stored_checks_void(predicted: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(predicted.folder, tmp_path / "own"))
    run = workspace.run("verb_mrav")
    (run.folder / CHECKS_FILE).write_text(json.dumps({"model_sha256": "another"}), encoding="utf-8")
    assert read_checks(run) is None


def test_a_run_that_never_listens_has_nothing_to_check(predicted: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="never listens"):
        verify_explanations(predicted, "verb_visual")


def test_shipped_detectors_bring_their_checks_judged_by_todays_rules_as_the_page_tells_them() -> None:
    listening = [folder for folder in shipped_runs() if folder.name.endswith("_mrav")]
    documents = [read_checks(Run(folder)) for folder in listening]
    assert len(documents) == 2 and all(documents), "checked with other weights"
    for document in documents:
        assert document is not None and document["verdicts"] == verdicts(document)
    page = Path(__file__).parents[2] / "docs" / "explanations.md"
    assert page.read_text(encoding="utf-8") == write_page([one for one in documents if one])
