"""Stress: each row is what `evaluate` says of that sound, resumably, flat where nothing listens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mravff_core import AudioCondition, Workspace
from mravff_core.analysis.gate_means import gate_interval
from mravff_core.analysis.lacking import detect_lacking
from mravff_core.analysis.stress import CONDITIONS, lacking, stored_table, stress, stress_table
from mravff_core.cli import main
from mravff_core.errors import CancelledError, ConfigError
from mravff_core.inference.evaluate_run import Scored, evaluate_run
from mravff_core.workspace.import_detections import import_detections

SOUNDS = ("off", "shift:-1", "shift:+1", "noise:0", "swap:+1")
RUNS = ("verb_mrav", "verb_visual")


@pytest.fixture(scope="module")
def stressed(predicted: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("stress") / "ws"
    shutil.copytree(predicted.folder, folder)
    workspace = Workspace(folder)
    stress(workspace, RUNS, conditions=SOUNDS, resamples=30)
    return workspace


def test_each_row_is_what_evaluate_says(stressed: Workspace) -> None:
    table = stress_table(stressed, RUNS, conditions=SOUNDS, resamples=30)
    assert table["condition"].tolist() == ["on", *SOUNDS] * 2
    own = table[table["run"] == "verb_mrav"].set_index("condition")
    for sound in ("on", *SOUNDS):
        scored = evaluate_run(stressed, Scored("verb_mrav", AudioCondition.parse(sound)))
        assert own.loc[sound, "map"] == pytest.approx(scored["average"])
        gates = [stressed.run("verb_mrav").gates(sound, clip_id) for clip_id in stressed.clip_ids()]
        levels = [np.concatenate([clip[level].gates for clip in gates]).mean() for level in range(3)]
        assert own.loc[sound, "gate"] == pytest.approx(np.mean(levels), abs=1e-6)
    assert (own["change"] - (own["map"] - own.loc["on", "map"])).abs().max() < 1e-12
    assert (own["map_low"] <= own["map"]).all() and (own["map"] <= own["map_high"]).all()
    assert own.loc["shift:-1", "value"] == -1 and own.loc["noise:0", "value"] == 0


def test_a_run_that_never_listens_is_flat_and_asked_once(stressed: Workspace) -> None:
    table = stress_table(stressed, ["verb_visual"], conditions=SOUNDS, resamples=30)
    assert len(set(table["map"])) == 1 and table["gate"].isna().all()
    assert (table[["change", "change_low", "change_high"]] == 0).all(axis=None)
    assert [str(condition) for condition in stressed.run("verb_visual").conditions()] == ["on"]


def test_a_stopped_stress_goes_on_where_it_was(predicted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    workspace = Workspace(tmp_path / "ws")
    missing = lacking(workspace, RUNS, SOUNDS)
    assert [(piece.side.run, str(piece.side.audio), len(piece.clip_ids)) for piece in missing] == [
        ("verb_mrav", sound, 3) for sound in SOUNDS[1:]
    ], "off is predicted already, and the visual run hears nothing"
    shares: list[float] = []
    with pytest.raises(CancelledError):
        detect_lacking(
            workspace, missing, progress=lambda share, _: shares.append(share), cancel=lambda: len(shares) > 3
        )
    left = lacking(workspace, RUNS, SOUNDS)
    done = sum(len(piece.clip_ids) for piece in missing) - sum(len(piece.clip_ids) for piece in left)
    assert 0 < done < 12 and shares == sorted(shares)
    table, to_come = stored_table(workspace, RUNS, conditions=SOUNDS, resamples=10)
    whole = len(SOUNDS) - 1 - len({piece.side.audio for piece in left})
    assert table.empty and to_come == 2 + whole + 6, "on, off and what is predicted whole, and all of the visual run"


def test_the_usual_conditions_are_those_of_the_design() -> None:
    shifts = [condition.shift_s for condition in CONDITIONS if condition.kind == "shift"]
    noises = [condition.snr_db for condition in CONDITIONS if condition.kind == "noise"]
    assert (min(shifts), max(shifts), max(noises), min(noises)) == (-5, 5, 20, -10)
    assert {"on", "off", "silence", "swap"} <= {condition.kind for condition in CONDITIONS}
    assert AudioCondition.parse("swap:+1") in CONDITIONS


def test_the_mean_gate_of_one_clip_has_no_interval(stressed: Workspace) -> None:
    means = stressed.run("verb_mrav").mean_gates("on", ["clip_0"])
    mean, *ends = gate_interval(means, resamples=10)
    assert mean == pytest.approx(means["gate"].mean()) and np.isnan(ends).all()
    assert np.isnan(gate_interval(means.iloc[:0])).all()


def test_the_command_prints_the_table(stressed: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["stress", "--workspace", str(stressed.folder), "--runs", ",".join(RUNS), "--resamples", "30"]
    assert main([*words, "--conditions", *SOUNDS, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    table = stress_table(stressed, RUNS, conditions=SOUNDS, resamples=30)
    assert [row["map"] for row in rows] == pytest.approx(table["map"].tolist())
    assert rows[-1]["gate"] is None
    assert main([*words, "--conditions", "loud"]) == 2
    with pytest.raises(ConfigError, match="audio condition 'loud'"):
        stress_table(stressed, RUNS, conditions=["loud"])


def test_imported_detections_cannot_be_stressed_and_say_so(
    predicted: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(predicted.folder, tmp_path / "ws")
    workspace = Workspace(tmp_path / "ws")
    table = pd.DataFrame({"clip_id": ["clip_0"], "start_s": [0.1], "end_s": [0.9], "label": ["cut"], "score": [0.5]})
    table.to_csv(tmp_path / "found.csv", index=False)
    import_detections(workspace, tmp_path / "found.csv", "theirs")
    assert main(["stress", "--workspace", str(workspace.folder), "--runs", "theirs", "--json"]) == 2
    printed = capsys.readouterr()
    assert "holds imported detections and no detector" in printed.err and printed.out == ""
