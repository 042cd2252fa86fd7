"""A workspace of two-second clips with an untrained gated detector: quick, and real in every file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mravff_core import Workspace
from mravff_core.config import BaseConfig, FusionConfig, LabelSet, TestConfig
from mravff_core.inference.extract import extract
from mravff_core.media.probe import probe
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector, DetectorConfig
from mravff_core.workspace import Clip
from tests.media.factory import make_video, tone

VERBS = ("cut", "stir", "pour")
NOUNS = ("pan", "onion")
CHANNELS = 192


def small_detector(
    *,
    fusion: str = "mrav",
    seed: int = 0,
    label_set: str = "verb",
    labels: tuple[str, ...] = VERBS,
    further: tuple[LabelSet, ...] = (),
) -> Detector:
    """Random weights, wide scores: it finds plenty."""
    torch.manual_seed(seed)
    record = {
        "visual": {"set": "visual", "encoder": "light_visual", "channels": CHANNELS, "hop_s": 4 / 30},
        "audio": {"set": "audio", "encoder": "light_audio", "channels": CHANNELS, "hop_s": 4 / 30},
    }
    config = DetectorConfig(
        label_set=label_set,
        labels=labels,
        further_label_sets=further,
        base=BaseConfig(
            input_channels=CHANNELS,
            embed_channels=16,
            neck_channels=16,
            head_channels=16,
            levels=3,
            max_steps=64,
            class_prior=0.3,
        ),
        fusion=FusionConfig(kind=fusion, audio_channels=CHANNELS),  # type: ignore[arg-type]
        test=TestConfig(max_segments=40),
        features=record if fusion != "none" else {"visual": record["visual"]},
    )
    detector = Detector(config).eval()
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if "gate" in name or "scale" in name:
                weight.add_(0.3 * torch.randn_like(weight))
            elif name == "base.boundary_head.tower.out.bias":
                # Segments short enough for sound to gain and lose some, in clips of two seconds.
                weight.zero_()
    return detector


def small_workspace(folder: Path, clips: int = 3) -> Workspace:
    """Clips `clip_0` …, the last without sound; runs `verb_mrav` and `verb_visual`; a few true segments."""
    workspace = Workspace.create(
        folder,
        name="Small",
        label_sets={"verb": list(VERBS), "noun": list(NOUNS)},
        encoders={"visual": "light_visual", "audio": "light_audio"},
    )
    media = folder / "media"
    media.mkdir()
    rows = []
    for number in range(clips):
        path = media / f"clip_{number}.mp4"
        sound = None if number == clips - 1 else 0.3 * tone(2.0, hertz=300.0 * (number + 1))
        make_video(path, 2.0, audio=sound, options={"movflags": "faststart"})
        title = f"Clip {number}"
        rows.append(Clip.of_video(path.stem, probe(path), title=title, path=path.name, split="validation"))
    workspace.add_clips(rows)
    workspace.set_annotations(
        pd.DataFrame(
            {
                "clip_id": [row.clip_id for row in rows for _ in range(2)],
                "segment_id": [f"{row.clip_id}_{k}" for row in rows for k in range(2)],
                "start_s": np.tile([0.2, 1.1], clips),
                "end_s": np.tile([0.9, 1.8], clips),
                "verb": np.arange(2 * clips) % len(VERBS),
                "noun": np.arange(2 * clips) % 2,
            }
        )
    )
    extract(workspace, workspace.clip_ids())
    for fusion, name in (("mrav", "verb_mrav"), ("none", "verb_visual")):
        save_detector(small_detector(fusion=fusion), workspace.runs_folder / name)
    return workspace


def add_joint_run(workspace: Workspace, name: str = "joint") -> None:
    """A run of verbs and nouns together, whose pairs are actions."""
    save_detector(small_detector(seed=1, further=(LabelSet("noun", NOUNS),)), workspace.runs_folder / name)
