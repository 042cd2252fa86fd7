"""`docs/explanations.md`: what each explanation means, when not to believe it, and what the checks found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mravff_core.analysis.checks.retrained import LEARNT, LONGER

_AIM = "1; aim 0.9"
_HEAD = """# Explanations, and when to believe them

Written by `python -m mravff_core verify-explanations --retrain --page docs/explanations.md`; do not edit it by hand.

An explanation here answers one question about one detection: what does its score rest on?
Detections are traced to the point (level and step) of the pyramid that gave them; its class's probability is explained
unless another number is chosen: the logit, the contrast (this class rather than the others), start or end.

{table}

Baselines: digital silence for sound, the clip's mean features for sight, unless others are chosen. An
attribution always means *compared with the baseline*; another baseline is another question.

How to read the figures below:

- **Audio share.** A logit also falls where no detection would be left to lose: from unlikely to very
  unlikely. That blurs its audio share. The probability counts what the detection's score loses.
- **Deletion and insertion.** Steps of sound are taken away (or given back) in the order of their
  attribution, in the order of the gate, and at random; all orders hold the same steps, those that the
  point reads. The figure is how much lower (higher) the score lies on the way, averaged over
  segments and divided once by the mean size of what sound does to them. A segment where sound does
  nothing therefore counts for little, and is never divided by its own effect.
- **Likeness.** The same points and classes are explained by two detectors, and the attributions of all
  steps that either sees are held against each other by rank correlation, sound and sight apiece. Near 0 means
  that the whole interval lies within -0.2 to 0.2. By size alone (absolute values) even random weights are
  explained alike, since every detector reads mostly what is near; that column has no 0 to be held to, only
  the row of random weights. Beyond another class's: the partial rank correlation given the run's own explanation
  of another class at the same point, which is what is left once what two classes share is taken out.
- **Swapped labels.** The run's detector is trained from scratch once more on the training clips, after all
  of their segments have exchanged their labels at random. What it learns of a class then has nothing to do
  with the class, so its explanations must not be the run's. Swapped labels follow no rule; they can only be
  learnt by heart, which the run's recipe hinders on purpose. So what hinders it is left out (crops, noise,
  parts and sounds left out at random) and the training goes on for {longer} times the recipe's epochs, or {longest}
  times where that does not do. Fit is the share of training points at which the label to be learnt scores highest;
  from {learnt} on, labels count as learnt, as in the published test. Below it, it is no proper test: a detector
  that has not learnt its labels has still learnt where anything happens, which is true of swapped labels too,
  and its explanations of a class's own score are more like the run's for that. Next to it stands the yardstick:
  trained in the same way and as long on the true labels, which is how alike two explanations of the same thing
  are, and far from 1 too: trainings find different grounds. Both are single trainings: intervals are over
  clips, not over seeds.
- **Another class asked.** The same detector, not trained again, explains another class's own score at the same
  point. Classes share what makes any action likely (a moving hand, a start after rest), so explanations of
  a class's own score are alike to that degree, more so for sight than for sound. The contrast leaves
  out what all classes share. Contrasts of all classes add up to 0, so two of them lie a little below 0 by
  construction; therefore the contrast is held against another class's own score too.
