"""A run that starts from a trained detector begins with exactly its output, and then learns."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mravff_core import Batch, load_detector
from mravff_core.cli import main
from mravff_core.config import FusionConfig, Recipe, TrainConfig
from mravff_core.errors import ConfigError
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import DetectorOutput
from mravff_core.training.clip import TrainingClip
from mravff_core.training.loop import train
from mravff_core.training.warm_start import WarmStart, adopt, gate_opening, read_start, warm_started
from tests.model.published import written
from tests.model.published_temporalmaxer import PublishedTemporalMaxer, small_temporalmaxer_config
from tests.small_workspace import CHANNELS, VERBS, small_detector, small_workspace

VARIANTS: list[dict[str, Any]] = [
    {"kind": "sum"},
    {"kind": "concat"},
    {"kind": "cross_attention"},
    {"kind": "mrav"},
    {"kind": "mrav", "gate": "channel"},
    {"kind": "mrav", "gate": "softmax", "gate_source": "both"},
    {"kind": "mrav", "mix": "residual"},
    {"kind": "mrav", "attention_channels": 8},
]
OFFICIAL = ["actionformer/epic_verb", "tridet/thumos", "temporalmaxer/groupnorm", "temporalmaxer/layernorm"]
NOTHING = TrainConfig(epochs=0, warmup_epochs=0)


def official_start(shared: Path, name: str, tmp_path: Path) -> WarmStart:
    config = tmp_path / "official.yaml"
    if name.startswith("temporalmaxer"):  # none of its numbers are stored
        settings = small_temporalmaxer_config(fpn_norm=name.partition("/")[2])
        config.write_text(json.dumps(settings))
        return read_start(written(tmp_path, PublishedTemporalMaxer(settings).weights), config)
    folder = shared / "golden" / name
    config.write_text(json.dumps(json.loads((folder / "config.json").read_text())["config"]))
    return read_start(folder / "state_dict.pt", config)


def clips_for(start: WarmStart, count: int = 3) -> list[TrainingClip]:
    rng = np.random.default_rng(0)
    channels = start.detector.config.base.input_channels
    segments = np.array([[3.0, 9.0], [15.0, 40.0]], np.float32)
    return [
        TrainingClip(
            f"clip{number}",
            rng.normal(size=(channels, 48 + number)).astype(np.float32),
            rng.normal(size=(5, 48 + number)).astype(np.float32),
            segments,
            np.array([0, 1]),
        )
        for number in range(count)
    ]


def outputs(folder_or_start: Path | WarmStart, clip: TrainingClip, *, sound: bool = True) -> DetectorOutput:
    is_folder = isinstance(folder_or_start, Path)
    detector = load_detector(folder_or_start, device="cpu") if is_folder else folder_or_start.detector  # type: ignore[union-attr,arg-type]
    assert clip.audio is not None
    audio = torch.from_numpy(clip.audio)[None] if sound else None
    with torch.no_grad():
        return detector(Batch(torch.from_numpy(clip.visual)[None], audio))


def equal(first: DetectorOutput, second: DetectorOutput) -> bool:
    pairs = zip(first.class_logits + first.boundary_offsets, second.class_logits + second.boundary_offsets, strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def small_recipe(folder: Path, *, epochs: int) -> Path:
    """A recipe file that puts MRAV-FF on a small detector."""
    path = folder / "recipe.yaml"
    path.write_text(
        "data: {train_split: validation}\nfusion: {kind: mrav}\n"
        f"train: {{epochs: {epochs}, warmup_epochs: 0, regression_range: [[0, 4], [2, 8], [4, 100]]}}\n"
    )
    return path


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_it_begins_with_the_official_output(shared: Path, tmp_path: Path, name: str, variant: dict[str, Any]) -> None:
    start = official_start(shared, name, tmp_path)
    clips = clips_for(start)
    recipe = adopt(Recipe(fusion=FusionConfig(audio_channels=5, window=3, **variant), train=NOTHING), start)
    train(recipe, clips, start.detector.labels, tmp_path / "run", start=start, accelerator="cpu")
    assert equal(outputs(tmp_path / "run", clips[0]), outputs(start, clips[0], sound=False))


@pytest.mark.parametrize("name", [OFFICIAL[0], OFFICIAL[2]])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_the_fusion_learns_while_the_base_stays(
    shared: Path, tmp_path: Path, name: str, variant: dict[str, Any]
) -> None:
    start = official_start(shared, name, tmp_path)
    clips = clips_for(start)
    plan = TrainConfig(epochs=1, warmup_epochs=1, learning_rate=1e-2, ema_decay=0.0, freeze_base=True, batch_size=1)
    recipe = adopt(Recipe(fusion=FusionConfig(audio_channels=5, window=3, **variant), train=plan), start)
    train(recipe, clips, start.detector.labels, tmp_path / "run", start=start, accelerator="cpu")
    trained = load_detector(tmp_path / "run", device="cpu")
    base = start.detector.base.state_dict()
    assert all(torch.equal(value, base[name]) for name, value in trained.base.state_dict().items())
    assert trained.config.fusion.gate_opening == 1.0
    assert not equal(outputs(tmp_path / "run", clips[0]), outputs(start, clips[0], sound=False))
    # Without sound it is the official detector still.
    assert equal(outputs(tmp_path / "run", clips[0], sound=False), outputs(start, clips[0], sound=False))


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_clips_without_sound_teach_the_fusion_on_a_frozen_base_nothing(
    shared: Path, tmp_path: Path, batch_size: int
) -> None:
    start = official_start(shared, OFFICIAL[0], tmp_path)
    silent = [replace(clip, clip_id=f"silent{clip.clip_id}", audio=None) for clip in clips_for(start)]
    plan = TrainConfig(
        epochs=2,
        warmup_epochs=0,
        learning_rate=1e-2,
        weight_decay=0.0,
        ema_decay=0.0,
        freeze_base=True,
        batch_size=batch_size,
    )
    recipe = adopt(Recipe(fusion=FusionConfig(kind="mrav", audio_channels=5), train=plan), start)
    for name, clips, epochs in (("new", silent, 0), ("none", silent, 2), ("some", [*silent, *clips_for(start)], 2)):
        own = replace(recipe, train=replace(plan, epochs=epochs))
        train(own, clips, start.detector.labels, tmp_path / name, start=start, accelerator="cpu")
    new, none, some = (
        load_detector(tmp_path / name, device="cpu").fusion.state_dict()  # type: ignore[union-attr]
        for name in ("new", "none", "some")
    )
    assert all(torch.equal(value, new[name]) for name, value in none.items())
    assert any(not torch.equal(value, new[name]) for name, value in some.items())


def test_a_frozen_base_leaves_out_no_paths(shared: Path, tmp_path: Path) -> None:
    """With shut gates and no learning, only chance within the base could tell two seeds apart."""
    start = official_start(shared, OFFICIAL[0], tmp_path)
    assert start.detector.config.base.drop_path > 0
    losses: dict[bool, set[float]] = {True: set(), False: set()}
    for freeze, found in losses.items():
        for seed in (0, 1):
            plan = replace(NOTHING, warmup_epochs=1, seed=seed, freeze_base=freeze, crop_ratio=None)
            recipe = adopt(Recipe(fusion=FusionConfig(kind="mrav", audio_channels=5), train=plan), start)
            folder = tmp_path / f"{freeze}{seed}"
            train(recipe, clips_for(start, 1), start.detector.labels, folder, start=start, accelerator="cpu")
            found.add(json.loads((folder / "training/metrics.jsonl").read_text())["loss"])
    assert (len(losses[True]), len(losses[False])) == (1, 2)


def test_gates_are_stored_as_far_open_as_the_last_step_left_them(shared: Path, tmp_path: Path) -> None:
    start = official_start(shared, OFFICIAL[0], tmp_path)
    plan = replace(NOTHING, warmup_epochs=1)
    recipe = adopt(Recipe(fusion=FusionConfig(kind="mrav", audio_channels=5), train=plan), start)
    train(recipe, clips_for(start), start.detector.labels, tmp_path / "run", start=start, accelerator="cpu")
    assert load_detector(tmp_path / "run", device="cpu").config.fusion.gate_opening == 1.0


@pytest.mark.parametrize("name", [OFFICIAL[0], *OFFICIAL[2:]])
def test_everything_learns_unless_the_base_is_frozen(shared: Path, tmp_path: Path, name: str) -> None:
    start = official_start(shared, name, tmp_path)
    clips = clips_for(start)
    plan = TrainConfig(epochs=1, warmup_epochs=1, learning_rate=1e-3, ema_decay=0.0)
    recipe = adopt(Recipe(fusion=FusionConfig(kind="mrav", audio_channels=5), train=plan), start)
    assert recipe.train.regression_range == start.train.regression_range  # type: ignore[union-attr]
    train(recipe, clips, start.detector.labels, tmp_path / "run", start=start, accelerator="cpu")
    base = start.detector.base.state_dict()
    trained = load_detector(tmp_path / "run", device="cpu").base.state_dict()
    changed = [not torch.equal(value, base[name]) for name, value in trained.items()]
    assert sum(changed) > 0.9 * len(changed)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_only_what_mixes_vision_away_needs_gates_that_open(variant: dict[str, Any]) -> None:
    start = WarmStart("here", small_detector(fusion="none"), None)
    fusion = adopt(Recipe(fusion=FusionConfig(**variant)), start).fusion
    assert fusion.gate_opening == (0.0 if fusion.kind == "mrav" and fusion.mix == "convex" else 1.0)


@pytest.mark.parametrize("gate", ["scalar", "channel", "softmax"])
def test_gates_begin_at_a_twentieth_of_sound(gate: Any) -> None:
    source = small_detector(fusion="none")
    detector = Detector(replace(source.config, fusion=FusionConfig(kind="mrav", gate=gate, audio_channels=5)))
    warm_started(detector, WarmStart("here", source, None))
    nothing = torch.zeros(1, 16, 4)
    assert detector.fusion is not None
    for level in detector.fusion.fusions:
        assert level.gate(nothing, nothing).mean().item() == pytest.approx(0.047, abs=1e-3)  # type: ignore[operator,union-attr]


def test_gates_open_in_a_line_over_the_warm_up() -> None:
    recipe = Recipe(fusion=FusionConfig(kind="mrav", gate_opening=0.0), train=TrainConfig(epochs=3, warmup_epochs=2))
    assert [gate_opening(recipe, step, 5) for step in (0, 5, 10, 25)] == [0.0, 0.5, 1.0, 1.0]
    plain = replace(recipe, fusion=FusionConfig(kind="mrav"))
    assert {gate_opening(plain, step, 5) for step in (0, 5, 25)} == {1.0}


def test_from_a_run_of_the_workspace_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    workspace = small_workspace(tmp_path / "small", clips=2)
    recipe = small_recipe(tmp_path, epochs=0)
    common = ["--workspace", str(workspace.folder), "--device", "cpu", "--json"]
    for source in ("verb_visual", "verb_mrav"):
        assert main(["train", str(recipe), "--from", source, "--run", f"from_{source}", *common]) == 0
        capsys.readouterr()
        assert main(["predict", "--run", source, *common]) == 0
        assert main(["predict", "--run", f"from_{source}", *common]) == 0
        capsys.readouterr()
        found, wanted = (workspace.run(name).detections() for name in (f"from_{source}", source))
        assert found is not None
        assert wanted is not None
        assert len(found) > 5
        assert found.equals(wanted)
    assert main(["train", str(recipe), "--from", "nowhere", "--run", "x", *common]) == 2
    assert "nowhere: no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": 7}, r"other: takes 7 audio channels, the recipe's features have 192"),
        ({"labels": ("stir", "cut", "pour")}, r"other: its class 0 is 'stir', which is class 1 of verb"),
    ],
)
def test_a_run_that_reads_other_sound_or_counts_its_classes_otherwise_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture, changes: dict[str, Any], message: str
) -> None:
    workspace = small_workspace(tmp_path / "small", clips=2)
    config = small_detector(labels=changes.get("labels", VERBS)).config
    fusion = replace(config.fusion, audio_channels=changes.get("audio", CHANNELS))
    save_detector(Detector(replace(config, fusion=fusion)), workspace.runs_folder / "other")
    recipe = small_recipe(tmp_path, epochs=0)
    words = ["train", str(recipe), "--from", "other", "--run", "x", "--workspace", str(workspace.folder)]
    assert main([*words, "--device", "cpu"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (workspace.runs_folder / "x").exists()


def test_clips_that_a_published_detector_ends_before_are_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    workspace = small_workspace(tmp_path / "small", clips=2)
    config = small_detector(fusion="none").config
    base = replace(config.base, official_padding=True, absolute_position=True, max_steps=8)
    short = replace(config, base=base, test=replace(config.test, max_buffer_factor=1.0))
    save_detector(Detector(short), workspace.runs_folder / "short")
    recipe = small_recipe(tmp_path, epochs=1)
    words = ["train", str(recipe), "--from", "short", "--run", "x", "--workspace", str(workspace.folder)]
    assert main([*words, "--device", "cpu"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"short: .* 2 of 2 clips of split 'validation', clip_0 the first: the clip has 15 .* at 8 ", line)
    assert not (workspace.runs_folder / "x").exists()
    # Nothing is scored in a split without true segments.
    recipe.write_text(recipe.read_text().replace("validation}", "validation, test_split: none}"))
    assert main([*words, "--device", "cpu"]) == 0


def test_a_training_that_there_is_nothing_to_score_on_is_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    workspace = small_workspace(tmp_path / "small", clips=2)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "data: {train_split: validation, test_split: none}\n"
        "train: {epochs: 0, warmup_epochs: 0, regression_range: [[0, 4], [2, 8], [4, 100]]}\n"
    )
    words = ["train", str(recipe), "--from", "verb_visual", "--run", "x", "--workspace", str(workspace.folder)]
    assert main([*words, "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": "x", "clips": 0, "average": None}
    assert main([*words, "--device", "cpu"]) == 0
    assert "x: is trained; split 'none' has no true segments" in capsys.readouterr().out


def test_a_detector_without_classes_can_be_trained_further(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    workspace = small_workspace(tmp_path / "small", clips=2)
    proposals = small_detector(fusion="none", label_set="proposal", labels=("proposal",))
    save_detector(proposals, workspace.runs_folder / "found")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "data: {train_split: validation, label_set: proposal}\nfusion: {kind: mrav}\n"
        "train: {epochs: 1, warmup_epochs: 0, regression_range: [[0, 4], [2, 8], [4, 100]]}\n"
    )
    common = ["--workspace", str(workspace.folder), "--device", "cpu", "--json"]
    assert main(["train", str(recipe), "--from", "found", "--run", "heard", *common]) == 0
    info = workspace.run("heard").info
    assert (info.label_set, info.classes, info.fusion) == ("proposal", 1, "mrav")
    capsys.readouterr()
    assert main(["evaluate", "--run", "heard", *common]) == 0
    assert json.loads(capsys.readouterr().out)[0]["segments"] == len(workspace.truth("proposal")) == 4


def test_what_does_not_fit_is_named(shared: Path, tmp_path: Path) -> None:
    start = official_start(shared, OFFICIAL[0], tmp_path)
    fusion = FusionConfig(kind="mrav", audio_channels=5)
    recipe = adopt(Recipe(fusion=fusion, train=NOTHING), start)
    with pytest.raises(ConfigError, match=r"classes, the label set verb has 2; was it trained on other labels\?"):
        train(recipe, clips_for(start), ["a", "b"], tmp_path / "run", start=start, accelerator="cpu")
    frozen = replace(recipe, fusion=FusionConfig(), train=replace(NOTHING, freeze_base=True))
    with pytest.raises(ConfigError, match="there is nothing to train"):
        train(frozen, clips_for(start), start.detector.labels, tmp_path / "y", start=start, accelerator="cpu")
