"""A page's choices in one session: in the address bar, in inputs, charts and tables, all in step.

    state = open_page("gates", GatesChoices)         # from the address, else from last time
    state.select("sort", "Sort by", SORTS)           # an input for a field
    state.keep()                                     # into the address
    charts.chart(figure, state, "class_name", …)     # a click chooses too
    if state.choices.class_name: …

A choice survives a reload (it is in the address), a change of page (it is in the session;
moving with the navigation clears the address) and the browser's back button.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import streamlit as st
from streamlit.elements.lib.mutable_tab_container import TabContainer

from app import addresses
from app.choices import from_query, to_query

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")


@dataclass
class _Held(Generic[C]):
    """What a session remembers of one page.

    `renewed` counts, by field, changes by other hands than the field's input; `last` tells which
    input, chart or table changed it last, and under which count that one goes on.
    """

    choices: C
    renewed: dict[str, int] = field(default_factory=dict)
    last: dict[str, tuple[str, int]] = field(default_factory=dict)


class PageState(Generic[C]):
    """Choices of one page; made by `open_page`.

    Attributes:
        page: its name, as in the address.
        choices: what is chosen now.
    """

    def __init__(self, page: str, held: _Held[C]) -> None:
        self.page = page
        self._held = held

    @property
    def choices(self) -> C:
        """What is chosen now."""
        return self._held.choices

    def key(self, name: str, source: str = "input") -> str:
        """Key of an input, chart or table (`source`) for a field.

        It changes whenever the field is changed by anything else: a browser may still send the
        old value, which must then count for nothing.
        """
        source_, count = self._held.last.get(name, ("", 0))
        return f"{self.page} {name} {source} {count if source_ == source else self._held.renewed.get(name, 0)}"

    def change(self, source: str = "page", **changes: Any) -> None:
        """Choose by other means than the fields' inputs; for callbacks too.

        Args:
            source: whose doing it is: that chart or table keeps its key, all others get new ones.
            changes: new values by field.
        """
        for name, value in changes.items():
            if getattr(self.choices, name) == value:
                continue
            last, count = self._held.last.get(name, ("", 0))
            kept = count if last == source else self._held.renewed.get(name, 0)
            self._held.renewed[name] = self._held.renewed.get(name, 0) + 1
            self._held.last[name] = (source, kept)
            self._held.choices = replace(self._held.choices, **{name: value})

    @property
    def choices_in_address(self) -> bool:
        """Whether the address says anything; it does not when the page was opened from the menu."""
        return bool(addresses.current())

    def keep(self) -> None:
        """Write the choices into the address bar."""
        addresses.write(self.page, to_query(self.choices))

    def hear_inputs(self) -> None:
        """Take what inputs say before they are drawn, so that what stands above them is not a step behind."""
        for name in [each.name for each in fields(self.choices)]:
            said = st.session_state.get(self.key(name))
            if said is not None:
                self._take(name, tuple(said) if isinstance(getattr(self.choices, name), tuple) else said)

    # --- inputs ------------------------------------------------------------------

    def select(self, name: str, label: str, options: Mapping[Any, str] | Sequence[Any], **more: Any) -> Any:
        """A select box. Args: options: values, or values with their words."""
        values, words = list(options), options if isinstance(options, Mapping) else None
        self._hold(name, values)
        return self._input(
            st.selectbox,
            name,
            label,
            index=values.index(getattr(self.choices, name)),
            options=values,
            format_func=words.__getitem__ if words else str,
            **more,
        )

    def segmented(self, name: str, label: str, options: Mapping[Any, str] | Sequence[Any], **more: Any) -> Any:
        """A few options side by side, one of them chosen."""
        values, words = list(options), options if isinstance(options, Mapping) else None
        self._hold(name, values)
        return self._input(
            st.segmented_control,
            name,
            label,
            default=getattr(self.choices, name),
            options=values,
            required=True,
            format_func=words.__getitem__ if words else str,
            **more,
        )

    def several(self, name: str, label: str, options: Mapping[Any, str], **more: Any) -> tuple[Any, ...]:
        """Any number of a few options that are all in view."""
        there = tuple(value for value in getattr(self.choices, name) if value in options)
        self.change("page", **{name: there})
        words = options.__getitem__
        return self._input(
            st.pills,
            name,
            label,
            default=list(there),
            options=list(options),
            format_func=words,
            selection_mode="multi",
            wrap=True,
            **more,
        )

    def multiselect(self, name: str, label: str, options: Sequence[str], **more: Any) -> tuple[str, ...]:
        """Any number of options."""
        there = tuple(value for value in getattr(self.choices, name) if value in options)
        self.change("page", **{name: there})
        return self._input(st.multiselect, name, label, default=list(there), options=list(options), **more)

    def slider(self, name: str, label: str, least: float, most: float, step: float, **more: Any) -> Any:
        """One number, or two for a field that is a range, held inside `least` to `most`."""
        value = getattr(self.choices, name)
        held = [min(max(number, least), most) for number in (value if isinstance(value, tuple) else (value,))]
        shown = tuple(held) if isinstance(value, tuple) else held[0]
        if shown != value:
            self.change("page", **{name: shown})
        return self._input(st.slider, name, label, min_value=least, max_value=most, value=shown, step=step, **more)

    def text(self, name: str, label: str, **more: Any) -> str:
        """A line of text."""
        return self._input(st.text_input, name, label, value=getattr(self.choices, name), **more).strip()

    def toggle(self, name: str, label: str, **more: Any) -> bool:
        """On or off."""
        return self._input(st.toggle, name, label, value=getattr(self.choices, name), **more)

    def tabs(self, name: str, titles: Sequence[str], *, usual: str) -> Sequence[TabContainer]:
        """Tabs for a field that holds the title of the open one, "" for the usual one; draw in what is open alone."""
        key = self.key(name, "tabs")
        named = getattr(self.choices, name)
        st.session_state.setdefault(key, named if named in titles else usual)
        tabs = st.tabs(titles, key=key, on_change="rerun")
        opened = next(title for title, tab in zip(titles, tabs, strict=True) if tab.open)
        self.change("tabs", **{name: "" if opened == usual else opened})
        return tabs

    def _input(self, make: Callable[..., Any], name: str, label: str, **more: Any) -> Any:
        """Draw an input that stands on the field's value.

        Args:
            more: says that value by the input's own parameter. One that is put into the session is told to
                the browser by the run that puts it there alone; where the next press stops that run, the
                browser shows an empty input and sends what it shows.
        """
        chosen = make(label, key=self.key(name), **more)
        chosen = tuple(chosen) if isinstance(getattr(self.choices, name), tuple) else chosen
        self._take(name, chosen)
        return chosen

    def _hold(self, name: str, values: Sequence[Any]) -> None:
        """Put what is not offered back to what is usual, or else to the first."""
        if getattr(self.choices, name) not in values:
            usual = getattr(type(self.choices)(), name)
            self.change(**{name: usual if usual in values else values[0]})

    def _take(self, name: str, chosen: Any) -> None:
        if chosen != getattr(self.choices, name):
            self.change("input", **{name: chosen})


def open_page(page: str, kind: type[C]) -> PageState[C]:
    """The choices to show now.

    An address that the page did not write itself (a link, the back button) wins; moving between
    pages clears the address, and then the page's last choices return.

    Args:
        page: its name in the address.
        kind: a frozen dataclass as in `app.choices`.
    """
    query = addresses.current()
    key = f"choices of {page}"
    held: _Held[C] | None = st.session_state.get(key)
    if held is None or (query and not addresses.is_ours(page, query)):
        choices, complaints = from_query(kind, query)
        before = held.renewed if held is not None else {}
        renewed = {name.name: before.get(name.name, 0) + 1 for name in fields(kind)}
        held = st.session_state[key] = _Held(choices, renewed)
        addresses.note(page, query)
        addresses.complain(complaints)
    state = PageState(page, held)
    state.hear_inputs()
    return state


def prepare_page(page: str, kind: type[C], **changes: Any) -> None:
    """Choose on another page what is to stand there when it is moved to, in place of its last choices."""
    key = f"choices of {page}"
    held: _Held[C] = st.session_state.get(key) or _Held(kind())
    st.session_state[key] = held
    PageState(page, held).change("page", **changes)
