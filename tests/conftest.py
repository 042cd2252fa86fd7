"""Fixtures for every test: one thread for torch, the stored reference numbers, one browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.browser_launch import launch_chromium

SHARED = Path(__file__).resolve().parents[2] / "shared"

# Whose tests share a server or a browser profile; all others share with their own file only.
FOLDERS_THAT_SHARE = ("browser", "player")

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares fixtures, wherever tests run in several processes at once."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here)
        shares = path.parts[0] in FOLDERS_THAT_SHARE
        item.add_marker(pytest.mark.xdist_group(path.parts[0] if shares else str(path)))


@pytest.fixture(scope="session", autouse=True)
def disk_that_need_not_outlive_a_power_cut() -> Iterator[None]:
    """No waiting for the disk: what a killed process has written is there without that, too."""
    flush = os.fsync
    os.fsync = lambda _file: None
    yield
    os.fsync = flush


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference numbers and real data beside the checkout; skips where absent."""
    if not SHARED.is_dir():
        pytest.skip("reference numbers and data (../shared) are not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser; Playwright allows one at a time in a process, so all tests share it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()
