"""`train RECIPE`: train a detector of a workspace."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from mravff_core.cli import common


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "train",
        run,
        "train a detector with a YAML recipe; resumes where it was",
        example="configs/kitchen/verb_mrav.yaml --run my_verbs --seed 1",
    )
    parser.add_argument(
        "recipe",
        metavar="RECIPE",
        help="YAML file such as configs/kitchen/verb_mrav.yaml, or one of ActionFormer's, TriDet's or TemporalMaxer's",
    )
    common.add_workspace(parser)
    common.add_run(parser, "name of the run (default: the recipe's)")
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument("--epochs", type=int, metavar="N", help="after the warm-up, instead of the recipe's")
    parser.add_argument(
        "--fusion",
        metavar="KIND",
        help="kind of fusion instead of the recipe's: none, sum, concat, cross_attention, mrav",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="CHECKPOINT",
        help="start from a trained detector: a run's name, a folder of ours or an official checkpoint",
    )
    parser.add_argument("--from-config", metavar="FILE", help="its configuration, if official")
    parser.add_argument("--freeze-base", action="store_true", help="train the fusion alone")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="how many train together (default: 1)")
    parser.add_argument(
        "--cache-mb",
        type=float,
        default=2048,
        metavar="MB",
        help="features kept in memory, in megabytes (default: 2048)",
    )
    parser.add_argument("--fresh", action="store_true", help="start over instead of resuming")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Make what training needs (demo clips included), train, and score on the test split."""
    from mravff_core.config import merge, read_yaml
    from mravff_core.errors import ConfigError
    from mravff_core.inference.demo import add_split, is_demo
    from mravff_core.inference.evaluate_run import evaluate_run
    from mravff_core.training.from_workspace import train_in_workspace
    from mravff_core.training.official_recipe import features_caution, training_recipe

    if args.from_config and not args.start:
        raise ConfigError("--from-config goes with --from: it describes the checkpoint named there")
    settings = merge(read_yaml(args.recipe), _changes(args))
    workspace = common.open_workspace(args)
    recipe = training_recipe(settings, args.recipe, workspace)
    # With several devices the others run this command too, and only help the first to train.
    helps = os.environ.get("LOCAL_RANK", "0") != "0"
    if recipe.train.freeze_base and recipe.start.checkpoint is None and not helps:
        print("note: nothing is started from (--from), so the base that is frozen stays untrained", file=sys.stderr)
    if not helps and (caution := features_caution(settings, args.recipe, workspace, recipe)):
        print(f"caution: {args.recipe} is for other visual features ({caution})", file=sys.stderr)
    if is_demo(workspace):
        with common.progress_bar("Making demo clips") as progress:
            add_split(workspace, recipe.data.train_split, progress=progress)
    run_name = train_in_workspace(
        workspace,
        recipe,
        devices=args.devices,
        accelerator=args.device,
        resume=not args.fresh,
        cache_mb=args.cache_mb,
    )
    if helps:
        return
    clip_ids, document = workspace.clip_ids(recipe.data.test_split), None
    if not workspace.truth(recipe.data.label_set, clip_ids).empty:
        with common.progress_bar("Evaluating") as progress:
            document = evaluate_run(workspace, run_name, clip_ids=clip_ids, device=args.device, progress=progress)
    if args.json:
        common.print_json(document or {"run": run_name, "clips": 0, "average": None})
    elif document is None:
        print(f"{run_name}: is trained; split {recipe.data.test_split!r} has no true segments to score it on")
    else:
        average, overlaps = 100 * document["average"], ", ".join(document["per_threshold"])
        scored = f"{document['label_set']} on {document['clips']} clips, averaged over tIoU {overlaps}"
        print(f"{run_name}: mAP {average:.2f} % for {scored}")


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """What options say instead of the recipe's file."""
    train = {"seed": args.seed, "epochs": args.epochs, "freeze_base": args.freeze_base or None}
    sections: dict[str, dict[str, Any]] = {"train": train, "fusion": {"kind": args.fusion}}
    changes: dict[str, Any] = {
        section: {field: value for field, value in fields.items() if value is not None}
        for section, fields in sections.items()
    }
    if args.start:
        changes["start"] = {"checkpoint": args.start, "config": args.from_config}
    if args.run_name:
        changes["name"] = args.run_name
    return changes
