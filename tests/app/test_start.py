"""Starting the app with bad input: one sentence and exit code 2."""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from app.__main__ import _parser, _settings, main
from app.context import set_libraries_aside
from mravff_core import Workspace
from mravff_core.workspace import Clip
from tests.small_workspace import VERBS


def test_a_folder_that_is_no_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workspace", str(tmp_path / "nothing"), "--port", "8999"]) == 2
    assert "expected a workspace" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


class Ring:
    """Garbage that only the collector can find once nobody holds it."""

    def __init__(self) -> None:
        self.me = self


def test_the_collector_looks_at_no_library_but_still_finds_garbage() -> None:
    before = weakref.ref(Ring())
    try:
        set_libraries_aside()
        assert before() is None, "garbage is not kept for ever"
        assert len(gc.get_objects()) < gc.get_freeze_count() / 100
        after = weakref.ref(Ring())
        gc.collect()
        assert after() is None
    finally:
        gc.unfreeze()


def test_no_answer_waits_for_the_collector() -> None:
    assert _settings(_parser().parse_args([]))["runner.postScriptGC"] is False


def test_it_stops_although_a_browser_holds_a_video_open_and_warns_of_nothing(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", name="W", label_sets={"verb": list(VERBS)})
    (workspace.folder / "media").mkdir()
    (workspace.folder / "media/long.mp4").write_bytes(bytes(40_000_000))
    workspace.add_clips([Clip("long", "Long", "long.mp4", 100.0)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "app", "--workspace", str(workspace.folder), "--port", str(port)]
    said = tmp_path / "said"
    with said.open("wb") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
    try:
        browser = connected(port, process)
        browser.sendall(b"GET /av/video/long HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert browser.recv(1000).startswith(b"HTTP/1.1 200")
        process.terminate()
        process.wait(15)
        browser.close()
        assert "config option" not in said.read_text()
    finally:
        process.kill()


def connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
