"""The tables say what the plans say."""

from __future__ import annotations

import numpy as np

from mravff_core.kitchen.script import NOUNS, VERBS, plan_clip
from mravff_core.kitchen.truth import annotations, sound_events
from mravff_core.kitchen.vocabulary import VERB_TABLE, look_alike_nouns, look_alike_verbs

PLANS = [plan_clip(0, "validation", index) for index in range(6)]


def test_one_row_a_segment_with_unique_names() -> None:
    table = annotations(PLANS)
    assert len(table) == sum(len(plan.segments) for plan in PLANS)
    assert table["segment_id"].is_unique
    assert table["verb"].between(0, len(VERBS) - 1).all() and table["noun"].between(0, len(NOUNS) - 1).all()
    assert (table["end_s"] > table["start_s"]).all()


def test_audibility_is_known_and_zero_exactly_for_silent_verbs() -> None:
    table = annotations(PLANS)
    silent = np.array([VERB_TABLE[VERBS[verb]].sound is None for verb in table["verb"]])
    assert (table["audibility"][silent] == 0).all()
    assert table["audibility"][~silent].between(0.1, 1).all()


def test_audibility_follows_from_the_sound_events() -> None:
    table, events = annotations(PLANS), sound_events(PLANS)
    own = events[events["on_screen"]]
    heard = ((own["end_s"] - own["start_s"]) * own["level"]).groupby(own["segment_id"]).sum()
    lengths = (table["end_s"] - table["start_s"]).to_numpy()
    expected = heard.reindex(table["segment_id"]).fillna(0).to_numpy() / lengths
    np.testing.assert_allclose(table["audibility"], expected, atol=2e-4)


def test_need_of_sound_is_marked_for_look_alikes_only() -> None:
    table = annotations(PLANS)
    verbs = {VERBS.index(verb) for group in look_alike_verbs() for verb in group}
    nouns = {NOUNS.index(noun) for group in look_alike_nouns() for noun in group}
    assert (table["needs_sound"] == table["verb"].isin(verbs)).all()
    assert (table["noun_needs_sound"] == table["noun"].isin(nouns)).all()


def test_off_screen_events_belong_to_no_segment() -> None:
    events = sound_events(PLANS)
    assert events.loc[~events["on_screen"], "segment_id"].isna().all()
    assert set(events.loc[events["on_screen"], "segment_id"]) <= set(annotations(PLANS)["segment_id"])


def test_no_clips_give_empty_tables_with_all_columns() -> None:
    assert list(annotations([]).columns) == list(annotations(PLANS).columns)
    assert list(sound_events([]).columns) == list(sound_events(PLANS).columns)
