"""A small workspace, predicted under two sounds, for whoever only reads it."""

from __future__ import annotations

import pytest

from mravff_core import Workspace
from mravff_core.inference.run_predict import predict
from tests.small_workspace import small_workspace


@pytest.fixture(scope="session")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = small_workspace(tmp_path_factory.mktemp("analysis") / "small")
    for condition in ("on", "off"):
        predict(workspace, "verb_mrav", condition=condition)
    predict(workspace, "verb_visual")
    return workspace
