"""What single levels do to an explained number and its detection, each altered alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import pytest
import torch

from mravff_core import Batch
from mravff_core.analysis.attribution import Scorer, Target
from mravff_core.analysis.attribution.levels import level_effects
from mravff_core.model.audio_pyramid import AudioPyramid
from mravff_core.model.detector import Detector
from mravff_core.model.level_fusion import LevelFusion
from mravff_core.model.outputs import DetectorOutput
from tests.analysis.clip_features import inputs
from tests.small_workspace import CHANNELS as WIDE
from tests.small_workspace import small_detector


def test_forcing_gates_encodes_once_and_fuses_the_forced_level_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, detector = inputs(WIDE), small_detector()
    scorer = Scorer(detector, Target(1, 6, 2))
    score = scorer.measure(given)
    slow = []
    for level in range(3):
        for value in (0.0, 1.0):
            changed = small_detector()
            gate = changed.fusion.fusions[level].gate  # type: ignore[union-attr]
            monkeypatch.setattr(gate, "forward", lambda visual, _audio, value=value: visual[:, :1] * 0 + value)
            slow.append(float(changed(Batch(*given)).class_logits[1][0, 6, 2].detach()) - score)
    work: list[str] = []
    for part, name in ((type(detector.base), "pyramid"), (AudioPyramid, "forward"), (LevelFusion, "forward")):
        usual = getattr(part, name)

        def count(*given: Any, name: str = f"{part.__name__}.{name}", usual: Any = usual, **more: Any) -> Any:
            work.append(name)
            return usual(*given, **more)

        monkeypatch.setattr(part, name, count)
    found = level_effects(scorer, given)
    assert [value for one in found for value in (one.closed, one.opened)] == pytest.approx(slow, abs=1e-5)
    # All levels once; then, for classes and boundaries together, the forced one alone.
    assert Counter(work) == {"ActionFormer.pyramid": 1, "AudioPyramid.forward": 1, "LevelFusion.forward": 3 + 6}


def detector_of(base: Any, fusion: str) -> Detector:
    config = small_detector(fusion=fusion).config
    torch.manual_seed(0)
    return Detector(dataclasses.replace(config, base=dataclasses.replace(config.base, kind=base))).eval()


@pytest.mark.parametrize("base", ["actionformer", "tridet"])
@pytest.mark.parametrize("fusion", ["mrav", "concat"])
def test_the_detection_is_sought_in_all_that_the_altered_detector_says(base: str, fusion: str) -> None:
    given, seen = inputs(WIDE), list[DetectorOutput]()
    detector = detector_of(base, fusion)
    effects = level_effects(Scorer(detector, Target(1, 6, 2)), given, lambda output: seen.append(output))
    values = (0.0, 1.0) if fusion == "mrav" else (0.0,)
    wanted = [(level, value) for level in range(3) for value in values]
    assert len(effects) == 3 and len(seen) == len(wanted)
    usual = detector(Batch(*given))
    for (level, value), found in zip(wanted, seen, strict=True):
        altered = detector_of(base, fusion)
        own = altered.fusion.fusions[level]  # type: ignore[union-attr]
        if fusion == "mrav":
            own.gate.forward = lambda visual, _audio, value=value: visual[:, :1] * 0 + value
        else:
            own.forward = lambda visual, _audio, _valid, **_: (visual, None)
        with torch.no_grad():
            whole = altered(Batch(*given))
        assert not torch.equal(whole.class_logits[level], usual.class_logits[level])
        for name in ("class_logits", "boundary_offsets"):
            for part, expected in zip(getattr(found, name), getattr(whole, name), strict=True):
                torch.testing.assert_close(part, expected, atol=1e-5, rtol=0)
