"""Names of systems: the references, the variants `v2a-<model>-<identity>-<init>`, and the trainings of a recipe.

A recipe is trained several times, each time with another seed: `v2a-mel-s-speaker-tuned.seed2` is one training of the
recipe `v2a-mel-s-speaker-tuned`. The weights, the audio and the scores of a training carry its name. Nobody else spells
these names out.

`synthesis` makes the references, `results` groups and orders the rows of a table by these names, `nets` and the sweeps
find the model that a variant belongs to. A further reference system is a further name here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GROUND_TRUTH = "ground-truth"
GRIFFIN_LIM = "griffin-lim"
NOISE = "noise"
OTHER_SENTENCE = "other-sentence"
CEILINGS = (GROUND_TRUTH, GRIFFIN_LIM)
FLOORS = (NOISE, OTHER_SENTENCE)
REFERENCES = (*CEILINGS, *FLOORS)
"""Systems that the suite makes itself, in the order of a table; a user's system may not take their names."""
IDENTITIES = ("speaker", "face")
INITS = ("scratch", "frozen", "tuned")

_TRAINING = re.compile(r"(?P<recipe>.+)\.seed(?P<seed>0|[1-9]\d{0,9})")
_VARIANT = re.compile(rf"v2a-(?P<model>.+?)-(?P<identity>{'|'.join(IDENTITIES)})-(?P<init>{'|'.join(INITS)})")
_CARD = re.compile(rf"[av]2a-(?P<model>.+?)(?:-(?:{'|'.join(IDENTITIES)})(?:-.*)?)?")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A variant's name, taken apart."""

    model: str  # family and size, such as `mel-s`
    identity: str  # one of IDENTITIES
    init: str  # one of INITS

    @classmethod
    def of(cls, system: str) -> Variant | None:
        """The parts of `v2a-<model>-<identity>-<init>`, or of one of its trainings; None for any other system."""
        found = _VARIANT.fullmatch(recipe_of(system))
        return cls(**found.groupdict()) if found else None

    @property
    def name(self) -> str:
        """The name as a whole."""
        return f"v2a-{self.model}-{self.identity}-{self.init}"


def training(recipe: str, seed: int) -> str:
    """The name of a recipe's training with that seed."""
    return f"{recipe}.seed{seed}"


def recipe_of(system: str) -> str:
    """The recipe of a training; the name itself for a system that is no training, such as a reference."""
    found = _TRAINING.fullmatch(system)
    return found["recipe"] if found else system


def seed_of(system: str) -> int | None:
    """The seed in a training's name; None for any other name."""
    found = _TRAINING.fullmatch(system)
    return int(found["seed"]) if found else None


def model_of(name: str) -> str:
    """The model of a variant or card: `v2a-mel-s-wide-speaker-scratch` -> `mel-s-wide`, `a2a-wave` -> `wave`.

    A name of another form, such as `vocoder`, is its own model.
    """
    variant = Variant.of(name)
    if variant:
        return variant.model
    found = _CARD.fullmatch(name)
    return found["model"] if found else name
