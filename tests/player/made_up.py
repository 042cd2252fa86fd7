"""Made-up track data in the shapes the player reads: plausible to look at, fixed by a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.tracks.container import encode

MARKUP = "<img src=x onerror=\"document.title='broken'\">"
LABELS = ("cut", "stir", "pour", "wash", "open", "close", MARKUP, "take", "put down", "wipe")


def segments(
    duration_s: float, *, truth: int = 20, detections: int = 40, labels: tuple[str, ...] = LABELS, seed: int = 0
) -> dict[str, Any]:
    """What the segments route answers: about two thirds of the detections lie on true segments."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, 0.95 * duration_s, truth))
    lengths = np.minimum(rng.uniform(0.4, 1.6, truth) * 0.7 * duration_s / max(truth, 1), duration_s - starts)
    true_rows = [
        {
            "id": f"t{number}",
            "start_s": round(float(start_s), 3),
            "end_s": round(float(start_s + length_s), 3),
            "label": int(rng.integers(len(labels))),
            "audibility": round(float(rng.uniform()), 2),
        }
        for number, (start_s, length_s) in enumerate(zip(starts, lengths, strict=True))
    ]
    found_rows = [_detection(number, duration_s, true_rows, len(labels), rng) for number in range(detections)]
    found_rows.sort(key=lambda row: -row["score"])
    for rank, row in enumerate(found_rows):
        row["id"] = f"d{rank}"
    return {
        "labels": list(labels),
        "truth": true_rows,
        "detections": found_rows,
        "total": detections,
        "looked": True,
    }


def _detection(
    number: int, duration_s: float, truth: list[dict[str, Any]], labels: int, rng: np.random.Generator
) -> dict[str, Any]:
    target = truth[number % len(truth)] if truth and number % 3 else None
    if target is None:
        start_s = float(rng.uniform(0, 0.93 * duration_s))
        end_s = start_s + float(rng.uniform(0.02, 0.07)) * duration_s
        label, score = int(rng.integers(labels)), float(rng.uniform(0.05, 0.45))
    else:
        length_s = target["end_s"] - target["start_s"]
        start_s = target["start_s"] + float(rng.normal(0, 0.12)) * length_s
        end_s = target["end_s"] + float(rng.normal(0, 0.12)) * length_s
        label, score = target["label"], float(rng.uniform(0.3, 0.98))
    row = {
        "start_s": round(max(0.0, start_s), 3),
        "end_s": round(min(duration_s, end_s), 3),
        "label": label,
        "score": round(score, 4),
    }
    return row | best_match(row, truth)


def best_match(row: dict[str, Any], truth: list[dict[str, Any]]) -> dict[str, Any]:
    """The true segment with the largest overlap, those of the same class first."""

    def overlap(other: dict[str, Any]) -> float:
        shared = min(row["end_s"], other["end_s"]) - max(row["start_s"], other["start_s"])
        whole = row["end_s"] - row["start_s"] + other["end_s"] - other["start_s"] - shared
        return max(0.0, shared / whole)

    touching = [other for other in truth if overlap(other) > 0]
    best = max(touching, key=lambda other: (other["label"] == row["label"], overlap(other)), default=None)
    return {"best_truth": best and best["id"], "best_tiou": round(overlap(best), 4) if best else 0.0}


def signal(duration_s: float, truth: list[dict[str, Any]], *, bands: int = 64, seed: int = 1) -> bytes:
    """Waveform and mel spectrogram, louder inside true segments."""
    rng = np.random.default_rng(seed)
    hop_s, mel_hop_s = 0.005, 0.02
    bins, columns = round(duration_s / hop_s), round(duration_s / mel_hop_s)
    loud = 0.04 + 0.5 * _inside(np.arange(bins) * hop_s, truth)
    high = (loud * np.abs(rng.normal(0, 0.5, bins))).astype(np.float32)
    times_s = (np.arange(columns) + 0.5) * mel_hop_s
    heights = np.arange(bands)[:, None]
    mel = 60 + 20 * rng.normal(size=(bands, columns)) - heights * 0.6
    for row in truth:
        ring = np.exp(-(((heights - 8 - 5 * row["label"]) / 6.0) ** 2)) + 0.4 * np.exp(-heights / 20)
        beat = 0.65 + 0.35 * np.sign(np.sin(2 * np.pi * (1 + row["label"]) * times_s))
        mel += 150 * ring * (_inside(times_s, [row]) * beat)[None, :]
    return encode(
        {
            "waveform_min": -high * 0.9,
            "waveform_max": high,
            "mel": np.clip(mel, 0, 255).astype(np.uint8),
        },
        {
            "waveform_hop_s": hop_s,
            "mel_hop_s": mel_hop_s,
            "mel_start_s": mel_hop_s / 2,
            "mel_frequencies_hz": [float(f) for f in 60 * (8000 / 60) ** (np.arange(bands) / (bands - 1))],
            "mel_db_range": [-80.0, 0.0],
            "duration_s": duration_s,
        },
    )


