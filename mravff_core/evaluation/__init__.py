"""How good detections are: average precision over temporal intersection over union, and how sure it is."""

from mravff_core.evaluation.average_precision import AveragePrecision, mean_average_precision
from mravff_core.evaluation.bootstrap import (
    Difference,
    Interval,
    Intervals,
    PairedDifferences,
    bootstrap,
    paired_bootstrap,
)

__all__ = [
    "AveragePrecision",
    "Difference",
    "Interval",
    "Intervals",
    "PairedDifferences",
    "bootstrap",
    "mean_average_precision",
    "paired_bootstrap",
]
