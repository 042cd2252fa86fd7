"""Fixtures for every test: one thread for torch, and the stored reference numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference numbers and real data beside the checkout; skips where absent."""
    if not SHARED.is_dir():
        pytest.skip("reference numbers and data (../shared) are not on this machine")
    return SHARED
