"""What the data-set pages stand on: choices in the address, runs in a list, tables that lead to the player."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.choices import from_query, to_query
from app.context import AppContext
from app.plain_text import NOTHING, plain
from app.run_choice import folded
from app.segment_table import player_query
from app.view import View
from mravff_core.workspace import RunInfo


@dataclass(frozen=True)
class Choices:
    run: str = ""
    threshold: float = 0.5
    least: int = 1
    only_audible: bool = False
    names: tuple[str, ...] = ()
    length_s: tuple[float, float] = (0.0, 60.0)


CHOICES = st.builds(
    Choices,
    run=st.text(),
    threshold=st.floats(-1e3, 1e3).map(lambda number: float(f"{number:.6g}")),
    least=st.integers(-(10**9), 10**9),
    only_audible=st.booleans(),
    names=st.lists(st.text(min_size=1)).map(tuple),
    length_s=st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda pair: (pair[0] / 4, pair[1] / 4)),
)


@given(CHOICES)
def test_choices_survive_the_address(choices: Choices) -> None:
    assert from_query(Choices, to_query(choices)) == (choices, [])


@given(st.dictionaries(st.sampled_from(["run", "threshold", "least", "only_audible", "names", "length_s"]), st.text()))
def test_any_address_gives_choices_and_says_what_is_wrong_with_it(query: dict[str, str]) -> None:
    choices, complaints = from_query(Choices, query)
    assert isinstance(choices, Choices)
    assert all("The address gives" in sentence for sentence in complaints)
    assert from_query(Choices, to_query(choices)) == (choices, [])


def test_usual_choices_need_no_address() -> None:
    assert to_query(Choices()) == {}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_numbers_without_an_end_are_no_choice(number: str) -> None:
    choices, complaints = from_query(Choices, {"threshold": number})
    assert choices == Choices() and len(complaints) == 1


def run_info(run: str, fusion: str = "mrav") -> RunInfo:
    return RunInfo(run, "actionformer", fusion, "verb", 3, 1.0, ("on",))


def test_the_seeds_of_a_sweep_are_one_entry() -> None:
    runs = ["verb_mrav", "abl_mrav-seed1", "abl_mrav-seed2", "other_seed3"]
    entries = folded([*map(run_info, runs), run_info("abl_mrav-seed3", "none")])
    assert [[info.run for info in members] for members in entries.values()] == [
        ["verb_mrav"],
        ["abl_mrav-seed1", "abl_mrav-seed2"],
        ["other_seed3"],
        ["abl_mrav-seed3"],
    ]


def data_page(**query: str) -> AppTest:
    """A page with one input of each kind, and a table."""

    def script() -> None:
        import streamlit as st

        from app import context
        from app.page_state import open_page
        from app.pages import clip
        from app.run_choice import choose_run
        from app.segment_table import segment_table
        from tests.app.test_frame import Choices

        st.session_state["pages"] = {"clip": st.Page(clip.show, url_path="clip")}
        app = context.context()
        state = open_page("trial", Choices)
        choose_run(state, "run", "Run", app.workspace.runs())
        state.slider("threshold", "Threshold", 0.0, 1.0, 0.01)
        state.slider("length_s", "Length", 0.0, 60.0, 0.25)
        state.toggle("only_audible", "Audible only")
        state.multiselect("names", "Names", ["a,b", "c"])
        state.keep()
        if st.button("Elsewhere"):
            state.change(threshold=0.9, names=("c",))
            state.keep()
            st.rerun()
        segment_table(app, app.workspace.truth("verb"), state=state, field="run", pictures=False)

    page = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        page.query_params[name] = value
    return page.run()


def addressed(page: AppTest) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}


def test_inputs_write_the_address(app_context: AppContext) -> None:
    page = data_page()
    assert not page.exception
    page.slider[0].set_value(0.75)
    page.toggle[0].set_value(True)
    page.multiselect[0].set_value(["a,b"]).run()
    assert addressed(page) == {"run": "verb_mrav", "threshold": "0.75", "only_audible": "yes", "names": "a%2Cb"}


def test_an_address_moves_the_inputs_and_again_when_the_page_is_open(app_context: AppContext) -> None:
    page = data_page(threshold="0.25", length_s="1,3.5", names="c")
    assert (page.slider[0].value, page.slider[1].value, page.multiselect[0].value) == (0.25, (1.0, 3.5), ["c"])
    page.slider[0].set_value(0.75).run()
    page.query_params["threshold"] = "0.1"
    page.run()
    assert page.slider[0].value == 0.1 and addressed(page)["threshold"] == "0.1"


def test_every_run_tells_the_browser_what_the_inputs_show(app_context: AppContext) -> None:
    # The run that draws an input first may be stopped by the next press before the browser has heard of it.
    page = data_page(run="verb_visual", threshold="0.25", length_s="1,3.5", names="c", only_audible="yes").run()
    shown = [page.selectbox[0], page.slider[0], page.slider[1], page.toggle[0], page.multiselect[0]]
    assert [widget.proto.set_value for widget in shown] == [False] * 5
    assert shown[0].options[shown[0].proto.default].startswith("verb_visual")
    defaults = [widget.proto.default for widget in shown[1:]]
    assert [list(default) if not isinstance(default, bool) else default for default in defaults] == [
        [0.25],
        [1.0, 3.5],
        True,
        [1],
    ]


def test_choices_by_other_means_move_the_inputs_and_the_inputs_still_work(app_context: AppContext) -> None:
    page = data_page()
    page.slider[0].set_value(0.75).run()
    page.button[0].click().run()
    assert (page.slider[0].value, page.multiselect[0].value) == (0.9, ["c"])
    page.slider[0].set_value(0.3).run()
    assert addressed(page)["threshold"] == "0.3"


def test_moving_between_pages_clears_the_address_and_the_choices_come_back(app_context: AppContext) -> None:
    page = data_page(threshold="0.25")
    page.query_params.clear()
    page.run()
    assert page.slider[0].value == 0.25 and addressed(page)["threshold"] == "0.25"


def test_an_input_that_comes_with_an_older_address_counts_and_a_step_back_does_too(
    app_context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = data_page()
    page.slider[0].set_value(0.75).run()
    page.slider[0].set_value(0.25).run()
    page.query_params["threshold"] = "0.75"
    page.toggle[0].set_value(True).run()
    assert addressed(page) == {"run": "verb_mrav", "threshold": "0.25", "only_audible": "yes"}
    assert page.slider[0].value == 0.25
    monkeypatch.setattr("app.addresses._by_history", lambda: True)
    del page.query_params["only_audible"]
    page.run()
    assert addressed(page) == {"run": "verb_mrav", "threshold": "0.25"} and not page.toggle[0].value


def test_a_link_to_an_address_that_was_written_before_is_followed(app_context: AppContext) -> None:
    def script() -> None:
        import streamlit as st

        from app import addresses
        from app.page_state import open_page
        from tests.app.test_frame import Choices

        addresses.enter(st.query_params.pop("page", "trial"))
        state = open_page("trial", Choices)
        state.slider("threshold", "Threshold", 0.0, 1.0, 0.01)
        state.keep()

    page = AppTest.from_function(script, default_timeout=60)
    page.query_params["threshold"] = "0.1"
    page.run()
    page.slider[0].set_value(0.75).run()
    page.query_params["threshold"] = "0.1"
    page.run()
    assert addressed(page) == {"threshold": "0.75"}, "nobody left the page"
    page.query_params["page"] = "another"
    page.run()
    page.query_params["threshold"] = "0.1"
    page.run()
    assert addressed(page) == {"threshold": "0.1"} and page.slider[0].value == 0.1


def test_a_broken_address_says_so(app_context: AppContext) -> None:
    page = data_page(threshold="much")
    assert [toast.value for toast in page.toast] == [
        plain("The address gives 'threshold' as 'much', which makes no sense here.")
    ]


def test_the_table_shows_every_segment_with_a_way_to_play_it(app_context: AppContext) -> None:
    (table, *_) = data_page().dataframe
    assert table.proto.placeholder == NOTHING
    shown: pd.DataFrame = table.value
    truth = app_context.workspace.truth("verb")
    assert list(shown["play"]) == ["▶"] * len(truth)
    assert list(shown["length_s"]) == pytest.approx(list(truth["end_s"] - truth["start_s"]))


def test_a_link_to_the_player_is_an_address_of_the_clip_page(app_context: AppContext) -> None:
    query = player_query("clip_1", run="verb_mrav", audio="shift:+2", time_s=1.25, segment="t1")
    view, complaints = View.from_query(query, app_context.workspace)
    assert complaints == []
    assert (view.clip, view.run, str(view.audio), view.time_s, view.selected) == (
        "clip_1",
        "verb_mrav",
        "shift:+2",
        1.25,
        "t1",
    )
