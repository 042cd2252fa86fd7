"""A joint detector finds for each label set what a detector of that set alone would, and pairs as actions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mravff_core import Batch, Predictor, TimeGrid, Workspace, load_detector
from mravff_core.config import DataConfig, FusionConfig, LabelSet, Recipe
from mravff_core.data.features import Features
from mravff_core.errors import ConfigError
from mravff_core.inference.evaluate_run import Scored, evaluate_run, scores_file
from mravff_core.inference.label_sets import decode_pairs
from mravff_core.inference.run_predict import predict
from mravff_core.model.checkpoints import save_detector
from mravff_core.model.detector import Detector
from mravff_core.model.outputs import DetectorOutput
from mravff_core.training.batches import training_batch
from mravff_core.training.workspace_clips import WorkspaceClips
from mravff_core.workspace import Clip
from tests.model.small import VISUAL_CHANNELS, small_detector

GRID = TimeGrid(hop_frames=1, window_frames=1, frames_per_second=2, offset_frames=0)
VERBS, NOUNS = ("cut", "pour", "open"), ("pan", "tap", "lid", "egg")


def joint_detector() -> Detector:
    from tests.model.small import randomise

    single = small_detector(kind="none").config
    detector = Detector(replace(single, further_label_sets=(LabelSet("noun", NOUNS),))).eval()
    randomise(detector, 3)
    return detector


def alone(joint: Detector, label_set: str) -> Detector:
    """The detector of one label set with the joint one's weights."""
    config = joint.config
    detector = Detector(
        replace(config, label_set=label_set, labels=config.label_sets[label_set], further_label_sets=())
    )
    weights = joint.state_dict()
    for name, value in detector.state_dict().items():
        if weights[name].shape != value.shape:
            weights[name] = weights[name][config.label_slices[label_set]]
    detector.load_state_dict(weights)
    return detector.eval()


def features(steps: int = 40) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(VISUAL_CHANNELS, steps)).astype(np.float32)


def test_logits_of_all_sets_share_one_axis() -> None:
    joint = joint_detector()
    assert joint.labels == VERBS + NOUNS
    assert joint.config.label_slices == {"verb": slice(0, 3), "noun": slice(3, 7)}
    assert joint(Batch(torch.zeros(1, VISUAL_CHANNELS, 16))).class_logits[0].shape == (1, 16, 7)


def test_each_set_is_found_as_if_alone() -> None:
    joint = joint_detector()
    found = Predictor(joint).detect(features(), grid=GRID, duration_s=20.0)
    for label_set, table in (("verb", found.detections), ("noun", found.further["noun"])):
        single = Predictor(alone(joint, label_set)).detect(features(), grid=GRID, duration_s=20.0)
        assert len(table) > 20 and single.further == {}
        pd.testing.assert_frame_equal(table, single.detections)


