"""A report opens anywhere: one file, live figures, sortable tables, nothing taken for markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from mravff_core.errors import CancelledError
from mravff_core.media.probe import probe
from mravff_core.report.document import Document, Figure, Scene, Section, Table
from mravff_core.report.files import write_figures, write_tables
from mravff_core.report.html import write_html
from mravff_core.report.scenes import scenes_of
from mravff_core.workspace import Bookmarks, Clip, MarkedSegment
from tests.small_workspace import small_workspace

EVIL = "<script>alert('x')</script>"
SEGMENT = MarkedSegment("clip_0", 0.5, 1.5, "verb", "cut", "detection", "verb_mrav", "off", 0.75)


@pytest.fixture(scope="module")
def document() -> Document:
    table = pd.DataFrame({"verb": ["cut", EVIL], "ap": [0.5, float("nan")], "segments": [3, 4], "clear": [True, False]})
    section = Section(
        "gates",
        f"Gates {EVIL}",
        f"First.\n\nSecond {EVIL}.",
        (Figure("per class", f"caption {EVIL}", go.Figure(go.Bar(x=[EVIL, "b"], y=[1, 2]))),),
        (Table("per class", f"By class {EVIL}", table.assign(**{EVIL: 1}), percent=("ap",)),),
        (Scene(replace(SEGMENT, label=EVIL, clip_id=EVIL, run=EVIL), f"note {EVIL}", b"jpeg", b"mp4"),),
    )
    commands = ("python -m mravff_core report --out 'a b.html'", EVIL)
    return Document(EVIL, {"Data set": EVIL, EVIL: ""}, commands, (section,))


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else_and_takes_data_for_text(document: Document, tmp_path: Path) -> None:
    text = write_html(document, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "alert('x')</script>" not in text
    seen = _Seen()
    seen.feed(text)
    assert not [attributes for _, attributes in seen.tags if "http" in (attributes.get("src") or "")]
    assert not [tag for tag, _ in seen.tags if tag == "link"]
    tags = [tag for tag, _ in seen.tags]
    assert tags.count("video") == 1 and tags.count("figure") == 1 and tags.count("blockquote") == 1
    assert "<td class=number>50.0</td>" in text and "<td class=number>–</td>" in text
    assert "python -m mravff_core report --out &#x27;a b.html&#x27;" in text


def test_tables_are_files_that_read_back(document: Document, tmp_path: Path) -> None:
    (path,) = write_tables(document, tmp_path)
    assert path.name == "gates-per-class.csv"
    pd.testing.assert_frame_equal(pd.read_csv(path), document.sections[0].tables[0].table)


@pytest.mark.browser
def test_figures_are_drawn_as_svg_and_png(document: Document, tmp_path: Path) -> None:
    shares: list[float] = []
    svg, png = write_figures(document, tmp_path, progress=shares.append)
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert shares == [0.5, 1.0]
    with pytest.raises(CancelledError):
        write_figures(document, tmp_path / "none", cancel=lambda: True)
    assert not (tmp_path / "none").exists()


def test_scenes_show_hear_and_carry_notes(tmp_path: Path) -> None:
    workspace = small_workspace(tmp_path / "ws")
    workspace.add_clips([Clip("features_only", "Features only", "", 2.0)])
    lost = MarkedSegment("features_only", 0.0, 1.0, "verb", "cut")
    Bookmarks(workspace.folder).set_note(SEGMENT, "starts late")
    scene, unseen = scenes_of(workspace, [SEGMENT, lost])
    assert scene.note == "starts late"
    assert scene.picture[:2] == b"\xff\xd8"
    (tmp_path / "scene.mp4").write_bytes(scene.film)
    assert probe(tmp_path / "scene.mp4").duration_s == pytest.approx(2.0, abs=0.1)
    assert (unseen.picture, unseen.film) == (b"", b"")
    with pytest.raises(CancelledError):
        scenes_of(workspace, [SEGMENT], cancel=lambda: True)
