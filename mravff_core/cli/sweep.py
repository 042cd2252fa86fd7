"""`sweep RECIPE`: an ablation over seeds, fusions and bases."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from typing import Any

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "sweep",
        run,
        "train a recipe with several seeds, fusions and bases, and compare them; resumes",
        example="configs/kitchen/ablation_verb.yaml --seeds 3 --fusion none,mrav",
    )
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="YAML files, one sweep each")
    common.add_workspace(parser)
    parser.add_argument("--name", metavar="NAME", help="of the sweep (default: the recipe's)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="how many, from the recipe's on (default: 5)")
    parser.add_argument(
        "--fusion",
        default="none,mrav",
        metavar="KIND,KIND",
        help="kinds with commas between them, with settings of their own as in mrav:mix=residual; "
        "differences are to the first (default: none,mrav)",
    )
    parser.add_argument("--base", metavar="KIND,KIND", help="kinds with commas between them (default: the recipe's)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at once (default: 1)")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Train what is missing, then print the table of each sweep."""
    from mravff_core.analysis.sweep import is_done, members_of, sweep
    from mravff_core.analysis.sweep_table import sweep_table, table_file
    from mravff_core.config import read_yaml
    from mravff_core.errors import ConfigError, MravffError
    from mravff_core.inference.demo import add_split, is_demo
    from mravff_core.training.official_recipe import training_recipe

    if args.name and len(args.recipes) > 1:
        raise ConfigError("--name goes with one recipe; several are named by their files")
    if args.jobs < 1:
        raise ConfigError(f"--jobs is {args.jobs}, expected 1 or more")
    fusions, bases = common.listed(args.fusion), common.listed(args.base)
    workspace = common.open_workspace(args)
    recipes = [training_recipe(read_yaml(path), path, workspace) for path in args.recipes]
    every = [members_of(recipe, seeds=args.seeds, fusions=fusions, bases=bases, name=args.name) for recipe in recipes]
    # Of several sweeps, too, what belongs to one seed comes before what belongs to the next.
    members = sorted((member for one in every for member in one), key=lambda member: member.seed)
    if is_demo(workspace):
        for split in sorted({recipe.data.train_split for recipe in recipes}):
            with common.progress_bar("Making demo clips") as progress:
                add_split(workspace, split, progress=progress)
    with common.progress_bar("Sweeping") as progress:
        if args.jobs > 1:
            _in_processes(args)
        else:
            sweep(workspace, members, device=args.device, progress=progress)
    missing = sum(not is_done(workspace, member) for member in members)
    tables = [sweep_table(workspace, name, fusions) for name in dict.fromkeys(member.sweep for member in members)]
    common.warn_of_unstored([common.store_json(table_file(workspace, table["sweep"]), table) for table in tables])
    if args.json:
        common.print_json(tables)
    else:
        for table in tables:
            print(f"\n{table['sweep']}: average mAP in percent, 95 % intervals, paired with {table['reference']}\n")
            common.print_table([_row(row) for row in table["rows"]], empty="nothing is finished")
    if missing and args.jobs > 1:
        raise MravffError(f"{missing} of {len(members)} runs are not finished; call again to go on")
    if missing:
        print(f"{missing} of {len(members)} runs are being trained by other processes", file=sys.stderr)


def _in_processes(args: argparse.Namespace) -> None:
    """The same command in several processes, which share the runs among them."""
    given = {"--workspace": args.workspace, "--name": args.name, "--fusion": args.fusion, "--base": args.base}
    options = [f"{option}={value}" for option, value in given.items() if value]
    options += [f"--seeds={args.seeds}", f"--device={args.device}"]
    command = [sys.executable, "-m", "mravff_core", "sweep", *args.recipes, *options]
    threads = str(max(1, (os.cpu_count() or 1) // args.jobs))
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    workers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) for _ in range(args.jobs)]
    try:
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            worker.terminate()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "base": row["base"],
        "fusion": row["fusion"],
        "audio": row["audio"],
        "seeds": len(row["seeds"]),
        "mAP": _percent(row["average"], ""),
        "difference": "-" if row["difference"] is None else _percent(row["difference"], "+"),
    }


def _percent(interval: dict[str, Any], sign: str) -> str:
    mean = f"{100 * interval['mean']:{sign}.2f}"
    if interval["low"] is None:
        return mean
    return f"{mean} ({100 * interval['low']:{sign}.2f} to {100 * interval['high']:{sign}.2f})"
