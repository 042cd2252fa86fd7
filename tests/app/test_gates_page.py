"""The Gates page as a script: what it shows is what the analysis says, and every emptiness has a way on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.detectors import DetectorCache
from app.jobs import JobQueue
from app.uploads import Uploads
from mravff_core import Workspace
from mravff_core.analysis import gates
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.inference.run_predict import predict
from tests.app.page_script import addressed, labelled, open_page
from tests.small_workspace import VERBS, small_workspace


@pytest.fixture(scope="module")
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    workspace = small_workspace(tmp_path_factory.mktemp("gates_page") / "small")
    predict(workspace, "verb_mrav")
    yield context.start(workspace.folder, device="cpu")
    context.context().jobs.close()


def words_of(page: AppTest) -> str:
    return " ".join(element.value for kind in (page.markdown, page.caption, page.info) for element in kind)


def test_without_detections_with_audio_off_a_button_makes_them_and_the_effect_follows(app_context: AppContext) -> None:
    page = open_page("gates")
    assert "audio off are missing" in words_of(page)
    labelled(page.button, "Detect with audio off").click().run()
    deadline = time.monotonic() + 60
    while not gates.has_audio_effect(app_context.workspace, "verb_mrav"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        page.run()
    page.run()
    assert not page.exception and "A large gate shows that sound was mixed in, not that it helped" in words_of(page)


def test_the_table_is_what_the_analysis_says(app_context: AppContext) -> None:
    shown = open_page("gates", table="yes").dataframe[0].value
    segments = segment_gates(app_context.workspace, SegmentSource("verb_mrav"))
    wanted = gates.class_gates(segments, VERBS)
    assert shown["name"].tolist() == wanted["name"].tolist()
    assert shown["gate"].tolist() == pytest.approx(wanted["gate"].tolist())


@pytest.mark.parametrize(("name", "field"), [("gates", "run"), ("errors", "run"), ("report", "about")])
def test_another_run_than_was_asked_for_is_shown_with_a_word(app_context: AppContext, name: str, field: str) -> None:
    page = open_page(name, **{field: "gone"})
    assert addressed(page)[field] == "verb_mrav"
    assert ["'gone', which was asked for, is not here" in toast.value.replace("\\", "") for toast in page.toast] == [
        True
    ]
    assert not open_page(name).toast


def test_order_search_and_filters_decide_what_is_shown(app_context: AppContext) -> None:
    page = open_page("gates", table="yes", sort="gate_2", up="yes")
    values = page.dataframe[0].value["gate_2"].tolist()
    assert values == sorted(values) and len(values) == len(VERBS)
    labelled(page.text_input, "Search").set_value("ST").run()
    assert page.dataframe[0].value["name"].tolist() == ["stir"]
    labelled(page.multiselect, "Clips").set_value(["clip_0"]).run()
    segments = segment_gates(app_context.workspace, SegmentSource("verb_mrav"))
    own = segments[(segments["clip_id"] == "clip_0") & (segments["label"] == VERBS.index("stir"))]
    assert page.dataframe[0].value["count"].tolist() == [len(own)]
    assert addressed(page)["clips"] == "clip_0" and addressed(page)["search"] == "ST"


def test_what_sound_is_worth_is_asked_of_the_chosen_clips(app_context: AppContext) -> None:
    workspace, chosen = app_context.workspace, ["clip_0", "clip_1"]
    predict(workspace, "verb_mrav", condition="off")
    wanted = gates.audio_effect(workspace, "verb_mrav", clip_ids=chosen).set_index("name")["effect"]
    page = open_page("gates", table="yes")
    labelled(page.multiselect, "Clips").set_value(chosen).run()
    shown = page.dataframe[0].value.set_index("name")["effect"]
    assert shown.tolist() == pytest.approx((100 * wanted[shown.index]).tolist())
    assert shown.abs().max() > 0


def test_a_class_shows_its_segments_most_and_least_gated_first(app_context: AppContext) -> None:
    segments = segment_gates(app_context.workspace, SegmentSource("verb_mrav"))
    own = segments[segments["label"] == VERBS.index("cut")].sort_values("gate", ascending=False)
    page = open_page("gates", name="cut")
    assert page.dataframe[0].value["start_s"].tolist() == pytest.approx(own["start_s"].tolist())
    assert f"{len(own)} segments in" in words_of(page)
    least = open_page("gates", name="cut", end="least")
    assert least.dataframe[0].value["start_s"].tolist() == pytest.approx(own["start_s"].tolist()[::-1])


def test_filters_that_leave_nothing_say_so(app_context: AppContext) -> None:
    assert "No segment passes the filters" in words_of(open_page("gates", length="40,50"))
    assert "No class" in words_of(open_page("gates", least="50"))


def test_a_link_to_a_run_without_gates_shows_one_that_has_them(app_context: AppContext) -> None:
    assert addressed(open_page("gates", run="verb_visual"))["run"] == "verb_mrav"


def test_a_workspace_without_gated_runs_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Workspace.create(tmp_path / "empty", name="Empty", label_sets={"verb": ["cut"]})
    opened = AppContext(empty, DetectorCache(empty), JobQueue(), Uploads(tmp_path / "uploads"))
    monkeypatch.setattr(context, "_current", opened)
    page = open_page("gates")
    assert page.subheader[0].value == "No run with gates yet"
    assert f"train RECIPE --workspace {empty.folder}`" in words_of(page) and "detections FILE" not in words_of(page)


def test_without_true_segments_the_page_says_where_to_get_them(app_context: AppContext) -> None:
    workspace = app_context.workspace
    truth = workspace.annotations
    try:
        workspace.set_annotations(truth.iloc[:0])
        page = open_page("gates")
        assert page.subheader[0].value == "No segments" and "import --annotations" in words_of(page)
        assert "widen them" not in words_of(page)
        assert "nothing in any clip" not in words_of(open_page("gates", kind="detected"))
    finally:
        workspace.set_annotations(truth)
