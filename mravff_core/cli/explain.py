"""`explain`: what a stored detection rests on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mravff_core.cli import common
from mravff_core.errors import ConfigError

if TYPE_CHECKING:
    from mravff_core.analysis.attribution.levels import Redetected
    from mravff_core.analysis.explain_run import Explanation
    from mravff_core.workspace import Workspace

_QUANTITIES = ("logit", "contrast", "probability", "start", "end")


def register(commands: common.Commands) -> None:
    """Add the command."""
    parser = common.add_command(
        commands,
        "explain",
        run,
        "say how much of a detection comes from sound and sight, when, and at which level",
        example="--run verb_mrav --clip kitchen_val_003 --detection 0 --figure why.html",
    )
    common.add_workspace(parser)
    common.add_run(parser, "run of the workspace (default: one with gates)")
    common.add_audio(parser)
    parser.add_argument("--clip", required=True, metavar="ID", help="clip of the detection")
    parser.add_argument(
        "--detection", required=True, metavar="N", help="its number in the clip; 0 is the one of the best score"
    )
    common.add_labels(parser, "label set of a joint detector, such as noun (default: its first)")
    parser.add_argument(
        "--quantity",
        "--of",
        default="probability",
        choices=_QUANTITIES,
        help="what to explain (default: the class's probability); contrast: its logit less the mean of the others'",
    )
    parser.add_argument(
        "--audio-baseline",
        default="silence",
        metavar="NAME",
        help="sound to compare with: silence, mean or clip:ID (default: silence)",
    )
    parser.add_argument(
        "--vision-baseline",
        default="mean",
        metavar="NAME",
        help="sight to compare with: mean, frozen or clip:ID (default: mean)",
    )
    parser.add_argument(
        "--steps", type=int, default=32, metavar="N", help="of Integrated Gradients; more where needed (default: 32)"
    )
    parser.add_argument("--measures", action="store_true", help="add Captum's infidelity and sensitivity; takes longer")
    parser.add_argument("--figure", metavar="FILE", help="write a figure: .html, .svg or .png")
    common.add_device(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> None:
    """Explain, and print or draw it."""
    from mravff_core.analysis.attribution import Options
    from mravff_core.analysis.explain_run import Question, explain_detection
    from mravff_core.audio_condition import AudioCondition

    workspace = common.open_workspace(args)
    if args.steps < 1:
        raise ConfigError(f"--steps is {args.steps}, expected a number above 0")
    question = Question(
        run=args.run_name or _listening_run(workspace),
        clip=args.clip,
        detection=_number(args.detection),
        label_set=args.labels or None,
        audio=AudioCondition.parse(args.audio),
        quantity=args.quantity,
        audio_baseline=args.audio_baseline,
        vision_baseline=args.vision_baseline,
    )
    options = Options(steps=args.steps, measures=args.measures)
    with common.progress_bar("Explaining") as progress:
        explanation = explain_detection(workspace, question, device=args.device, options=options, progress=progress)
    if args.figure:
        _draw(explanation, args.figure)
    if args.json:
        common.print_json(explanation.to_mapping())
    else:
        _print(explanation)


def _number(text: str) -> int:
    """A detection's number, also as the app writes it (`d3`)."""
    digits = text.removeprefix("d")
    if not digits.isdecimal():
        raise ConfigError(f"--detection is {text!r}, expected a number such as 0 or d0 for the best")
    return int(digits)


def _listening_run(workspace: Workspace) -> str:
    """Name of the run to explain where none is named. Raises: ConfigError if there is none."""
    infos = [info for info in workspace.runs() if info.has_detector]
    if not infos:
        raise ConfigError(f"{workspace.folder}: has no detector to explain; make one with train")
    return min(infos, key=lambda info: (info.fusion != "mrav", info.label_set != "verb", info.fusion == "none")).run


def _draw(explanation: Explanation, path: str) -> None:
    from mravff_core.plots.explanation import explanation_figure
    from mravff_core.plots.theme import Theme
    from mravff_core.report.files import write_figure

    figure = explanation_figure(
        explanation.attribution,
        Theme.of("light"),
        title=_title(explanation),
        start_s=explanation.start_s,
        end_s=explanation.end_s,
    )
    write_figure(figure, path)


def _title(explanation: Explanation) -> str:
    question = explanation.question
    return (
        f"{explanation.name} at {explanation.start_s:.2f} to {explanation.end_s:.2f} s, "
        f"score {explanation.score:.2f} ({question.run}, {question.clip})"
    )


def _print(explanation: Explanation) -> None:
    attribution, point = explanation.attribution, explanation.point
    share, unit = attribution.share, f" {attribution.unit}" if attribution.unit else ""
    print(_title(explanation))
    print(
        f"point: level {point.level}, step {point.step}"
        + ("" if point.exact else " (nearest; its segment was voted on)")
    )
    print(f"{attribution.quantity}: {attribution.score:.3f}{unit}; baseline {attribution.baseline_score:.3f}{unit}")
    print(f"baselines: {attribution.baseline[0]} for sound, {attribution.baseline[1]} for sight")
    audio_share = "none, neither modality matters" if share.audio_share is None else f"{share.audio_share:.3f}"
    if attribution.share_range is not None:
        known = attribution.share_range
        audio_share += f" ({known.low:.3f} to {known.high:.3f} over {known.baselines} baselines)"
    print(f"audio share: {audio_share}")
    print(f"sound {share.audio:+.3f}, sight {share.vision:+.3f}, of which interaction {share.interaction:+.3f}")
    gap = (
        "undefined, the scores do not differ"
        if attribution.gradients.gap is None
        else f"{attribution.gradients.gap:.2%}"
    )
    warning = "" if attribution.complete else "; too large: do not read the time tracks as exact"
    print(f"completeness gap: {gap} after {attribution.gradients.steps} steps{warning}")
    for name in ("audio", "vision"):
        value = getattr(attribution.agreement, name)
        print(f"gradients and occlusion agree, {name}: {'undefined' if value is None else f'{value:.2f}'}")
    if attribution.infidelity is not None and attribution.sensitivity is not None:
        print(f"infidelity {attribution.infidelity:.4f}, sensitivity {attribution.sensitivity:.4f}")
    rows = [
        {
            "level": one.level,
            "gate": "-" if one.gate is None else f"{one.gate:.2f}",
            "shut": f"{one.closed:+.3f}",
            "open": "-" if one.opened is None else f"{one.opened:+.3f}",
            "detection when shut": _found(one.closed_detection),
            "detection when open": "-" if one.opened is None else _found(one.opened_detection),
        }
        for one in attribution.levels
    ]
    common.print_table(rows, empty="no fusion, so no levels to open or shut")


def _found(detection: Redetected | None) -> str:
    if detection is None:
        return "gone"
    return f"{detection.start_s:.2f} to {detection.end_s:.2f} s, {detection.score:.2f}"
