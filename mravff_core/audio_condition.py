"""What a detector gets to hear: one type for all who vary the sound."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from mravff_core.errors import ConfigError

Kind = Literal["on", "off", "silence", "shift", "swap", "noise"]

_PLAIN: tuple[Kind, ...] = ("on", "off", "silence")
_GRAMMAR = "on, off, silence, shift:SECONDS, swap:CLIP, swap:+N or noise:SNR_DB"


@dataclass(frozen=True)
class AudioCondition:
    """One way to alter the sound before detection.

    `on` leaves it as recorded; `off` bypasses fusion, so that the output is exactly
    the base detector's; `silence` gives the features of digital silence; `shift`
    delays the sound by `shift_s` seconds (negative: earlier); `swap` takes another
    clip's sound, or with `+N` as `clip_id` that of the Nth clip further on, which no clip's
    id can look like; `noise` adds noise at `snr_db` decibels below the signal.
    """

    kind: Kind = "on"
    shift_s: float = 0.0
    clip_id: str = ""
    snr_db: float = 0.0

    @classmethod
    def parse(cls, text: str | AudioCondition) -> AudioCondition:
        """Read `on`, `off`, `silence`, `shift:±S`, `swap:CLIP`, `swap:+N` or `noise:SNR_DB`.

        Raises: ConfigError for anything else.
        """
        if isinstance(text, AudioCondition):
            return text
        kind, separator, value = text.strip().partition(":")
        for plain in _PLAIN:
            if kind == plain and not separator:
                return cls(plain)
        if kind == "swap" and value and (value[0] != "+" or re.fullmatch(r"\+[1-9]\d{0,5}", value)):
            return cls("swap", clip_id=value)
        if kind in ("shift", "noise") and separator:
            number = _finite_number(text, value)
            return cls("shift", shift_s=number) if kind == "shift" else cls("noise", snr_db=number)
        raise ConfigError(f"audio condition {text!r} is not known; expected {_GRAMMAR}")

    def __str__(self) -> str:
        if self.kind == "shift":
            return f"shift:{self.shift_s:+g}"
        if self.kind == "noise":
            return f"noise:{self.snr_db:g}"
        return f"swap:{self.clip_id}" if self.kind == "swap" else self.kind

    @property
    def swap_step(self) -> int | None:
        """N of `swap:+N`: how many clips further on the sound is taken from; None for all else."""
        return int(self.clip_id) if self.clip_id.startswith("+") else None

    @property
    def slug(self) -> str:
        """Name for a folder: letters, digits and `.+=_-` only, distinct per condition."""
        return re.sub(r"[^A-Za-z0-9.+=-]", lambda found: f"_{ord(found[0]):x}_", str(self).replace(":", "=", 1))


def _finite_number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"audio condition {text!r}: {value!r} is not a number; expected {_GRAMMAR}")
    return number
