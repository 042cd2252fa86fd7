"""Speed and memory of the app in a real browser: start, first paint, playback, redraw, reruns, long files.

Run with `python -m benchmarks.app`; the demo workspace must be there (`make app` makes it).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from benchmarks.served import chromium, copied, player_page, server
from benchmarks.table import Row, print_medians
from mravff_core import Workspace
from mravff_core.media.probe import probe
from mravff_core.workspace import Clip

LONG_S, PIECE_S = 1800, 20


def main() -> int:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workspace", default="workspaces/demo", metavar="DIR", help="demo workspace")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    demo = Path(args.workspace)
    if not (demo / "workspace.yaml").is_file():
        print(f"error: {demo}: no workspace; make it with 'python -m mravff_core demo'", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        workspace = copied(demo, Path(folder) / "workspace")
        long_clip = _add_long_clip(workspace, Path(folder) / "long.mp4")
        rows = _measure(workspace, long_clip, args.repeats)
    print_medians(rows)
    return 0


def _measure(workspace: Workspace, long_clip: str, repeats: int) -> list[Row]:
    from playwright.sync_api import sync_playwright

    rows: list[Row] = []
    with sync_playwright() as playwright, chromium(playwright) as browser:
        began = time.perf_counter()
        with server(workspace.folder) as (url, process):
            page = player_page(browser)
            page.goto(url)
            page.evaluate("window.__until((p) => p?.root.dataset.painted === 'true')")
            rows.append(("server start to painted page", [time.perf_counter() - began], "s", "< 10 s"))
            rows += _opening(page, repeats)
            rows += _playing(page)
            rows += _redrawing(page)
            rows += _changing(page, repeats)
            rows += _seeking(page, f"{url}/?clip={long_clip}", process, repeats)
    return rows


def _opening(page: Any, repeats: int) -> list[Row]:
    """From the click on another clip to its tracks and first frame; first visit and again."""
    times: dict[str, list[float]] = {"next": [], "previous": []}
    for way in ("next", "previous"):
        for _ in range(repeats):
            clip = page.evaluate("window.__find().clip.id")
            milliseconds = page.evaluate(
                """([way, clip]) => {
                  document.querySelector(`.st-key-${way}_clip button`).click();
                  return window.__until((p) => p && p.clip.id !== clip && p.root.dataset.painted === 'true');
                }""",
                [way, clip],
            )
            times[way].append(milliseconds)
            page.wait_for_timeout(600)
    return [
        ("clip chosen to tracks and first frame, first time", times["next"], "ms", "< 1000 ms"),
        ("clip chosen to tracks and first frame, again", times["previous"], "ms", "< 1000 ms"),
    ]


def _playing(page: Any, seconds: float = 8.0) -> list[Row]:
    """Frames shown and dropped while playing from the start."""
    page.evaluate("window.__find().seek(0)")
    page.evaluate("window.__find().video.play()")
    page.wait_for_timeout(700)
    measured = page.evaluate(
        """async (seconds) => {
          const { video } = window.__find();
          const before = video.getVideoPlaybackQuality();
          const from_s = video.currentTime;
          await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
          const after = video.getVideoPlaybackQuality();
          const shown = after.totalVideoFrames - before.totalVideoFrames;
          return [shown / (video.currentTime - from_s), after.droppedVideoFrames - before.droppedVideoFrames];
        }""",
        seconds,
    )
    page.evaluate("window.__find().video.pause()")
    return [
        ("playback, frames per second of video", [measured[0]], "fps", "30 fps"),
        (f"playback, dropped frames in {seconds:g} s", [measured[1]], "", "0"),
    ]


def _redrawing(page: Any) -> list[Row]:
    """Drawing all tracks anew, over zooming in, panning and zooming out."""
    times = page.evaluate(
        """async () => {
          const p = window.__find();
          const times = [];
          for (let step = 0; step < 90; step += 1) {
            if (step < 30) p.timeline.zoomAt(20, 1.12);
            else if (step < 60) p.timeline.pan(0.2 * p.timeline.span_s * (step % 2 ? 1 : -0.5));
            else p.timeline.zoomAt(20, 1 / 1.12);
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            times.push(p.lastDrawMs);
          }
          p.timeline.fit();
          return times;
        }"""
    )
    return [("redraw on zoom and pan", times, "ms", "< 5 ms")]


def _changing(page: Any, repeats: int) -> list[Row]:
    """From a key on the score slider to the tracks that follow, while the video plays."""
    page.evaluate("window.__find().video.play()")
    page.wait_for_timeout(500)
    handle = page.get_by_role("slider", name="Score threshold").first
    handle.focus()
    times, stops = [], 0
    for number in range(2 * repeats):
        page.evaluate(
            """() => {
              const before = window.__find().view.threshold;
              window.__change = window.__until((p) => p.view.threshold !== before);
            }"""
        )
        handle.press("ArrowRight" if number % 2 else "ArrowLeft")
        times.append(page.evaluate("window.__change"))
        stops += page.evaluate("window.__find().video.paused") and not page.evaluate("window.__find().video.ended")
        page.wait_for_timeout(250)
    page.evaluate("window.__find().video.pause()")
    return [
        ("sidebar change that touches no data", times, "ms", "< 200 ms"),
        ("playback interrupted by it", [float(stops)], "times", "0"),
    ]


def _seeking(page: Any, url: str, process: psutil.Process, repeats: int) -> list[Row]:
    """Seeks in a 30-minute 1080p file, and what the server's memory does meanwhile."""
    page.goto(url)
    page.evaluate("window.__until((p) => p?.root.dataset.painted === 'true')")
    before = process.memory_info().rss
    times = []
    generator = np.random.default_rng(0)
    for time_s in generator.uniform(0, LONG_S - 5, 4 * repeats):
        times.append(
            page.evaluate(
                """(time_s) => new Promise((resolve) => {
                  const { video } = window.__find();
                  const began = performance.now();
                  video.requestVideoFrameCallback(() => resolve(performance.now() - began));
                  video.currentTime = time_s;
                })""",
                float(time_s),
            )
        )
    growth = (process.memory_info().rss - before) / 1e6
    return [
        ("seek in a 30-minute 1080p file", times, "ms", "< 300 ms"),
        ("server memory over these seeks", [growth], "MB", "± 50 MB"),
    ]


