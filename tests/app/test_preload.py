"""Documents name the code that their page will need; nothing else changes."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit import file_util

from app.preload import Preloading, modules_of

STATIC = Path(file_util.get_static_dir())


def client() -> TestClient:
    pages = [Route(f"/{name}", lambda _request: HTMLResponse("<p>page</p>")) for name in ("", "gates")]
    data = Route("/data", lambda _request: JSONResponse({}))
    return TestClient(Preloading(Starlette(routes=[*pages, data])))


def test_a_page_with_charts_has_their_code_fetched_at_once_and_others_when_idle() -> None:
    charts, clip = client().get("/gates").headers["link"], client().get("/").headers["link"]
    assert "PlotlyChart" in charts.split(",")[0] and "modulepreload" in charts.split(",")[0]
    assert "modulepreload" not in clip and "rel=prefetch" in clip
    assert "link" not in client().get("/data").headers


def test_every_module_that_is_named_is_there() -> None:
    named = modules_of(STATIC, ["PlotlyChart", "DataFrame"])
    assert len(named) > 2
    assert all((STATIC / "static" / "js" / name).is_file() for name in named)


def test_imports_are_followed_and_what_documents_name_or_nobody_has_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "static" / "js"
    folder.mkdir(parents=True)
    (tmp_path / "index.html").write_text('<script src="./static/js/index.A.js"></script>')
    imports = ("./index.A.js", "./part.C.js", "./gone.D.js")
    (folder / "Chart.B.js").write_text("".join(f'import{{a}}from"{name}";' for name in imports))
    (folder / "part.C.js").write_text('import{t}from"./Chart.B.js";')
    (folder / "index.A.js").write_text("")
    assert modules_of(tmp_path, ["Chart", "Nothing"]) == ["Chart.B.js", "part.C.js"]
