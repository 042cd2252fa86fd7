"""How good detections are: average precision over temporal overlap, how sure it is, and what errors cost."""

from mravff_core.evaluation.actions import merge_actions
from mravff_core.evaluation.average_precision import AveragePrecision, mean_average_precision
from mravff_core.evaluation.characteristics import Buckets
from mravff_core.evaluation.diagnosis import Diagnosis, diagnose
from mravff_core.evaluation.error_kinds import ERRORS, KINDS
from mravff_core.evaluation.proposals import label_proposals
from mravff_core.evaluation.recall import Recall, recall_at_k
from mravff_core.evaluation.uncertainty import (
    Difference,
    Interval,
    Intervals,
    PairedDifferences,
    bootstrap,
    paired_bootstrap,
)

__all__ = [
    "ERRORS",
    "KINDS",
    "AveragePrecision",
    "Buckets",
    "Diagnosis",
    "Difference",
    "Interval",
    "Intervals",
    "PairedDifferences",
    "Recall",
    "bootstrap",
    "diagnose",
    "label_proposals",
    "mean_average_precision",
    "merge_actions",
    "paired_bootstrap",
    "recall_at_k",
]
