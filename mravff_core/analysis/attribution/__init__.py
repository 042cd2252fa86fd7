"""What a detection rests on: sound or sight, where in time, at which level."""

from mravff_core.analysis.attribution.explain import attribute
from mravff_core.analysis.attribution.result import Agreement, Attribution, Options, ShareRange
from mravff_core.analysis.attribution.scorer import Scorer, private_copy
from mravff_core.analysis.attribution.shapley import ModalityShare, modality_share
from mravff_core.analysis.attribution.target import QUANTITIES, Target, TracedPoint, trace_detection

__all__ = [
    "QUANTITIES",
    "Agreement",
    "Attribution",
    "ModalityShare",
    "Options",
    "Scorer",
    "ShareRange",
    "Target",
    "TracedPoint",
    "attribute",
    "modality_share",
    "private_copy",
    "trace_detection",
]
