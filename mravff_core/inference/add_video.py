"""Take a video into a workspace: check it, make it playable, encode it, detect in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mravff_core.audio_condition import AudioCondition
from mravff_core.files import written_aside
from mravff_core.inference.extract import Encoded, encode_video
from mravff_core.inference.run_predict import predict
from mravff_core.media.probe import MediaInfo, probe
from mravff_core.media.transcode import to_browser_mp4
from mravff_core.model.detector import Detector
from mravff_core.workspace import Clip, Workspace

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class AddedVideo:
    """A video taken into a workspace: its clip id, warnings and number of detections."""

    clip_id: str
    warnings: tuple[str, ...]
    detections: int


def add_video(
    workspace: Workspace,
    video: Path | str,
    *,
    run_name: str | None,
    title: str | None = None,
    detector: Detector | None = None,
    encoded: Encoded | None = None,
    condition: AudioCondition | str = "on",
    keep: bool = False,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> AddedVideo:
    """Add one video as a clip of split `own` and store a run's detections for it.

    Either all of it succeeds or the workspace is left as it was. A file that browsers cannot
    play is converted to H.264 and AAC in the workspace; others are referred to where they lie,
    or copied with `keep`.

    Args:
        workspace: where to.
        video: the file.
        run_name: detector to run on it; None adds the clip with features only.
        title: what people call it, the file name by default.
        detector: the run's detector if loaded already.
        encoded: features of the file that are made already; others are made.
        condition: what the detector gets to hear.
        keep: copy the file into the workspace (for uploads and other passing files).
        progress: called with the share done, 0 to 1, and what is being done.
        cancel: asked now and then; True stops.
    Raises: MediaError, WorkspaceError, CancelledError and what `predict` raises.
    """
    video = Path(video).resolve()
    _stage(progress, 0.0, 0.02, "Checking")(0.0)
    info = probe(video)
    title = title or video.name
    with workspace.reserved_clip_id(Path(title).stem) as clip_id:
        made: Path | None = None
        try:
            made = _playable_copy(workspace, clip_id, video, info, keep, progress, cancel)
            encoding = _stage(progress, 0.05 if info.browser_playable else 0.5, 0.9, "Encoding picture and sound")
            encoded = encode_video(
                video,
                dict(workspace.settings.encoders),
                has_audio=info.has_audio,
                earlier=encoded,
                progress=encoding,
                cancel=cancel,
            )
            for feature_set, features in encoded.features.items():
                workspace.set_features(feature_set, clip_id, features)
            # The file's own name may be one that it has in passing only.
            warnings = tuple(line.replace(video.name, title) for line in (*info.warnings, *encoded.warnings))
            path = str(video) if made is None else made.name
            clip = Clip.of_video(clip_id, info, title=title, path=path, split="own")
            workspace.add_clips([replace(clip, warnings="\n".join(warnings))])
            found = 0
            if run_name is not None:
                found = predict(
                    workspace,
                    run_name,
                    condition=condition,
                    clip_ids=[clip_id],
                    detector=detector,
                    progress=_stage(progress, 0.9, 1.0, "Detecting"),
                    cancel=cancel,
                ).detections
        except BaseException:
            workspace.remove_clip(clip_id)
            if made is not None:
                made.unlink(missing_ok=True)
            raise
    return AddedVideo(clip_id, warnings, found)


def _playable_copy(
    workspace: Workspace,
    clip_id: str,
    video: Path,
    info: MediaInfo,
    keep: bool,
    progress: Progress | None,
    cancel: Callable[[], bool] | None,
) -> Path | None:
    """The file in the workspace that browsers will be sent, None where the original serves."""
    media = workspace.folder / "media"
    if not info.browser_playable:
        made = media / f"{clip_id}.mp4"
        converting = _stage(progress, 0.02, 0.5, "Converting for the browser")
        to_browser_mp4(video, made, progress=converting, cancel=cancel)
        return made
    if not keep:
        return None
    made = media / f"{clip_id}{video.suffix.lower()}"
    with written_aside(made) as aside:
        shutil.copyfile(video, aside)
    return made


def _stage(progress: Progress | None, low: float, high: float, name: str) -> Callable[[float], None]:
    """Progress of one stage as a part of the whole."""

    def report(share: float) -> None:
        if progress is not None:
            progress(low + (high - low) * share, name)

    return report
