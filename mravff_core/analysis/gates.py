"""How much each class listens: gates by class and pyramid level, and what switching audio off does to it.

A large gate says that sound was mixed in, not that it helped. So every table of gates can
stand beside the effect of audio: average precision with sound minus average precision with
every gate at 0, class by class, with paired bootstrap intervals over clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mravff_core.analysis.resampling import interval_ends, mean_by_group
from mravff_core.analysis.segment_gates import gates_at, gates_of, level_columns
from mravff_core.errors import ConfigError, WorkspaceError
from mravff_core.evaluation import mean_average_precision, paired_bootstrap
from mravff_core.segments import TIOU_THRESHOLDS
from mravff_core.workspace import Workspace
from mravff_core.workspace.cached import cached_table, has_cached_table
from mravff_core.workspace.scored_clips import scored_clips

RESAMPLES = 1000
EFFECT_COLUMNS = ("ap_on", "ap_off", "effect", "effect_low", "effect_high", "effect_clear")
_SEED = 0


@dataclass(frozen=True)
class SegmentFilter:
    """Which segments count; ranges include their ends.

    Attributes:
        min_score: least score; true segments have none and always count.
        length_s: shortest and longest.
        audibility: least and most; where not all from 0 to 1 count, segments of unknown
            audibility do not.
        clips: ids; empty for all.
    """

    min_score: float = 0.0
    length_s: tuple[float, float] = (0.0, math.inf)
    audibility: tuple[float, float] = (0.0, 1.0)
    clips: tuple[str, ...] = ()

    def __call__(self, segments: pd.DataFrame) -> pd.DataFrame:
        """The rows that count."""
        length_s = segments["end_s"] - segments["start_s"]
        keep = length_s.between(*self.length_s) & ~(segments["score"] < self.min_score)
        if self.audibility != (0.0, 1.0):
            keep &= segments["audibility"].between(*self.audibility)
        if self.clips:
            keep &= segments["clip_id"].isin(self.clips)
        return segments[keep]


def class_gates(
    segments: pd.DataFrame, names: Sequence[str], *, min_count: int = 1, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Mean gate of every class at every level, over segments that count alike.

    Args:
        segments: of `segment_gates`, filtered.
        names: of the classes.
        min_count: classes with fewer segments are left out.
        resamples: clips are drawn anew this often for the 95 % intervals; 0 for none.
    Returns: one row a class with segments: `label`, `name`, `count`, `clips`; `gate` (mean over
        levels) and `gate_0` … `gate_L`, each with `…_low` and `…_high`; `spread`, the largest
        level's mean minus the smallest's. Largest gate first.
    """
    levels = level_columns(segments)
    labels, group = np.unique(segments["label"].to_numpy(np.int64), return_inverse=True)
    clip = pd.factorize(segments["clip_id"])[0].astype(np.int64)
    columns = ["gate", *levels]
    found = mean_by_group(segments[columns].to_numpy(np.float64), group, clip, size=len(labels), resamples=resamples)
    table = pd.DataFrame(
        {
            "label": labels,
            "name": [names[label] for label in labels],
            "count": np.bincount(group, minlength=len(labels)),
            "clips": segments.groupby("label")["clip_id"].nunique().to_numpy() if len(labels) else [],
        }
    )
    for number, column in enumerate(columns):
        table[column] = found.mean[:, number]
        table[f"{column}_low"] = found.low[:, number]
        table[f"{column}_high"] = found.high[:, number]
    table["spread"] = table[levels].max(axis=1) - table[levels].min(axis=1)
    table = table[table["count"] >= max(1, min_count)]
    return table.sort_values(["gate", "label"], ascending=[False, True], ignore_index=True)


