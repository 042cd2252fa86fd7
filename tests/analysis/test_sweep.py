"""An ablation trains what is missing, keeps what is done, and compares like with like."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy import stats

from mravff_core import Workspace
from mravff_core.analysis.sweep import OVERALL, is_done, members_of, scores, sweep, sweep_folder
from mravff_core.analysis.sweep_table import sweep_table
from mravff_core.audio_condition import AudioCondition
from mravff_core.cli import main
from mravff_core.cli.common import listed
from mravff_core.config import BaseConfig, DataConfig, FusionConfig, Recipe, TestConfig, TrainConfig, to_mapping
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.evaluation.seeds import mean_interval, paired_difference
from tests.small_workspace import small_workspace

RECIPE = Recipe(
    name="tiny",
    data=DataConfig(train_split="validation"),
    base=BaseConfig(embed_channels=8, neck_channels=8, head_channels=8, levels=2, max_steps=32),
    fusion=FusionConfig(heads=2),
    train=TrainConfig(epochs=1, warmup_epochs=0, regression_range=((0, 4), (2, 100))),
    test=TestConfig(max_segments=10),
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two seeds of two fusions, the last of the four not trained: the sweep was stopped."""
    found = small_workspace(tmp_path_factory.mktemp("sweep") / "small", clips=2)
    asked = iter(range(100))
    members = members_of(RECIPE, seeds=2, fusions=["none", "mrav"])
    # Asked before each run and before each of its batches; a run here has one batch.
    with pytest.raises(CancelledError, match="stopped after 3 of 4 runs"):
        sweep(found, members, device="cpu", cancel=lambda: next(asked) == 6)
    return found


def test_seeds_are_the_outermost_loop() -> None:
    names = [member.run for member in members_of(RECIPE, seeds=2, fusions=["none", "mrav"], name="s")]
    assert names == [
        "s_actionformer_none_s0",
        "s_actionformer_mrav_s0",
        "s_actionformer_none_s1",
        "s_actionformer_mrav_s1",
    ]


def test_a_kind_may_have_settings_of_its_own() -> None:
    plain, changed = members_of(RECIPE, seeds=1, fusions=["mrav", "mrav:mix=residual:window=3"])
    assert (plain.recipe.fusion.mix, plain.recipe.fusion.window) == ("convex", 9)
    assert (changed.recipe.fusion.mix, changed.recipe.fusion.window) == ("residual", 3)
    assert changed.run == "tiny_actionformer_mrav-mix-residual-window-3_s0"
    with pytest.raises(ConfigError, match="FusionConfig has no field mixed"):
        members_of(RECIPE, seeds=1, fusions=["mrav:mixed=1"])
    with pytest.raises(ConfigError, match="expected kind:name=value"):
        members_of(RECIPE, seeds=1, fusions=["mrav:residual"])


def test_what_is_done_is_kept_and_the_rest_is_trained(workspace: Workspace, capsys: pytest.CaptureFixture) -> None:
    members = members_of(RECIPE, seeds=2, fusions=["none", "mrav"])
    weights = {m.run: workspace.runs_folder / m.run / "model.safetensors" for m in members}
    before = {name: path.stat().st_mtime_ns for name, path in weights.items() if path.is_file()}
    assert len(before) == 3
    path = workspace.folder / "tiny.yaml"
    path.write_text(json.dumps(to_mapping(RECIPE)))
    command = ["sweep", str(path), "--workspace", str(workspace.folder), "--seeds", "2", "--device", "cpu", "--json"]
    assert main(command) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert all(is_done(workspace, member) for member in members)
    assert {name: weights[name].stat().st_mtime_ns for name in before} == before
    assert [(row["fusion"], row["audio"], row["seeds"]) for row in document["rows"]] == [
        ("none", "on", [0, 1]),
        ("mrav", "on", [0, 1]),
        ("mrav", "off", [0, 1]),
    ]
    assert document["rows"][0]["difference"] is None
    assert json.loads((workspace.folder / "sweeps/tiny/table.json").read_text()) == document
    by_name = {info.run: info.sweep for info in workspace.runs()}
    assert by_name["tiny_actionformer_mrav_s1"] == "tiny"
    assert by_name["verb_mrav"] == ""


