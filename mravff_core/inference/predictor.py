"""From the features of one clip to detections in seconds and what the fusion did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mravff_core.audio_condition import AudioCondition
from mravff_core.data.align import to_grid
from mravff_core.errors import ConfigError, FeatureError
from mravff_core.inference.batches import ClipFeatures, groups_of_like_length, side_by_side
from mravff_core.inference.decode import Candidates
from mravff_core.inference.label_sets import candidates_by_label_set
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import Batch, DetectorOutput, FusionTrace
from mravff_core.segments import detection_table
from mravff_core.time_grid import TimeGrid

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prediction:
    """What a detector found in one clip.

    Attributes:
        detections: `start_s`, `end_s`, `label`, `score` of the detector's first label set; best first.
        trace: gates of every level, [1, 1 or channels, steps of the level], on the CPU.
        level_times_s: seconds at which the steps of each level stand, finest level first.
        further: detections by each further label set of a joint detector, and as `action` those
            of verb and noun together (verb * number of nouns + noun).
    """

    detections: pd.DataFrame
    trace: FusionTrace
    level_times_s: tuple[NDArray[np.float64], ...]
    further: dict[str, pd.DataFrame] = field(default_factory=dict)


class Predictor:
    """Runs a detector on clips with the test-time settings of its configuration.

    Args:
        detector: on any device, in any precision; used in evaluation mode and left in the mode it was in.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def detect(
        self,
        visual: ArrayLike,
        audio: ArrayLike | None = None,
        *,
        grid: TimeGrid,
        duration_s: float,
        audio_grid: TimeGrid | None = None,
        audio_condition: AudioCondition | str = "on",
        silence: ArrayLike | None = None,
    ) -> Prediction:
        """Detect actions in one clip.

        Args:
            visual: [channels, time] array on `grid`.
            audio: [channels, time] array on `audio_grid`; None for no sound, as with `off`.
            grid: time stamps of the visual features.
            duration_s: detections are cut to 0 and this.
            audio_grid: time stamps of the audio features; None if they lie on `grid`.
            audio_condition: `on`, `off`, `silence` or `shift:±S`. For swapped or noisy sound
                pass the features of that sound with `on`.
            silence: [channels] audio features of digital silence, for `silence` and for the time
                that audio does not cover; zeros if None.
        Raises: FeatureError if features do not fit the detector; ConfigError for a condition
            that cannot be met here.
        """
        _check_duration(duration_s)
        batch = self.prepare(
            visual, audio, grid=grid, audio_grid=audio_grid, audio_condition=audio_condition, silence=silence
        )
        return self.detect_prepared(batch, grid=grid, duration_s=duration_s)

    def detect_prepared(self, batch: Batch, *, grid: TimeGrid, duration_s: float) -> Prediction:
        """Detect in a batch of one that `prepare` gave; other arguments as for `detect`."""
        with _evaluating(self.detector), torch.inference_mode():
            return self._prediction(self.detector(batch), 0, grid, duration_s)

    def read(self, output: DetectorOutput, *, grid: TimeGrid, duration_s: float) -> Prediction:
        """What the detector's output for one clip says, as `detect` would; of a batch of one."""
        with torch.inference_mode():
            return self._prediction(output, 0, grid, duration_s)

    def detect_many(
        self,
        clips: Sequence[ClipFeatures],
        *,
        audio_condition: AudioCondition | str = "on",
        max_steps: int = 32768,
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> list[Prediction]:
        """Detect actions in many clips, several at once, as is quick on a GPU.

        Clips of like length share a batch. What `detect` finds in each is found here too, up to
        rounding; with `bfloat16` convolutions and products round to 8 bits, norms, sums and
        the last layer of each head do not: probabilities stay within about 0.02 of the exact ones.

        Args:
            clips: of any lengths.
            audio_condition: as for `detect`.
            max_steps: most visual steps of one batch, padding included; a longer clip goes alone.
            precision: of convolutions and products.
        Returns: one prediction a clip, in their order.
        Raises: as `detect`; ConfigError for another precision.
        """
        if precision not in ("float32", "bfloat16"):
            raise ConfigError(f"precision is {precision!r}, expected float32 or bfloat16")
        batches = []
        for clip in clips:
            _check_duration(clip.duration_s)
            batches.append(
                self.prepare(
                    clip.visual,
                    clip.audio,
                    grid=clip.grid,
                    audio_grid=clip.audio_grid,
                    audio_condition=audio_condition,
                    silence=clip.silence,
                )
            )
        found: dict[int, Prediction] = {}
        for group in groups_of_like_length([batch.visual.shape[-1] for batch in batches], max_steps):
            batch = side_by_side([batches[number] for number in group])
            with _evaluating(self.detector), torch.inference_mode():
                with torch.autocast(batch.visual.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                    output = self.detector(batch)
                for row, number in enumerate(group):
                    clip = clips[number]
                    found[number] = self._prediction(output, row, clip.grid, clip.duration_s)
        return [found[number] for number in range(len(clips))]

    def prepare(
        self,
        visual: ArrayLike,
        audio: ArrayLike | None = None,
        *,
        grid: TimeGrid,
        audio_grid: TimeGrid | None = None,
        audio_condition: AudioCondition | str = "on",
        silence: ArrayLike | None = None,
    ) -> Batch:
        """The batch of one that `detect` gives to the detector; arguments and errors as there."""
        config = self.detector.config
        features = _feature_array(visual, config.base.input_channels, "visual")
        steps = features.shape[1]
        self.detector.base.check_length(steps, config.test.max_buffer_factor)
        heard = None
        condition = AudioCondition.parse(audio_condition)
        if condition.kind in ("swap", "noise"):
            raise ConfigError(
                f"audio condition {condition} alters the sound itself; pass the features of the altered sound with 'on'"
            )
        if audio is not None and condition.kind != "off" and self.detector.fusion is not None:
            sound = _feature_array(audio, config.fusion.audio_channels, "audio")
            fill = np.zeros(len(sound), np.float32) if silence is None else np.asarray(silence, np.float32)
            if fill.shape != (len(sound),):
                raise FeatureError(f"features of silence are {list(fill.shape)}, expected [{len(sound)}]")
            heard = _heard(sound, fill, condition, audio_grid or grid, grid, steps)
        weight = next(self.detector.parameters())
        return Batch(_one(features, weight), None if heard is None else _one(heard, weight))

    def _prediction(self, output: DetectorOutput, row: int, grid: TimeGrid, duration_s: float) -> Prediction:
        """What the detector said about one clip of a batch."""
        strides = self.detector.strides
        lengths = torch.stack([mask[row, 0].sum() for mask in output.level_masks]).tolist()
        candidates = candidates_by_label_set(output, strides, self.detector.config, clip=row)
        times_s = tuple(
            grid.to_seconds(np.arange(length, dtype=np.float64) * stride)
            for length, stride in zip(lengths, strides, strict=True)
        )
        gates = zip(output.trace.gates, lengths, strict=False)
        trace = FusionTrace(tuple(gate[row : row + 1, :, :length].float().cpu() for gate, length in gates))
        tables = {name: self._detections(found, grid, duration_s) for name, found in candidates.items()}
        return Prediction(tables.pop(self.detector.config.label_set), trace, times_s, tables)

    def _detections(self, candidates: Candidates, grid: TimeGrid, duration_s: float) -> pd.DataFrame:
        """Candidates suppressed as configured, in seconds within the clip."""
        settings = self.detector.config.test
        segments, scores, labels = candidates.segments_grid, candidates.scores, candidates.labels
        if settings.nms != "none":
            from mravff_core.inference.nms import suppress  # Its compiler takes 50 MB, not needed before.

            segments, scores, labels = suppress(
                segments,
                scores,
                labels,
                method=settings.nms,
                sigma=settings.sigma,
                iou_threshold=settings.iou_threshold,
                min_score=settings.min_score,
                max_segments=settings.max_segments,
                multiclass=settings.multiclass,
                voting_threshold=settings.voting_threshold,
                vote_weight=settings.vote_weight,
            )
        segments_s = np.clip(grid.to_seconds(segments.astype(np.float64)), 0.0, duration_s)
        if not settings.keep_outside:
            inside = segments_s[:, 0] < segments_s[:, 1]
            segments_s, labels, scores = segments_s[inside], labels[inside], scores[inside]
        return detection_table(segments_s, labels, scores)


def _heard(
    sound: NDArray[np.float32],
    fill: NDArray[np.float32],
    condition: AudioCondition,
    sound_grid: TimeGrid,
    grid: TimeGrid,
    steps: int,
) -> NDArray[np.float32]:
    """Audio features [channels, steps] on the visual grid under a condition."""
    if condition.kind == "silence":
        return np.repeat(fill[:, None], steps, axis=1)
    if condition.kind == "shift":
        shift_frames = condition.shift_s * sound_grid.frames_per_second
        sound_grid = replace(sound_grid, offset_frames=sound_grid.centre_frames + shift_frames)
    if sound_grid == grid and sound.shape[1] == steps:
        return sound
    return to_grid(sound, sound_grid, grid, steps, fill=fill)


def _feature_array(features: ArrayLike, channels: int, modality: str) -> NDArray[np.float32]:
    """Checked [channels, time] float32 array. Raises: FeatureError."""
    if isinstance(features, Tensor):
        features = features.detach().cpu().numpy()
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[0] != channels or array.shape[1] == 0:
        raise FeatureError(
            f"{modality} features are {list(array.shape)}, expected [{channels}, time] with time above 0; "
            "saved with time first, or made by another encoder?"
        )
    array = array.astype(np.float32, copy=False)
    unfinite = int(np.count_nonzero(~np.isfinite(array).all(axis=0)))
    if unfinite:
        raise FeatureError(
            f"{modality} features are not finite at {unfinite} of {array.shape[1]} steps; did extraction fail?"
        )
    return array


def _check_duration(duration_s: float) -> None:
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise FeatureError(f"duration is {duration_s} s, expected a number above 0")


def _one(features: NDArray[np.float32], weight: Tensor) -> Tensor:
    """A batch of one, where the detector's weights lie and in their precision."""
    # Shared with the caller where it can be: nothing writes to it.
    return torch.from_numpy(np.require(features, requirements=["C", "W"]))[None].to(weight)


@contextmanager
def _evaluating(detector: Detector) -> Iterator[None]:
    """Evaluation mode inside, the former mode after."""
    was_training = detector.training
    if was_training:
        detector.eval()
    try:
        yield
    finally:
        if was_training:
            detector.train()
