"""The sections of a report, each from the same functions as the page and the command of its name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mravff_core.analysis import gates as gate_analysis
from mravff_core.analysis.changes import MatchSettings
from mravff_core.analysis.compare import compare
from mravff_core.analysis.errors import EDGES, analyse_errors, boundary_errors, confusions
from mravff_core.analysis.segment_gates import SegmentSource, segment_gates
from mravff_core.analysis.side import detections_of
from mravff_core.analysis.stress import stress
from mravff_core.evaluation import bootstrap
from mravff_core.inference.run_predict import predict
from mravff_core.plots import compare as compare_plots
from mravff_core.plots import errors as error_plots
from mravff_core.plots import gates as gate_plots
from mravff_core.plots.stress import stress_curves
from mravff_core.plots.theme import Theme
from mravff_core.plots.words import interval_words, signed
from mravff_core.report.document import Figure, Section, Table
from mravff_core.report.plan import SECTIONS, ReportPlan
from mravff_core.report.scenes import scenes_of
from mravff_core.segments import TIOU_THRESHOLDS
from mravff_core.workspace import Bookmarks, Workspace

_MOST_ROWS = 300
# A figure of all actions would be metres long.
_MOST_DRAWN = 300
_LIGHT = Theme.of("light")
Progress = Callable[[float], None]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class Work:
    """What a section is made from.

    Attributes:
        plan: checked.
        progress, cancel: of this section alone.
    """

    workspace: Workspace
    plan: ReportPlan
    device: str = "auto"
    progress: Progress = field(default=lambda _share: None)
    cancel: Cancel = field(default=lambda: False)


def overview(work: Work) -> Section:
    """The runs with their average precision, predicting what is missing."""
    rows = []
    for number, side in enumerate(work.plan.parsed):
        run = work.workspace.run(side.run)
        truth = work.workspace.truth(work.plan.label_set)
        clip_ids = sorted(set(truth["clip_id"]))
        if run.has_detector:
            predict(
                work.workspace,
                side.run,
                condition=side.audio,
                clip_ids=clip_ids,
                device=work.device,
                progress=functools.partial(_part, work, number),
                cancel=work.cancel,
            )
        clip_ids = [clip_id for clip_id in clip_ids if run.has(side.audio, clip_id)]
        truth = truth[truth["clip_id"].isin(clip_ids)]
        found = detections_of(work.workspace, side, work.plan.label_set, clip_ids)
        average = bootstrap(truth, found, TIOU_THRESHOLDS, resamples=work.plan.resamples).average
        row = {"run": side.run, "sound": str(side.audio), "base": run.info.base, "fusion": run.info.fusion}
        scores = {"mAP": average.value, "low": average.low, "high": average.high}
        rows.append(row | scores | {"clips": len(clip_ids), "true_segments": len(truth)})
    text = (
        f"Mean average precision over temporal overlaps {TIOU_THRESHOLDS[0]} to {TIOU_THRESHOLDS[-1]}, "
        f"{work.plan.label_set} classes, with 95 % intervals from {work.plan.resamples} draws of the clips."
    )
    caption = "Each run under the sound it heard"
    return _section("overview", text, tables=(Table("runs", caption, pd.DataFrame(rows), ("mAP", "low", "high")),))


def comparison(work: Work) -> Section:
    """The second side against the first."""
    if len(work.plan.sides) < 2:
        return _section("compare", "There is one run only, so nothing to compare it with.")
    first, second = work.plan.sides[:2]
    settings = MatchSettings(work.plan.min_score, correct_tiou=work.plan.tiou)
    found = compare(
        work.workspace,
        first,
        second,
        label_set=work.plan.label_set,
        settings=settings,
        resamples=work.plan.resamples,
        device=work.device,
        progress=work.progress,
        cancel=work.cancel,
    )
    overall = found.precision.overall
    classes = found.per_class.merge(found.precision.per_class.drop(columns="name"), on="label")
    classes = _of_classes(classes, work.plan).sort_values(
        ["difference", "name"], ascending=[False, True], ignore_index=True
    )
    words = interval_words(overall["difference"], overall["low"], overall["high"])
    clear = "The interval excludes 0." if overall["clear"] else "The interval holds 0: clips decide which is better."
    if pd.isna(overall["low"]):
        clear = "True segments of one clip say nothing about others, so there is no interval."
    text = (
        f"A is {first}, B is {second}. B's mean average precision minus A's is {words} points. {clear}\n\n"
        "Detections of both sides are matched one to one: only B has the gained ones, only A the lost ones."
    )
    drawn, which = _commonest(classes, "segments")
    figure = compare_plots.class_differences(drawn, _LIGHT)
    counted = found.per_class[[kind for kind in compare_plots.KIND_WORDS if kind in found.per_class]].sum()
    kinds = pd.DataFrame({"detections": counted.index, "count": counted.to_numpy(int)})
    return _section(
        "compare",
        text,
        figures=(
            Figure("difference by class", f"Average precision of B minus A by class, with intervals{which}", figure),
        ),
        tables=(
            Table("events", "What became of the detections", kinds),
            Table(
                "classes",
                "By class",
                _plain(classes.drop(columns="label")),
                ("a", "b"),
                ("difference", "low", "high"),
            ),
            Table("clips", "By clip", _plain(found.per_clip)),
        ),
    )


def gates(work: Work) -> Section:
    """Gates of the last side's classes beside what sound does to them."""
    side = work.plan.parsed[-1]
    run = work.workspace.run(side.run)
    if run.info.fusion != "mrav" or side.audio.kind == "off":
        return _section("gates", f"{side} has no gates: it does not listen, or not with gates.")
    if run.has_detector:
        clip_ids = sorted(set(work.workspace.truth(work.plan.label_set)["clip_id"]))
        predict(
            work.workspace,
            side.run,
            condition="off",
            clip_ids=clip_ids,
            device=work.device,
            progress=work.progress,
            cancel=work.cancel,
        )
    labels, audio, resamples = work.plan.label_set, str(side.audio), work.plan.resamples
    segments = segment_gates(work.workspace, SegmentSource(side.run, labels, audio))
    classes = gate_analysis.class_gates(segments, work.workspace.class_names(labels), resamples=resamples)
    effect = gate_analysis.audio_effect(work.workspace, side.run, label_set=labels, audio=audio, resamples=resamples)
    table = _of_classes(gate_analysis.with_effect(classes, effect), work.plan)
    steps = gate_analysis.level_steps_s(work.workspace, side.run, audio)
    names = [f"L{level} · {step_s:.2g} s" for level, step_s in enumerate(steps)]
    found = gate_analysis.gate_effect_correlation(table, resamples=resamples)
    drawn, which = _commonest(table, "count")
    text = (
        "Mean gate inside true segments, from 0 (sound shut out) to 1, beside what switching sound off does to the "
        f"class. {gate_plots.NO_PROOF}\n\n"
        f"Rank correlation of the two over {found.classes} classes: {signed(found.value, 2)} "
        f"[{signed(found.low, 2)}, {signed(found.high, 2)}]."
    )
    return _section(
        "gates",
        text,
        figures=(
            Figure(
                "gates by class",
                f"Gate by class and pyramid level{which}",
                gate_plots.gate_matrix(drawn, names, _LIGHT),
            ),
            Figure(
                "gate and effect",
                "Each class's gate and the effect of sound",
                gate_plots.gate_against_effect(table, _LIGHT),
            ),
        ),
        tables=(
            Table(
                "classes",
                "By class",
                _plain(table.drop(columns="label")),
                ("ap_on", "ap_off"),
                ("effect", "effect_low", "effect_high"),
            ),
        ),
    )