def test_scores_are_those_of_evaluate_and_belong_to_the_weights(workspace: Workspace) -> None:
    from mravff_core.inference.evaluate_run import Scored, evaluate_run

    member = members_of(RECIPE, seeds=1, fusions=["mrav"])[0]
    document = evaluate_run(workspace, Scored(member.run, AudioCondition("off")), device="cpu")
    left_aside = sweep_folder(workspace, "tiny") / "scores" / ".tiny_s0.1234abcd.part.parquet"
    left_aside.write_bytes(b"PAR1")  # as by a killed process
    table = scores(workspace, "tiny")
    left_aside.unlink()
    mine = table[(table["run"] == member.run) & (table["audio"] == "off")].set_index("class")["average_precision"]
    assert mine[OVERALL] == document["average"]
    assert mine.drop(OVERALL).to_dict() == document["per_class"]
    config = workspace.runs_folder / member.run / "config.yaml"
    text = config.read_text()
    config.write_text(text + "\n")
    assert not is_done(workspace, member)
    config.write_text(text)


def test_a_run_of_another_recipe_is_not_counted(workspace: Workspace) -> None:
    other = replace(RECIPE, train=replace(RECIPE.train, epochs=2))
    with pytest.raises(ConfigError, match="made with another recipe; give the sweep another --name"):
        sweep(workspace, members_of(other, seeds=1, fusions=["none"]), device="cpu")
    with pytest.raises(ConfigError, match=r"fusion\.kind: found str 'magic', expected one of none"):
        members_of(RECIPE, seeds=1, fusions=["magic"])
    with pytest.raises(ConfigError, match="no finished run of a sweep 'absent'; its sweeps are: tiny"):
        sweep_table(workspace, "absent", ["none"])


def test_what_is_named_twice_is_swept_once() -> None:
    members = members_of(RECIPE, seeds=1, fusions=["mrav", "none", "mrav"], bases=["tridet", "tridet"])
    assert [member.run for member in members] == ["tiny_tridet_mrav_s0", "tiny_tridet_none_s0"]
    assert listed(" none , mrav,,none") == ["none", "mrav"]
    assert listed(None) == []


def test_numbers_and_names_that_cannot_be_meant_are_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="up to 1000 seeds, found 20231126"):
        members_of(RECIPE, seeds=20231126, fusions=["none"])
    fresh = replace(RECIPE, name="fresh")
    longer = replace(fresh, train=replace(fresh.train, epochs=2))
    both = [member for recipe in (fresh, longer) for member in members_of(recipe, seeds=1, fusions=["none"])]
    with pytest.raises(ConfigError, match="two recipes make a run 'fresh_actionformer_none_s0'"):
        sweep(workspace, both, device="cpu")
    assert not (workspace.runs_folder / "fresh_actionformer_none_s0").exists()


def test_fewer_than_one_training_at_once_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace.folder / "tiny.yaml"
    path.write_text(json.dumps(to_mapping(RECIPE)))
    assert main(["sweep", str(path), "--workspace", str(workspace.folder), "--jobs", "0"]) == 2
    assert "--jobs is 0, expected 1 or more" in capsys.readouterr().err


def test_intervals_are_students() -> None:
    values = [0.2, 0.5, 0.6, 0.9]
    found = mean_interval(values)
    wanted = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(wanted)
    assert mean_interval([0.3]).low is None
    # Paired: what both share cancels out, however far apart the seeds are.
    shifted = paired_difference({seed: value + 0.1 for seed, value in enumerate(values)}, dict(enumerate(values)))
    assert shifted is not None and shifted.low is not None and shifted.low > 0
    assert (shifted.low, shifted.high) == pytest.approx((0.1, 0.1))
    assert paired_difference({1: 0.0}, {2: 0.0}) is None


class InThisProcess:
    """Stands for a process that runs one of our commands."""

    started: ClassVar[list[str]] = []

    def __init__(self, command: list[str], *, env: dict[str, str], **_: Any) -> None:
        assert command[1:3] == ["-m", "mravff_core"]
        assert int(env["OMP_NUM_THREADS"]) >= 1
        self.command = command[3:]

    def wait(self) -> int:
        self.started.append(" ".join(self.command))
        return main(self.command)

    def terminate(self) -> None:
        pass


def test_several_processes_get_the_same_command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mravff_core.cli.sweep.subprocess.Popen", InThisProcess)
    path = workspace.folder / "shared.yaml"
    path.write_text(json.dumps(to_mapping(RECIPE)))
    fusions = "none,mrav:mix=residual"
    options = ["--name", "shared", "--seeds", "1", "--fusion", fusions, "--base", "temporalmaxer", "--device", "cpu"]
    assert main(["sweep", str(path), "--workspace", str(workspace.folder), *options, "--jobs", "2"]) == 0
    assert len(InThisProcess.started) == 2
    assert sorted(info.run for info in workspace.runs() if info.sweep == "shared") == [
        "shared_temporalmaxer_mrav-mix-residual_s0",
        "shared_temporalmaxer_none_s0",
    ]
