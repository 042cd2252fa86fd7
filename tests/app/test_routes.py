"""Routes under /av: videos by ranges, track data with tags, modules, uploads; 404 for the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import player
from app.context import AppContext
from app.routes import routes
from app.tracks.container import MEDIA_TYPE, decode
from mravff_core.errors import CancelledError, ConfigError


@pytest.fixture(scope="module")
def client(app_context: AppContext) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes())) as client:
        yield client


def test_a_video_comes_in_ranges(client: TestClient, app_context: AppContext) -> None:
    whole = app_context.workspace.video_path("clip_0").read_bytes()
    part = client.get("/av/video/clip_0", headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert part.headers["content-type"] == "video/mp4"
    assert client.get("/av/video/clip_0").content == whole
    assert client.get("/av/video/clip_0", headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_a_poster_is_a_picture(client: TestClient) -> None:
    answer = client.get("/av/poster/clip_0")
    assert answer.headers["content-type"] == "image/jpeg" and answer.content.startswith(b"\xff\xd8")


def test_a_frame_is_a_small_picture_of_one_moment(client: TestClient) -> None:
    answer = client.get("/av/frame/clip_0?t=1.25")
    assert answer.headers["content-type"] == "image/jpeg" and answer.content.startswith(b"\xff\xd8")
    assert client.get("/av/frame/clip_0?t=1.25").content == answer.content


@pytest.mark.parametrize("time", ["-1", "nan", "inf", "soon", "9999"])
def test_a_frame_outside_the_clip_is_refused(client: TestClient, time: str) -> None:
    assert client.get(f"/av/frame/clip_0?t={time}").status_code == 400


@pytest.mark.parametrize("kind", ["signal", "gates", "attention"])
def test_track_data_is_tagged_and_not_sent_twice(client: TestClient, kind: str) -> None:
    url = f"/av/tracks/clip_0/{kind}?run=verb_mrav&audio=on"
    first = client.get(url)
    assert first.status_code == 200 and first.headers["content-type"] == MEDIA_TYPE
    arrays, _ = decode(first.content)
    assert arrays
    again = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""


def test_a_detection_is_explained_when_asked_and_only_then(client: TestClient, app_context: AppContext) -> None:
    url = "/av/tracks/clip_1/attribution?run=verb_mrav&audio=on&labels=verb&n=0"
    cache = app_context.workspace.cache_folder / "explanations"
    before = client.get(url)
    assert before.status_code == 204 and before.content == b"" and before.headers["cache-control"] == "no-store"
    assert not list(cache.rglob("clip_1.*")), "asking alone computes nothing"
    begun = client.put(url)
    assert begun.status_code == 202 and begun.json()["state"] in ("waiting", "running", "done")
    while (answer := client.get(url)).status_code == 202:
        assert 0 <= answer.json()["share"] <= 1 and answer.headers["cache-control"] == "no-store"
        time.sleep(0.05)
    assert answer.status_code == 200 and answer.headers["content-type"] == MEDIA_TYPE
    assert decode(answer.content)[1]["name"]
    assert client.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    # Another question about the same clip is another explanation; a cached one needs no job.
    assert client.get(url.replace("n=0", "n=1")).status_code == 204
    app_context.jobs.forget(app_context.jobs.of("explain")[0])
    assert client.get(url).content == answer.content


def test_explaining_can_be_stopped_and_is_not_begun_from_elsewhere(
    client: TestClient, app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "/av/tracks/clip_1/attribution?run=verb_mrav&labels=verb&n=2"
    assert client.put(url, headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert client.delete(url).status_code == 404

    def endless(*_args: object, cancel: Callable[[], bool], **_more: object) -> None:
        while not cancel():
            time.sleep(0.01)
        raise CancelledError("stopped")

    monkeypatch.setattr("mravff_core.analysis.explain_run.explain_detection", endless)
    client.put(url)
    assert client.get(url).status_code == 202
    assert client.delete(url).status_code == 202
    while (answer := client.get(url)).status_code == 202:
        time.sleep(0.01)
    assert answer.status_code == 204


def test_what_is_done_is_answered_at_once_and_a_fault_by_its_sentence(
    client: TestClient, app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "/av/tracks/clip_1/attribution?run=verb_mrav&labels=verb&n=3"
    go_on = threading.Event()

    def refuse(*_args: object, **_more: object) -> None:
        go_on.wait(5)
        raise ConfigError("the sound is gone")

    monkeypatch.setattr("mravff_core.analysis.explain_run.explain_detection", refuse)
    monkeypatch.setattr("app.routes._PATIENCE_S", 20.0)
    client.put(url)
    threading.Timer(0.2, go_on.set).start()
    began = time.monotonic()
    answer = client.get(url)
    assert answer.status_code == 404 and "the sound is gone" in answer.json()["error"]
    assert time.monotonic() - began < 10


def test_browsers_keep_what_has_a_version_and_ask_again_for_the_rest(client: TestClient) -> None:
    for path in ("tracks/clip_0/signal", "tracks/clip_0/segments", "poster/clip_0"):
        assert "immutable" in client.get(f"/av/{path}?v=1").headers["cache-control"]
        assert client.get(f"/av/{path}").headers["cache-control"] == "no-cache"
    assert client.get("/av/tracks/gone/signal?v=1").headers["cache-control"] == "no-store"


def test_segments_come_as_json(client: TestClient) -> None:
    data = client.get("/av/tracks/clip_0/segments?run=verb_mrav&audio=on&labels=verb").json()
    assert data["truth"] and data["detections"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/av/video/nope", 404, "no clip 'nope'"),
        ("/av/video/..%2Fworkspace.yaml", 404, ""),
        ("/av/tracks/clip_0/gates?run=nope", 404, "no run 'nope'"),
        ("/av/tracks/clip_0/gates?run=..", 404, "no run '..'"),
        ("/av/tracks/clip_0/segments?labels=adjective", 404, "no label set 'adjective'"),
        ("/av/tracks/clip_0/segments?audio=loud", 400, "audio condition 'loud' is not known"),
        ("/av/tracks/clip_0/attention?run=verb_mrav&level=9", 404, "level 9"),
        ("/av/tracks/clip_0/attention?run=verb_mrav&level=x", 400, "level 'x'"),
        ("/av/tracks/clip_0/attribution?run=verb_mrav&n=first", 400, "detection 'first'"),
        ("/av/tracks/clip_0/attribution?run=nope&n=0", 404, "no run 'nope'"),
        ("/av/tracks/nope/attribution?run=verb_mrav&n=0", 404, "no clip 'nope'"),
        ("/av/tracks/clip_0/smell", 404, "kind 'smell'"),
        ("/av/player/x/__init__.py", 404, "no such module"),
        ("/av/player/x/..%2Fmain.py", 404, ""),
        ("/av/anything/else", 404, "nothing at /av/anything/else"),
        ("/av/", 404, "nothing at /av/"),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(client: TestClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_every_module_the_player_imports_is_served_under_one_version(client: TestClient) -> None:
    names = [path.name for path in Path(player.__file__).parent.glob("*.js")]
    assert "player.js" in names
    for name in names:
        answer = client.get(f"/av/player/any/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/javascript")


def test_an_upload_is_stored_and_its_id_told(client: TestClient, app_context: AppContext) -> None:
    token = app_context.uploads.issue()
    answer = client.put(f"/av/upload/{token}", content=b"x" * 999, headers={"X-File-Name": "a%20film.mp4"})
    assert answer.status_code == 201
    (upload,) = app_context.uploads.take(token)
    assert upload.name == "a film.mp4" and upload.path.stat().st_size == 999
    upload.path.unlink()


def test_uploads_are_refused_when_too_large_or_from_elsewhere(client: TestClient, app_context: AppContext) -> None:
    token = app_context.uploads.issue()
    large = client.put(f"/av/upload/{token}", content=b"x" * 60_000)
    assert large.status_code == 413 and "limit" in large.json()["error"]
    foreign = client.put(f"/av/upload/{token}", content=b"x", headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    unknown = client.put("/av/upload/guess", content=b"x")
    assert unknown.status_code == 403
    assert not list(app_context.uploads.folder.glob("*"))
