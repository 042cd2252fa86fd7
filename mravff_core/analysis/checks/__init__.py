"""Checks that could refute an explanation, on data and detectors whose truth is known."""

from mravff_core.analysis.checks.retrained import LONGER, may_retrain
from mravff_core.analysis.checks.verify import CHECKS_FILE, read_checks, verify_explanations

__all__ = ["CHECKS_FILE", "LONGER", "may_retrain", "read_checks", "verify_explanations"]
