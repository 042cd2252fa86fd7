"""The error analysis: every number leads to the segments that make it up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plotly.colors import hex_to_rgb, unlabel_rgb

from app.error_marks import Mark
from mravff_core.analysis.errors import analyse_errors, boundary_errors, confusions
from mravff_core.errors import WorkspaceError
from mravff_core.evaluation.error_kinds import ERRORS, KINDS
from mravff_core.inference.run_predict import predict
from mravff_core.plots import errors as plots
from mravff_core.plots.theme import Theme
from mravff_core.segments import temporal_iou
from mravff_core.workspace import Workspace
from tests.small_workspace import small_workspace

DARK = Theme.of("dark")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three true segments in two clips, and one detection of every kind of error."""
    workspace = small_workspace(tmp_path_factory.mktemp("errors") / "ws")
    truth = [("clip_0", 0.0, 0.5, 0), ("clip_0", 1.0, 1.5, 1), ("clip_1", 0.5, 1.5, 0)]
    table = pd.DataFrame(truth, columns=["clip_id", "start_s", "end_s", "verb"])
    workspace.set_annotations(table.assign(segment_id=["a", "b", "c"], noun=0, audibility=[0.0, 1.0, 1.0]))
    run = workspace.run("verb_visual")
    found = {
        "clip_0": [
            (0.02, 0.48, 0, 0.9),  # true positive
            (0.0, 0.5, 0, 0.8),  # double detection
            (1.0, 1.5, 0, 0.7),  # wrong label
            (1.4, 1.9, 0, 0.3),  # confusion
            (1.7, 1.9, 1, 0.2),  # background
        ],
        "clip_1": [(1.0, 1.7, 0, 0.6)],  # localization
    }
    for clip_id, rows in found.items():
        run.store("on", clip_id, pd.DataFrame(rows, columns=["start_s", "end_s", "label", "score"]), [])
    return workspace


def test_every_detection_has_its_kind_its_true_segment_and_its_place_in_the_player(workspace: Workspace) -> None:
    table = analyse_errors(workspace, "verb_visual").detections(0.5)
    expected = ["true positive", "double detection", "wrong label", "localization", "confusion", "background"]
    assert table["kind"].tolist() == expected
    assert table["true_name"].tolist() == ["cut", "cut", "stir", "cut", "stir", ""]
    assert table["player_segment"].tolist() == ["d0", "d1", "d2", "d0", "d3", "d4"]
    assert table["start_error_s"].iloc[0] == pytest.approx(0.02)
    assert table["end_error_s"].iloc[3] == pytest.approx(0.2)
    assert np.isnan(table["start_error_s"].iloc[5])
    for _, row in table.iterrows():
        stored = workspace.run("verb_visual").detections("on", [row["clip_id"]])
        place = int(row["player_segment"][1:])
        assert stored["start_s"][place] == row["start_s"] and stored["score"][place] == row["score"]


def test_true_segments_are_found_or_missed_as_the_detections_say(workspace: Workspace) -> None:
    truths = analyse_errors(workspace, "verb_visual").truths(0.5)
    assert truths["found"].tolist() == [True, False, False]
    assert truths["audible_bucket"].astype(str).tolist() == ["silent", "audible", "audible"]
    assert truths["player_segment"].tolist() == ["t0", "t1", "t0"]


def test_looser_overlap_turns_localization_errors_into_hits(workspace: Workspace) -> None:
    analysis = analyse_errors(workspace, "verb_visual")
    loose = analysis.detections(0.3).set_index("segment_id")["kind"]
    assert loose["clip_1 d0"] == "true positive"
    own = temporal_iou(np.array([[1.0, 1.7]]), np.array([[0.5, 1.5]]))[0, 0]
    assert analysis.detections(0.3).set_index("segment_id")["tiou"]["clip_1 d0"] == pytest.approx(own)


