"""What to doubt about an explanation, in so many words, for all who show one."""

from __future__ import annotations

import numpy as np

from app.context import AppContext
from mravff_core.analysis.attribution import Attribution
from mravff_core.analysis.attribution.gradients import LARGEST_GAP
from mravff_core.analysis.attribution.occlusion import sums_within
from mravff_core.analysis.checks import read_checks
from mravff_core.analysis.explain_run import Explanation

_WIDE = 0.5
# Of the score difference: windows that differ by less cannot be told apart where either may be off by
# the gap that attributions are allowed, and there is nothing to disagree about.
_TOO_SMALL = 2 * LARGEST_GAP


def doubts(app: AppContext, explanation: Explanation) -> list[str]:
    """Sentences; none where nothing speaks against believing it."""
    attribution = explanation.attribution
    found = []
    if not attribution.complete and attribution.gradients.gap is not None:
        found.append(f"The bars over time miss {attribution.gradients.gap:.1%} of the score difference (aim: 1 %).")
    disagreed = attribution.agreement.audio is not None and attribution.agreement.audio < 0
    if disagreed and _most_of_sound(attribution) > _TOO_SMALL:
        found.append("Gradients and occlusion disagree about the sound: trust neither alone.")
    known = attribution.share_range
    if known is not None and known.high - known.low > _WIDE:
        found.append(f"The audio share hangs on the baseline: {known.low:.0%} to {known.high:.0%}.")
    checks = read_checks(app.workspace.run(explanation.question.run))
    failed = [one for one in (checks or {}).get("verdicts", ()) if one["passed"] is False]
    return found + [
        str(one["words"]) for one in failed if attribution.quantity in (one.get("of") or (attribution.quantity,))
    ]


def _most_of_sound(attribution: Attribution) -> float:
    """The most that gradients or occlusion give the sound of any one window, as a share of the score difference."""
    windows = sums_within(attribution.gradients.audio, attribution.occlusion.edges), attribution.occlusion.audio
    difference = abs(attribution.score - attribution.baseline_score)
    return float(np.abs(windows).max()) / difference if difference else 0.0
