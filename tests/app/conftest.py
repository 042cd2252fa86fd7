"""A small workspace, predicted by its gated run, opened for the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import context
from app.context import AppContext
from mravff_core.inference.run_predict import predict
from tests.small_workspace import small_workspace


@pytest.fixture(scope="module")
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    workspace = small_workspace(tmp_path_factory.mktemp("app") / "small")
    predict(workspace, "verb_mrav")
    yield context.start(workspace.folder, device="cpu", upload_limit_bytes=50_000)
    context.context().jobs.close()
