"""What people come for, each from the first page in at most six clicks, and heard at the end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from mravff_core.analysis.compare import compare
from mravff_core.analysis.errors import analyse_errors, confusions
from mravff_core.analysis.gates import audio_effect, class_gates, with_effect
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.plots.errors import pair_mark
from tests.browser.conftest import COUNT_CLICKS, Server, Watched, settled
from tests.small_workspace import small_detector

pytestmark = pytest.mark.browser
MOST_CLICKS = 6
PLAYING = """
(video) => new Promise((resolve, reject) => {
  const look = () => (!video.paused && video.currentTime > 0 ? resolve() : setTimeout(look, 50));
  setTimeout(() => reject(new Error("it does not play")), 20000);
  look();
})
"""


@pytest.fixture
def person(watched: Watched, server: Server) -> Watched:
    """On the first page, every press of a mouse button counted."""
    predict(server.workspace, "verb_mrav", condition="off")
    watched.page.set_default_timeout(30_000)
    watched.page.add_init_script(COUNT_CLICKS)
    watched.page.goto(server.url)
    return watched


def test_the_three_verbs_that_gain_most_from_sound_and_a_gained_detection_of_each(
    person: Watched, server: Server
) -> None:
    page = person.page
    found = compare(server.workspace, "verb_mrav@off", "verb_mrav")
    gained = found.events[found.events["kind"] == "gained"]
    best = found.precision.per_class.sort_values(["difference", "name"], ascending=[False, True]).head(3)
    _go(page, "Compare")
    page.get_by_text("95 % interval, paired").wait_for(timeout=60_000)
    if found.precision.overall["difference"] < 0:
        page.get_by_role("combobox", name="Order of classes").click()
        page.get_by_role("option", name="Largest gain first").click()
        page.wait_for_url("**order=gain**")
    for place, row in enumerate(best.to_dict("records")):
        _click_class(page, place, len(found.precision.per_class))
        page.wait_for_function("name => new URL(location).searchParams.get('name') === name", arg=row["name"])
        own = gained[gained["b_label"] == row["label"]]
        events = {f"{event.clip_id}:{event.a_place}:{event.b_place}" for event in own.itertuples()}
        page.wait_for_function("all => all.includes(new URL(location).searchParams.get('event'))", arg=list(events))
        _heard(page, _of_address(page, "event").partition(":")[0])
    assert _clicks(page) <= MOST_CLICKS


def test_a_noun_whose_gate_is_high_although_sound_is_not_shown_to_help(
    person: Watched, server: Server, noun_run: str
) -> None:
    page, workspace = person.page, server.workspace
    segments = segment_gates(workspace, SegmentSource(noun_run))
    table = with_effect(class_gates(segments, workspace.label_sets["noun"]), audio_effect(workspace, noun_run))
    wanted = table[~(table["effect_clear"] & (table["effect"] > 0))].iloc[0]
    own = segments[segments["label"] == wanted["label"]].sort_values("gate", ascending=False).iloc[0]
    _go(page, "Gates")
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name=noun_run).click()
    page.wait_for_url(f"**run={noun_run}**")
    page.get_by_text("Sound not shown to help").click()
    page.wait_for_url("**unhelped=yes**")
    settled(page)
    matrix = page.locator(".js-plotly-plot").filter(has_text="Mean gate × 100").first
    _click(page, matrix.locator(".scatterlayer .points path").first)
    page.wait_for_url(f"**name={wanted['name']}**")
    page.get_by_text("Choose a row to hear").wait_for()
    _click_row(page, 0, pictures=True)
    page.wait_for_url("**clip=**")
    person.painted()
    assert person.state("p.clip.id") == own["clip_id"]
    assert _clicks(page) <= MOST_CLICKS


def test_the_clip_that_loses_most_detections_when_sound_is_two_seconds_late(person: Watched, server: Server) -> None:
    page = person.page
    _go(page, "Compare")
    page.get_by_text("On → 2 s late").click()
    page.wait_for_url("**b_sound=shift**")
    if set(server.workspace.truth("verb")["clip_id"]) - server.workspace.run("verb_mrav").predicted_clips("shift:+2"):
        page.get_by_role("button", name=re.compile("Detect in")).click()
    page.get_by_text("95 % interval, paired").wait_for(timeout=60_000)
    page.get_by_role("radio", name="Lost").click()
    page.wait_for_url("**kind=lost**")
    page.get_by_text("Most lost first").wait_for()
    found = compare(server.workspace, "verb_mrav", "verb_mrav@shift:+2")
    worst = found.per_clip.sort_values(["lost", "clip_id"], ascending=[False, True]).iloc[0]
    assert worst["lost"] > 0
    settled(page)
    _click_row(page, 0)
    page.wait_for_url(f"**clip={worst['clip_id']}**")
    page.wait_for_url("**event=**")
    assert _of_address(page, "event").partition(":")[0] == worst["clip_id"]
    _heard(page, worst["clip_id"])
    assert _clicks(page) <= MOST_CLICKS


def test_the_commonest_confusion_and_how_it_sounds(person: Watched, server: Server) -> None:
    page = person.page
    _go(page, "Errors")
    page.get_by_role("tab", name="Confusions").click()
    table = analyse_errors(server.workspace, "verb_mrav").detections(0.5)
    commonest = confusions(table[table["score"] >= 0.2]).iloc[0]
    page.get_by_text("Where true").first.wait_for(state="attached")
    settled(page)
    _click_row(page, 0)
    page.wait_for_function("() => new URL(location).searchParams.has('mark')")
    assert _of_address(page, "mark") == pair_mark(commonest["name"], commonest["true_name"])
    page.get_by_text(f": {commonest['count']}").first.wait_for()
    page.wait_for_url("**picked=**")
    _heard(page, _of_address(page, "picked").partition(" ")[0])
    assert _clicks(page) <= MOST_CLICKS


@pytest.fixture
def noun_run(server: Server) -> Iterator[str]:
    """A gated run of nouns, for as long as it is needed."""
    workspace = server.workspace
    folder = workspace.runs_folder / "noun_mrav"
    save_detector(small_detector(label_set="noun", labels=("pan", "onion")), folder)
    for condition in ("on", "off"):
        predict(workspace, "noun_mrav", condition=condition)
    yield "noun_mrav"
    shutil.rmtree(folder)


def _go(page: Any, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_text(name, exact=True).click()


def _click(page: Any, mark: Any) -> None:
    mark.wait_for()
    box = mark.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def _click_class(page: Any, place: int, classes: int) -> None:
    """Somewhere in a class's row of the chart, the first on top."""
    settled(page)
    chart = page.locator(".js-plotly-plot").filter(has_text="AP of B minus A").first
    row = chart.locator(".ytick text").nth(classes - 1 - place).bounding_box()
    plot = chart.locator(".draglayer .nsewdrag").last.bounding_box()
    page.mouse.click(plot["x"] + 0.6 * plot["width"], row["y"] + row["height"] / 2)


def _click_row(page: Any, number: int, *, pictures: bool = False) -> None:
    """In the first column of the first table: its box or button, or its first cell."""
    table = page.get_by_test_id("stDataFrame").first
    table.evaluate("node => node.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(1000)
    box = table.bounding_box()
    # A table knows the cell under a press from the pointer that came to it.
    page.mouse.move(box["x"] + 60, box["y"] + 38 + (number + 0.5) * (46 if pictures else 35))
    page.wait_for_timeout(200)
    page.mouse.click(box["x"] + 20, box["y"] + 38 + (number + 0.5) * (46 if pictures else 35))


def _heard(page: Any, clip_id: str) -> None:
    """The chosen segment plays, without a further press."""
    video = page.get_by_test_id("snippet").and_(page.locator(f"[src*='/{clip_id}']"))
    video.wait_for()
    video.evaluate(PLAYING)


def _of_address(page: Any, name: str) -> str:
    return page.evaluate("name => new URL(location).searchParams.get(name)", name)


def _clicks(page: Any) -> int:
    return int(page.evaluate("sessionStorage.n"))
