"""Documents begin with our scripts, which say where the server is; nothing else is touched."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.__main__ import PAGES
from app.connecting import connecting_script
from app.head_scripts import HeadScripts

HTML = {"accept": "text/html,*/*"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    page = tmp_path / "page.html"
    page.write_text(f"<html><head><title>é</title></head>{'x' * 2000}</html>", encoding="utf-8")

    async def data(request: Request) -> Response:
        return JSONResponse({"encoding": request.headers.get("accept-encoding")})

    routes = [Route(path, lambda _request: FileResponse(page)) for path in ("/gates", "/av/export/report.html")]
    app = GZipMiddleware(Starlette(routes=[*routes, Route("/data", data)]))
    return TestClient(HeadScripts(app, scripts=[connecting_script(PAGES), "var second = 2"], but="/av"))


def test_a_document_is_whole_and_begins_with_the_place_of_the_server(client: TestClient) -> None:
    answer = client.get("/gates", headers=HTML)
    assert (
        answer.text.startswith("<html><head><script>")
        and "<script>\nvar second = 2\n</script><title>" in answer.text
        and answer.text.endswith("x</html>")
    )
    assert "BACKEND_BASE_URL" in answer.text and '"gates"' in answer.text and "<title>é</title>" in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    # What browsers keep under the file's own tag would lack the script.
    assert "etag" not in answer.headers
    assert client.get("/gates", headers={**HTML, "if-none-match": "*"}).status_code == 200


def test_what_is_no_document_passes_as_it_is(client: TestClient) -> None:
    assert client.get("/data", headers={"accept": "*/*", "accept-encoding": "gzip"}).json() == {"encoding": "gzip"}
    assert "BACKEND_BASE_URL" not in client.get("/gates", headers={"accept": "*/*"}).text
    assert "BACKEND_BASE_URL" not in client.get("/data", headers=HTML).text
    report = client.get("/av/export/report.html", headers=HTML).text
    assert report.startswith("<html><head><title>") and "BACKEND_BASE_URL" not in report


def test_every_page_is_named() -> None:
    source = (Path(import_module("app.entry").__file__ or "").parent / "main.py").read_text(encoding="utf-8")
    assert {name for name in PAGES if name} | {"clip"} == {
        line.split('_page("')[1].split('"')[0] for line in source.splitlines() if '_page("' in line
    }
