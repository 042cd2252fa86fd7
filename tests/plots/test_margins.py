"""Room for labels that is known beforehand."""

from __future__ import annotations

import plotly.graph_objects as go

from mravff_core.plots.theme import Theme, room_for, set_margins, styled


def test_room_grows_with_the_longest_label_and_markup_takes_none() -> None:
    assert room_for(["cut", "wash"]) == room_for(["wash"]) < room_for(["wash the dishes"])
    assert room_for(["<b>wash</b>"]) == room_for(["wash"])
    assert room_for([]) == room_for([""])


def test_plotly_looks_for_no_room_where_it_is_given() -> None:
    figure = set_margins(styled(go.Figure(go.Bar(y=["a"], x=[1])), Theme.of("light")), left=50)
    assert figure.layout.margin.l == 50
    assert figure.layout.yaxis.automargin is False
