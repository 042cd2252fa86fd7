"""A slip in a detector's settings is told before any memory is asked for, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from mravff_core.config import weight_sizes
from mravff_core.config.weight_sizes import beyond_memory

USUAL: dict[str, Any] = {
    "kind": "tridet",
    "input_channels": (1024, 1024),
    "embed_channels": 512,
    "embed_kernel": 3,
    "levels": 6,
    "scale_factor": 2,
    "blocks": "transformer",
    "window": 19,
    "bins": 16,
    "trident": True,
    "head_channels": 512,
    "head_kernel": 3,
}


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_sizes, "machine_memory", lambda: 16 * 10**9)


def test_usual_settings_pass() -> None:
    assert beyond_memory(USUAL) is None


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ({"input_channels": (8, 10**9)}, "input_channels 1000000000, embed_channels 512, embed_kernel 3 together need"),
        (
            {"window": 10**9},
            "embed_channels 512, window 1000000000 together need 2,048 GB of memory, this machine has 16",
        ),
        ({"bins": 10**9}, "head_channels 512, head_kernel 3, bins 1000000000 together need"),
        (
            {"neck_channels": 512, "fusion.attention_channels": 10**9},
            "neck_channels 512, fusion.attention_channels 1000000000 together need",
        ),
        ({"levels": 40}, "scale_factor 2 together need 1,125,899 GB of memory for one step of the coarsest level"),
        ({"embed_channels": 10**400, "embed_kernel": 10**400}, "need more than 1,000,000,000,000,000 GB of memory"),
    ],
)
def test_a_slip_is_named_with_what_it_would_need(slip: dict[str, Any], words: str) -> None:
    assert words in (beyond_memory(USUAL | slip) or "")


def test_settings_that_a_base_has_no_use_for_do_not_count() -> None:
    assert beyond_memory(USUAL | {"window": 10**9, "blocks": "sgp"}) is None
    assert beyond_memory(USUAL | {"bins": 10**9, "trident": False}) is None
    assert beyond_memory(USUAL | {"neck_channels": 512, "fusion.attention_channels": None}) is None


def test_what_just_fits_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 4 * 1024 * 512 * 3
    monkeypatch.setattr(weight_sizes, "machine_memory", lambda: needed)
    assert beyond_memory(USUAL) is None
    monkeypatch.setattr(weight_sizes, "machine_memory", lambda: needed - 1)
    assert "input_channels 1024" in (beyond_memory(USUAL) or "")