def errors(work: Work) -> Section:
    """What goes wrong with the last side."""
    analysis = analyse_errors(work.workspace, work.plan.parsed[-1], label_set=work.plan.label_set)
    diagnosis = analysis.diagnosis
    tiou = float(diagnosis.thresholds[np.argmin(np.abs(diagnosis.thresholds - work.plan.tiou))])
    found = _of_classes(analysis.detections(tiou), work.plan)
    shown = found[found["score"] >= work.plan.min_score]
    pairs = confusions(shown)
    figures = [
        Figure(
            "kinds",
            "Kinds of detections by band of rank",
            error_plots.kinds_by_band(analysis.profile(tiou), _LIGHT),
        ),
        Figure("costs", "What each kind of error costs", error_plots.cost_bars(analysis.gains(tiou), _LIGHT)),
        Figure(
            "misses",
            "Missed true segments, and precision among them, by characteristic",
            error_plots.trait_bars(diagnosis.missed, diagnosis.sensitivity, _LIGHT),
        ),
    ]
    if len(pairs):
        figures.append(
            Figure("confusions", "Which classes were taken for which", error_plots.confusion_matrix(pairs, _LIGHT))
        )
    figures += [
        Figure(
            f"{edge} errors",
            f"How far {edge}s are off",
            error_plots.boundary_histogram(boundary_errors(shown, edge), edge, _LIGHT),
        )
        for edge in EDGES
    ]
    wrong = shown[shown["kind"] != "true positive"].drop(columns=["segment_id", "player_segment"])
    text = (
        f"Errors of {analysis.side} at temporal overlap {tiou:g}. A detection's kind follows from the true segment it "
        "overlaps most; a band holds as many detections of a class as it has true segments."
    )
    return _section(
        "errors",
        text,
        figures=tuple(figures),
        tables=(
            Table("confusions", "Commonest confusions", pairs.head(_MOST_ROWS)),
            Table(
                "wrong detections",
                f"Wrong detections with a score of {work.plan.min_score:g} or more, best first",
                wrong.head(_MOST_ROWS),
            ),
        ),
    )