def test_marks_of_all_figures_list_as_many_segments_as_they_show(workspace: Workspace) -> None:
    analysis = analyse_errors(workspace, "verb_visual")
    detections, truths = analysis.detections(0.5), analysis.truths(0.5)
    bands = plots.kinds_by_band(analysis.diagnosis.profile.loc[0.5], DARK)
    assert [trace.name for trace in bands.data] == list(KINDS)
    for trace in bands.data:
        for mark, count in trace.customdata:
            assert len(Mark.parse(mark).rows(detections)) == count
    costs = plots.cost_bars(analysis.diagnosis.gains.loc[0.5], DARK).data[0]
    assert {mark for mark, _ in costs.customdata} == {f"kind={kind}" for kind in ERRORS}
    pairs = confusions(detections)
    matrix = plots.confusion_matrix(pairs, DARK).data[0]
    assert [(mark, count) for mark, count in matrix.customdata] == [("pair=cut>stir", 2)]
    assert len(Mark.parse("pair=cut>stir").rows(detections)) == 2
    for edge in ("start", "end"):
        bars = plots.boundary_histogram(boundary_errors(detections, edge), edge, DARK).data[0]
        listed = [len(Mark.parse(mark).rows(detections)) for (mark,) in bars.customdata]
        assert listed == list(bars.y) and sum(listed) == 2
    figure = plots.trait_bars(analysis.diagnosis.missed, analysis.diagnosis.sensitivity, DARK).data[0]
    by_mark = {mark: len(Mark.parse(mark).rows(truths)) for mark, _ in figure.customdata}
    assert by_mark["trait=audible:silent"] == 0 and by_mark["trait=audible:audible"] == 2
    assert all(Mark.parse(mark).of_truth for mark in by_mark)


def test_a_matrix_of_many_classes_shows_the_commonest_pairs_and_says_so() -> None:
    rare = pd.DataFrame({"name": [f"c{number}" for number in range(100)], "true_name": "often", "count": 1})
    pairs = pd.concat([pd.DataFrame({"name": ["a"], "true_name": ["b"], "count": [3]}), rare], ignore_index=True)
    figure = plots.confusion_matrix(pairs, DARK)
    assert list(figure.data[0].customdata[0]) == ["pair=a>b", 3]
    assert figure.layout.xaxis.title.text == "true class (40 of 103 classes, those of the commonest pairs)"
    assert plots.confusion_matrix(pairs[:5], DARK).layout.xaxis.title.text == "true class"


def test_a_pair_of_any_names_lists_its_own(workspace: Workspace) -> None:
    detections = analyse_errors(workspace, "verb_visual").detections(0.5)
    odd = detections.assign(name=detections["name"].replace("cut", "<b>%3E"), true_name="a>b")
    mark = Mark.parse(plots.pair_mark("<b>%3E", "a>b"))
    assert mark.words == "“<b>%3E” found where “a>b” is true"
    assert len(mark.rows(odd)) == 2


@pytest.mark.parametrize(
    "text", ["", "kind=none", "band=x:background", "start=a:b", "start=nan:1", "who=knows", "pair="]
)
def test_a_mark_that_makes_no_sense_lists_all_errors(text: str, workspace: Workspace) -> None:
    mark = Mark.parse(text)
    assert mark == Mark()
    assert len(mark.rows(analyse_errors(workspace, "verb_visual").detections())) == 5


def test_without_detections_it_says_what_to_do(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match=r"verb_visual@silence has no detections .* predict first"):
        analyse_errors(workspace, "verb_visual@silence")


def test_gates_are_a_characteristic_where_there_are_gates(tmp_path: Path) -> None:
    workspace = small_workspace(tmp_path / "ws")
    for run in ("verb_mrav", "verb_visual"):
        predict(workspace, run)
    assert analyse_errors(workspace, "verb_mrav").truths()["gate"].between(0, 1).all()
    assert "gate" not in analyse_errors(workspace, "verb_visual").truths()


@pytest.mark.parametrize("theme", [Theme.of("light"), DARK])
def test_squares_of_few_confusions_stand_out_from_the_page(theme: Theme) -> None:
    pairs = pd.DataFrame({"name": ["a", "b"], "true_name": ["b", "a"], "count": [9, 1]})
    scale = plots.confusion_matrix(pairs, theme).data[0].marker.colorscale
    assert min(contrast(unlabel_rgb(colour), hex_to_rgb(theme.paper)) for _, colour in scale) >= 3.0


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Of two colours from 0 to 255, as WCAG defines it."""

    def light(colour: tuple[float, ...]) -> float:
        linear = [part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
