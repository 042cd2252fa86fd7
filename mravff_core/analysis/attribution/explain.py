"""Explain one number of a detector for one clip: share, time, levels and how well it all adds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
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
    visual, audio = inputs
    steps = visual.shape[-1]
    passes = 3 * (1 + len(further_baselines)) + LOOKS + options.steps + 2 * (options.near + options.far) + 13
    # Most gradients take more than the steps they begin with.
    done, expected = 0, passes + options.steps // 2

    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or (cancel is not None and cancel())
        return stopped

    def count(variants: int) -> None:
        nonlocal done
        done += variants
        if progress is not None:
            progress(min(1.0, done / expected))

    whole = Scorer(detector, target, memory_limit_mb=options.memory_limit_mb, progress=count, cancel=stop)
    stride = whole.strides[target.level]
    span = Span.of(detector, target, steps)
    near, still = span.cut(inputs), span.cut(baseline)
    scorer = whole.towards(span.target(target, stride))
    score = scorer.measure(near)
    share = modality_share(scorer, near, still, both=score)
    start, end = segment or ((target.step - 1) * stride, (target.step + 1) * stride)
    edges = windows(steps, start, end, near=options.near, far=options.far)

    def along_the_path(run: Run) -> TimeAttribution:
        found = integrated_gradients(
            scorer,
            near,
            still,
            score=score,
            baseline_score=share.neither,
            run=run,
            steps=options.steps,
            most_steps=options.most_steps,
            largest_gap=options.largest_gap,
        )
        return span.over_clip(found)

    def by_taking_away() -> Occlusion:
        return span.occluded(occlusion(scorer, near, still, span.windows(edges), score=score), edges)

    def against_others() -> list[ModalityShare]:
        return modality_shares(scorer, near, list(map(span.cut, further_baselines)), both=score)

    def by_forcing_gates() -> list[LevelEffect]:
        return level_effects(whole, inputs, redetect)

    if options.side_by_side:
        scorer.share_memory(_THREADS)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="explain") as threads:
            taking, forcing = threads.submit(by_taking_away), threads.submit(by_forcing_gates)
            comparing = threads.submit(against_others)
            gradients = along_the_path(threads.map)
            occluded, levels, others = taking.result(), forcing.result(), comparing.result()
    else:
        gradients = along_the_path(map)
        occluded, levels, others = by_taking_away(), by_forcing_gates(), against_others()
    measures = quality(whole, inputs, baseline, steps=gradients.steps) if options.measures else (None, None)
    return Attribution(
        quantity=target.quantity,
        unit=target.unit,
        score=score,
        baseline_score=share.neither,
        baseline=baseline_names,
        share=share,
        share_range=_range([share, *others]),
        gradients=gradients,
        occlusion=occluded,
        agreement=Agreement(
            audio=None if audio is None else agreement(sums_within(gradients.audio, edges), occluded.audio),
            vision=agreement(sums_within(gradients.vision, edges), occluded.vision),
        ),
        levels=tuple(levels),
        times_s=grid.to_seconds(np.arange(steps, dtype=np.float64)),
        edges_s=grid.to_seconds(edges - 0.5),
        complete=gradients.gap is None or gradients.gap <= options.largest_gap,
        infidelity=measures[0],
        sensitivity=measures[1],
    )


def _range(shares: list[ModalityShare]) -> ShareRange | None:
    found = [one.audio_share for one in shares if one.audio_share is not None]
    return ShareRange(min(found), max(found), len(found)) if len(found) > 1 else None
