"""Pages run as scripts, without a browser."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.detectors import DetectorCache
from app.jobs import JobQueue
from app.plain_text import plain
from app.tracks.segments import segments
from app.uploads import Uploads
from mravff_core import AudioCondition, Workspace
from mravff_core.errors import CancelledError
from mravff_core.workspace.import_detections import import_detections
from tests.app.page_script import addressed, labelled, page_script
from tests.media.factory import make_video, tone

MAIN = str(Path(context.__file__).parent / "entry" / "main.py")


def clip_page(**query: str) -> AppTest:
    return page_script("clip", query).run()


def test_the_app_opens_on_the_clip_page(app_context: AppContext) -> None:
    page = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not page.exception and not page.error
    assert labelled(page.selectbox, "Clip").value == "clip_0"


def test_the_clip_page_opens_with_the_run_that_listens(app_context: AppContext) -> None:
    page = clip_page()
    assert not page.exception and not page.error
    assert labelled(page.selectbox, "Run").value == "verb_mrav"
    assert addressed(page) == {"clip": "clip_0", "run": "verb_mrav"}


def test_choices_are_written_into_the_address(app_context: AppContext) -> None:
    page = clip_page()
    labelled(page.slider, "Score threshold").set_value(0.4)
    labelled(page.multiselect, "Classes").set_value(["stir"])
    labelled(page.selectbox, "Clip").set_value("clip_1").run()
    assert addressed(page) == {"clip": "clip_1", "run": "verb_mrav", "min": "0.4", "classes": "stir"}


def test_an_address_is_followed(app_context: AppContext) -> None:
    page = clip_page(clip="clip_1", run="verb_mrav", audio="shift:+2", min="0.35", classes="cut,pour")
    assert labelled(page.selectbox, "Clip").value == "clip_1"
    assert labelled(page.selectbox, "Sound").value == "shift"
    assert labelled(page.slider, "Seconds later").value == 2.0
    assert labelled(page.slider, "Score threshold").value == 0.35
    assert labelled(page.multiselect, "Classes").value == ["cut", "pour"]


def test_a_broken_address_says_so_and_shows_something(app_context: AppContext) -> None:
    page = clip_page(clip="gone")
    assert [message.value for message in page.toast] == [
        plain("The address asks for the clip 'gone', which is not in this workspace.")
    ]
    assert addressed(page)["clip"] == "clip_0"


def test_previous_and_next_stop_at_the_ends(app_context: AppContext) -> None:
    page = clip_page()
    assert page.button(key="previous_clip").disabled
    for _ in range(2):
        page.button(key="next_clip").click().run()
    assert addressed(page)["clip"] == "clip_2"
    assert page.button(key="next_clip").disabled


def test_a_sound_not_heard_yet_is_detected_with_in_the_background(app_context: AppContext) -> None:
    page = clip_page(clip="clip_1", audio="silence")
    run = app_context.workspace.run("verb_mrav")
    deadline = time.monotonic() + 30
    while not run.has("silence", "clip_1"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    page.run()
    assert not page.exception and not page.error


def test_a_detection_under_way_is_cancelled_and_asked_for_again(
    app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_args: object, cancel: Callable[[], bool], **_more: object) -> None:
        while not cancel():
            time.sleep(0.01)
        raise CancelledError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr("mravff_core.inference.run_predict.predict", endless)
        page = clip_page(clip="clip_1", run="verb_mrav", audio="noise:3")
        labelled(page.button, "Cancel").click().run()
        job = app_context.jobs.find("detect verb_mrav noise:3 clip_1")
        assert job is not None
        while not job.ended:
            time.sleep(0.01)
        page.run()
        assert [error.value for error in page.error] == ["Detection was stopped."]
    labelled(page.button, "Try again").click().run()
    while not app_context.workspace.run("verb_mrav").has("noise:3", "clip_1"):
        time.sleep(0.05)
    assert not page.run().error


def test_rows_beside_the_first_are_chosen_and_addressed(app_context: AppContext) -> None:
    page = clip_page(clip="clip_1", run="verb_mrav", **{"with": "verb_visual"})
    beside = labelled(page.multiselect, "Beside it")
    assert beside.value == ["verb_visual"]
    assert "verb_mrav" not in beside.options and "verb_mrav · no sound" in beside.options
    beside.set_value(["verb_visual", "verb_mrav@off"]).run()
    assert not page.exception and not page.error
    assert addressed(page)["with"] == "verb_visual,verb_mrav@off"
    labelled(page.selectbox, "Run").set_value("verb_visual").run()
    assert addressed(page)["with"] == "verb_mrav@off", "the first row does not stand beside itself"


def test_a_run_that_never_listens_offers_no_sound(app_context: AppContext) -> None:
    page = clip_page(run="verb_visual", audio="off")
    assert labelled(page.selectbox, "Sound").disabled
    assert "audio" not in addressed(page)


def test_a_silent_clip_says_that_it_is_silent(app_context: AppContext) -> None:
    page = clip_page(clip="clip_2")
    assert any("no sound track" in caption.value for caption in page.caption)


def test_warnings_are_text_and_not_markup(app_context: AppContext) -> None:
    workspace = app_context.workspace
    clip = workspace.clip("clip_0")
    workspace.add_clips([replace(clip, warnings="odd <b>file</b> [x](http://y)")])
    page = clip_page(clip="clip_0")
    workspace.add_clips([clip])
    assert any(r"\[x\]\(http\://y\)" in caption.value for caption in page.caption)


def test_an_empty_workspace_shows_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Workspace.create(tmp_path / "empty", name="Empty", label_sets={"verb": ["cut"]})
    opened = AppContext(empty, DetectorCache(empty), JobQueue(), Uploads(tmp_path / "uploads"))
    monkeypatch.setattr(context, "_current", opened)
    page = clip_page()
    assert not page.exception and page.subheader[0].value == "No clips yet"


def test_a_damaged_run_is_left_out_with_a_sentence(app_context: AppContext) -> None:
    folder = app_context.workspace.runs_folder / "verb_mrav"
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    try:
        (folder / "config.yaml").write_text("base: 3\n", encoding="utf-8")
        page = clip_page()
        assert not page.exception and not page.error
        said = page.warning[0].value.replace("\\", "")
        assert "run verb_mrav is left out" in said and "config.yaml" in said
        assert addressed(page)["run"] == "verb_visual", "the others live on"
    finally:
        (folder / "config.yaml").write_text(text, encoding="utf-8")


def wait_for_jobs(app_context: AppContext) -> None:
    deadline = time.monotonic() + 60
    while not all(job.ended for job in app_context.jobs.of("add")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_path_becomes_a_clip_with_detections(app_context: AppContext, tmp_path: Path) -> None:
    video = make_video(tmp_path / "my film.mp4", 2.0, audio=tone(2.0)) or tmp_path / "my film.mp4"
    page = page_script("add").run()
    page.text_area(key="paths").set_value(str(video))
    page.button[0].click().run()
    wait_for_jobs(app_context)
    page.run()
    assert any("Added with" in text.value for text in page.markdown)
    clip = app_context.workspace.clip("my_film")
    assert (clip.title, clip.split, Path(clip.path)) == ("my film.mp4", "own", video)
    assert app_context.workspace.run("verb_mrav").has("on", "my_film")


def test_videos_are_not_asked_for_where_their_features_cannot_be_made(
    app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(app_context.workspace.settings, encoders={"visual": "slowfast", "audio": "light_audio"})
    monkeypatch.setattr(app_context.workspace, "settings", settings)
    page = page_script("add").run()
    assert not page.exception and not page.text_area and not page.selectbox
    assert "(slowfast) are made by another tool" in page.info[0].value


@pytest.mark.parametrize(
    ("content", "words"), [(None, "missing.mp4"), (b"", "empty"), (b"not a video" * 100, "missing.mp4")]
)
def test_a_bad_file_is_refused_and_leaves_nothing(
    app_context: AppContext, tmp_path: Path, content: bytes | None, words: str
) -> None:
    video = tmp_path / "missing.mp4"
    if content is not None:
        video.write_bytes(content)
    before = app_context.workspace.clip_ids()
    page = page_script("add").run()
    page.text_area(key="paths").set_value(str(video))
    page.button[0].click().run()
    wait_for_jobs(app_context)
    page.run()
    assert any(words in message.value.replace("\\", "") for message in page.error)
    assert app_context.workspace.clip_ids() == before
    app_context.jobs.forget(app_context.jobs.of("add")[0])


def test_an_imported_run_is_shown_and_asked_for_no_more_than_it_has(app_context: AppContext, tmp_path: Path) -> None:
    results = {"clip_0": [{"label": "cut", "score": 0.9, "segment": [0.2, 0.9]}]}
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"results": results}))
    import_detections(app_context.workspace, path, "theirs")
    try:
        page = clip_page(run="theirs", clip="clip_0", audio="off")
        assert not page.exception and not page.error and not page.info
        assert labelled(page.selectbox, "Sound").disabled
        assert any("no detector to hear more" in caption.value for caption in page.caption)
        assert addressed(page) == {"clip": "clip_0", "run": "theirs"}
        page = clip_page(run="theirs", clip="clip_1")
        assert not page.exception and "say nothing of this clip" in page.info[0].value
        assert not any(
            "theirs" in title for title in labelled(page_script("add").run().selectbox, "Detect with").options
        )
    finally:
        shutil.rmtree(app_context.workspace.runs_folder / "theirs")


def test_a_run_of_several_label_sets_is_seen_by_each(app_context: AppContext, tmp_path: Path) -> None:
    found = {"verb": 1, "noun": 0, "action": "1,0", "score": 0.9, "segment": [0.2, 0.9]}
    path = tmp_path / "submission.json"
    path.write_text(json.dumps({"results": {"clip_0": [found]}}))
    import_detections(app_context.workspace, path, "joint")
    try:
        page = clip_page(run="joint", clip="clip_0")
        assert labelled(page.selectbox, "Label set").options == ["verb", "noun", "action"]
        assert addressed(page) == {"clip": "clip_0", "run": "joint"}
        labelled(page.selectbox, "Label set").set_value("noun").run()
        assert not page.exception and not page.error
        assert labelled(page.multiselect, "Classes").options == ["pan", "onion"]
        assert addressed(page) == {"clip": "clip_0", "run": "joint", "labels": "noun"}
        assert labelled(clip_page(**addressed(page)).selectbox, "Label set").value == "noun"
        data = segments(app_context.workspace, "clip_0", label_set="noun", run="joint", condition=AudioCondition())
        assert [row["label"] for row in data["detections"]] == [0]
    finally:
        shutil.rmtree(app_context.workspace.runs_folder / "joint")
