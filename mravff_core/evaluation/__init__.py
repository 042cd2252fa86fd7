"""How good detections are: average precision over temporal intersection over union."""

from mravff_core.evaluation.average_precision import AveragePrecision, mean_average_precision

__all__ = ["AveragePrecision", "mean_average_precision"]
