"""Configurations of others' code are taken or refused in words, whatever stands in them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mravff_core.errors import ConfigError
from mravff_core.model.published_config import class_score_file, detector_config, train_config
from tests.model.published import small_config
from tests.model.published_opentad import opentad_config
from tests.model.published_temporalmaxer import small_temporalmaxer_config
from tests.model.published_tridet import small_tridet_config

VALUES = (None, "x", -1, 1.5, math.nan, [], ["a"], {"a": 1})
PIPELINES = {
    "dataset": {
        "train": {"pipeline": [{"type": "RandomTrunc", "trunc_len": 64}]},
        "test": {"pipeline": [{"type": "Padding", "length": 32}]},
    },
    "post_processing": {"external_cls": {"type": "Classifier", "path": "classes.json"}},
}


def places(settings: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands."""
    inside = settings.items() if isinstance(settings, dict) else enumerate(settings[:1])
    for key, value in inside:
        yield (*above, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*above, key))


def with_value(settings: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The same settings but for one."""
    changed = copy.deepcopy(settings)
    inside: Any = changed
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return changed


def opentad(published: dict[str, Any]) -> dict[str, Any]:
    """OpenTAD's settings of a network, with what it does to clips."""
    settings = opentad_config(published)
    for section, more in PIPELINES.items():
        for key, values in more.items():
            settings[section][key] = settings[section].get(key, {}) | values
    return settings


@pytest.mark.parametrize("published", [small_config, small_tridet_config, small_temporalmaxer_config])
@pytest.mark.parametrize("as_written", [lambda settings: settings, opentad], ids=["own", "opentad"])
def test_a_value_of_any_kind_is_taken_or_refused_in_words(
    published: Callable[[], dict[str, Any]], as_written: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    settings, refused = as_written(published()), 0
    for place in places(settings):
        for value in VALUES:
            changed = with_value(settings, place, value)
            try:
                detector_config(changed, "file")
                train_config(changed, "file")
            except ConfigError as error:
                assert str(error)
                refused += 1
                continue
            class_score_file(changed)
    assert refused > 100
