"""Every page takes a run of proposals, and one of proposals that were given classes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from app import context
from app.context import AppContext
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
