"""Films: the clip's picture and sound, with rows that tell the truth at every time."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mravff_core.errors import CancelledError, MravffError
from mravff_core.media.decode import iter_frames
from mravff_core.media.probe import probe
from mravff_core.media.sound import iter_channels, read_audio
from mravff_core.plots.theme import Theme
from mravff_core.report import film
from mravff_core.report.film import FilmPlan, write_film
from mravff_core.report.film_rows import _CLASS_COLOURS, GateRow, SegmentRow, SpectrumRow, Stretch, class_colour
from mravff_core.report.movie import cut
from mravff_core.workspace import LevelGates, Workspace
from tests.small_workspace import small_workspace

LIGHT = Theme.of("light")
TABLE = pd.DataFrame({"start_s": [1.0, 1.5, 6.0], "end_s": [2.0, 4.0, 6.5], "label": [0, 1, 0]})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return small_workspace(tmp_path_factory.mktemp("film") / "ws")


def test_a_film_is_as_long_as_the_clip_and_sounds_like_it(workspace: Workspace, tmp_path: Path) -> None:
    out = write_film(workspace, FilmPlan("clip_0", "verb_mrav", min_score=0.0), tmp_path / "film.mp4")
    info, own = probe(out), probe(workspace.video_path("clip_0"))
    assert info.duration_s == pytest.approx(own.duration_s, abs=0.05)
    assert info.browser_playable and info.has_audio
    assert info.width == 1280 and info.height > 300
    heard, sung = read_audio(out, sample_rate=16000), read_audio(workspace.video_path("clip_0"), sample_rate=16000)
    length = min(len(heard), len(sung)) - 1000
    assert np.corrcoef(heard[:length], sung[:length])[0, 1] > 0.9
    both = np.concatenate(list(iter_channels(out, sample_rate=16000, layout="stereo")), axis=1)
    assert both[:, :length].std(axis=1) == pytest.approx([sung[:length].std()] * 2, rel=0.05), "as loud"


def test_rows_stand_under_the_picture_and_the_playhead_moves(workspace: Workspace, tmp_path: Path) -> None:
    out = write_film(workspace, FilmPlan("clip_0", "verb_mrav", start_s=0.5, end_s=1.5), tmp_path / "film.mp4")
    frames = [frame.rgb.astype(int) for frame in iter_frames(out, frames_per_second=10)]
    assert len(frames) == pytest.approx(10, abs=1)

    def playhead(frame: np.ndarray) -> float:
        red = (frame[-30:] - np.array([255, 92, 92])).__abs__().sum(axis=2).sum(axis=0)
        return float(np.argmin(red))

    places = [playhead(frame) for frame in frames]
    assert places == sorted(places) and places[-1] - places[0] > 700


def test_detections_are_those_of_the_label_set_that_names_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {"start_s": [0.2], "end_s": [1.4], "score": [0.9]}
    verbs, nouns = (pd.DataFrame(found | {"label": [label]}) for label in (2, 1))
    workspace.run("verb_visual").store("on", "clip_0", verbs, [], {"noun": nouns})
    drawn: dict[str, list[str]] = {}

    def note(title: str, table: pd.DataFrame, names: list[str], theme: Theme) -> SegmentRow:
        drawn[title] = [names[label] for label in table["label"]]
        return SegmentRow(title, table, names, theme)

    monkeypatch.setattr(film, "SegmentRow", note)
    for label_set, name in (("noun", "onion"), (None, "pour")):
        write_film(workspace, FilmPlan("clip_0", "verb_visual", label_set=label_set, end_s=0.2), tmp_path / "film.mp4")
        assert drawn["Predicted"] == [name]


def test_a_silent_clip_makes_a_silent_film(workspace: Workspace, tmp_path: Path) -> None:
    out = write_film(workspace, FilmPlan("clip_2", "verb_visual", end_s=0.5), tmp_path / "film.mp4")
    assert not probe(out).has_audio


def test_nothing_is_left_of_a_film_that_is_stopped_or_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        write_film(workspace, FilmPlan("clip_0"), tmp_path / "film.mp4", cancel=lambda: True)
    with pytest.raises(MravffError, match=r"the stretch from 30 to .* holds nothing of its 2\.0 s"):
        write_film(workspace, FilmPlan("clip_0", start_s=30.0), tmp_path / "film.mp4")
    for start_s, end_s in ((1.99, None), (1.5, 1.2), (float("nan"), None)):
        with pytest.raises(MravffError, match=r"expected a start from 0 to 1\.9 s and an end at least 0\.1 s after it"):
            write_film(workspace, FilmPlan("clip_0", start_s=start_s, end_s=end_s), tmp_path / "film.mp4")
    with pytest.raises(MravffError, match="has no run 'nobody'"):
        write_film(workspace, FilmPlan("clip_0", "nobody"), tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_cut_is_the_stretch_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    info = probe(cut(workspace.video_path("clip_0"), tmp_path / "cut.mp4", -1.0, 0.5, height=90))
    assert info.duration_s == pytest.approx(0.5, abs=0.04)
    assert info.height == 90


def test_pieces_of_a_row_join_without_a_seam() -> None:
    levels = [LevelGates(np.arange(n) * 8.0 / n + 4.0 / n, np.linspace(0, 1, n, dtype=np.float32)) for n in (32, 16)]
    rows = [
        SegmentRow("Predicted", TABLE.assign(score=0.5), ["cut", "stir"], LIGHT),
        GateRow(levels, LIGHT),
        SpectrumRow(np.random.default_rng(0).normal(-40, 20, (16, 400)), 0.02, 0.0, np.linspace(50, 8000, 16), LIGHT),
    ]
    for row in rows:
        whole = row.draw(Stretch(0.0, 800, 100.0))
        halves = [row.draw(Stretch(start_s, 400, 100.0)) for start_s in (0.0, 4.0)]
        assert whole.shape == (row.height, 800, 3)
        np.testing.assert_array_equal(np.concatenate(halves, axis=1), whole)


def test_bars_stand_where_segments_do_and_none_covers_another() -> None:
    row = SegmentRow("True", TABLE, ["cut", "stir"], LIGHT)
    picture = row.draw(Stretch(0.0, 800, 100.0))
    assert row.height > SegmentRow("True", TABLE.iloc[[0, 2]], ["cut", "stir"], LIGHT).height
    edges = (picture == class_colour(1, LIGHT)).all(axis=2)
    columns = np.flatnonzero(edges.any(axis=0))
    assert abs(columns[0] - 150) <= 1 and abs(columns[-1] - 399) <= 1
    crowd = pd.DataFrame({"start_s": [1.0] * 7, "end_s": [2.0] * 7, "label": range(7)})
    assert SegmentRow("True", crowd, list("abcdefg"), LIGHT).title == "True +3"


def test_brighter_means_a_wider_open_gate() -> None:
    row = GateRow([LevelGates(np.array([0.5, 1.5]), np.array([0.0, 1.0], np.float32))], LIGHT)
    picture = row.draw(Stretch(0.0, 200, 100.0))
    assert picture[8, 50].tolist() == [0x44, 0x01, 0x54]
    assert picture[8, 150].tolist() == [0xFD, 0xE7, 0x25]


def test_classes_have_the_colours_of_the_player() -> None:
    source = (Path(__file__).parents[2] / "app" / "player" / "colours.js").read_text(encoding="utf-8")
    for name, colours in _CLASS_COLOURS.items():
        listed = re.search(rf"const {name.upper()} = \[(.*?)\]", source)
        assert listed is not None
        assert tuple(re.findall(r"#\w+", listed[1])) == colours
