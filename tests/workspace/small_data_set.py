"""A data set of two videos on disk, and what importing it plans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mravff_core.data.dataset_files import read_dataset
from mravff_core.data.datasets import DATA_SETS
from mravff_core.workspace.import_dataset import ImportPlan, plan_import

VISUAL = replace(DATA_SETS["thumos14"].visual["i3d"], channels=6)


AUDIO = replace(DATA_SETS["thumos14"].audio["vggish"], channels=5)


SECONDS, RATE = 20.0, 30.0


def video(segments: list[tuple[float, float, str]], **more: Any) -> dict[str, Any]:
    items = [{"segment": [a, b], "label": label} for a, b, label in segments]
    return {"subset": "Validation", "duration": SECONDS, "fps": RATE, "annotations": items, **more}


DATABASE: dict[str, Any] = {
    "one": video([(1.0, 4.0, "Diving"), (5.0, 9.0, "Billiards")]),
    "-two": video([(2.0, 3.0, "Diving")], subset="Test"),
}


def steps(seconds: float = SECONDS) -> int:
    return int((seconds * RATE - 16) // 4) + 1


def write_all(folder: Path, database: dict[str, Any], audio_s: float = SECONDS) -> None:
    (folder / "visual").mkdir(exist_ok=True)
    (folder / "audio").mkdir(exist_ok=True)
    (folder / "a.json").write_text(json.dumps({"database": database}))
    rng = np.random.default_rng(0)
    for name in database:
        np.save(folder / "visual" / f"{name}.npy", rng.normal(size=(steps(), 6)).astype(np.float32))
        np.save(folder / "audio" / f"{name}.npy", rng.normal(size=(int(audio_s / 0.96), 5)).astype(np.float32))


def plan(folder: Path, *, sound: bool = True, classes: Path | None = None, videos: Path | None = None) -> ImportPlan:
    files = read_dataset([folder / "a.json"], label_set="sport", classes=classes)
    audio = (AUDIO, folder / "audio") if sound else None
    return plan_import("T", files, visual=(VISUAL, folder / "visual"), audio=audio, videos=videos)


def found(plan: ImportPlan) -> dict[str, int]:
    return {str(row["found"]): int(row["number"]) for row in plan.checked.findings.rows()}
