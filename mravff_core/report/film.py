"""A clip as MP4 with its timelines drawn under the picture and moving with it, sound included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mravff_core.audio_condition import AudioCondition
from mravff_core.media.spectrogram import log_mel
from mravff_core.plots.theme import Theme
from mravff_core.report.film_rows import GateRow, Row, RulerRow, SegmentRow, SpectrumRow, Stretch, clock, font_of, rgb
from mravff_core.report.movie import VideoStretch, write_movie
from mravff_core.workspace import Workspace

Pixels = NDArray[np.uint8]
WIDTH, MARGIN = 1280, 112
_PICTURE_HEIGHT = 480
_SHOWN_S = 20.0
_TILE = 1168
_HEAD = 40


@dataclass(frozen=True)
class FilmPlan:
    """What a film shows.

    Attributes:
        clip_id: which clip.
        run: whose detections and gates; None shows the truth alone.
        condition: what the run heard.
        label_set: of true and predicted segments; the run's first if None.
        start_s, end_s: stretch of the clip; None ends with the clip.
        min_score: detections below it are left out.
        theme: `dark` or `light`.
    """

    clip_id: str
    run: str | None = None
    condition: AudioCondition = field(default_factory=AudioCondition)
    label_set: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    min_score: float = 0.2
    theme: str = "dark"


def write_film(
    workspace: Workspace,
    plan: FilmPlan,
    out: Path | str,
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Path:
    """Write an MP4 (H.264, AAC) of a clip, its segments, gates and spectrogram.

    The picture stands above; under it the time axis moves past a playhead. Predictions are
    taken as stored. `out` appears whole or not at all.

    Returns: `out`.
    Raises: WorkspaceError for an unknown clip or run or a clip without video; MediaError for a
        video that cannot be read or a stretch outside it; CancelledError.
    """
    video = workspace.video_path(plan.clip_id)
    stretch = VideoStretch(video, plan.start_s, plan.end_s, fit=(WIDTH, _PICTURE_HEIGHT))
    scene = _Scene(workspace, plan, stretch, cancel)
    return write_movie(
        stretch,
        out,
        lambda since_s: scene.frame(plan.start_s + since_s, stretch.picture(since_s)),
        progress=progress,
        cancel=cancel,
    )


class _Scene:
    """Everything but the video's own pictures."""

    def __init__(
        self, workspace: Workspace, plan: FilmPlan, stretch: VideoStretch, cancel: Callable[[], bool] | None
    ) -> None:
        self._theme = Theme.of(plan.theme)
        self._start_s, self._end_s = stretch.start_s, stretch.end_s
        self._width = WIDTH - MARGIN
        self._per_s = self._width / min(_SHOWN_S, stretch.duration_s)
        self._rows = _rows(workspace, plan, stretch.video, self._theme, cancel)
        self._margin = self._draw_margin()
        self._head = _head(workspace, plan, self._theme)
        self._tile = lru_cache(maxsize=3)(self._draw_tile)

    def frame(self, time_s: float, picture: Pixels) -> Pixels:
        """One frame of the film, uint8 [height, width, 3]."""
        rows_height = self._margin.shape[0]
        height = (_HEAD + picture.shape[0] + rows_height + 1) // 2 * 2
        canvas = np.full((height, WIDTH, 3), rgb(self._theme.paper), np.uint8)
        canvas[:_HEAD] = self._head
        left = (WIDTH - picture.shape[1]) // 2
        canvas[_HEAD : _HEAD + picture.shape[0], left : left + picture.shape[1]] = picture
        top = _HEAD + picture.shape[0]
        canvas[top : top + rows_height, :MARGIN] = self._margin
        x = self._place(time_s)
        canvas[top : top + rows_height, MARGIN:] = self._tracks(time_s)
        canvas[top : top + rows_height, MARGIN + x : MARGIN + x + 2] = (255, 92, 92)
        return canvas

    def _left_s(self, time_s: float) -> float:
        """Time at the left edge: the playhead stays in the middle but for the film's two ends."""
        shown_s = self._width / self._per_s
        return min(max(self._start_s, time_s - shown_s / 2), max(self._start_s, self._end_s - shown_s))

    def _place(self, time_s: float) -> int:
        return min(self._width - 2, max(0, round((time_s - self._left_s(time_s)) * self._per_s)))

    def _tracks(self, time_s: float) -> Pixels:
        first = round((self._left_s(time_s) - self._start_s) * self._per_s)
        number, offset = divmod(first, _TILE)
        beside = self._tile(number)[:, offset:]
        missing = self._width - beside.shape[1]
        return np.concatenate([beside, self._tile(number + 1)[:, :missing]], axis=1) if missing > 0 else beside

    def _draw_tile(self, number: int) -> Pixels:
        stretch = Stretch(self._start_s + number * _TILE / self._per_s, _TILE, self._per_s)
        return np.concatenate([row.draw(stretch) for row in self._rows])

    def _draw_margin(self) -> Pixels:
        image = Image.new("RGB", (MARGIN, sum(row.height for row in self._rows)), self._theme.paper)
        draw = ImageDraw.Draw(image)
        top = 0
        for row in self._rows:
            draw.text((10, top + 6), row.title, font=font_of(14), fill=self._theme.ink)
            for text, y in row.ticks:
                font = font_of(10)
                # The last one would stand half below the picture.
                beside = (MARGIN - 6 - font.getlength(text), min(top + y - 6, image.height - 14))
                draw.text(beside, text, font=font, fill=self._theme.faint)
            top += row.height
        return np.asarray(image)


def _rows(
    workspace: Workspace, plan: FilmPlan, video: Path, theme: Theme, cancel: Callable[[], bool] | None
) -> list[Row]:
    run = None if plan.run is None else workspace.run(plan.run)
    label_set = plan.label_set or (run.info.label_set if run else next(iter(workspace.label_sets), None))
    rows: list[Row] = [RulerRow(theme)]
    if label_set is not None:
        names = workspace.class_names(label_set)
        rows.append(SegmentRow("True", workspace.truth(label_set, [plan.clip_id]), names, theme))
        if run is not None:
            found = run.detections(plan.condition, [plan.clip_id], label_set=label_set)
            found = pd.DataFrame(columns=["start_s", "end_s", "label", "score"]) if found is None else found
            rows.append(SegmentRow("Predicted", found[found["score"] >= plan.min_score], names, theme))
    levels = [] if run is None else [level for level in run.gates(plan.condition, plan.clip_id) if len(level.gates)]
    if levels:
        rows.append(GateRow(levels, theme))
    mel = log_mel(video, cancel=cancel)
    if mel.decibels.shape[1]:
        rows.append(SpectrumRow(mel.decibels, mel.hop_s, mel.start_s, mel.frequencies_hz, theme))
    return rows


def _head(workspace: Workspace, plan: FilmPlan, theme: Theme) -> Pixels:
    """The line above the picture: which clip, run and sound, and how to read the rows."""
    image = Image.new("RGB", (WIDTH, _HEAD), theme.paper)
    draw = ImageDraw.Draw(image)
    title = workspace.clip(plan.clip_id).title
    heard = "" if plan.run is None else f"   {plan.run} · sound {plan.condition} · scores from {plan.min_score:g}"
    stretch = "" if not plan.start_s else f"   from {clock(plan.start_s)}"
    draw.text((10, 10), f"{title}{heard}{stretch}", font=font_of(17), fill=theme.ink)
    key = "outlined: true · filled: predicted · gates: dark 0, bright 1"
    draw.text((WIDTH - 10 - font_of(13).getlength(key), 13), key, font=font_of(13), fill=theme.faint)
    return np.asarray(image)