def silent_signal(duration_s: float) -> bytes:
    """What the signal route answers for a clip without sound."""
    nothing = np.zeros(0, np.float32)
    arrays = {"waveform_min": nothing, "waveform_max": nothing, "mel": np.zeros((0, 0), np.uint8)}
    return encode(arrays, {"duration_s": duration_s})


def gates(duration_s: float, truth: list[dict[str, Any]], *, levels: int = 6, step_s: float = 0.1333) -> bytes:
    """Gates that open inside true segments, the wider the coarser the level."""
    arrays, meta = {}, []
    for level in range(levels):
        wide_s = step_s * 2**level
        times_s = wide_s / 2 + wide_s * np.arange(max(1, int(duration_s / wide_s)))
        open_ = 0.12 + 0.07 * level + (0.7 - 0.06 * level) * _inside(times_s, truth[::2], soft_s=0.4 + wide_s)
        arrays[f"level_{level}"] = np.clip(open_ + 0.05 * np.sin(7 * times_s), 0, 1).astype(np.float32)
        meta.append({"first_s": float(times_s[0]), "step_s": wide_s})
    return encode(arrays, {"levels": meta})


def attention(duration_s: float, level: int, *, levels: int = 6, step_s: float = 0.1333, window: int = 9) -> bytes:
    """Weights over time offsets that drift to and fro."""
    wide_s = step_s * 2**level
    times_s = wide_s / 2 + wide_s * np.arange(max(1, int(duration_s / wide_s)))
    rows = np.arange(window)[:, None] - window // 2
    weights = np.exp(-((rows - 2.5 * np.sin(0.9 * times_s + level)[None, :]) ** 2) / 2.4)
    weights /= weights.sum(axis=0)
    offsets_s = [float(row * wide_s) for row in rows[:, 0]]
    meta = {"level": level, "levels": levels, "first_s": float(times_s[0]), "step_s": wide_s, "offsets_s": offsets_s}
    return encode({"weights": weights.astype(np.float32)}, meta)


def _inside(times_s: np.ndarray, truth: list[dict[str, Any]], soft_s: float = 0.05) -> np.ndarray:
    """1 inside any of the segments, 0 outside, with soft edges."""
    inside = np.zeros_like(times_s)
    for row in truth:
        rise = (times_s - row["start_s"]) / soft_s + 0.5
        fall = (row["end_s"] - times_s) / soft_s + 0.5
        inside = np.maximum(inside, np.clip(np.minimum(rise, fall), 0, 1))
    return inside


def attribution(
    duration_s: float, start_s: float, end_s: float, *, step_s: float = 0.1333, quantity: str = "logit"
) -> bytes:
    """Sound speaks for the segment at its start and against it right after its end; sight a little throughout."""
    times_s = step_s / 2 + step_s * np.arange(int(duration_s / step_s))
    audio = 0.4 * np.exp(-(((times_s - start_s) / 0.2) ** 2)) - 0.2 * np.exp(-(((times_s - end_s) / 0.2) ** 2))
    vision = 0.05 * ((times_s > start_s) & (times_s < end_s))
    edges_s = np.linspace(0, duration_s, 13)
    return encode(
        {
            "audio": audio.astype(np.float32),
            "vision": vision.astype(np.float32),
            "audio_occlusion": np.linspace(-0.1, 0.2, 12, dtype=np.float32),
            "vision_occlusion": np.zeros(12, np.float32),
            "edges_s": edges_s,
        },
        {
            "first_s": float(times_s[0]),
            "step_s": step_s,
            "quantity": quantity,
            "level": 2,
            "audio_share": 0.73,
            "audio_value": 1.1,
            "vision_value": 0.4,
            "share_range": [0.6, 0.8],
            "baselines": 8,
            "audio_baseline": "digital silence",
            "vision_baseline": "a still picture",
            "doubts": ["The gate tells little."],
        },
    )


def full_attention(duration_s: float, *, step_s: float = 0.4) -> bytes:
    """Attention over the whole clip: every moment listens to the one a second later."""
    times_s = step_s / 2 + step_s * np.arange(int(duration_s / step_s))
    weights = np.exp(-(((times_s[:, None] - times_s[None, :] - 1.0) / 0.4) ** 2))
    meta = {"level": 0, "levels": 1, "head": None, "heads": 4, "first_s": float(times_s[0]), "step_s": step_s}
    sounds = {"offsets_s": None, "sounds_first_s": float(times_s[0]), "sounds_step_s": step_s}
    return encode({"weights": (weights / weights.sum(axis=0)).astype(np.float32)}, meta | sounds)
