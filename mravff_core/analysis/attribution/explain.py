"""Explain one number of a detector for one clip: share, time, levels and how well it all adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mravff_core.analysis.attribution.gradients import LOOKS, Run, TimeAttribution, integrated_gradients
from mravff_core.analysis.attribution.levels import LevelEffect, Redetected, level_effects
from mravff_core.analysis.attribution.measures import quality
from mravff_core.analysis.attribution.occlusion import Occlusion, agreement, occlusion, sums_within, windows
from mravff_core.analysis.attribution.result import Agreement, Attribution, Options, ShareRange
from mravff_core.analysis.attribution.scorer import Inputs, Scorer
from mravff_core.analysis.attribution.shapley import ModalityShare, modality_share, modality_shares
from mravff_core.analysis.attribution.span import Span
from mravff_core.analysis.attribution.target import Target
from mravff_core.model.outputs import DetectorOutput
from mravff_core.time_grid import TimeGrid

# That share an explanation's work, where they are wanted.
_THREADS = 2


@dataclass(frozen=True)
class _Parts:
    """What the parts of an explanation's work found that may run side by side."""

    gradients: TimeAttribution
    occluded: Occlusion
    levels: list[LevelEffect]
    others: list[ModalityShare]


@dataclass
class _Work:
    """The work of one explanation.

    Attributes:
        whole: scores the whole clip.
        inputs, baseline, further_baselines, options, redetect: as for `attribute`.
        span: the part of the clip that decides the number.
        scorer: scores that part.
        near, still: inputs and baseline there.
        score: the number explained.
        share: of each modality in it.
    """

    whole: Scorer
    inputs: Inputs
    baseline: Inputs
    further_baselines: Sequence[Inputs]
    span: Span
    options: Options
    redetect: Callable[[DetectorOutput], Redetected | None] | None

    def __post_init__(self) -> None:
        target = self.whole.target
        self.near, self.still = self.span.cut(self.inputs), self.span.cut(self.baseline)
        self.scorer = self.whole.towards(self.span.target(target, self.whole.strides[target.level]))
        self.score = self.scorer.measure(self.near)
        self.share = modality_share(self.scorer, self.near, self.still, both=self.score)

    def one_by_one(self, edges: NDArray[np.int64]) -> _Parts:
        """All parts in this thread."""
        return _Parts(self._gradients(map), self._occluded(edges), self._levels(), self._others())

    def side_by_side(self, edges: NDArray[np.int64]) -> _Parts:
        """All parts in as many threads as the memory is divided among."""
        self.scorer.share_memory(_THREADS)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="explain") as threads:
            occluded, levels = threads.submit(self._occluded, edges), threads.submit(self._levels)
            others = threads.submit(self._others)
            return _Parts(self._gradients(threads.map), occluded.result(), levels.result(), others.result())

    def _gradients(self, run: Run) -> TimeAttribution:
        found = integrated_gradients(
            self.scorer,
            self.near,
            self.still,
            score=self.score,
            baseline_score=self.share.neither,
            run=run,
            steps=self.options.steps,
            most_steps=self.options.most_steps,
            largest_gap=self.options.largest_gap,
        )
        return self.span.over_clip(found)

    def _occluded(self, edges: NDArray[np.int64]) -> Occlusion:
        within = self.span.windows(edges)
        return self.span.occluded(occlusion(self.scorer, self.near, self.still, within, score=self.score), edges)

    def _others(self) -> list[ModalityShare]:
        return modality_shares(
            self.scorer, self.near, list(map(self.span.cut, self.further_baselines)), both=self.score
        )

    def _levels(self) -> list[LevelEffect]:
        return level_effects(self.whole, self.inputs, self.redetect)


def attribute(
    detector: nn.Module,
    inputs: Inputs,
    baseline: Inputs,
    target: Target,
    *,
    grid: TimeGrid,
    segment: tuple[float, float] | None = None,
    baseline_names: tuple[str, str] = ("given", "given"),
    further_baselines: Sequence[Inputs] = (),
    options: Options | None = None,
    redetect: Callable[[DetectorOutput], Redetected | None] | None = None,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Attribution:
    """Explain one number.

    Args:
        detector: any module that answers a `Batch` with a `DetectorOutput` and has `strides`.
        inputs: features of one clip, [1, channels, time] each; audio None for no sound.
        baseline: what the clip is compared with, of the same shapes.
        target: which number.
        grid: time stamps of the feature steps.
        segment: start and end in feature steps of what is explained, for finer windows there;
            None for the surroundings of the target's point.
        baseline_names: of sound and sight, for people.
        further_baselines: others to see how far the share depends on the choice.
        options: how.
        redetect: finds the detection again in a changed detector's output.
        progress: told the share done, 0 to 1.
        cancel: asked before every chunk; True stops.
    Raises: CancelledError.
    """
    options = options or Options()
    steps = inputs[0].shape[-1]
    work = _Work(
        whole=Scorer(
            detector,
            target,
            memory_limit_mb=options.memory_limit_mb,
            progress=_counted(_passes(options, len(further_baselines)), progress),
            cancel=_remembered(cancel),
        ),
        inputs=inputs,
        baseline=baseline,
        further_baselines=further_baselines,
        span=Span.of(detector, target, steps),
        options=options,
        redetect=redetect,
    )
    stride = work.whole.strides[target.level]
    start, end = segment or ((target.step - 1) * stride, (target.step + 1) * stride)
    edges = windows(steps, start, end, near=options.near, far=options.far)
    score, share = work.score, work.share
    found = work.side_by_side(edges) if options.side_by_side else work.one_by_one(edges)
    gradients, occluded = found.gradients, found.occluded
    infidelity, sensitivity = (
        quality(work.whole, inputs, baseline, steps=gradients.steps) if options.measures else (None, None)
    )
    return Attribution(
        quantity=target.quantity,
        unit=target.unit,
        score=score,
        baseline_score=share.neither,
        baseline=baseline_names,
        share=share,
        share_range=_range([share, *found.others]),
        gradients=gradients,
        occlusion=occluded,
        agreement=Agreement(
            audio=None if inputs[1] is None else agreement(sums_within(gradients.audio, edges), occluded.audio),
            vision=agreement(sums_within(gradients.vision, edges), occluded.vision),
        ),
        levels=tuple(found.levels),
        times_s=grid.to_seconds(np.arange(steps, dtype=np.float64)),
        edges_s=grid.to_seconds(edges - 0.5),
        complete=gradients.gap is None or gradients.gap <= options.largest_gap,
        infidelity=infidelity,
        sensitivity=sensitivity,
    )


def _range(shares: list[ModalityShare]) -> ShareRange | None:
    found = [one.audio_share for one in shares if one.audio_share is not None]
    return ShareRange(min(found), max(found), len(found)) if len(found) > 1 else None


def _passes(options: Options, further_baselines: int) -> int:
    """How many variants an explanation is likely to score."""
    least = 3 * (1 + further_baselines) + LOOKS + options.steps + 2 * (options.near + options.far) + 13
    # Most gradients take more than the steps they begin with.
    return least + options.steps // 2


def _counted(expected: int, progress: Callable[[float], None] | None) -> Callable[[int], None]:
    """Takes how many variants were scored; tells `progress` the share done, 0 to 1."""
    done = 0

    def count(variants: int) -> None:
        nonlocal done
        done += variants
        if progress is not None:
            progress(min(1.0, done / expected))

    return count


def _remembered(cancel: Callable[[], bool] | None) -> Callable[[], bool]:
    """`cancel`, which stays with a yes, so that all threads hear it."""
    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or (cancel is not None and cancel())
        return stopped

    return stop
