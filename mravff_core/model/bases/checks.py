"""Refuse base configurations whose values do not fit each other, naming all that is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from mravff_core.config import BaseConfig
from mravff_core.errors import ConfigError
from mravff_core.model.bases.padding import windows

_COUNTS = (
    "input_channels",
    "embed_channels",
    "embed_kernel",
    "neck_channels",
    "head_channels",
    "head_kernel",
    "head_layers",
    "levels",
    "heads",
    "scale_factor",
    "max_steps",
)


def check_base(config: BaseConfig, classes: int) -> None:
    """Raise a ConfigError if values are out of range or do not fit each other."""
    found = [*_ranges(config, classes), *_embedding(config), *_pyramid(config)]
    if not found and config.blocks in _BLOCKS:
        found = list(_BLOCKS[config.blocks](config))
    if found:
        raise ConfigError(f"base {config.kind}: {'; '.join(found)}")


def _ranges(config: BaseConfig, classes: int) -> Iterator[str]:
    small = [name for name in _COUNTS if getattr(config, name) < 1]
    if small:
        yield f"{', '.join(small)} must be at least 1"
    even = [name for name in ("embed_kernel", "head_kernel") if getattr(config, name) % 2 == 0]
    if even:
        yield f"{', '.join(even)} must be odd"
    if config.kind == "tridet" and config.trident:
        if config.bins < 0:
            yield f"bins ({config.bins}) must be at least 0"
        if config.boundary_kernel < 1 or config.boundary_kernel % 2 == 0:
            yield f"boundary_kernel ({config.boundary_kernel}) must be odd and at least 1"
    if config.embed_layers < 0 or config.stem_layers < 0:
        yield "embed_layers and stem_layers must be at least 0"
    if not all(0 <= rate < 1 for rate in (config.dropout, config.drop_path)):
        yield "dropout and drop_path must lie in 0 to 1, 1 excluded"
    if not 0 < config.class_prior < 1:
        yield f"class_prior ({config.class_prior}) must lie between 0 and 1"
    if not all(0 <= label < classes for label in config.empty_classes):
        yield f"empty_classes must lie in 0 to {classes - 1}"


def _embedding(config: BaseConfig) -> Iterator[str]:
    if len(config.input_groups) != len(config.embed_groups):
        yield "input_groups and embed_groups must be equally long"
    if config.input_groups and sum(config.input_groups) != config.input_channels:
        yield f"input_groups must add up to input_channels ({config.input_channels})"
    if config.embed_groups and sum(config.embed_groups) != config.embed_channels:
        yield f"embed_groups must add up to embed_channels ({config.embed_channels})"
    if not config.embed_layers and not config.input_groups and config.input_channels != config.embed_channels:
        yield (
            f"input_channels ({config.input_channels}) must equal embed_channels ({config.embed_channels}) "
            "without embed_layers"
        )


def _pyramid(config: BaseConfig) -> Iterator[str]:
    if len(config.window) not in (1, config.levels):
        yield f"window lists {len(config.window)} levels, expected 1 or levels ({config.levels})"
    if not 0 <= config.neck_first_level < max(config.levels, 1):
        yield f"neck_first_level ({config.neck_first_level}) must be below levels ({config.levels})"
    if config.neck == "identity" and config.neck_channels != config.embed_channels:
        yield (
            f"neck_channels ({config.neck_channels}) must equal embed_channels ({config.embed_channels}) "
            "for the identity neck"
        )
    if config.neck_norm_groups is not None and (
        config.neck_norm_groups < 1 or config.neck_channels % config.neck_norm_groups
    ):
        yield f"neck_norm_groups ({config.neck_norm_groups}) must divide neck_channels ({config.neck_channels})"
    one_norm = config.neck_norm_shared or config.neck_norm_groups is not None
    if one_norm and not (config.neck == "identity" and config.neck_norm):
        yield "neck_norm_shared and neck_norm_groups need an identity neck with a norm"


def _attention(config: BaseConfig) -> Iterator[str]:
    if config.embed_channels % config.heads:
        yield f"embed_channels ({config.embed_channels}) must be a multiple of heads ({config.heads})"
    if config.levels > 1 and config.scale_factor > 1 and config.scale_factor % 2:
        yield f"scale_factor ({config.scale_factor}) must be 1 or even where attention skips steps"
    # Without a stem, no block has the finest level's own window.
    used = windows(config)[0 if config.stem_layers else 1 :]
    if config.relative_position and any(window > 1 and window % 2 == 0 for window in used):
        yield "relative_position needs odd windows"


def _sgp(config: BaseConfig) -> Iterator[str]:
    if len(config.sgp_window) not in (1, config.levels):
        yield f"sgp_window lists {len(config.sgp_window)} levels, expected 1 or levels ({config.levels})"
    # The finest level's own window is not used: the stem sees 1 step.
    used = config.sgp_window[: config.levels - 1] if len(config.sgp_window) == 1 else config.sgp_window[1:]
    if any(window < 1 or window % 2 == 0 for window in used):
        yield f"sgp_window {list(config.sgp_window)} must be odd and at least 1"
    if config.sgp_ratio < 0 or config.sgp_spread < 0 or config.sgp_hidden < 1 or config.sgp_groups < 1:
        yield "sgp_channels and sgp_groups must be above 0, sgp_ratio and sgp_spread not below it"
    elif config.embed_channels % config.sgp_groups:
        yield f"embed_channels ({config.embed_channels}) must be a multiple of sgp_groups ({config.sgp_groups})"
    if config.neck_norm_groups is not None and config.official_padding:
        yield "neck_norm_groups needs padding of equal steps, which official_padding does not give behind SGP layers"
    if config.pooling == "max" and config.scale_factor > 1 and config.scale_factor % 2:
        yield f"scale_factor ({config.scale_factor}) must be 1 or even where the maximum skips steps"


def _maxpool(config: BaseConfig) -> Iterator[str]:
    if config.pool_width is not None and (config.pool_width < 1 or config.pool_width % 2 == 0):
        yield f"pool_width ({config.pool_width}) must be odd and at least 1"


_BLOCKS = {"transformer": _attention, "sgp": _sgp, "maxpool": _maxpool}
