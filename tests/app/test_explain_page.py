"""The Explain page says what a detection rests on, and where not to believe it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.detectors import DetectorCache
from app.jobs import JobQueue
from app.uploads import Uploads
from mravff_core import Workspace
from mravff_core.analysis.checks import CHECKS_FILE
from mravff_core.analysis.explain_run import Question, explain_detection
from mravff_core.workspace import Clip
from mravff_core.workspace.import_detections import import_detections
from tests.analysis.test_checks import recipe_of_small_detector
from tests.app.page_script import page_script


def explain_page(**query: str) -> AppTest:
    page = page_script("explain", query)
    page.run()
    for _ in range(120):
        if page.exception or any("sight**" in text.value for text in page.markdown):
            break
        time.sleep(0.25)
        page.run()
    assert not page.exception
    return page


def words_of(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.markdown, *page.caption, *page.warning))


def test_a_detection_is_explained_and_compared_with_named_baselines(app_context: AppContext) -> None:
    page = explain_page(run="verb_mrav", clip="clip_0", n="1", sight="frozen")
    told = words_of(page)
    question = Question("verb_mrav", "clip_0", 1, vision_baseline="frozen")
    share = explain_detection(app_context.workspace, question, device="cpu").attribution.share.audio_share
    assert share is not None and f"{share:.0%} sound" in told
    assert "digital silence" in told and "a still picture" in told
    assert "Attention" in told and "Agreement of the two opinions" in told
    assert "have not been checked yet" in told or page.warning


def test_no_gate_is_spoken_of_that_is_not_there(app_context: AppContext) -> None:
    assert "shutting another level" in words_of(explain_page(run="verb_mrav", clip="clip_0"))
    told = words_of(explain_page(run="verb_mrav", clip="clip_2"))  # silent
    assert "shutting another level" not in told and "no gates to shut" in told


def test_a_class_is_contrasted_with_the_others_against_another_clip(app_context: AppContext) -> None:
    page = explain_page(run="verb_mrav", clip="clip_0", what="contrast", sound="clip:clip_1", sight="clip:clip_1")
    assert r"rather than any other class, compared with clip clip\_1 and clip clip\_1" in words_of(page)
    offered = {box.label: list(box.options) for box in page.selectbox}
    assert "This class, not others" in offered["Explain"]
    for words in ("Compare sound with", "Compare sight with"):
        assert any(option.startswith("Another clip") for option in offered[words])


def test_failed_checks_are_said_beside_the_explanation(app_context: AppContext) -> None:
    run = app_context.workspace.run("verb_mrav")
    stored = {
        "model_sha256": run.model_hash(),
        "segments": 300,
        "clips": 28,
        "verdicts": [
            {"check": "gate", "passed": False, "words": "The gate tells little."},
            {"check": "audio_share", "passed": False, "words": "Logits blur.", "of": ["logit"]},
            {"check": "audio_share", "passed": False, "words": "Chances blur.", "of": ["probability"]},
        ],
        "classes": [{"label": 0, "name": "cut", "needs_sound": True, "shares": [0.2, 0.9], "gate": 0.4}],
    }
    (run.folder / CHECKS_FILE).write_text(json.dumps(stored), encoding="utf-8")
    page = explain_page(run="verb_mrav", clip="clip_0")
    (run.folder / CHECKS_FILE).unlink()
    warned = " ".join(warning.value for warning in page.warning)
    assert "The gate tells little" in warned and "Chances blur" in warned and "Logits blur" not in warned
    assert "By class" in words_of(page)


def test_checks_are_offered_with_the_trainings_that_one_of_them_takes(
    app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "app.pages.explain_checks.verify_explanations",
        lambda workspace, run, *, retrain, **more: asked.append((run, retrain)),
    )
    assert not explain_page(run="verb_mrav", clip="clip_0").checkbox
    recipe = app_context.workspace.run("verb_mrav").folder / "recipe.yaml"
    recipe.write_text(recipe_of_small_detector(), encoding="utf-8")
    page = explain_page(run="verb_mrav", clip="clip_0")
    assert "two cores" in page.checkbox[0].help and page.checkbox[0].value is False
    page.checkbox[0].check()
    next(button for button in page.button if button.label == "Check them").click().run()
    said = [{"check": "swapped_labels", "passed": None, "words": "It did not learn them."}]
    stored = {"model_sha256": app_context.workspace.run("verb_mrav").model_hash(), "segments": 1, "clips": 1}
    stored |= {"verdicts": said, "classes": [], "trainings": {"swapped_labels": {"fit": 0.5, "epochs": 9}}}
    kept = recipe.with_name(CHECKS_FILE)
    kept.write_text(json.dumps(stored), encoding="utf-8")
    assert explain_page(run="verb_mrav", clip="clip_0").checkbox[0].value is True
    kept.unlink()
    recipe.unlink()
    job = app_context.jobs.find("verify verb_mrav")
    assert job is not None and job.wait(10) and job.state == "done"
    assert asked == [("verb_mrav", True)]


def test_a_clip_without_sound_is_explained_by_sight_alone(app_context: AppContext) -> None:
    assert "0% sound, 100% sight" in words_of(explain_page(run="verb_mrav", clip="clip_2"))


@pytest.mark.parametrize(
    ("difference", "delta", "colour"),
    [(-0.004, "unchanged from 0.92", "off"), (0.0, "unchanged from 0.92", "off"), (-0.31, "-0.31 from 0.92", "normal")],
)
def test_a_change_too_small_to_see_has_no_direction(difference: float, delta: str, colour: str) -> None:
    def script(difference: float) -> None:
        import streamlit as st

        from app.pages.explain_panels import _change

        st.metric("Score", "0.92", **_change(difference, 0.92))

    page = AppTest.from_function(script, args=(difference,)).run()
    assert page.metric[0].delta == delta
    grey = page.metric[0].proto.color == page.metric[0].proto.MetricColor.GRAY
    assert grey == (colour == "off")


def test_detections_of_another_tool_alone_lead_to_a_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.create(tmp_path / "w", name="W", label_sets={"verb": ["cut"]})
    workspace.add_clips([Clip("one", "One", "", 10.0)])
    (tmp_path / "found.csv").write_text("clip_id,start_s,end_s,label,score\none,1,2,cut,0.5\n")
    import_detections(workspace, tmp_path / "found.csv", "theirs")
    opened = AppContext(workspace, DetectorCache(workspace), JobQueue(), Uploads(tmp_path / "uploads"))
    monkeypatch.setattr(context, "_current", opened)
    page = page_script("explain", {}).run()
    assert not page.exception and "come without one" in words_of(page)
    assert f"import checkpoint PATH --run NAME --workspace {workspace.folder}`" in words_of(page)
