"""What a clip's script is made of: segments as seen, sounds as heard, exact times for both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

FRAMES_PER_SECOND = 30


@dataclass(frozen=True)
class Gesture:
    """What one sees of a segment; drawn without knowing its verb or noun.

    Attributes:
        motion: key of `MOTIONS`.
        look: what is handled, as far as one sees.
        period_s: time of one stroke.
        reach: size of the movement, near 1.
        phase: where in a stroke it starts, 0 to 1.
        lean: tilt of tool and arm, -1 to 1.
        wobble: seed of the small unsteadiness of hands.
    """

    motion: str
    look: str
    period_s: float
    reach: float
    phase: float
    lean: float
    wobble: int


@dataclass(frozen=True)
class Segment:
    """One action: exact times, its names, what one sees and how much of it one hears.

    Attributes:
        audibility: share of the segment covered by its own sound, times that sound's level; 0 to 1.
        needs_sound: the verb cannot be told from its look-alike by sight.
        noun_needs_sound: nor can the noun.
    """

    segment_id: int
    start_s: float
    end_s: float
    verb: str
    noun: str
    gesture: Gesture
    audibility: float
    needs_sound: bool
    noun_needs_sound: bool


@dataclass(frozen=True)
class SoundEvent:
    """One sound: of a segment (on screen) or from elsewhere (`segment_id` None)."""

    start_s: float
    end_s: float
    sound: str
    material: str
    level: float
    period_s: float
    phase: float
    seed: int
    segment_id: int | None = None

    @property
    def on_screen(self) -> bool:
        """Whether what makes the sound is seen."""
        return self.segment_id is not None


@dataclass(frozen=True)
class ClipPlan:
    """Everything about one clip.

    Attributes:
        opened: what stands open at the start.
        decor: seed of colours, light and arrangement.
    """

    clip_id: str
    duration_s: float
    decor: int
    opened: tuple[str, ...]
    segments: tuple[Segment, ...]
    sounds: tuple[SoundEvent, ...] = field(default=())

    @property
    def frame_count(self) -> int:
        """Frames of the clip at 30 a second."""
        return round(self.duration_s * FRAMES_PER_SECOND)

    def fingerprint(self) -> str:
        """Hash of the whole plan; equal plans give equal clips."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]
