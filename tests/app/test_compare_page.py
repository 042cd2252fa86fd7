"""The Compare page as a script: sides, filters and address in step; a way on from every emptiness."""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import context
from app.context import AppContext
from app.detectors import DetectorCache
from app.jobs import JobQueue
from app.uploads import Uploads
from mravff_core import Workspace
from mravff_core.analysis.changes import KINDS
from mravff_core.analysis.compare import compare, kind_counts
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.workspace.merge_runs import merge_runs
from tests.app.page_script import addressed, labelled, open_page
from tests.small_workspace import NOUNS, VERBS, small_detector, small_workspace


@pytest.fixture(scope="module")
def app_context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppContext]:
    workspace = small_workspace(tmp_path_factory.mktemp("compare_page") / "small")
    for condition in ("on", "off"):
        predict(workspace, "verb_mrav", condition=condition)
    predict(workspace, "verb_visual")
    yield context.start(workspace.folder, device="cpu")
    context.context().jobs.close()


def finished(app: AppContext, kind: str) -> None:
    deadline = time.monotonic() + 60
    while not all(job.ended for job in app.jobs.of(kind)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listed(page: AppTest) -> Any:
    """The list of detections: the only table with a column of buttons."""
    return next(frame.value for frame in page.dataframe if "play" in frame.value.columns)


def test_it_opens_on_what_sound_adds(app_context: AppContext) -> None:
    page = open_page("compare")
    finished(app_context, "intervals")
    page.run()
    assert addressed(page) == {"a": "verb_mrav", "a_sound": "off", "b": "verb_mrav"}
    found = compare(app_context.workspace, "verb_mrav@off", "verb_mrav")
    shown = [metric.value for metric in page.metric]
    overall = found.precision.overall
    difference = f"{100 * overall['difference']:+.1f}".replace("-", "−")
    assert shown == [f"{100 * overall['a']:.1f}", f"{100 * overall['b']:.1f}", difference]
    assert overall["b_low"] <= overall["b"] <= overall["b_high"]
    assert page.metric[1].delta == f"{100 * overall['b_low']:.1f} to {100 * overall['b_high']:.1f}"
    assert any("95 % interval" in text.value for text in page.markdown)
    assert len(listed(page)) == min(400, sum(kind_counts(found.events).values()))


def test_filters_narrow_the_list_and_stand_in_the_address(app_context: AppContext) -> None:
    page = open_page("compare", a="verb_visual", b="verb_mrav", min="0.3", name="stir", kind="gained")
    found = compare(app_context.workspace, "verb_visual", "verb_mrav", resamples=0, settings=_settings(0.3))
    expected = found.events.query("kind == 'gained' and b_label == 1")
    assert len(listed(page)) == len(expected) > 0
    assert set(listed(page)["change"]) == {"gained"}
    assert addressed(page)["event"], "with a class chosen, its first detection plays"
    labelled(page.selectbox, "Clip").set_value("clip_1").run()
    assert addressed(page)["clip"] == "clip_1"
    assert len(listed(page)) == (expected["clip_id"] == "clip_1").sum()


def test_whole_tables_can_be_saved_as_commands_print_them(
    app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: dict[str, pd.DataFrame] = {}

    def save(_label: str, written: Callable[[], str], *, file_name: str, **_more: Any) -> None:
        saved[file_name] = pd.read_csv(io.StringIO(written()))

    monkeypatch.setattr("app.whole_table.st.download_button", save)
    monkeypatch.setattr("app.comparing.listed.MOST_ROWS", 2)
    page = open_page("compare")
    found = compare(app_context.workspace, "verb_mrav@off", "verb_mrav", resamples=0, settings=_settings(0.2))
    assert len(listed(page)) == 2 < len(saved["events.csv"]) == len(found.events)
    assert list(saved["events.csv"]) == list(found.events), "hidden ones and ends too"
    assert set(saved["events.csv"]["a_label"].dropna()) <= set(VERBS)
    assert list(saved["clips.csv"]) == list(found.per_clip)
    assert saved["clips.csv"]["same"].sum() == kind_counts(found.events)["same"]


def test_what_stands_above_an_input_is_not_a_step_behind_it(app_context: AppContext) -> None:
    page = open_page("compare")
    for threshold in (0.4, 0.6):
        labelled(page.slider, "Score threshold").set_value(threshold).run()
        found = compare(app_context.workspace, "verb_mrav@off", "verb_mrav", resamples=0, settings=_settings(threshold))
        by_clip = next(frame.value for frame in page.dataframe if "renamed" in frame.value.columns)
        assert {kind: int(by_clip[kind].sum()) for kind in by_clip.columns if kind in KINDS} == kind_counts(
            found.events
        )


def _settings(min_score: float) -> Any:
    from mravff_core.analysis.changes import MatchSettings

    return MatchSettings(min_score=min_score)


def test_a_sound_not_computed_yet_is_computed_from_here(app_context: AppContext) -> None:
    page = open_page("compare", a="verb_mrav", b="verb_mrav", b_sound="shift:+2")
    assert "in 3 of 3 clips" in page.info[0].value and not page.metric
    button = labelled(page.button, "Detect in 3 clips")
    button.click().run()
    finished(app_context, "compare")
    page.run()
    assert len(page.metric) == 3
    assert not app_context.workspace.run("verb_mrav").predicted_clips("shift:+2") ^ {"clip_0", "clip_1", "clip_2"}


def test_a_run_that_never_listens_offers_no_sound(app_context: AppContext) -> None:
    page = open_page("compare", a="verb_visual", b="verb_visual")
    assert all(box.disabled for box in page.selectbox if box.label == "Sound")
    assert "Both sides are the same" in page.info[0].value


def test_questions_are_about_the_chosen_run_merged_ones_included(app_context: AppContext, merged_run: str) -> None:
    asked = labelled(open_page("compare", a=merged_run, b=merged_run).button_group, "Often asked")
    assert "Sound off → on" in asked.options
    assert "On → silence" not in asked.options, "it was not merged, and cannot be made"
    page = asked.set_value("Sound off → on").run()
    assert addressed(page) == {"a": merged_run, "a_sound": "off", "b": merged_run}
    labelled(page.selectbox, "B · to").set_value("verb_mrav").run()
    asked = labelled(page.button_group, "Often asked")
    assert "On → 2 s late" in asked.options and asked.value is None
    page = asked.set_value("Visual only → with sound").run()
    assert addressed(page) == {"a": "verb_visual", "b": "verb_mrav"}


@pytest.fixture
def merged_run(app_context: AppContext) -> Iterator[str]:
    """A run of actions with sound on and off, for as long as it is needed."""
    workspace = app_context.workspace
    nouns = workspace.runs_folder / "nouns"
    save_detector(small_detector(label_set="noun", labels=NOUNS, fusion="none"), nouns)
    predict(workspace, "nouns")
    for condition in ("on", "off"):
        predict(workspace, "verb_mrav", condition=condition)
    merge_runs(workspace, "verb_mrav", "nouns", "actions")
    yield "actions"
    shutil.rmtree(nouns)
    shutil.rmtree(workspace.runs_folder / "actions")


def test_addresses_that_do_not_fit_are_mended_with_a_word(app_context: AppContext) -> None:
    page = open_page("compare", a="gone", b="verb_mrav", b_sound="loud")
    assert {"'gone'" in toast.value or "'loud'" in toast.value for toast in page.toast} == {True}
    assert addressed(page)["a"] == "verb_mrav"


def test_stress_shows_what_is_there_and_offers_the_rest(app_context: AppContext) -> None:
    page = open_page("compare", section="stress", runs="verb_mrav,verb_visual")
    finished(app_context, "intervals")
    page.run()
    (notice,) = [info.value for info in page.info if "Not computed yet" in info.value]
    assert "3 s late" in notice and "shift:" not in notice
    table = page.dataframe[0].value
    assert set(table["hears"]) >= {"on", "off"} and set(table["run"]) == {"verb_mrav", "verb_visual"}


def test_an_empty_workspace_shows_the_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Workspace.create(tmp_path / "empty", name="Empty", label_sets={"verb": ["cut"]})
    opened = AppContext(empty, DetectorCache(empty), JobQueue(), Uploads(tmp_path / "uploads"))
    monkeypatch.setattr(context, "_current", opened)
    page = open_page("compare")
    assert page.subheader[0].value == "No runs to compare yet"
    (ways,) = [text.value for text in page.markdown if "mravff_core train" in text.value]
    assert f"import detections FILE --run NAME --workspace {empty.folder}`" in ways


def test_warming_up_resamples_and_draws_without_a_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.comparing import answers

    made: dict[str, Any] = {}

    def recording(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **settings: Any) -> Any:
            made[name] = make(*given, **settings)
            return made[name]

        return call

    for name in ("changes", "ap_difference", "class_differences", "kind_bars"):
        monkeypatch.setattr(answers, name, recording(name, getattr(answers, name)))
    answers.warm_up()
    assert len(made["changes"]) == 2
    assert made["ap_difference"].resamples == 2 and not math.isnan(made["ap_difference"].overall["low"])
    assert all(len(made[name].data) for name in ("class_differences", "kind_bars"))