def audio_effect(
    workspace: Workspace,
    run_name: str,
    *,
    label_set: str = "",
    audio: str = "on",
    clip_ids: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """What sound does to each class of a run: average precision with it minus with audio off.

    Over those clips whose predictions are stored for both; means over tIoU 0.1 to 0.5. Kept in the
    workspace's cache.

    Args:
        clip_ids: as of `scored_clips`.
        resamples: of the paired 95 % intervals over clips; 0 for none, which is quick.
    Returns: `label`, `name`, `ap_on`, `ap_off`, `effect`, `effect_low`, `effect_high`,
        `effect_clear` (the interval excludes 0); label -1 is the mean over classes.
    Raises: WorkspaceError if predictions are missing, naming the command that makes them, or the run has no
        such labels.
    """
    run = workspace.run(run_name)
    label_set = label_set or run.info.label_set

    def make() -> pd.DataFrame:
        counted = set(scored_clips(workspace, label_set, clip_ids))
        run.label_set(label_set)
        clips = run.predicted_clips(audio) & run.predicted_clips("off") & counted
        on, off = (run.detections(condition, sorted(clips), label_set=label_set) for condition in (audio, "off"))
        if not clips or on is None or off is None:
            missing = "off" if run.predicted_clips(audio) else audio
            raise WorkspaceError(
                f"run {run_name!r} has nothing stored for audio {missing} to compare with; make it with "
                f"'{workspace.command(f'predict --run {run_name} --audio {missing}')}'"
            )
        truth = workspace.truth(label_set, sorted(clips))
        return _effect_table(truth, on, off, workspace.class_names(label_set), resamples)

    return cached_table(
        workspace, "audio_effect", make, **_effect_key(workspace, run_name, label_set, audio, clip_ids, resamples)
    )


def has_audio_effect(
    workspace: Workspace,
    run_name: str,
    *,
    label_set: str = "",
    audio: str = "on",
    clip_ids: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
) -> bool:
    """Whether `audio_effect` would answer at once."""
    label_set = label_set or workspace.run(run_name).info.label_set
    key = _effect_key(workspace, run_name, label_set, audio, clip_ids, resamples)
    return has_cached_table(workspace, "audio_effect", **key)


def with_effect(classes: pd.DataFrame, effect: pd.DataFrame | None) -> pd.DataFrame:
    """Put the effect of audio beside each class's gates; not a number where it is not known."""
    columns = ["label", *EFFECT_COLUMNS]
    if effect is None:
        effect = pd.DataFrame(columns=columns)
    table = classes.merge(effect[columns], on="label", how="left")
    for column in EFFECT_COLUMNS[:-1]:
        table[column] = table[column].astype(np.float64)
    table["effect_clear"] = table["effect_clear"].eq(True)
    return table


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of gate and effect over classes, with its 95 % interval.

    Attributes:
        value, low, high: in [-1, 1]; not a number for fewer than three classes.
        classes: how many it rests on.
    """

    value: float
    low: float
    high: float
    classes: int


def gate_effect_correlation(classes: pd.DataFrame, *, column: str = "gate", resamples: int = RESAMPLES) -> Correlation:
    """Whether classes with larger gates gain more from sound.

    The interval comes from drawing classes anew: it asks whether other classes would show the same.

    Args:
        classes: of `with_effect`.
        column: whose gates: `gate` for the mean over levels, or `gate_0`, ….
    """
    pairs = classes[[column, "effect"]].dropna().to_numpy(np.float64)
    count = len(pairs)
    if count < 3:
        return Correlation(math.nan, math.nan, math.nan, count)
    draws = np.random.default_rng(_SEED).integers(0, count, size=(max(1, resamples), count))
    value = float(_spearman(pairs[None, :, 0], pairs[None, :, 1])[0])
    low, high = interval_ends(_spearman(pairs[draws, 0], pairs[draws, 1])[:, None], count)
    return Correlation(value, float(low[0]), float(high[0]), count)


def gate_profile(
    gates: pd.DataFrame, segments: pd.DataFrame, *, around: float = 0.5, places: int = 41, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Mean gate along segments' own time, from before their start to after their end.

    Args:
        gates: of `gates_of`.
        segments: of one class; every one counts alike, however long.
        around: how much is shown before and after, in lengths of the segment.
        places: along the whole.
        resamples: of the intervals over clips.
    Returns: `level`, `position` (0 start, 1 end), `gate`, `low`, `high`.
    """
    positions = np.linspace(-around, 1 + around, places)
    segments = segments.reset_index(drop=True)
    found = gates_at(gates, segments, positions)
    levels = found.shape[1]
    clip = pd.factorize(segments["clip_id"])[0].astype(np.int64)
    flat = found.reshape(len(segments), levels * places)
    means = mean_by_group(flat, np.zeros(len(segments), np.int64), clip, size=1, resamples=resamples)
    return pd.DataFrame(
        {
            "level": np.repeat(np.arange(levels), places),
            "position": np.tile(positions, levels),
            "gate": means.mean[0],
            "low": means.low[0],
            "high": means.high[0],
        }
    )


def pair_gates(
    segments: pd.DataFrame, label_sets: tuple[str, str], names: tuple[Sequence[str], Sequence[str]], *, min_count: int
) -> pd.DataFrame:
    """Mean gate of every pair of classes of two label sets, such as verb and noun, in true segments.

    Args:
        segments: of `segment_gates` with kind `true`; one of the label sets is its own.
        label_sets: first and second.
        names: of their classes.
        min_count: pairs with fewer segments are left out.
    Returns: `first`, `second` (labels), `first_name`, `second_name`, `count`, `gate`.
    """
    columns = [name if name in segments.columns else "label" for name in label_sets]
    if columns[0] == columns[1]:
        raise ConfigError(f"label sets {label_sets} are one and the same in these segments")
    pairs = segments[segments[columns].notna().all(axis=1)]
    table = pairs.groupby(columns)["gate"].agg(["size", "mean"]).reset_index()
    table.columns = pd.Index(["first", "second", "count", "gate"])
    table = table[table["count"] >= min_count].astype({"first": "int64", "second": "int64"})
    table["first_name"] = [names[0][label] for label in table["first"]]
    table["second_name"] = [names[1][label] for label in table["second"]]
    order = ["first", "second", "first_name", "second_name", "count", "gate"]
    return table[order].sort_values(["gate", "first", "second"], ascending=[False, True, True], ignore_index=True)


def commonest_pairs(pairs: pd.DataFrame, firsts: int, seconds: int) -> pd.DataFrame:
    """The pairs of `pair_gates` of the classes with most segments, so many of the first and of the second label set."""
    for name, most in (("first", firsts), ("second", seconds)):
        counts = pairs.groupby(name)["count"].sum()
        pairs = pairs[pairs[name].isin(counts.nlargest(most).index)]
    return pairs.reset_index(drop=True)


def of_pair(
    segments: pd.DataFrame,
    label_sets: tuple[str, str],
    names: tuple[Sequence[str], Sequence[str]],
    pair: tuple[str, str],
) -> pd.DataFrame:
    """The segments of one pair of `pair_gates`, most gated first."""
    keep = pd.Series(True, segments.index)
    for label_set, known, name in zip(label_sets, names, pair, strict=True):
        column = label_set if label_set in segments.columns else "label"
        keep &= segments[column] == (list(known).index(name) if name in known else -1)
    return segments[keep].sort_values(["gate", "segment_id"], ascending=[False, True])


def level_steps_s(workspace: Workspace, run_name: str, audio: str = "on") -> list[float]:
    """Seconds from one step to the next at every level of a run, finest first; medians over clips."""
    run = workspace.run(run_name)

    def make() -> pd.DataFrame:
        found = gates_of(workspace, run_name, audio)
        step_s = found.groupby(["clip_id", "level"])["time_s"].diff()
        known = step_s.groupby(found["level"]).median()
        levels = range(int(found["level"].max()) + 1)
        # A level of one step has no spacing of its own; it is twice that of the level below.
        steps: list[float] = []
        for level in levels:
            value = float(known.get(level, math.nan))
            steps.append(value if value > 0 else 2 * steps[-1] if steps else math.nan)
        return pd.DataFrame({"step_s": steps})

    table = cached_table(workspace, "level_steps", make, files=run.stored_files(audio), parameters={})
    return table["step_s"].tolist()


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlation of each row of two [rows, pairs]; not a number where one side is constant."""
    ranks = [pd.DataFrame(side).rank(axis=1).to_numpy() for side in (first, second)]
    centred = [side - side.mean(axis=1, keepdims=True) for side in ranks]
    above = (centred[0] * centred[1]).sum(axis=1)
    below = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _effect_table(
    truth: pd.DataFrame, on: pd.DataFrame, off: pd.DataFrame, names: Sequence[str], resamples: int
) -> pd.DataFrame:
    """As `audio_effect` returns it."""
    if resamples:
        found = paired_bootstrap(truth, on, off, TIOU_THRESHOLDS, resamples=resamples)
        columns = {"a": "ap_on", "b": "ap_off", "difference": "effect", "low": "effect_low", "high": "effect_high"}
        classes = found.per_class.rename(columns=columns)
        overall = [found.a.average, found.b.average, found.average.value, found.average.low, found.average.high]
    else:
        scores = [mean_average_precision(truth, table, TIOU_THRESHOLDS) for table in (on, off)]
        classes = pd.DataFrame({"ap_on": scores[0].per_class.mean(axis=1), "ap_off": scores[1].per_class.mean(axis=1)})
        classes["effect"] = classes["ap_on"] - classes["ap_off"]
        classes["effect_low"] = classes["effect_high"] = math.nan
        overall = [scores[0].average, scores[1].average, scores[0].average - scores[1].average, math.nan, math.nan]
    first = pd.DataFrame([[-1, *overall]], columns=["label", *EFFECT_COLUMNS[:5]])
    table = pd.concat([first, classes.rename_axis("label").reset_index()[first.columns]], ignore_index=True)
    table["effect_clear"] = (table["effect_low"] > 0) | (table["effect_high"] < 0)
    table.insert(1, "name", ["all classes", *(names[label] for label in table["label"][1:])])
    return table


def _effect_key(
    workspace: Workspace, run_name: str, label_set: str, audio: str, clip_ids: Sequence[str] | None, resamples: int
) -> dict[str, Any]:
    run = workspace.run(run_name)
    names = ("annotations.parquet", "workspace.yaml")
    files = [*(workspace.folder / name for name in names), *run.stored_files(audio), *run.stored_files("off")]
    parameters: dict[str, Any] = {"label_set": label_set, "resamples": resamples, "thresholds": TIOU_THRESHOLDS}
    if clip_ids is not None:
        parameters["clips"] = sorted(clip_ids)
    return {"files": files, "parameters": parameters}
