"""A report as one HTML file that needs nothing else: live figures, sortable tables, playable segments."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from plotly.offline import get_plotlyjs

from mravff_core.files import written_aside
from mravff_core.plots import CONFIG, IMAGE_BUTTONS
from mravff_core.plots.words import points
from mravff_core.report.document import Document, Figure, Scene, Section, Table
from mravff_core.report.files import file_name
from mravff_core.report.film_rows import clock

_ASSETS = Path(__file__).parent / "assets"


def write_html(document: Document, out: Path | str) -> Path:
    """Write a report as one self-contained file; `out` appears whole or not at all."""
    with written_aside(out) as aside, aside.open("w", encoding="utf-8") as file:
        file.writelines(html_pieces(document))
    return Path(out)


def html_pieces(document: Document) -> Iterator[str]:
    """The page piece by piece. Everything that comes from data is text, never markup."""
    title = escape(document.title)
    yield f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<style>{(_ASSETS / 'report.css').read_text(encoding='utf-8')}</style>\n"
    if any(section.figures for section in document.sections):
        yield f"<script>{get_plotlyjs()}</script>\n"
    yield f"</head>\n<body>\n<header><h1>{title}</h1>\n"
    yield from _facts(document)
    yield "</header>\n<nav>" + "".join(
        f'<a href="#{escape(section.name)}">{escape(section.title)}</a>' for section in document.sections
    )
    yield "</nav>\n<main>\n"
    for section in document.sections:
        yield from _section(section)
    yield "</main>\n"
    yield from _how_to_make_it_again(document)
    if any(section.figures for section in document.sections):
        yield f"<script>{IMAGE_BUTTONS}</script>\n"
    yield f"<script>{(_ASSETS / 'report.js').read_text(encoding='utf-8')}</script>\n</body>\n</html>\n"


def _facts(document: Document) -> Iterator[str]:
    yield "<dl>"
    for name, value in document.facts.items():
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
    yield "</dl>"


def _how_to_make_it_again(document: Document) -> Iterator[str]:
    if document.commands:
        lines = "\n".join(map(escape, document.commands))
        yield f"<footer><h2>How to make this report again</h2><pre>{lines}</pre></footer>\n"


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{escape(section.name)}">\n<h2>{escape(section.title)}</h2>\n'
    for paragraph in filter(None, section.text.split("\n\n")):
        yield f"<p>{escape(paragraph)}</p>\n"
    for figure in section.figures:
        yield _figure(figure)
    for table in section.tables:
        yield from _table(table)
    if section.scenes:
        yield '<div class="scenes">'
        for scene in section.scenes:
            yield from _scene(scene)
        yield "</div>\n"
    yield "</section>\n"


def _figure(figure: Figure) -> str:
    plot = figure.figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={
            **CONFIG,
            "responsive": True,
            "toImageButtonOptions": {"format": "svg", "filename": file_name(figure.name)},
        },
        div_id=f"figure-{escape(figure.name)}",
    )
    return f"<figure>{plot}<figcaption>{escape(figure.caption)}</figcaption></figure>\n"


def _table(table: Table) -> Iterator[str]:
    frame = table.table
    yield f'<div class="table"><table><caption>{escape(table.caption)}</caption><thead><tr>'
    numeric = [pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "b" for dtype in frame.dtypes]
    for name, number in zip(frame.columns, numeric, strict=True):
        unit = " (%)" if name in table.percent else " (points)" if name in table.points else ""
        words = escape(str(name).replace("_", " ")) + unit
        yield f"<th{' class=number' if number else ''}><button>{words}</button></th>"
    yield "</tr></thead><tbody>\n"
    for row in frame.itertuples(index=False, name=None):
        yield "<tr>"
        for name, value, number in zip(frame.columns, row, numeric, strict=True):
            words = points(value) if name in table.points else _cell(value, percent=name in table.percent)
            yield f"<td{' class=number' if number else ''}>{words}</td>"
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _cell(value: Any, *, percent: bool) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if percent:
        return f"{100 * value:.1f}"
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))


def _scene(scene: Scene) -> Iterator[str]:
    segment = scene.segment
    picture = f"data:image/jpeg;base64,{base64.b64encode(scene.picture).decode()}" if scene.picture else ""
    yield "<article>"
    if scene.film:
        film = base64.b64encode(scene.film).decode()
        poster = f' poster="{picture}"' if picture else ""
        yield f'<video controls preload="none"{poster} src="data:video/mp4;base64,{film}"></video>'
    elif picture:
        yield f'<img src="{picture}" alt="{escape(segment.label)} in {escape(segment.clip_id)}">'
    score = "" if segment.score is None else f" · score {segment.score:.2f}"
    run = f" · {segment.run} with sound {segment.audio}" if segment.run else ""
    yield f"<h3>{escape(segment.label)}</h3>"
    times = f"{clock(segment.start_s)} · {segment.start_s:.2f} to {segment.end_s:.2f} s"
    kind = "true segment" if segment.kind == "true" else "detection"
    yield f"<p>{escape(segment.clip_id)} · {times}<br>{kind}{score}{escape(run)}</p>"
    if scene.note:
        yield f"<blockquote>{escape(scene.note)}</blockquote>"
    yield "</article>\n"
