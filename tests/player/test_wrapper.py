"""The Python side: addresses of the modules, and what the component gives back."""

from __future__ import annotations

from typing import Any

import pytest

from app import player as package
from app.assets import Assets
from tests.player.harness import Site, Stand


def test_modules_are_offered_by_name_and_nothing_else_is() -> None:
    content, kind = package.asset("player.js") or (b"", "")
    assert kind == "text/javascript" and b"export function mount" in content
    assert (package.asset("player.css") or (b"", ""))[1] == "text/css"
    for name in ("__init__.py", "../__main__.py", "../player/player.js", "/etc/passwd", "absent.js", "", "."):
        assert package.asset(name) is None


def test_the_address_changes_with_any_of_the_files(tmp_path: Any) -> None:
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.css").write_text("2")
    assets = Assets(tmp_path, lambda: "/av/player", trusted_s=0)
    before = assets.url("a.js")
    assert before.startswith("/av/player/") and before.endswith("/a.js")
    assert assets.url("a.js") == before
    (tmp_path / "b.css").write_text("3")
    assert assets.url("a.js") != before


def test_every_module_that_is_imported_is_there() -> None:
    import re

    waiting, seen = ["player.js"], set()
    while waiting:
        name = waiting.pop()
        content = package.asset(name)
        assert content is not None, name
        seen.add(name)
        imported = re.findall(r'from "\./([\w.]+)"', content[0].decode())
        waiting += [other for other in imported if other not in seen]
    files = {path.name for path in package._FOLDER.glob("*.js")}
    assert seen == files, "no module lies about unused"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, package.PlayerState()),
        ({"clip_id": "one", "time_s": 2, "selected": "d3"}, package.PlayerState("one", 2.0, "d3")),
        ({"clip_id": "one", "time_s": 2.5, "selected": None}, package.PlayerState("one", 2.5, None)),
    ],
)
def test_what_the_component_tells_comes_back_typed(
    monkeypatch: pytest.MonkeyPatch, moment: Any, expected: package.PlayerState
) -> None:
    given: dict[str, Any] = {}

    class Result:
        def __init__(self) -> None:
            self.moment = moment

    def component(**arguments: Any) -> Result:
        given.update(arguments)
        return Result()

    monkeypatch.setattr(package, "_component", lambda: component)
    data: Any = {"clip": {"id": "one"}, "sources": {}, "view": {}}
    assert package.player(data, key="k") == expected
    assert given["key"] == "k" and given["data"]["clip"] == {"id": "one"}
    assert given["data"]["module_url"].endswith("/player.js")


CALLED_TWICE = """
async (shim) => {
  const { default: render } = await import(URL.createObjectURL(new Blob([shim], { type: "text/javascript" })));
  const parentElement = document.createElement("div");
  window.done = [];
  const show = (name, wait_ms) => {
    const code = `await new Promise((go) => setTimeout(go, ${wait_ms}));
      export const mount = (_parent, data) => (window.done.push(data.name), () => window.done.push("closed"));`;
    const module_url = `data:text/javascript,${encodeURIComponent(code)}`;
    return render({ data: { name, module_url }, parentElement, setStateValue() {}, setTriggerValue() {} });
  };
  const close = show("older", 300);
  show("newer", 0);
  await new Promise((go) => setTimeout(go, 600));
  close();
  return window.done;
}
"""


def test_older_data_whose_module_comes_later_is_not_shown(stand: Stand, site: Site) -> None:
    stand.page.goto(f"{site.url}/page?theme={{}}")
    assert stand.page.evaluate(CALLED_TWICE, package.SHIM) == ["newer", "closed"]
