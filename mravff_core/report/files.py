"""A report's figures as SVG and PNG files and its tables as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import plotly.graph_objects as go

from mravff_core.errors import CancelledError, MravffError
from mravff_core.files import written_aside
from mravff_core.report.document import Document, Figure

FORMATS = ("svg", "png")
_WIDTH, _HEIGHT = 1100, 520


def write_figures(
    document: Document,
    folder: Path | str,
    *,
    formats: Iterable[str] = FORMATS,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Path]:
    """Write every figure as `SECTION-NAME.svg` and `.png` (PNG at twice the size).

    Plotly draws with a Chromium or Chrome of this machine.

    Returns: the files, in order.
    Raises: MravffError if no such browser is found; CancelledError between figures.
    """
    jobs = [
        (figure, Path(folder) / f"{file_name(section.name, figure.name)}.{format_}", format_)
        for section in document.sections
        for figure in section.figures
        for format_ in formats
    ]
    written: list[Path] = []
    if not jobs:
        return written
    with _drawing_browser():
        for figure, path, format_ in jobs:
            if cancel is not None and cancel():
                raise CancelledError("writing figures was stopped")
            _write_figure(figure, path, format_)
            written.append(path)
            if progress is not None:
                progress(len(written) / len(jobs))
    return written


def write_figure(figure: go.Figure, path: Path | str) -> None:
    """Write one figure as `.html` that needs nothing else, `.svg` or `.png`.

    Raises: MravffError for another suffix, or if pictures are wanted and no browser is found.
    """
    path = Path(path)
    suffix = path.suffix.lower().removeprefix(".")
    if suffix == "html":
        with written_aside(path) as aside:
            figure.write_html(aside, include_plotlyjs=True)
    elif suffix in FORMATS:
        with _drawing_browser():
            _write_figure(Figure(path.stem, "", figure), path, suffix)
    else:
        raise MravffError(f"{path}: figures are written as .html, {' or '.join(f'.{one}' for one in FORMATS)}")


def _write_figure(figure: Figure, path: Path, format_: str) -> None:
    import plotly.io

    height = figure.figure.layout.height or _HEIGHT
    with written_aside(path) as aside:
        plotly.io.write_image(
            figure.figure, aside, format=format_, width=_WIDTH, height=height, scale=2 if format_ == "png" else 1
        )


@contextmanager
def _drawing_browser() -> Iterator[None]:
    """Hold one browser for all figures; starting it costs more than drawing. Raises: MravffError if there is none."""
    import kaleido
    from choreographer.errors import ChromeNotFoundError

    try:
        kaleido.start_sync_server(silence_warnings=True)
        kaleido.calc_fig_sync({"data": []}, opts={"format": "svg"})
    except ChromeNotFoundError as error:
        raise MravffError(
            "figures as SVG and PNG need a Chromium or Chrome on this machine, found none; install one, or save "
            "figures from the report's own menus"
        ) from error
    try:
        yield
    finally:
        kaleido.stop_sync_server(silence_warnings=True)


def write_tables(document: Document, folder: Path | str) -> list[Path]:
    """Write every table as `SECTION-NAME.csv`. Returns: the files, in order."""
    written = []
    for section in document.sections:
        for table in section.tables:
            path = Path(folder) / f"{file_name(section.name, table.name)}.csv"
            with written_aside(path) as aside:
                table.table.to_csv(aside, index=False)
            written.append(path)
    return written


def file_name(*parts: str) -> str:
    """Parts as one name that is safe in every folder."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(parts)).strip("-") or "report"
