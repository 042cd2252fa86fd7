"""Pictures made one by one, with a stretch of a video's sound, written as MP4."""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mravff_core.errors import CancelledError, MediaError
from mravff_core.files import written_aside
from mravff_core.media.decode import iter_frames
from mravff_core.media.probe import MediaInfo, probe
from mravff_core.media.sound import channel_count, iter_channels

Pixels = NDArray[np.uint8]
# What is shorter has too few samples of sound to be written.
_SHORTEST_S = 0.1
_FASTEST = 30.0
_AUDIO_RATE = 44100


class VideoStretch:
    """A stretch of a video, whose pictures are read in order.

    Args:
        video: file.
        start_s, end_s: stretch; None ends with the video.
        fit: width and height in pixels that pictures are scaled to fit in.
    Raises: MediaError for a file that cannot be read or a stretch outside it or too short to see.
    """

    def __init__(self, video: Path, start_s: float, end_s: float | None, *, fit: tuple[int, int]) -> None:
        info = probe(video)
        last_s = info.duration_s if end_s is None else min(end_s, info.duration_s)
        if not (start_s >= 0 and last_s - start_s >= _SHORTEST_S):
            asked = "the end" if end_s is None else f"{end_s:g} s"
            raise MediaError(
                f"{video}: the stretch from {start_s:g} to {asked} holds nothing of its {info.duration_s:.1f} s; "
                f"expected a start from 0 to {max(0.0, info.duration_s - _SHORTEST_S):.1f} s and an end at least "
                f"{_SHORTEST_S:g} s after it"
            )
        self.video, self.start_s, self.end_s, self.has_audio = video, start_s, last_s, info.has_audio
        self.rate = min(info.frames_per_second or _FASTEST, _FASTEST)
        self._frames: Iterator[Any] = iter_frames(
            video, frames_per_second=self.rate, height=_fitting(info, *fit), start_s=start_s, end_s=last_s
        )
        self._number, self._last = -1, np.zeros((2, 2, 3), np.uint8)

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.end_s - self.start_s

    def picture(self, since_start_s: float) -> Pixels:
        """The picture shown that long after its start; never earlier than the one asked for last."""
        while self._number < round(since_start_s * self.rate):
            frame = next(self._frames, None)
            if frame is not None:
                self._last = frame.rgb
            self._number += 1
        return self._last


def write_movie(
    stretch: VideoStretch,
    out: Path | str,
    frame: Callable[[float], Pixels],
    *,
    progress: Callable[[float], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Path:
    """Write frames with a stretch's sound as H.264 and AAC; `out` appears whole or not at all.

    Args:
        stretch: gives length, rate and sound.
        frame: picture uint8 [height, width, 3], sides even, at seconds since the start.
    Returns: `out`.
    Raises: CancelledError.
    """
    from moviepy import AudioFileClip, VideoClip

    with tempfile.TemporaryDirectory() as folder, written_aside(out) as aside:
        clip = VideoClip(frame, duration=stretch.duration_s)
        sound = None
        if stretch.has_audio:
            _write_sound(stretch, Path(folder) / "sound.wav")
            sound = AudioFileClip(str(Path(folder) / "sound.wav"))
            clip = clip.with_audio(sound)
        try:
            clip.write_videofile(
                str(aside),
                fps=stretch.rate,
                codec="libx264",
                audio_codec="aac",
                preset="veryfast",
                pixel_format="yuv420p",
                ffmpeg_params=["-movflags", "+faststart"],
                temp_audiofile=str(Path(folder) / "sound.m4a"),
                logger=_reporter(progress, cancel),
            )
        finally:
            if sound is not None:
                sound.close()
    return Path(out)


def cut(video: Path, out: Path | str, start_s: float, end_s: float, *, height: int = 270) -> Path:
    """A short piece of a video as a small MP4. Raises: MediaError."""
    stretch = VideoStretch(video, max(0.0, start_s), end_s, fit=(2 * height, height))
    return write_movie(stretch, out, stretch.picture)


def _fitting(info: MediaInfo, width: int, height: int) -> int:
    """Height that makes a picture fit; even sides are what the codec wants."""
    fitting = min(height, int(width * info.height / max(1, info.width)))
    return max(2, fitting // 2 * 2)


def _write_sound(stretch: VideoStretch, out: Path) -> None:
    # Both speakers get a single channel as it is: FFmpeg would lower it by 3 dB to make two of it.
    layout, copies = ("mono", 2) if channel_count(stretch.video) == 1 else ("stereo", 1)
    blocks = iter_channels(
        stretch.video, sample_rate=_AUDIO_RATE, layout=layout, start_s=stretch.start_s, end_s=stretch.end_s
    )
    left = round(stretch.duration_s * _AUDIO_RATE)
    with wave.open(str(out), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(_AUDIO_RATE)
        for block in blocks:
            both = np.repeat(block.T, copies, axis=1)
            file.writeframes((np.clip(both, -1, 1) * 32767).astype("<i2").tobytes())
            left -= block.shape[1]
        # Sound that ends before the picture goes on as silence.
        while left > 0:
            piece = min(left, _AUDIO_RATE)
            file.writeframes(bytes(4 * piece))
            left -= piece


def _reporter(progress: Callable[[float], None] | None, cancel: Callable[[], bool] | None) -> Any:
    """What the writer tells how far it is; it stops the writing when that is wished."""
    from proglog import ProgressBarLogger

    class Reporter(ProgressBarLogger):
        def bars_callback(self, bar: str, attr: str, value: Any, old_value: Any = None) -> None:
            if cancel is not None and cancel():
                raise CancelledError("writing the film was stopped")
            total = self.bars[bar].get("total")
            if progress is not None and bar == "frame_index" and attr == "index" and total:
                progress(min(1.0, value / total))

    return Reporter()
