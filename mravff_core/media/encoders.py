"""The feature encoders, by name.

An encoder turns a media file into `Features` ([channels, time] and a time grid). Each
has `name`, `channels`, `grid` and `encode(path, progress=, cancel=, report=)`; those of
sound also have `silence()` and `encode_samples(...)`. To add one, write such a class
and enter it here.
"""

from __future__ import annotations

from mravff_core.data.features import Features
from mravff_core.errors import ConfigError
from mravff_core.media.audio_encoder import AudioEncoder
from mravff_core.media.visual_encoder import VisualEncoder

__all__ = ["ENCODERS", "AudioEncoder", "Features", "VisualEncoder", "encoder"]

ENCODERS: dict[str, type[VisualEncoder] | type[AudioEncoder]] = {
    VisualEncoder.name: VisualEncoder,
    AudioEncoder.name: AudioEncoder,
}


def encoder(name: str) -> VisualEncoder | AudioEncoder:
    """An encoder by its name.

    Raises: ConfigError for a name that is not known.
    """
    if name not in ENCODERS:
        raise ConfigError(f"feature encoder {name!r} is not known; expected one of {', '.join(sorted(ENCODERS))}")
    return ENCODERS[name]()
