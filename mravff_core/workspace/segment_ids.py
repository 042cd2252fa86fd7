"""Ids of true segments, by which pages and tables tell them apart."""

from __future__ import annotations

import pandas as pd


def told_apart(segments: pd.DataFrame) -> pd.Series:
    """Ids of segments, each once: those that several have get their clips' put before them, and then a number.

    Args:
        segments: `clip_id`, `segment_id`.
    """
    ids, clips = segments["segment_id"].astype(str), segments["clip_id"].astype(str)
    ids = ids.where(~ids.duplicated(keep=False), clips + "_" + ids)
    number = ids.groupby(ids).cumcount().astype(str)
    return ids.where(~ids.duplicated(keep=False), ids + "_" + number)
