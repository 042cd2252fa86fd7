"""What can happen in the kitchen: verbs, nouns, and how each looks and sounds.

Looks and sounds are drawn apart. A verb names a *motion* and a *sound*, a noun names a
*look* and a *material*; pictures are made from motion and look alone, sound tracks from
sound and material. Two verbs of one motion can therefore not be told apart by sight,
nor two nouns of one look: that is what makes audibility known.

| motion | verbs | told apart by |
| --- | --- | --- |
| tilt | pour, sprinkle | sound |
| circle | stir, scrape | sound |
| press | turn-on, turn-off | sound |
| strike (under 0.5 s) | tap, snap | sound |
| hold (over 5 s) | fry, boil | sound |
| chop, scrub, open, close, shake | chop, wash, open, close, shake | sight, and sound too |
| wipe, hover | wipe, check | sight; they are silent |

Of the nouns, rice and pasta are in the same box, and a tin and a jar are painted alike.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Motion:
    """A way of moving, which one or two verbs share.

    Attributes:
        duration_s: shortest and longest segment.
        period_s: shortest and longest time of one stroke, turn or shake.
        sound_span: where in the segment its sound can start (as a share of it) and where it ends.
    """

    duration_s: tuple[float, float]
    period_s: tuple[float, float]
    sound_span: tuple[float, float]


@dataclass(frozen=True)
class Verb:
    """How a verb moves and sounds, and what it is done to; no sound means a silent verb."""

    motion: str
    sound: str | None
    nouns: tuple[str, ...]


@dataclass(frozen=True)
class Noun:
    """What a noun looks like and what it is made of as far as one hears."""

    look: str
    material: str


MOTIONS = {
    "tilt": Motion((2.1, 3.2), (0.32, 0.45), (0.14, 0.95)),
    "circle": Motion((2.8, 4.4), (0.75, 1.1), (0.04, 0.98)),
    "press": Motion((0.95, 1.5), (1.0, 1.0), (0.30, 0.95)),
    "strike": Motion((0.30, 0.45), (1.0, 1.0), (0.30, 1.0)),
    "hold": Motion((5.2, 7.0), (1.0, 1.5), (0.03, 0.99)),
    "chop": Motion((2.4, 3.8), (0.30, 0.42), (0.0, 1.0)),
    "scrub": Motion((5.1, 6.6), (0.55, 0.85), (0.03, 0.99)),
    "open": Motion((1.0, 1.6), (1.0, 1.0), (0.08, 1.0)),
    "close": Motion((1.0, 1.6), (1.0, 1.0), (0.08, 1.0)),
    "shake": Motion((1.6, 2.8), (0.24, 0.32), (0.04, 0.99)),
    "wipe": Motion((2.2, 3.6), (0.7, 1.0), (0.0, 1.0)),
    "hover": Motion((1.3, 2.3), (1.3, 1.9), (0.0, 1.0)),
}

_INTO = ("bowl", "cup", "pot")
_IN = ("pan", "pot", "bowl")
_SWITCHED = ("hob", "kettle", "oven")
_CLOSED = ("rice", "pasta", "tin", "jar")
_HEATED = ("pan", "pot")
_DOORS = ("drawer", "cupboard")

VERB_TABLE = {
    "pour": Verb("tilt", "liquid", _INTO),
    "sprinkle": Verb("tilt", "grains", _INTO),
    "stir": Verb("circle", "swish", _IN),
    "scrape": Verb("circle", "scraping", _IN),
    "turn-on": Verb("press", "ignition", _SWITCHED),
    "turn-off": Verb("press", "shut-off", _SWITCHED),
    "tap": Verb("strike", "knock", _CLOSED),
    "snap": Verb("strike", "click", _CLOSED),
    "fry": Verb("hold", "sizzle", _HEATED),
    "boil": Verb("hold", "bubbling", _HEATED),
    "chop": Verb("chop", "chopping", ("carrot", "onion")),
    "wash": Verb("scrub", "running-water", ("plate", "carrot", "onion")),
    "open": Verb("open", "sliding", _DOORS),
    "close": Verb("close", "slam", _DOORS),
    "shake": Verb("shake", "rattle", _CLOSED),
    "wipe": Verb("wipe", None, ("plate", "hob")),
    "check": Verb("hover", None, ("kettle", "oven", "cup")),
}

NOUN_TABLE = {
    "pan": Noun("pan", "iron"),
    "pot": Noun("pot", "enamel"),
    "bowl": Noun("bowl", "ceramic"),
    "cup": Noun("cup", "china"),
    "plate": Noun("plate", "china"),
    "kettle": Noun("kettle", "enamel"),
    "hob": Noun("hob", "glass"),
    "oven": Noun("oven", "iron"),
    "drawer": Noun("drawer", "cutlery"),
    "cupboard": Noun("cupboard", "wood"),
    "carrot": Noun("carrot", "crisp"),
    "onion": Noun("onion", "soft"),
    "tin": Noun("canister", "tin"),
    "jar": Noun("canister", "stone"),
    "rice": Noun("box", "rice"),
    "pasta": Noun("box", "pasta"),
}

VERBS: tuple[str, ...] = tuple(VERB_TABLE)
NOUNS: tuple[str, ...] = tuple(NOUN_TABLE)


def look_alike_verbs() -> tuple[tuple[str, ...], ...]:
    """Groups of verbs that only sound tells apart."""
    return _groups({verb: entry.motion for verb, entry in VERB_TABLE.items()})


def look_alike_nouns() -> tuple[tuple[str, ...], ...]:
    """Groups of nouns that only sound tells apart."""
    return _groups({noun: entry.look for noun, entry in NOUN_TABLE.items()})


def _groups(looks: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    found: dict[str, list[str]] = {}
    for name, look in looks.items():
        found.setdefault(look, []).append(name)
    return tuple(tuple(names) for names in found.values() if len(names) > 1)


VERBS_NEEDING_SOUND = frozenset(verb for group in look_alike_verbs() for verb in group)
NOUNS_NEEDING_SOUND = frozenset(noun for group in look_alike_nouns() for noun in group)
