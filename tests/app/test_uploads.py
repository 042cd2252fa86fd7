"""Uploads: to disk as they arrive, refused in a sentence, nothing left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect

from app.uploads import UploadError, Uploads


async def blocks(*parts: bytes, fail: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if fail:
        raise ClientDisconnect


def receive(uploads: Uploads, token: str, *parts: bytes, name: str = "film.MP4", announced: int | None = None):
    return asyncio.run(uploads.receive(token, name, blocks(*parts), announced))


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", limit_bytes=1000)


def left(uploads: Uploads) -> list[str]:
    return [path.name for path in uploads.folder.glob("*")]


def test_a_file_arrives_whole_and_is_handed_over_once(uploads: Uploads) -> None:
    token = uploads.issue()
    upload = receive(uploads, token, b"abc", b"def", announced=6)
    assert upload.path.read_bytes() == b"abcdef"
    assert upload.path.suffix == ".mp4" and upload.name == "film.MP4"
    other = receive(uploads, token, b"xyz")
    assert uploads.take(token) == [upload, other]
    assert uploads.take(token) == []


def test_files_of_one_session_cannot_be_taken_by_another(uploads: Uploads) -> None:
    mine, other = uploads.issue(), uploads.issue()
    receive(uploads, mine, b"abc")
    assert uploads.take(other) == []


@pytest.mark.parametrize(
    ("parts", "announced", "status", "words"),
    [
        ((b"x" * 600, b"x" * 600), None, 413, "larger than the limit"),
        ((b"x",), 2000, 413, "larger than the limit"),
        ((), 0, 400, "is empty"),
        ((b"abc",), 9, 400, "only 3 of 9 bytes arrived"),
    ],
)
def test_refused_files_leave_nothing(
    uploads: Uploads, parts: tuple[bytes, ...], announced: int | None, status: int, words: str
) -> None:
    with pytest.raises(UploadError, match=words) as error:
        receive(uploads, uploads.issue(), *parts, announced=announced)
    assert error.value.status == status
    assert left(uploads) == []


def test_an_unknown_token_is_refused(uploads: Uploads) -> None:
    with pytest.raises(UploadError, match="reload it"):
        receive(uploads, "guessed", b"abc")


def test_a_broken_connection_leaves_nothing(uploads: Uploads) -> None:
    token = uploads.issue()
    with pytest.raises(ClientDisconnect):
        asyncio.run(uploads.receive(token, "film.mp4", blocks(b"abc", fail=True), None))
    assert left(uploads) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.mp4", "x.ev il", "x." + "y" * 40, ".mp4", "ünï.mkv"])
def test_a_senders_name_never_names_a_file_here(uploads: Uploads, name: str) -> None:
    upload = receive(uploads, uploads.issue(), b"abc", name=name)
    assert upload.path.parent == uploads.folder
    assert upload.path.stem.replace("-", "").replace("_", "").isalnum()


def test_what_an_earlier_server_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "stale.mp4").write_bytes(b"x")
    Uploads(folder)
    assert not (folder / "stale.mp4").exists()