"""

_MEANINGS = (
    (
        "Audio share",
        (
            "Of all that sound and sight did to the score against the baseline, the part that was "
            "sound's (exact Shapley values of two players)"
        ),
        (
            "its range over baselines is wide; the interaction is larger than either part: then the two "
            "work only together"
        ),
    ),
    (
        "Attribution over time",
        (
            "Which feature steps raised or lowered the score on the way from the baseline to the clip "
            "(Integrated Gradients)"
        ),
        "the completeness gap is above 1 %; it disagrees with occlusion",
    ),
    (
        "This class, not others",
        "The same for the class's logit minus the mean of the other classes': what speaks for it rather than them",
        "the question is whether anything happens at all: that is what it leaves out",
    ),
    (
        "Occlusion",
        "How far the score falls when one window is replaced by the baseline",
        "two windows say the same thing: taking away either changes nothing",
    ),
    (
        "Gates of single levels",
        ("What shutting or opening a level's gate does to the score, and to the detection after suppression"),
        "it is read as importance: an open gate says that sound was mixed in, not that it helped",
    ),
    (
        "Attention",
        "Which sounds a step asked for, relative to others in reach",
        "the gate is nearly shut: then nothing of it gets through",
    ),
    (
        "Sound muted",
        ("The detection's new score when the sound itself is silenced where it mattered and encoded again"),
        "silence is itself strange to the detector",
    ),
)


def write_page(documents: Sequence[dict[str, Any]]) -> str:
    """The page as Markdown, from what `verify_explanations` returned for one or more runs."""
    rows = ["| Explanation | What it means | Do not believe it when |", "| --- | --- | --- |"]
    rows += [f"| {name} | {meaning} | {doubt} |" for name, meaning, doubt in _MEANINGS]
    head = _HEAD.format(table="\n".join(rows), longer=f"{LONGER[0]:g}", longest=f"{LONGER[-1]:g}", learnt=LEARNT)
    return "\n".join([head, *(_section(document) for document in documents)])


def _section(document: dict[str, Any]) -> str:
    audible, place, curves = document["audibility"], document["localisation"], document["curves"]
    unlike = curves["attribution_against_random"]
    rows = [
        ("AUC of the probability's audio share for segments that need sound", audible["audio_share_probability"], _AIM),
        ("AUC of the logit's audio share for the same", audible["audio_share_logit"], _AIM),
        ("AUC of the contrast's audio share for the same", audible["audio_share_contrast"], _AIM),
        ("AUC of the gate for the same", audible["gate"], "1"),
        ("AUC of attribution mass on true sounds for the same", place["mass_auc"], "1"),
        ("Pointing game: peak of audio attribution in a true sound", place["pointing"], "1"),
        ("Mass of positive audio attribution in true sounds", place["mass"], "1"),
        ("The same by chance", place["chance"], ""),
        ("Deletion, attribution minus random order", unlike["deletion"], "below 0"),
        ("Insertion, attribution minus random order", unlike["insertion"], "above 0"),
        ("Deletion, attribution minus gate order", curves["attribution_against_gate"]["deletion"], "below 0"),
        ("Insertion, attribution minus gate order", curves["attribution_against_gate"]["insertion"], "above 0"),
        ("What sound does to the probability of those segments, mean size", curves["effect"], ""),
        ("Gate against effect of sound, over classes", document["gate_honesty"], "above 0"),
    ]
    lines = [
        f"## {document['run']}",
        "",
        f"{document['segments']} true {document['label_set']} segments in {document['clips']} clips, "
        f"{audible['need_sound']} of which need sound; 95 % intervals from drawing clips anew.",
        "",
        "| Check | Value | 95 % interval | Segments | Ideal |",
        "| --- | ---: | :---: | ---: | --- |",
        *(_row(name, value, ideal) for name, value, ideal in rows),
        "",
        "Rank correlation of explanations with the detector's own, mean over "
        f"{document['randomisation']['random_weights']['count']} segments; those marked * must be near 0:",
        "",
        "| Explained by | What | With signs | Sound | Sight | Size alone | Beyond another class's |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(_likenesses(document["randomisation"], *one) for one in _LIKENESSES),
        "",
        *_trainings(document["trainings"]),
        "In words:",
        "",
        *(f"- {_MARKS[one['passed']]}: {one['words']}" for one in document["verdicts"]),
        "",
        "Planted truth, one modality at one level:",
        "",
        "| Planted | Level | Share | Mass where it reads | Levels that matter | Gap | |",
        "| --- | ---: | ---: | ---: | --- | ---: | --- |",
        *(
            f"| {one['modality']} | {one['level']} | {one['share']:.3f} | {one['mass_inside']:.3f} | "
            f"{', '.join(map(str, one['levels']))} | {one['gap']:.2%} | {_MARKS[one['passed']]} |"
            for one in document["planted"]
        ),
        "",
    ]
    return "\n".join(lines)


_LIKENESSES = (
    ("random_weights", "random weights *", "own score"),
    ("random_weights_contrast", "random weights", "contrast"),
    ("swapped_labels", "trained on swapped labels *", "own score"),
    ("swapped_labels_contrast", "trained on swapped labels *", "contrast"),
    ("retrained", "trained again on true labels", "own score"),
    ("retrained_contrast", "trained again on true labels", "contrast"),
    ("other_class", "itself, asked about another class *", "own score"),
    ("contrast", "itself, asked about another class *", "contrast"),
    ("contrast_to_score", "itself, asked about another class *", "contrast against own score"),
)


def _trainings(trainings: dict[str, Any]) -> list[str]:
    """How long detectors were trained for the checks, and how much they learnt."""
    if not trainings:
        return []
    swapped, yardstick = trainings["swapped_labels"], trainings["retrained"]
    return [
        f"Trained for {swapped['epochs']} epochs on swapped labels (fit {swapped['fit']:.3f}) and for "
        f"{yardstick['epochs']} on the true ones (fit {yardstick['fit']:.3f}).",
        "",
    ]


def _likenesses(alike: dict[str, Any], name: str, by: str, what: str) -> str:
    values = [alike[f"{name}{part}"] for part in ("", "_audio", "_vision", "_size", "_beyond")]
    return f"| {by} | {what} | {' | '.join(_with_interval(one) for one in values)} |"


def _with_interval(value: dict[str, Any]) -> str:
    return "–" if value["value"] is None else f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"


_MARKS = {True: "passed", False: "failed", None: "not checked"}


def _row(name: str, value: dict[str, Any], ideal: str) -> str:
    if value["value"] is None:
        return f"| {name} | – | – | {value['count']} | {ideal} |"
    interval = f"{value['low']:.2f} to {value['high']:.2f}"
    return f"| {name} | {value['value']:.2f} | {interval} | {value['count']} | {ideal} |"