def test_the_best_action_pairs_the_best_verb_and_noun_of_its_point() -> None:
    joint = joint_detector()
    found = Predictor(joint).detect(features(), grid=GRID, duration_s=20.0).further["action"]
    with torch.inference_mode():
        output = joint(Batch(torch.from_numpy(features())[None]))
    pairs = [level[0, :, :3, None].sigmoid() * level[0, :, None, 3:].sigmoid() for level in output.class_logits]
    best = max(pairs, key=lambda level: float(level.max()))
    assert found["score"][0] == pytest.approx(float(best.max()), rel=1e-5)
    assert found["label"][0] == int(best.argmax()) % (len(VERBS) * len(NOUNS))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 12),
    verbs=st.integers(1, 12),
    nouns=st.integers(1, 12),
    top_k=st.integers(1, 60),
    min_score=st.sampled_from([0.0, 0.2, 0.5]),
    equal=st.booleans(),
    per_class=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_pairs_are_the_best_of_all(
    steps: int, verbs: int, nouns: int, top_k: int, min_score: float, equal: bool, per_class: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def logits(classes: int) -> torch.Tensor:
        values = torch.randn(steps, classes, generator=generator) * 2
        return values.round() if equal else values

    def output(level: torch.Tensor) -> DetectorOutput:
        offsets = torch.rand(steps, level.shape[1] if per_class else 1, 2, generator=generator) + 0.1
        mask = torch.ones(1, 1, steps, dtype=torch.bool)
        return DetectorOutput((level[None],), (offsets[None],), (mask,))

    first, second = output(logits(verbs)), output(logits(nouns))
    if not per_class:
        second = replace(second, boundary_offsets=first.boundary_offsets)
    found = decode_pairs(first, second, (2,), min_score=min_score, top_k=top_k)
    scores = first.class_logits[0][0].sigmoid()[:, :, None] * second.class_logits[0][0].sigmoid()[:, None, :]
    flat = scores.flatten().numpy()
    order = [int(place) for place in np.argsort(-flat, kind="stable") if flat[place] > min_score][:top_k]
    assert found.labels.tolist() == [place % (verbs * nouns) for place in order]
    np.testing.assert_array_equal(found.scores, flat[order])
    for segment, place in zip(found.segments_grid, order, strict=True):
        step, verb, noun = np.unravel_index(place, scores.shape)
        sides = [
            part.boundary_offsets[0][0, step, label if per_class else 0].numpy()
            for part, label in ((first, int(verb)), (second, int(noun)))
        ]
        distance = 2 * (sides[0] + sides[1]) / 2
        np.testing.assert_allclose(segment, [2 * step - distance[0], 2 * step + distance[1]], rtol=1e-5, atol=1e-5)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace.create(tmp_path / "ws", name="w", label_sets={"verb": VERBS, "noun": NOUNS})
    made.add_clips([Clip("a", "A", "", 20.0, has_audio=False, split="train")])
    made.set_features("visual", "a", Features(features(), GRID))
    times = {"clip_id": ["a", "a"], "segment_id": ["1", "2"], "start_s": [2.0, 9.0], "end_s": [5.0, 12.0]}
    made.set_annotations(pd.DataFrame({**times, "verb": [2, 0], "noun": [3, None]}))
    return made


def test_a_point_learns_verb_and_noun_of_its_segment(workspace: Workspace) -> None:
    recipe = Recipe(data=DataConfig(further_label_sets=("noun",)), fusion=FusionConfig(kind="none"))
    clips = list(WorkspaceClips(workspace, recipe))
    joint = joint_detector()
    ranges = ((0, 4), (2, 8), (4, 16), (8, 10000))
    _, (targets,) = training_batch(joint, clips, replace(recipe.train, regression_range=ranges))
    learnt = {tuple(torch.nonzero(row)[:, 0].tolist()) for row in targets.classes}
    assert learnt == {(), (2, len(VERBS) + 3), (0,)}


def test_a_joint_run_stores_a_table_for_each_set(workspace: Workspace) -> None:
    joint = joint_detector()
    joint = Detector(replace(joint.config, features={"visual": {"set": "visual"}})).eval()
    save_detector(joint, workspace.runs_folder / "joint")
    assert load_detector(workspace.runs_folder / "joint", device="cpu").config == joint.config
    (info,) = workspace.runs()
    assert (info.label_set, info.classes, info.label_sets) == ("verb", 3, ("verb", "noun", "action"))
    for _ in range(2):
        predict(workspace, "joint", device="cpu")
        run = workspace.run("joint")
        wanted = Predictor(joint).detect(features(), grid=GRID, duration_s=20.0)
        for label_set, made in {"verb": wanted.detections, **wanted.further}.items():
            stored = run.detections("on", ["a"], label_set=label_set)
            assert stored is not None
            pd.testing.assert_frame_equal(stored.drop(columns="clip_id"), made)
        run.forget("on", ["a"])
        emptied = run.detections("on", ["a"], label_set="action")
        assert emptied is None or emptied.empty
    files = {"verb": "metrics.json", "noun": "metrics.noun.json", "action": "metrics.action.json"}
    for label_set, file in files.items():
        scored = Scored("joint", label_set=label_set)
        assert evaluate_run(workspace, scored, device="cpu")["label_set"] == label_set
        assert scores_file(workspace, scored).name == file


def test_label_sets_need_names_of_their_own() -> None:
    config = small_detector().config
    with pytest.raises(ConfigError, match="found 'verb' twice"):
        Detector(replace(config, further_label_sets=(LabelSet("verb", NOUNS),)))
    with pytest.raises(ConfigError, match="at least one label in each"):
        Detector(replace(config, further_label_sets=(LabelSet("noun", ()),)))
