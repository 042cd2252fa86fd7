"""Views and addresses: equal views have equal addresses, and bad addresses are repaired with a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sides import Side, usual_side
from app.sources import likely_next, sources
from app.view import View
from mravff_core import AudioCondition, Workspace
from tests.small_workspace import VERBS, small_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return small_workspace(tmp_path_factory.mktemp("view") / "small")


conditions = st.one_of(
    st.sampled_from([AudioCondition(), AudioCondition("off"), AudioCondition("silence")]),
    st.integers(-20, 20).map(lambda quarters: AudioCondition("shift", shift_s=quarters / 4)),
    st.integers(-20, 30).map(lambda decibels: AudioCondition("noise", snr_db=float(decibels))),
    st.just(AudioCondition("swap", clip_id="clip_1")),
)
views = st.builds(
    View,
    clip=st.sampled_from(["clip_0", "clip_1", "clip_2"]),
    run=st.sampled_from(["verb_mrav", "verb_visual"]),
    label_set=st.just("verb"),
    audio=conditions,
    threshold=st.integers(0, 100).map(lambda percent: percent / 100),
    classes=st.lists(st.sampled_from(VERBS), unique=True).map(tuple),
    time_s=st.integers(0, 2000).map(lambda thousandths: thousandths / 1000),
    selected=st.sampled_from([None, "d0", "t1", "o1d2"]),
    others=st.lists(
        st.builds(Side, st.sampled_from(["verb_mrav", "verb_visual"]), conditions), unique=True, max_size=4
    ),
).map(lambda view: replace(view, others=tuple(side for side in view.others if side != view.main)[:3]))


@given(views)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_an_address_gives_back_its_view(workspace: Workspace, view: View) -> None:
    read, complaints = View.from_query(view.to_query(), workspace)
    assert read == view
    assert complaints == []


def test_without_an_address_the_run_that_listens_is_shown(workspace: Workspace) -> None:
    view, complaints = View.from_query({}, workspace)
    assert (view.clip, view.run, view.label_set, complaints) == ("clip_0", "verb_mrav", "verb", [])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"clip": "gone"}, "the clip 'gone'"),
        ({"run": "gone"}, "the run 'gone'"),
        ({"audio": "loud"}, "cannot be made"),
        ({"audio": "swap:gone"}, "cannot be made"),
        ({"min": "high"}, "score threshold 'high'"),
        ({"min": "7"}, "score threshold '7'"),
        ({"t": "-3"}, "time '-3'"),
        ({"t": "inf"}, "time 'inf'"),
        ({"t": "nan"}, "time 'nan'"),
        ({"t": "9999"}, "asks for 9999 s, but the clip 'clip_0' ends at"),
        ({"classes": "fly"}, "class 'fly'"),
        ({"with": "gone@off"}, "the run 'gone' beside the first"),
        ({"with": "verb_visual@loud"}, "second side that is not there"),
        ({"with": "@off"}, "side '@off' is not known"),
    ],
)
def test_an_address_that_does_not_fit_is_repaired_with_a_word(
    workspace: Workspace, query: dict[str, str], words: str
) -> None:
    view, complaints = View.from_query(query, workspace)
    assert len(complaints) == 1 and words in complaints[0]
    assert view == View.from_query({}, workspace)[0]


def test_a_moment_of_a_clip_that_is_gone_is_not_looked_for_in_another(workspace: Workspace) -> None:
    view, complaints = View.from_query({"clip": "gone", "t": "3.5", "segment": "d2"}, workspace)
    assert (view.clip, view.time_s, view.selected) == ("clip_0", 0.0, None)
    assert len(complaints) == 1 and "'gone'" in complaints[0]


def test_an_empty_workspace_has_a_view(tmp_path: Path) -> None:
    empty = Workspace.create(tmp_path / "empty", name="Empty", label_sets={"verb": ["cut"]})
    view, complaints = View.from_query({}, empty)
    assert (view.clip, view.run, view.label_set, complaints) == (None, None, "verb", [])


def test_own_videos_come_first_and_training_clips_last(workspace: Workspace, tmp_path: Path) -> None:
    from app.view import clips_in_order

    other = Workspace.create(tmp_path / "order", name="Order", label_sets={"verb": ["cut"]})
    clip = workspace.clip("clip_0")
    for clip_id, split in (("a", "train"), ("b", "validation"), ("c", "own")):
        other.add_clips([replace(clip, clip_id=clip_id, split=split)])
    assert clips_in_order(other) == ["c", "b", "a"]


def test_what_stands_beside_when_nothing_is_said(workspace: Workspace) -> None:
    infos = workspace.runs()
    assert usual_side(infos, "verb", Side("verb_mrav")) == Side("verb_mrav", AudioCondition("off"))
    assert usual_side(infos, "verb", Side("verb_mrav", AudioCondition("off"))) == Side("verb_mrav")
    assert usual_side(infos, "verb", Side("verb_visual")) == Side("verb_mrav"), "it never listens"
    assert usual_side(infos, "noun", Side("verb_mrav")) is None


def test_at_most_three_rows_stand_beside_the_first(workspace: Workspace) -> None:
    text = ",".join(f"verb_mrav@noise:{decibels}" for decibels in range(5))
    view, complaints = View.from_query({"with": text, "run": "verb_visual"}, workspace)
    assert len(view.others) == 3 and "asks for 5" in complaints[0]


def test_the_clips_beside_are_named_beforehand_where_they_are_detected_in(workspace: Workspace) -> None:
    info = workspace.run("verb_mrav").info
    view = View("clip_1", "verb_mrav", "verb")
    assert likely_next(workspace, view, info) == [], "nothing is stored yet"
    for clip_id in ("clip_0", "clip_2"):
        workspace.run("verb_mrav").store(
            "on", clip_id, pd.DataFrame(columns=["start_s", "end_s", "label", "score"]), []
        )
    following, before = likely_next(workspace, view, info)
    assert following["sources"] == sources(workspace, replace(view, clip="clip_2"), info, predicted=True)
    assert before["video_url"] == "/av/video/clip_0"
    workspace.run("verb_mrav").forget("on", ["clip_0", "clip_2"])
