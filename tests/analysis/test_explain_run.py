"""Stored detections are traced to their points and explained; the cache gives what was computed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mravff_core import Predictor, Workspace, load_detector
from mravff_core.analysis import explain_run
from mravff_core.analysis.attribution import Options, trace_detection
from mravff_core.analysis.baselines import check_baseline
from mravff_core.analysis.explain_run import Explanation, Question, explain_detection
from mravff_core.audio_condition import AudioCondition
from mravff_core.cli import main
from mravff_core.errors import CancelledError, ConfigError, WorkspaceError
from mravff_core.inference.run_predict import prepare_clip

QUESTION = Question("verb_mrav", "clip_0", 0)
QUICK = Options(steps=4, most_steps=4, near=3, far=1)


@pytest.fixture
def workspace(predicted: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(predicted.folder, tmp_path / "own"))


def test_every_stored_detection_is_traced_to_the_point_that_gives_it(predicted: Workspace) -> None:
    detector = load_detector(predicted.run("verb_mrav").folder, device="cpu")
    batch, grid = prepare_clip(predicted, "clip_0", Predictor(detector), AudioCondition())
    with torch.no_grad():
        output = detector(batch)
    table = predicted.run("verb_mrav").detections("on", ["clip_0"])
    assert table is not None and len(table) > 10
    for row in table.itertuples():
        point = trace_detection(
            output,
            detector.strides,
            label=row.label,
            segment_s=(row.start_s, row.end_s),
            score=row.score,
            grid=grid,
            duration_s=predicted.clip("clip_0").duration_s,
        )
        assert (point.exact and point.overlap > 0.99) or row.end_s - row.start_s < 0.01
        assert point.score >= row.score - 1e-4
        logit = output.class_logits[point.level][0, point.step, row.label]
        assert float(logit.sigmoid()) == pytest.approx(point.score, abs=1e-6)


def test_detections_moved_by_voting_are_traced_to_the_nearest_strong_point(predicted: Workspace) -> None:
    detector = load_detector(predicted.run("verb_mrav").folder, device="cpu")
    batch, grid = prepare_clip(predicted, "clip_0", Predictor(detector), AudioCondition())
    table = predicted.run("verb_mrav").detections("on", ["clip_0"])
    assert table is not None
    best = table.assign(length=table["end_s"] - table["start_s"]).nlargest(1, "length").iloc[0]
    point = trace_detection(
        detector(batch),
        detector.strides,
        label=int(best["label"]),
        segment_s=(best["start_s"] + 0.05, best["end_s"] + 0.05),
        score=best["score"],
        grid=grid,
        duration_s=2.0,
    )
    assert not point.exact and point.overlap > 0.3


def test_a_cache_hit_equals_a_fresh_answer(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = explain_detection(workspace, QUESTION, options=QUICK, use_cache=False)
    first = explain_detection(workspace, QUESTION, options=QUICK)
    monkeypatch.setattr(explain_run, "attribute", lambda *_args, **_more: pytest.fail("computed again"))
    hit = explain_detection(workspace, QUESTION, options=QUICK)
    assert hit.to_mapping() == first.to_mapping() == fresh.to_mapping()


def test_the_cache_goes_by_content(workspace: Workspace) -> None:
    explain_detection(workspace, QUESTION, options=QUICK)
    path = workspace.feature_path("audio", "clip_0")
    features = workspace.features("audio", "clip_0")
    workspace.set_features("audio", "clip_0", replace(features, array=features.array * np.float32(0.999)))
    explain_detection(workspace, QUESTION, options=QUICK)
    assert path.is_file() and len(list(workspace.cache_folder.glob("explanations/*/*.json"))) == 2


def test_cancelling_leaves_nothing(workspace: Workspace) -> None:
    before = stored(workspace)
    with pytest.raises(CancelledError, match="stopped"):
        explain_detection(workspace, QUESTION, options=QUICK, cancel=lambda: True)
    assert stored(workspace) == before


def stored(workspace: Workspace) -> list[Path]:
    return sorted(path for path in workspace.cache_folder.rglob("*") if path.is_file())


def test_shutting_the_own_level_does_what_it_did_to_the_detection(workspace: Workspace) -> None:
    found = explain_detection(workspace, QUESTION, options=QUICK)
    own = found.attribution.levels[found.point.level]
    others = [one for one in found.attribution.levels if one.level != found.point.level]
    assert own.closed != 0 and all(one.closed == 0 and one.opened == 0 for one in others)
    assert any(one.closed_detection is not None for one in found.attribution.levels)


@pytest.mark.parametrize(("audio", "vision"), [("mean", "frozen"), ("clip:clip_1", "clip:clip_1")])
def test_other_baselines_are_answered(workspace: Workspace, audio: str, vision: str) -> None:
    question = replace(QUESTION, audio_baseline=audio, vision_baseline=vision, quantity="start")
    found = explain_detection(workspace, question, options=QUICK)
    assert found.attribution.baseline == (audio, vision)
    assert found.attribution.share.neither != found.attribution.share.both


def test_a_silent_clip_is_all_sight(workspace: Workspace) -> None:
    found = explain_detection(workspace, replace(QUESTION, clip="clip_2"), options=QUICK)
    assert found.attribution.share.audio_share == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detection": 10_000}, "0 is the best.*no number 10000"),
        ({"audio": AudioCondition.parse("shift:0.5")}, "make them with 'predict"),
        ({"clip": "nowhere"}, "has no clip 'nowhere'"),
        ({"label_set": "action"}, "no detections|no logit of their own"),
    ],
)
def test_what_cannot_be_explained_is_said(workspace: Workspace, change: dict, message: str) -> None:
    with pytest.raises(WorkspaceError, match=message):
        explain_detection(workspace, replace(QUESTION, **change), options=QUICK)


def test_unknown_baselines_are_refused() -> None:
    with pytest.raises(ConfigError, match="vision baseline 'blindness' is not known; expected mean, frozen or clip:ID"):
        check_baseline("blindness", "vision")


def test_the_command_prints_what_the_function_gives(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figure = tmp_path / "figure.html"
    asked = ["explain", "--workspace", str(workspace.folder), "--run", "verb_mrav", "--clip", "clip_0"]
    assert main([*asked, "--detection", "d0", "--steps", "4", "--json", "--figure", str(figure)]) == 0
    document = json.loads(capsys.readouterr().out)
    direct = explain_detection(workspace, QUESTION, options=Options(steps=4))
    assert document == json.loads(json.dumps(direct.to_mapping()))
    assert Explanation.from_mapping(document).attribution.share == direct.attribution.share
    assert "Sound over time" in figure.read_text(encoding="utf-8")
    assert main([*asked, "--detection", "d0", "--steps", "4"]) == 0
    assert "audio share" in capsys.readouterr().out
    assert main([*asked, "--detection", "best"]) == 2


def test_no_baseline_is_made_twice(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str]] = []
    for modality in ("audio", "vision"):
        usual = getattr(explain_run, f"{modality}_baseline")

        def make(*given: Any, modality: str = modality, usual: Any = usual, **more: Any) -> Any:
            made.append((modality, given[3]))
            return usual(*given, **more)

        monkeypatch.setattr(explain_run, f"{modality}_baseline", make)
    explanation = explain_detection(workspace, QUESTION, device="cpu", options=QUICK)
    assert explanation.attribution.share_range is not None
    assert len(made) == len(set(made)) and {("vision", "frozen"), ("audio", "mean")} <= set(made)
