"""Starting the app with bad input: one sentence and exit code 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.__main__ import main
from tests.small_workspace import VERBS


def test_a_folder_that_is_no_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workspace", str(tmp_path / "nothing"), "--port", "8999"]) == 2
    assert "expected a workspace" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mravff_core import Workspace

    Workspace.create(tmp_path / "w", name="W", label_sets={"verb": list(VERBS)})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--workspace", str(tmp_path / "w"), "--port", str(port)]) == 2
    assert f"port {port} at 127.0.0.1 cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "http"], ["--upload-limit-gb", "-1"]])
def test_options_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "expected" in capsys.readouterr().err