def _add_long_clip(workspace: Workspace, path: Path) -> str:
    _long_video(path)
    info = probe(path)
    workspace.add_clips(
        [Clip("long", "Long", str(path), info.duration_s, 30.0, info.width, info.height, info.has_audio, "validation")]
    )
    return "long"


def _long_video(path: Path) -> None:
    """Half an hour of 1080p with a keyframe a second: a piece is encoded once and its packets are repeated."""
    piece = path.with_name("piece.mp4")
    generator = np.random.default_rng(0)
    texture = generator.integers(0, 255, (27, 48, 3), dtype=np.uint8).repeat(40, axis=0).repeat(40, axis=1)
    with av.open(str(piece), "w") as file:
        video = file.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": "30", "bf": "0"})
        video.width, video.height, video.pix_fmt, video.bit_rate = 1920, 1080, "yuv420p", 6_000_000
        for number in range(PIECE_S * 30):
            frame = av.VideoFrame.from_ndarray(np.roll(texture, 4 * number, axis=1), format="rgb24")
            for packet in video.encode(frame):
                file.mux(packet)
        for packet in video.encode():
            file.mux(packet)
    with av.open(str(piece)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as file:
        target = file.add_stream_from_template(source.streams.video[0])
        packets = [(bytes(p), p.pts, p.is_keyframe) for p in source.demux(video=0) if p.size]
        base = source.streams.video[0].time_base or Fraction(1, 30)
        length = round(PIECE_S / base)
        for turn in range(LONG_S // PIECE_S):
            for data, pts, is_keyframe in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = target, base, is_keyframe
                packet.pts = packet.dts = pts + turn * length
                file.mux(packet)


if __name__ == "__main__":
    sys.exit(main())
