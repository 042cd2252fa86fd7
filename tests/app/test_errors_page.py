"""The Errors page as a script: marks choose, lists follow, notes and sets are kept."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.context import AppContext
from mravff_core.analysis.errors import ErrorAnalysis, analyse_errors
from mravff_core.evaluation.error_kinds import ERRORS
from mravff_core.inference.run_predict import predict
from mravff_core.workspace import Bookmarks, MarkedSegment
from tests.app.page_script import labelled


def page() -> None:
    import streamlit as st

    from app.pages import clip, errors

    pages = {"errors": st.Page(errors.show, default=True), "clip": st.Page(clip.show, url_path="clip")}
    st.session_state["pages"] = pages
    st.navigation(list(pages.values())).run()


def opened(query: dict[str, str] | None = None) -> AppTest:
    script = AppTest.from_function(page, default_timeout=60)
    for name, value in (query or {}).items():
        script.query_params[name] = value
    script.run()
    assert not script.exception
    return script


@pytest.fixture(scope="module")
def predicted(app_context: AppContext) -> AppContext:
    predict(app_context.workspace, "verb_visual")
    return app_context


def listed(script: AppTest) -> pd.DataFrame:
    return next(table.value for table in script.dataframe if "kind" in table.value)


def test_the_whole_list_can_be_saved(predicted: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[pd.DataFrame] = []

    def save(_label: str, written: Callable[[], str], **_more: object) -> None:
        saved.append(pd.read_csv(io.StringIO(written())))

    monkeypatch.setattr("app.whole_table.st.download_button", save)
    opened({"run": "verb_visual", "min": "0"})
    wrong = analyse_errors(predicted.workspace, "verb_visual").detections(0.5).query("kind != 'true positive'")
    (table,) = saved
    assert list(table) == list(wrong) and len(table) == len(wrong)


def test_it_opens_with_numbers_charts_and_all_errors(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "0"})
    analysis = analyse_errors(predicted.workspace, "verb_visual")
    precision, found, costliest = (metric.value for metric in script.metric)
    assert precision == f"{100 * analysis.diagnosis.per_class[0.5].mean():.1f}"
    truths = analysis.truths(0.5)
    assert found == f"{truths['found'].sum()} of {len(truths)}"
    gains = analysis.diagnosis.gains.loc[0.5]
    assert costliest == (gains.idxmax() if gains.max() > 0 else "none")
    wrong = analysis.detections(0.5).query("kind != 'true positive'")
    assert f": {len(wrong)}" in " ".join(element.value for element in script.markdown)
    assert listed(script)["clip_id"].tolist() == wrong["clip_id"].tolist()[:400]


@pytest.mark.parametrize(("cost", "words"), [(0.0, "none"), (0.25, "wrong label")])
def test_no_kind_is_the_costliest_where_none_costs_anything(
    predicted: AppContext, monkeypatch: pytest.MonkeyPatch, cost: float, words: str
) -> None:
    gains = pd.Series(0.0, index=list(ERRORS))
    gains["wrong label"] = cost
    monkeypatch.setattr(ErrorAnalysis, "gains", lambda *_: gains)
    assert opened({"run": "verb_visual"}).metric[2].value == words


def test_a_bar_lists_as_many_as_it_counts_whatever_the_score(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "1", "mark": "kind=background"})
    counted = analyse_errors(predicted.workspace, "verb_visual").detections(0.5).query("kind == 'background'")
    assert f": {len(counted)}" in " ".join(element.value for element in script.markdown)
    assert len(listed(script)) == min(400, len(counted)) > 0


def test_a_mark_of_the_address_lists_its_segments_and_the_first_is_chosen(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "0", "mark": "kind=background"})
    assert set(listed(script)["kind"]) == {"background"}
    assert script.query_params["picked"]
    script.button[-2].click()
    next(button for button in script.button if button.label == "All errors").click().run()
    assert len(set(listed(script)["kind"])) > 1
    assert "mark" not in script.query_params


def test_notes_and_sets_hold_what_is_listed(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "0", "mark": "kind=background"})
    script.text_area[0].set_value("nothing happens here").run()
    marks = Bookmarks(predicted.workspace.folder)
    (note,) = [note for note in marks.notes() if note.text == "nothing happens here"]
    assert note.segment.kind == "detection" and note.segment.run == "verb_visual"
    marks.add_to_set("odd ones", [])
    marks.add_to_set("odd ones", [note.segment])
    script = opened({"run": "verb_visual", "min": "0", "mark": "kind=background"})
    labelled(script.selectbox, "Save as a set").select("odd ones").run()
    next(button for button in script.button if button.label.startswith("Save 10")).click().run()
    assert len(marks.sets()["odd ones"]) == 10


def test_saved_sets_can_be_shrunk_and_removed(predicted: AppContext) -> None:
    def pressed(script: AppTest, label: str) -> AppTest:
        labelled(script.button, label).click().run()
        assert not script.exception
        return script

    marks = Bookmarks(predicted.workspace.folder)
    cuts = [MarkedSegment("clip_0", start_s, start_s + 1, "verb", "cut") for start_s in (0.2, 0.4)]
    marks.add_to_set("cuts", cuts)
    marks.add_to_set("kept", cuts)
    script = opened({"run": "verb_visual"})
    labelled(script.selectbox, "Set").select("cuts").run()
    taken = labelled(script.multiselect, "Segments to take out")
    assert taken.options == ["clip_0, 0.20 to 1.20 s, cut (true)", "clip_0, 0.40 to 1.40 s, cut (true)"]
    assert labelled(script.button, "Take out of the set").disabled
    taken.select(cuts[0].key).run()
    pressed(script, "Take out of the set")
    assert marks.sets()["cuts"] == cuts[1:]
    assert labelled(script.multiselect, "Segments to take out").value == []
    pressed(script, "Remove it")
    assert "cuts" not in marks.sets() and marks.sets()["kept"] == cuts
    assert "cuts" not in labelled(script.selectbox, "Save as a set").options
    for name in marks.sets():
        marks.remove_set(name)
    assert "Set" not in [box.label for box in opened({"run": "verb_visual"}).selectbox]


def test_a_run_without_detections_offers_to_make_them(predicted: AppContext) -> None:
    folder = predicted.workspace.run("verb_visual").folder
    shutil.copytree(folder, folder.parent / "fresh", ignore=shutil.ignore_patterns("predictions"))
    script = opened({"run": "fresh"})
    assert script.subheader[0].value == "Nothing detected yet"
    assert "Detect in all clips" in [button.label for button in script.button]


def test_nonsense_in_the_address_gives_way_to_what_is_usual(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "tiou": "0.77", "min": "7"})
    assert not script.exception
    # The threshold is what its slider shows.
    assert script.query_params["min"] == "1" and "tiou" not in script.query_params


def test_a_mark_opens_its_tab_and_names_the_set(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "0", "mark": "kind=background"})
    assert labelled(script.selectbox, "Save as a set").value == "Detections of kind “background”"


def test_an_address_that_names_no_run_shows_another(predicted: AppContext) -> None:
    assert opened({"run": "nobody"}).metric[0].label == "Normalized mAP"


def test_only_the_tab_that_is_open_is_drawn_and_a_mark_opens_its_own(predicted: AppContext) -> None:
    def charts(query: dict[str, str]) -> int:
        script = opened({"run": "verb_visual", "min": "0", **query})
        return len(script.get("plotly_chart"))

    assert charts({}) == 2, "kinds by band and what they cost"
    assert charts({"mark": "trait=length:XS"}) == 1, "misses alone"
    assert charts({"mark": "trait=length:XS", "tab": "Kinds and costs"}) == 2, "the address names a tab"


def test_a_tab_that_an_address_names_stays_in_it_and_one_that_is_none_does_not(predicted: AppContext) -> None:
    assert opened({"run": "verb_visual", "tab": "Boundaries"}).query_params["tab"] == "Boundaries"
    for tab in ("Kinds and costs", "Nothing"):
        assert "tab" not in opened({"run": "verb_visual", "tab": tab}).query_params


def test_with_a_clip_chosen_everything_is_about_that_clip(predicted: AppContext) -> None:
    script = opened({"run": "verb_visual", "min": "0", "clip": "clip_1"})
    analysis = analyse_errors(predicted.workspace, "verb_visual", clip_ids=["clip_1"])
    truths = analysis.truths(0.5)
    assert script.metric[0].value == f"{100 * analysis.diagnosis.per_class[0.5].mean():.1f}"
    assert script.metric[1].value == f"{truths['found'].sum()} of {len(truths)}" and set(truths["clip_id"]) == {
        "clip_1"
    }
    assert set(listed(script)["clip_id"]) == {"clip_1"}
    assert any("about the clip" in element.value for element in script.markdown)


def test_a_run_whose_record_is_damaged_is_left_out_with_a_word(predicted: AppContext) -> None:
    folder = predicted.workspace.run("verb_visual").folder
    damaged = folder.parent / "damaged"
    damaged.mkdir()
    (damaged / "model.safetensors").touch()
    (damaged / "config.yaml").write_text("base: 3\n")
    try:
        script = opened({"run": "damaged"})
        (warning,) = [warning.value for warning in script.warning]
        assert "damaged is left out" in warning and "is no record of a run" in warning
        assert len(script.metric) == 3 and script.query_params["run"] != "damaged"
    finally:
        shutil.rmtree(damaged)
