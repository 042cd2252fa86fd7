"""What is true of the kitchen's clips, as tables that stand beside the annotations."""

from collections.abc import Sequence

import pandas as pd

from mravff_core.kitchen.plan import ClipPlan
from mravff_core.kitchen.vocabulary import NOUNS, VERBS


def annotations(plans: Sequence[ClipPlan]) -> pd.DataFrame:
    """True segments.

    Returns: one row a segment: clip_id, segment_id ("<clip>_<number>"), start_s, end_s,
        verb and noun (indices into `VERBS` and `NOUNS`), audibility (0 to 1: share of the
        segment covered by its own sound times that sound's level), needs_sound and
        noun_needs_sound (sight cannot tell the verb, or noun, from its look-alike).
    """
    columns = {
        "clip_id": "str",
        "segment_id": "str",
        "start_s": "float64",
        "end_s": "float64",
        "verb": "int64",
        "noun": "int64",
        "audibility": "float64",
        "needs_sound": "bool",
        "noun_needs_sound": "bool",
    }
    rows = [
        (
            plan.clip_id,
            segment_name(plan.clip_id, segment.segment_id),
            segment.start_s,
            segment.end_s,
            VERBS.index(segment.verb),
            NOUNS.index(segment.noun),
            segment.audibility,
            segment.needs_sound,
            segment.noun_needs_sound,
        )
        for plan in plans
        for segment in plan.segments
    ]
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def sound_events(plans: Sequence[ClipPlan]) -> pd.DataFrame:
    """Audible events.

    Returns: one row a sound: clip_id, start_s, end_s, sound, material, level (0 to 1),
        on_screen, segment_id (None for sounds from elsewhere), in order of time.
    """
    rows = [
        (
            plan.clip_id,
            event.start_s,
            event.end_s,
            event.sound,
            event.material,
            event.level,
            event.on_screen,
            None if event.segment_id is None else segment_name(plan.clip_id, event.segment_id),
        )
        for plan in plans
        for event in plan.sounds
    ]
    names = ["clip_id", "start_s", "end_s", "sound", "material", "level", "on_screen", "segment_id"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"start_s": "float64", "end_s": "float64", "level": "float64", "on_screen": "bool"})


def segment_name(clip_id: str, number: int) -> str:
    """Name of a segment that is unique over all clips."""
    return f"{clip_id}_{number:02d}"
