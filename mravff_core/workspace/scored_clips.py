"""Which clips count where detections are scored against true segments: the same for all who do so."""

from __future__ import annotations

from collections.abc import Sequence

from mravff_core.errors import WorkspaceError
from mravff_core.workspace.layout import Workspace


def scored_clips(workspace: Workspace, label_set: str, clip_ids: Sequence[str] | None = None) -> list[str]:
    """Ids of the clips that count, in order.

    Args:
        label_set: whose true segments are asked for.
        clip_ids: that count, be it with nothing true in them: all that is found there is wrong then, as
            published evaluations of a split have it. None for those with true segments.
    Raises: WorkspaceError if none of them has true segments, or there is no such label set.
    """
    with_truth = set(workspace.truth(label_set, clip_ids)["clip_id"])
    if not with_truth:
        which = "no clip" if clip_ids is None else "none of the chosen clips"
        raise WorkspaceError(
            f"{workspace.folder}: {which} has true {label_set} segments to score against; "
            f"import some with '{workspace.command('import --annotations FILE')}'"
        )
    return sorted(with_truth if clip_ids is None else set(clip_ids))