def stress_section(work: Work) -> Section:
    """Precision and gates under altered sound, for all runs of the report."""
    runs = list(dict.fromkeys(side.run for side in work.plan.parsed if work.workspace.run(side.run).has_detector))
    if not runs:
        return _section("stress", "None of the runs has a detector that could hear another sound.")
    table = stress(
        work.workspace,
        runs,
        label_set=work.plan.label_set,
        resamples=work.plan.resamples,
        device=work.device,
        progress=lambda share, _words: work.progress(share),
        cancel=work.cancel,
    )
    text = "Sound shifted in time, drowned in noise, silenced, or taken from another clip."
    shares, differences = (tuple(f"{name}{end}" for end in ("", "_low", "_high")) for name in ("map", "change"))
    return _section(
        "stress",
        text,
        figures=(
            Figure("precision", "Mean average precision", stress_curves(table, _LIGHT)),
            Figure("gates", "Mean gate", stress_curves(table, _LIGHT, measure="gate")),
        ),
        tables=(Table("conditions", "By condition", _plain(table), shares, differences),),
    )


def segments(work: Work) -> Section:
    """Saved sets and segments with notes, to be looked at."""
    marks = Bookmarks(work.workspace.folder)
    sets = marks.sets()
    chosen = [segment for name in work.plan.sets for segment in sets[name]]
    if work.plan.notes:
        chosen += [note.segment for note in marks.notes()]
    unique = list({segment.key: segment for segment in chosen}.values())
    named = ", ".join(f"“{name}” ({len(sets[name])})" for name in work.plan.sets)
    text = f"Saved sets: {named}." if named else ""
    if not unique:
        text = "No segments were chosen: save a set or put notes on segments on the Errors page."
    shown = scenes_of(work.workspace, unique, films=work.plan.films, progress=work.progress, cancel=work.cancel)
    return replace(_section("segments", text), scenes=shown)


BUILDERS: dict[str, Callable[[Work], Section]] = {
    "overview": overview,
    "compare": comparison,
    "gates": gates,
    "errors": errors,
    "stress": stress_section,
    "segments": segments,
}


def _section(name: str, text: str, *, figures: tuple[Figure, ...] = (), tables: tuple[Table, ...] = ()) -> Section:
    return Section(name, SECTIONS[name], text, figures, tables)


def _part(work: Work, number: int, share: float) -> None:
    """Progress within the part of one side."""
    work.progress((number + share) / len(work.plan.sides))


def _of_classes(table: pd.DataFrame, plan: ReportPlan) -> pd.DataFrame:
    return table[table["name"].isin(plan.classes)].reset_index(drop=True) if plan.classes else table


def _commonest(table: pd.DataFrame, column: str) -> tuple[pd.DataFrame, str]:
    """The classes with most segments, in the order of the table, and words for a caption where some are left out."""
    if len(table) <= _MOST_DRAWN:
        return table, ""
    rows = table[column].nlargest(_MOST_DRAWN).index
    words = f" (the {_MOST_DRAWN} with most true segments of {len(table)}; the table has all)"
    return table.loc[sorted(rows)], words


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Without columns that say nothing."""
    return table.dropna(axis=1, how="all")
