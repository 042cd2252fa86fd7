"""Refuse to begin a training that cannot go well."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mravff_core.config import Recipe, TrainConfig
from mravff_core.errors import ConfigError

_LEAST = {
    "seed": 0,
    "epochs": 0,
    "warmup_epochs": 0,
    "batch_size": 1,
    "accumulate_batches": 1,
    "learning_rate": 0,
    "final_learning_rate": 0,
    "schedule_gamma": 0,
    "weight_decay": 0,
    "initial_loss_norm": 0,
    "iou_weight_power": 0,
    "input_noise": 0,
    "crop_margin": 0,
}
_SHARES = ("label_smoothing", "truncated_share")


def check_training(recipe: Recipe, clips: int, devices: int, name: str) -> None:
    """Raise a ConfigError if settings are out of range or do not fit each other, the clips or the devices.

    Args:
        clips: how many there are.
        devices: how many share each batch.
        name: of the run, for messages.
    """
    found = [*_ranges(recipe.train), *_fit(recipe, clips, devices)]
    if found:
        raise ConfigError(f"{name}: {'; '.join(found)}")


def _ranges(train: TrainConfig) -> Iterator[str]:
    for setting, least in _LEAST.items():
        value = getattr(train, setting)
        if not least <= value < math.inf:
            yield f"train.{setting} is {value}, expected {least} or more"
    if train.seed >= 2**63:
        yield f"train.seed is {train.seed}, expected less than 2 to the power of 63"
    for setting in _SHARES:
        if not 0 <= getattr(train, setting) <= 1:
            yield f"train.{setting} is {getattr(train, setting)}, expected 0 to 1"
    if not 0 <= train.ema_decay < 1:
        yield f"train.ema_decay is {train.ema_decay}, expected 0 to below 1"
    if train.centre_sampling == "radius" and not train.centre_radius > 0:
        yield f"train.centre_radius is {train.centre_radius}, expected a number above 0"
    if train.crop_ratio is not None and not 0 <= train.crop_ratio[0] <= train.crop_ratio[1] < math.inf:
        yield f"train.crop_ratio is {list(train.crop_ratio)}, expected two shares of a clip, the smaller first"
    for low, high in train.regression_range:
        if not low <= high:
            yield f"train.regression_range has {[low, high]}, expected the smaller number first"


def _fit(recipe: Recipe, clips: int, devices: int) -> Iterator[str]:
    if not clips:
        yield "there are no clips to train on"
    elif devices < 1:
        yield f"found {devices} devices, expected 1 or more"
    elif recipe.train.batch_size % devices or clips < devices:
        yield (
            f"batches of {recipe.train.batch_size} from {clips} clips "
            f"cannot be shared out evenly among {devices} devices"
        )
    levels = recipe.base.levels - recipe.base.neck_first_level
    if len(recipe.train.regression_range) != levels:
        yield f"train.regression_range has {len(recipe.train.regression_range)} levels, the detector has {levels}"
    if recipe.train.freeze_base and recipe.fusion.kind == "none":
        yield "with train.freeze_base and fusion none there is nothing to train"
