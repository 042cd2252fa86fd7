"""The Report page as a script: it makes a report and a film, and serves only its own files."""

from __future__ import annotations

import time

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.context import AppContext
from app.exports import export_name, export_path
from mravff_core.errors import WorkspaceError


def page() -> None:
    import streamlit as st

    from app.pages import clip, report

    pages = {"report": st.Page(report.show, default=True), "clip": st.Page(clip.show, url_path="clip")}
    st.session_state["pages"] = pages
    st.navigation(list(pages.values())).run()


def opened(query: dict[str, str]) -> AppTest:
    script = AppTest.from_function(page, default_timeout=60)
    for name, value in query.items():
        script.query_params[name] = value
    script.run()
    assert not script.exception
    return script


def press(script: AppTest, label: str) -> None:
    next(button for button in script.button if button.label == label).click().run()


def finished(app: AppContext) -> None:
    until = time.monotonic() + 60
    while any(not job.ended for job in app.jobs.of("export")) and time.monotonic() < until:
        time.sleep(0.1)
    assert [job.error for job in app.jobs.of("export") if job.error] == []


def test_a_report_is_made_shown_and_saved(app_context: AppContext) -> None:
    script = opened({"sections": "overview", "title": "Kitchen & co"})
    assert "Choose what to show" in script.info[0].value
    press(script, "Make the report")
    finished(app_context)
    script.run()
    assert "Make the report again" in [button.label for button in script.button]
    links = [element.proto.url for element in script.get("link_button")]
    assert any("/av/export/report-" in url and url.endswith(".html?save=yes") for url in links)
    name = next(url for url in links if ".html" in url).split("/")[-1].split("?")[0]
    assert "Kitchen &amp; co" in export_path(app_context, name).read_text(encoding="utf-8")
    assert "--title 'Kitchen & co'" in script.code[0].value


def test_a_report_needs_a_section(app_context: AppContext) -> None:
    script = opened({"title": "Nothing"})
    next(group for group in script.button_group if group.label == "Sections").set_value([]).run()
    assert "Choose at least one section" in script.info[0].value
    assert not script.button


def test_a_film_is_made(app_context: AppContext) -> None:
    script = opened({"part": "film", "clip": "clip_0", "end": "0.5", "about": "verb_mrav"})
    press(script, "Make the film")
    finished(app_context)
    script.run()
    assert any("/av/export/film-" in element.proto.url for element in script.get("link_button"))


def test_a_run_of_several_label_sets_is_reported_on_by_the_one_chosen(app_context: AppContext) -> None:
    _import_two_label_sets(app_context)
    script = opened({"sections": "overview", "about": "theirs", "labels": "noun"})
    (classes,) = [each for each in script.multiselect if each.label == "Classes"]
    assert classes.options == ["pan", "onion"]
    press(script, "Make the report")
    finished(app_context)
    script.run()
    assert "--labels noun" in script.code[0].value
    film = opened({"part": "film", "clip": "clip_0", "about": "theirs", "labels": "noun"})
    assert next(each for each in film.selectbox if each.label == "Label set").value == "noun"


def _import_two_label_sets(app: AppContext) -> None:
    found = pd.DataFrame({"clip_id": ["clip_0"], "start_s": [0.2], "end_s": [0.9], "label": [1], "score": [0.8]})
    folder = app.workspace.runs_folder / "theirs"
    folder.mkdir()
    (folder / "imported.yaml").write_text("label_sets: {verb: 3, noun: 2}\n", encoding="utf-8")
    app.workspace.run("theirs").store_all("on", ["clip_0"], {"verb": found, "noun": found})


@pytest.mark.parametrize(
    "name", ["../workspace.yaml", "report-0123456789ab.exe", "report.html", "Report-0123456789ab.html"]
)
def test_only_exports_are_served(app_context: AppContext, name: str) -> None:
    with pytest.raises(WorkspaceError, match="there is no exported file"):
        export_path(app_context, name)
    assert export_path(app_context, export_name("film", "x", ending="mp4")).parent.name == "exports"
