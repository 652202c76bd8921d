"""Names of systems: the references, and the variants `v2a-<model>-<identity>-<init>`. Nobody else spells them out.

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
        """The parts of `v2a-<model>-<identity>-<init>`; None for any other system."""
        found = _VARIANT.fullmatch(system)
        return cls(**found.groupdict()) if found else None

    @property
    def name(self) -> str:
        """The name as a whole."""
        return f"v2a-{self.model}-{self.identity}-{self.init}"


def model_of(name: str) -> str:
    """The model of a variant or card: `v2a-mel-s-wide-speaker-scratch` -> `mel-s-wide`, `a2a-wave` -> `wave`.

    A name of another form, such as `vocoder`, is its own model.
    """
    variant = Variant.of(name)
    if variant:
        return variant.model
    found = _CARD.fullmatch(name)
    return found["model"] if found else name
