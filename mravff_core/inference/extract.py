"""Encode videos of a workspace into the feature sets that it lacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from mravff_core.data.features import Features
from mravff_core.errors import CancelledError, WorkspaceError
from mravff_core.media.container import DecodeReport
from mravff_core.media.encoders import ENCODERS, AudioEncoder
from mravff_core.workspace import Workspace

Progress = Callable[[float], None]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class Encoded:
    """Features of one video by feature set, sentences on damage met on the way, and encoders by feature set."""

    features: dict[str, Features]
    warnings: tuple[str, ...]
    encoders: dict[str, str]


def encode_video(
    path: Path | str,
    encoders: dict[str, str],
    *,
    has_audio: bool,
    earlier: Encoded | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Encoded:
    """Features of one video by feature set; audio sets are absent where there is no sound.

    Args:
        path: video file.
        encoders: encoder name by feature set.
        has_audio: whether the file has a sound track.
        earlier: features of the same file, which are taken where their encoder is asked for again.
        progress: called with the share done, 0 to 1.
        cancel: asked now and then; True stops.
    Raises: MediaError, CancelledError, WorkspaceError for an encoder that is not ours.
    """
    made: dict[str, Features] = {}
    warnings = [] if earlier is None else list(earlier.warnings)
    known = {} if earlier is None else {earlier.encoders[name]: found for name, found in earlier.features.items()}
    for number, (feature_set, name) in enumerate(encoders.items()):
        if name not in ENCODERS:
            raise WorkspaceError(
                f"{path}: encoder {name!r} is not one of {', '.join(ENCODERS)}; its features are imported"
            )
        encoder = ENCODERS[name]()
        if isinstance(encoder, AudioEncoder) and not has_audio:
            continue
        if name in known:
            made[feature_set] = known[name]
            continue

        def report(share: float, done: int = number) -> None:
            if progress is not None:
                progress((done + share) / len(encoders))

        damage = DecodeReport()
        made[feature_set] = encoder.encode(path, progress=report, cancel=cancel, report=damage)
        warnings += damage.warnings(path)
    return Encoded(made, tuple(warnings), encoders)


def missing_features(workspace: Workspace, clip_id: str, feature_sets: Sequence[str]) -> dict[str, str]:
    """Encoders by feature set that a clip still needs; silent clips need no audio features."""
    clip = workspace.clip(clip_id)
    needed = {}
    for feature_set in feature_sets:
        name = workspace.settings.encoders.get(feature_set, "")
        source = workspace.feature_sources.get(feature_set)
        if source is None:
            is_audio = name in ENCODERS and isinstance(ENCODERS[name](), AudioEncoder)
        else:
            is_audio = source.modality == "audio"
        if not workspace.has_features(feature_set, clip_id) and (clip.has_audio or not is_audio):
            needed[feature_set] = name
    return needed


def extract(
    workspace: Workspace,
    clip_ids: Sequence[str],
    *,
    feature_sets: Sequence[str] | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> int:
    """Encode what is missing; clips that have their features are left alone.

    Args:
        feature_sets: None for all that the workspace names encoders for.
        workers: clips encoded at once.
        progress: called with the share done, 0 to 1.
        cancel: asked now and then; True stops.
    Returns: how many clips were encoded.
    Raises: MediaError, CancelledError, WorkspaceError, FeatureError where features lie elsewhere and are gone;
        clips done by then stay.
    """
    sets = list(workspace.settings.encoders) if feature_sets is None else list(feature_sets)
    todo = [clip_id for clip_id in clip_ids if missing_features(workspace, clip_id, sets)]
    shares = dict.fromkeys(todo, 0.0)
    failed = threading.Event()

    def stopped() -> bool:
        return failed.is_set() or (cancel is not None and cancel())

    def encode(clip_id: str) -> None:
        def report(share: float) -> None:
            shares[clip_id] = share

        if stopped():
            raise CancelledError("feature extraction was stopped")
        needed = missing_features(workspace, clip_id, sets)
        for feature_set in needed.keys() & workspace.feature_sources.keys():
            # Refused by the file that nobody here can make again.
            workspace.features(feature_set, clip_id)
        made = encode_video(
            workspace.video_path(clip_id),
            needed,
            has_audio=workspace.clip(clip_id).has_audio,
            progress=report,
            cancel=stopped,
        )
        for feature_set, features in made.features.items():
            workspace.set_features(feature_set, clip_id, features)
        shares[clip_id] = 1.0

    # Threads: decoding and array work release the interpreter lock.
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures = [pool.submit(encode, clip_id) for clip_id in todo]
        try:
            for future in as_completed(futures):
                future.result()
                if progress is not None:
                    progress(sum(shares.values()) / len(todo))
        except BaseException:
            failed.set()
            raise
    return len(todo)
