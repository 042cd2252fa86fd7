"""Parts of the Gates page about one class and about pairs of classes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.charts import chart, theme
from app.context import AppContext
from app.kept import kept
from app.page_state import PageState
from app.plain_text import plain
from app.segment_table import segment_table
from mravff_core.analysis import gates
from mravff_core.analysis.segment_gates import SegmentSource, gates_of, segment_gates
from mravff_core.plots.gates import gate_distribution, gate_profile_lines, pair_matrix
from mravff_core.plots.words import count_words, points
from mravff_core.workspace import RunInfo

# As many as a small screen shows without one name upon another.
_MOST_ROWS, _MOST_FIRST, _MOST_SECOND = 100, 40, 34


def show_class(
    app: AppContext, state: PageState[Any], row: pd.Series, segments: pd.DataFrame, level_names: list[str]
) -> None:
    """Distribution, profile and segments of one class.

    Args:
        row: of the class, as of `with_effect`.
        segments: of the class that pass the filters.
    """
    title, close = st.columns([12, 1], vertical_alignment="center")
    title.markdown(f"#### {plain(row['name'])}\n{_sentence(row)}")
    if close.button("", icon=":material/close:", help="Look at no class", key="close class"):
        state.change(name="", picked="")
        state.keep()
        st.rerun()
    left, right = st.columns(2)
    with left:
        chart(kept(gate_distribution, segments, level_names, theme()), name=f"gates of {row['name']}")
    with right:
        found = gates_of(app.workspace, state.choices.run, state.choices.audio)
        profile = gates.gate_profile(found, segments)
        chart(kept(gate_profile_lines, profile, level_names, theme()), name=f"gates along {row['name']}")
    state.segmented("end", "Segments", {"most": "Most gated", "least": "Least gated"}, label_visibility="collapsed")
    ordered = segments.sort_values(
        [state.choices.level, "segment_id"], ascending=[state.choices.end == "least", True]
    ).head(_MOST_ROWS)
    _segments(app, state, ordered, labels=state.choices.labels, name="of a class")


def show_pairs(app: AppContext, state: PageState[Any], info: RunInfo) -> None:
    """Gates by verb and noun, where there are both label sets and a run with gates for each."""
    sets = [name for name in ("verb", "noun") if name in app.workspace.label_sets]
    there = {name for other in app.workspace.readable_runs()[0] if other.fusion == "mrav" for name in other.label_sets}
    if len(sets) < 2 or not set(sets) <= there:
        return
    if not state.toggle("pairs", "Verb × noun"):
        return
    segments = segment_gates(app.workspace, SegmentSource(info.run, info.label_set, state.choices.audio))
    names = (app.workspace.label_sets["verb"], app.workspace.label_sets["noun"])
    pairs = gates.pair_gates(segments, ("verb", "noun"), names, min_count=max(2, state.choices.least))
    if pairs.empty:
        st.caption("No verb and noun come together in as many true segments.")
        return
    own = pairs[(pairs[["first_name", "second_name"]] == state.choices.name).any(axis=1)]
    shown = gates.commonest_pairs(pairs if own.empty else own, _MOST_FIRST, _MOST_SECOND)
    left_out = "of the commonest classes; choose a class above for its own"
    note = f": {len(shown)} of {len(pairs)} pairs, {left_out}" if len(shown) < len(pairs) else ""
    st.caption(f"Mean gate of {plain(info.run)} inside true segments of each pair{note}.")
    chart(
        kept(pair_matrix, shown, ("Verb", "Noun"), theme()),
        name="gates by verb and noun",
        state=state,
        field="pair",
        value=lambda data: (str(data[0]), str(data[1])),
    )
    if len(state.choices.pair) == 2:
        verb, noun = state.choices.pair
        st.markdown(f"#### {plain(verb)} {plain(noun)}")
        chosen = gates.of_pair(segments, ("verb", "noun"), names, (verb, noun))
        _segments(app, state, chosen, labels=info.label_set, name="of a pair")


def _segments(app: AppContext, state: PageState[Any], table: pd.DataFrame, *, labels: str, name: str) -> None:
    columns: dict[str, Any] = {
        "gate": st.column_config.ProgressColumn("Gate", min_value=0.0, max_value=1.0, format="%.2f", width=110)
    }
    if table["score"].notna().any():
        columns["score"] = st.column_config.NumberColumn("Score", format="%.2f", width=70)
    if table["audibility"].notna().any():
        columns["audibility"] = st.column_config.NumberColumn("Audibility", format="%.2f", width=80)
    segment_table(
        app,
        table,
        state=state,
        field="picked",
        columns=columns,
        run=state.choices.run,
        audio=state.choices.audio,
        labels=labels,
        name=name,
    )


def _sentence(row: pd.Series) -> str:
    words = (
        f"{count_words(row['count'], 'segment')} in {count_words(row['clips'], 'clip')} · mean gate {row['gate']:.2f} "
    )
    one_clip = pd.isna(row["gate_low"])
    words += "(no interval: one clip)" if one_clip else f"(95 % {row['gate_low']:.2f} to {row['gate_high']:.2f})"
    if pd.isna(row["effect"]):
        return words
    words += f" · AP {100 * row['ap_on']:.1f} % with sound, {100 * row['ap_off']:.1f} % without: "
    words += f"{points(row['effect'])} points"
    if pd.isna(row["effect_low"]):
        return words
    verdict = "clear" if row["effect_clear"] else "not clear: the interval holds 0"
    return f"{words} (95 % {points(row['effect_low'])} to {points(row['effect_high'])}, {verdict})"
