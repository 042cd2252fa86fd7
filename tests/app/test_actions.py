"""Every page offers a joint run's actions beside its verbs and nouns, and what it shows of them is the analysis's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.explaining import NO_LOGIT
from app.sources import sources
from app.tracks.segments import segments
from app.view import View
from mravff_core import AudioCondition
from mravff_core.analysis.changes import MatchSettings
from mravff_core.analysis.compare import compare, kind_counts
from mravff_core.analysis.errors import analyse_errors
from mravff_core.analysis.gates import class_gates
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.workspace.runs import IMPORTED_NAME
from tests.app.page_script import addressed, labelled, open_page
from tests.small_workspace import NOUNS, add_joint_run, small_detector, small_workspace

ANY_SCORE = MatchSettings(min_score=0.0)
OFFERED = ["verb", "noun", "action"]


@pytest.fixture(scope="module")
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    workspace = small_workspace(tmp_path_factory.mktemp("actions_pages") / "small")
    add_joint_run(workspace)
    for condition in ("on", "off"):
        predict(workspace, "joint", condition=condition, device="cpu")
    yield context.start(workspace.folder, device="cpu")
    context.context().jobs.close()


def finished(app: AppContext) -> None:
    deadline = time.monotonic() + 60
    while not all(job.ended for kind in ("intervals", "analysis") for job in app.jobs.of(kind)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows_of(page: AppTest) -> list[dict]:
    """The list of segments: the only table with a column of buttons."""
    return next(frame.value for frame in page.dataframe if "play" in frame.value.columns).to_dict("records")


def players_link(page: AppTest) -> str:
    return next(link.proto.query_string for link in page.get("page_link") if link.proto.label == "Open in the player")


def names(app: AppContext) -> list[str]:
    return list(app.workspace.classes("action").values())


def test_the_clip_page_shows_actions_and_says_why_it_explains_none(app_context: AppContext) -> None:
    page = open_page("clip", run="joint", clip="clip_0", segment="d2")
    assert labelled(page.selectbox, "Label set").options == OFFERED
    labelled(page.selectbox, "Label set").set_value("action").run()
    assert labelled(page.multiselect, "Classes").options == names(app_context)
    assert addressed(page) == {"clip": "clip_0", "run": "joint", "labels": "action"}, "d2 was a verb's"
    chosen = names(app_context)[1]
    page = open_page("clip", run="joint", clip="clip_0", labels="action", classes=chosen, segment="d1")
    assert labelled(page.multiselect, "Classes").value == [chosen]
    assert NO_LOGIT in [caption.value for caption in page.caption]
    view = View(clip="clip_0", run="joint", label_set="action", usual_labels=False)
    info = app_context.workspace.run("joint").info
    assert sources(app_context.workspace, view, info, predicted=True)["attribution"] is None


def test_the_player_gets_the_names_of_the_actions_that_are_there(app_context: AppContext) -> None:
    workspace = app_context.workspace
    data = segments(workspace, "clip_0", label_set="action", run="joint", condition=AudioCondition())
    stored = workspace.run("joint").detections("on", ["clip_0"], label_set="action")
    assert stored is not None and [row["label"] for row in data["detections"]] == stored["label"].tolist()
    there = {row["label"] for row in [*data["detections"], *data["truth"]]}
    assert data["labels"] == dict(zip(sorted(there), workspace.class_names("action", sorted(there)), strict=True))


def test_without_a_run_true_actions_can_be_looked_at(app_context: AppContext) -> None:
    data = segments(app_context.workspace, "clip_0", label_set="action", run=None, condition=AudioCondition())
    assert len(data["truth"]) == 2 and set(data["labels"]) == {row["label"] for row in data["truth"]}


def test_compare_takes_actions(app_context: AppContext) -> None:
    query = {"a": "joint", "a_sound": "off", "b": "joint", "min": "0.0"}
    page = open_page("compare", **query)
    assert labelled(page.selectbox, "Label set").options == OFFERED
    labelled(page.selectbox, "Label set").set_value("action").run()
    finished(app_context)
    page.run()
    assert not page.exception and addressed(page)["labels"] == "action"
    found = compare(app_context.workspace, "joint@off", "joint", label_set="action")
    overall = found.precision.overall
    assert [metric.value for metric in page.metric[:2]] == [f"{100 * overall[side]:.1f}" for side in "ab"]
    assert labelled(page.selectbox, "Class").options == ["All classes", *names(app_context)]
    events = compare(app_context.workspace, "joint@off", "joint", label_set="action", settings=ANY_SCORE).events
    counts = kind_counts(events)
    shown = [row["class"] for row in rows_of(page)]
    assert len(shown) == sum(counts.values()) > 0
    assert {part for name in shown for part in name.split(" → ")} <= set(app_context.workspace.class_names("action"))
    labelled(page.selectbox, "Class").set_value(shown[0].split(" → ")[0]).run()
    assert not page.exception and "labels=action" in players_link(page)


def test_runs_with_one_label_set_in_common_offer_no_choice(app_context: AppContext) -> None:
    predict(app_context.workspace, "verb_visual", device="cpu")
    page = open_page("compare", a="verb_visual", b="joint", labels="action")
    assert "Label set" not in [box.label for box in page.selectbox] and "labels" not in addressed(page)


def test_errors_are_those_of_actions(app_context: AppContext) -> None:
    page = open_page("errors", run="joint", labels="action", min="0.0")
    assert labelled(page.selectbox, "Label set").options == OFFERED
    assert labelled(page.selectbox, "Class").options == ["All classes", *names(app_context)]
    found = analyse_errors(app_context.workspace, "joint", label_set="action").detections(0.5)
    wrong = found[found["kind"] != "true positive"]
    assert [row["name"] for row in rows_of(page)] == wrong["name"].tolist()[: len(rows_of(page))]
    page = open_page("errors", run="joint", labels="action", mark="kind=background")
    assert "labels=action" in players_link(page)


def test_gates_stand_beside_what_sound_is_worth_to_actions(app_context: AppContext) -> None:
    page = open_page("gates", run="joint", labels="action", table="yes")
    finished(app_context)
    page.run()
    assert labelled(page.selectbox, "Classes").options == OFFERED
    workspace = app_context.workspace
    wanted = class_gates(segment_gates(workspace, SegmentSource("joint", "action")), workspace.class_names("action"))
    shown = page.dataframe[0].value
    assert shown["name"].tolist() == wanted["name"].tolist()
    np.testing.assert_allclose(shown["gate"], wanted["gate"])
    page = open_page("gates", run="joint", labels="action", name=names(app_context)[0])
    assert not page.exception and rows_of(page)


def test_a_report_can_be_about_actions(app_context: AppContext) -> None:
    page = open_page("report", about="joint", against="joint@off", sections="overview")
    assert labelled(page.selectbox, "Label set").options == OFFERED
    labelled(page.selectbox, "Label set").set_value("action").run()
    assert not page.exception and labelled(page.multiselect, "Classes").options == names(app_context)
    labelled(page.button, "Make the report").click().run()
    while any(not job.ended for job in app_context.jobs.of("export")):
        time.sleep(0.1)
    page.run()
    assert "--labels action" in page.code[0].value
    labelled(page.selectbox, "Report on").set_value("verb_mrav").run()
    assert "Label set" not in [box.label for box in page.selectbox]


def test_stress_curves_can_be_of_actions(app_context: AppContext) -> None:
    page = open_page("compare", section="stress", runs="joint", labels="action")
    assert labelled(page.selectbox, "Label set").options == OFFERED and not page.error


def test_explanations_are_of_verbs_and_nouns_and_say_so(app_context: AppContext) -> None:
    page = open_page("explain", run="joint", clip="clip_0", labels="action")
    assert labelled(page.selectbox, "Classes").options == ["verb", "noun"]
    assert NO_LOGIT in [caption.value for caption in page.caption]


def test_two_runs_are_merged_into_one_that_is_compared_under_its_own_sounds(app_context: AppContext) -> None:
    workspace = app_context.workspace
    save_detector(small_detector(fusion="none", label_set="noun", labels=NOUNS), workspace.runs_folder / "nouns")
    predict(workspace, "nouns", device="cpu")
    for condition in ("on", "off"):
        predict(workspace, "verb_mrav", condition=condition, device="cpu")
    page = open_page("add")
    assert labelled(page.text_input, "Name of the run").value == "verb_mrav_nouns"
    labelled(page.button, "Merge").click().run()
    while any(not job.ended for job in app_context.jobs.of("merge")):
        time.sleep(0.1)
    assert [job.error for job in app_context.jobs.of("merge") if job.error] == []
    assert "Merge again" in [button.label for button in page.run().button]
    info = workspace.run("verb_mrav_nouns").info
    assert (info.base, info.label_sets, info.conditions) == ("merged", ("action",), ("off", "on"))
    page = open_page("clip", run=info.run, clip="clip_0", audio="off")
    assert labelled(page.selectbox, "Sound").options == ["no sound", "as recorded"] and not page.error
    labelled(page.selectbox, "Sound").set_value("on").run()
    assert addressed(page) == {"clip": "clip_0", "run": info.run}
    page = open_page("compare", a=info.run, a_sound="off", b=info.run, min="0.0")
    finished(app_context)
    page.run()
    overall = compare(workspace, f"{info.run}@off", info.run).precision.overall
    assert [metric.value for metric in page.metric[:2]] == [f"{100 * overall[side]:.1f}" for side in "ab"]
    record = workspace.run(info.run).folder / IMPORTED_NAME
    record.write_text(record.read_text(encoding="utf-8").replace("action:", "verb:"), encoding="utf-8")
    page = open_page("add")
    assert "Merge again" not in [button.label for button in page.button]
    assert any("There is a run verb" in warning.value for warning in page.warning)
