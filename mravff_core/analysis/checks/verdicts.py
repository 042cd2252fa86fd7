"""What the figures of the checks mean, one sentence each, for people."""

from __future__ import annotations

from typing import Any

from mravff_core.analysis.checks.retrained import LEARNT

AIM = 0.9
NEAR_ZERO = 0.2
_NUMBERS = {"probability": "probability", "logit": "logit", "contrast": "contrast with other classes"}


def verdicts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One sentence a check: whether it passed and what to do where it did not.

    Returns: `check`, `passed` (None where it could not be made), `words`, and `of`: the quantities
        whose explanations it is about, empty for all.
    """
    found = [_shares(document["audibility"], of) for of in _NUMBERS]
    found += [_gate(document["audibility"]["gate"]), _localisation(document["localisation"])]
    better = document["curves"]["attribution_against_random"]
    if better["deletion"]["value"] is not None:
        found.append(_curves(better))
    found += _randomisation(document["randomisation"], document["trainings"])
    planted = document["planted"]
    right = sum(one["passed"] for one in planted)
    found.append(
        _said("planted", right == len(planted), f"{right} of {len(planted)} planted truths were found exactly.")
    )
    found.append(_gate_honesty(document["gate_honesty"]))
    return found


def _said(check: str, passed: bool | None, words: str, of: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"check": check, "passed": passed, "words": words, "of": list(of)}


def _shares(audible: dict[str, Any], of: str) -> dict[str, Any]:
    value = audible[f"audio_share_{of}"]["value"]
    if value is None:
        return _said("audio_share", None, _UNKNOWN.format(f"The audio share of the {_NUMBERS[of]}"), (of,))
    told = f"The audio share of the {_NUMBERS[of]} {_TELLS} {_against_aim(value)}."
    return _said("audio_share", value >= AIM, told if value >= AIM else told + _HINT, (of,))


def _gate(estimate: dict[str, Any]) -> dict[str, Any]:
    value = estimate["value"]
    if value is None:
        return _said("gate", None, _UNKNOWN.format("The gate"))
    told = f"The gate {_TELLS} {_against_aim(value)}."
    return _said("gate", value >= AIM, told if value >= AIM else told + _HINT)


def _against_aim(value: float, aim: float = AIM) -> str:
    """With more digits where two would hide on which side of the aim it lies."""
    return f"{value:.4f}".rstrip("0") if value < aim <= round(value, 2) else f"{value:.2f}"


_TELLS = "tells segments that need sound from those that do not with an AUC of"
_UNKNOWN = "{} cannot be checked here: nobody knows which segments need sound."
_HINT = f" Below {AIM}: take it as a hint only."


def _localisation(place: dict[str, Any]) -> dict[str, Any]:
    hit, chance = place["pointing"], place["chance"]["value"]
    if hit["value"] is None:
        words = "Where attribution over time points cannot be checked: the true sounds are unknown."
        return _said("localisation", None, words)
    told = f"Its peak lies in a true sound in {hit['value']:.0%} of segments (chance {chance:.0%})."
    good = hit["low"] > chance
    return _said("localisation", good, told if good else f"{told} No better than chance: do not trust where it points.")


def _curves(better: dict[str, Any]) -> dict[str, Any]:
    good = better["deletion"]["high"] < 0 and better["insertion"]["low"] > 0
    told = (
        "Taking sound away in the order of attribution, the score lies lower on the way than in random order by "
        f"{-better['deletion']['value']:.0%} of what sound does; giving it back, higher by "
        f"{better['insertion']['value']:.0%}."
    )
    return _said("curves", good, told if good else f"{told} That may be chance: do not trust the order of steps.")


def _randomisation(alike: dict[str, Any], trainings: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    if alike["random_weights"]["value"] is not None:
        told = f"Explanations of a detector with random weights resemble its own by {_told(alike['random_weights'])}."
        found.append(_said("randomisation", _near_zero(alike["random_weights"]), told))
    found += _swapped_labels(alike, trainings)
    if alike["other_class"]["value"] is not None:
        sound, sight = (alike[f"other_class_{name}"]["value"] for name in ("audio", "vision"))
        told = (
            f"Asked about another class, the same detector gives an explanation alike by {_told(alike['other_class'])}"
        )
        told += f"; sound {sound:.2f}, sight {sight:.2f}."
        good = _near_zero(alike["other_class"])
        found.append(_said("other_class", good, told if good else told + _SHARED, _OWN_SCORE))
    against = alike["contrast_to_score"]
    if against["value"] is not None:
        told = (
            f"The contrast with other classes resembles another class's contrast by {_told(alike['contrast'])} "
            f"and another class's own score by {_told(against)}."
        )
        found.append(_said("contrast", _near_zero(against) and _near_zero(alike["contrast"]), told, ("contrast",)))
    return found


def _near_zero(estimate: dict[str, Any]) -> bool:
    """Whether all of the interval lies near 0."""
    return max(abs(estimate["low"]), abs(estimate["high"])) < NEAR_ZERO


def _told(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"


def _swapped_labels(alike: dict[str, Any], trainings: dict[str, Any]) -> list[dict[str, Any]]:
    """A detector trained on swapped labels, for a class's own score and for its contrast.

    One that did not learn its labels is no test, whatever it is explained like.
    """
    found = []
    for suffix, what, of in (("", "a class's own score", _OWN_SCORE), *_OF_CONTRAST):
        value, yardstick = (alike[f"{name}{suffix}"] for name in ("swapped_labels", "retrained"))
        if value["value"] is None:
            continue
        fit = trainings["swapped_labels"]["fit"]
        by = f"learnt swapped labels (fit {fit:.2f})" if fit >= LEARNT else "was trained on swapped labels"
        told = f"Explanations of {what} by a detector that {by} resemble its own by {_told(value)}"
        if yardstick["value"] is not None:
            told += f", by one trained likewise on the true labels by {_told(yardstick)}"
        if fit < LEARNT:
            unfit = f". That is no proper test: it did not learn those labels (fit {_against_aim(fit, LEARNT)})."
            found.append(_said("swapped_labels", None, told + unfit, of))
            continue
        good = _near_zero(value)
        found.append(_said("swapped_labels", good, f"{told}." if good or suffix else f"{told}.{_SHARED}", of))
    return found or [_said("swapped_labels", None, _NOT_TRAINED)]


_OWN_SCORE = ("probability", "logit")
_SHARED = " Part of it shows what makes any action likely: to see what speaks for this class, ask why not others."
_OF_CONTRAST = (("_contrast", "the contrast with other classes", ("contrast",)),)
_NOT_TRAINED = (
    "Whether a detector that learnt swapped labels is explained alike was not looked at: that takes trainings, "
    "which 'verify-explanations --retrain' does."
)


def _gate_honesty(honest: dict[str, Any]) -> dict[str, Any]:
    if honest["value"] is None:
        words = "Detections with audio off are missing, so gates cannot be held against its effect."
        return _said("gate_honesty", None, words)
    told = f"Over {honest['count']} classes, gates and what sound is worth correlate by {honest['value']:.2f}"
    told += f" ({honest['low']:.2f} to {honest['high']:.2f})."
    clear = honest["low"] > 0
    return _said("gate_honesty", clear, told if clear else f"{told} A large gate is no sign that sound helped.")
