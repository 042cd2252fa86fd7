"""Every page takes a run of proposals, and one of proposals that were given classes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.plain_text import plain
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.workspace.merge_proposals import merge_proposals
from tests.app.page_script import addressed, labelled, open_page
from tests.small_workspace import VERBS, small_detector, small_workspace


@pytest.fixture(scope="module")
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    folder = tmp_path_factory.mktemp("proposal_pages")
    workspace = small_workspace(folder / "small")
    save_detector(small_detector(label_set="proposal", labels=("proposal",)), workspace.runs_folder / "found")
    for sound in ("on", "off"):
        predict(workspace, "found", condition=sound, device="cpu")
    scores = folder / "scores.json"
    scores.write_text(json.dumps({clip: [0.2, 0.5, 0.3] for clip in workspace.clip_ids()}))
    merge_proposals(workspace, "found", scores, "labelled")
    yield context.start(workspace.folder, device="cpu")
    context.context().jobs.close()


def finished(app: AppContext) -> None:
    deadline = time.monotonic() + 60
    while not all(job.ended for kind in ("intervals", "analysis", "explain") for job in app.jobs.of(kind)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("run", ["found", "labelled"])
@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("clip", {"clip": "clip_0"}),
        ("errors", {"min": "0.0"}),
        ("compare", {"a_sound": "off", "min": "0.0"}),
        ("gates", {}),
        ("report", {}),
    ],
)
def test_pages_show_them(app_context: AppContext, run: str, page: str, query: dict[str, str]) -> None:
    names = {"compare": ("a", "b"), "report": ("about",)}.get(page, ("run",))
    shown = open_page(page, **dict.fromkeys(names, run), **query)
    finished(app_context)
    shown.run()
    assert not shown.exception and not shown.error
    if page == "clip":
        wanted = {"found": ["proposal"], "labelled": list(VERBS)}[run]
        assert labelled(shown.multiselect, "Classes").options == wanted


def test_a_proposal_is_explained_under_its_name(app_context: AppContext) -> None:
    page = open_page("explain", run="found", clip="clip_0")
    assert not page.exception and addressed(page)["run"] == "found"
    assert labelled(page.selectbox, "Detection, best first").options[0].startswith("proposal · ")


def test_an_uploaded_file_gives_proposals_their_classes(app_context: AppContext) -> None:
    workspace = app_context.workspace

    def label(content: str, file_name: str = "cuhk.json") -> AppTest:
        labelled(page.get("file_uploader"), "Class scores").upload(file_name, content.encode())
        next(button for button in page.run().button if button.label.startswith("Label")).click().run()
        deadline = time.monotonic() + 60
        while any(not job.ended for job in app_context.jobs.of("merge")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return page.run()

    page = open_page("add")
    assert labelled(page.button, "Label").disabled
    labelled(page.text_input, "Name of the run").set_value("from_page")
    labelled(page.number_input, "Best proposals of a clip").set_value(5)
    scores = {clip: [-1.0, 2.0, 1.0] for clip in workspace.clip_ids()}
    refused = "cuhk.json: expected a mapping 'results' of at least one video's scores; another format?"
    assert [error.value for error in label("{}").error] == [plain(refused)]
    assert "are these logits?" in label(json.dumps(scores)).error[0].value
    labelled(page.checkbox, "Scores are logits").check()
    assert not label(json.dumps(scores)).error
    assert "Label again" in [button.label for button in page.button]
    found = workspace.run("from_page").detections("off")
    assert found is not None and len(found) == 2 * 5 * len(workspace.clip_ids())
    assert set(found["label"]) == {1, 2}
    labelled(page.text_input, "Name of the run").set_value("found").run()
    assert any("There is a run found already" in warning.value for warning in page.warning)
