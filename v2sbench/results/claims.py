"""The paper's claims, decided on measured scores.

    systems of a split -> pairs that differ in one thing (initialisation, or identity embedding)
                       -> paired bootstrap per metric -> Holm's correction over the pairs of that axis
                       -> `Verdict` per claim: reproduced, not reproduced, inconclusive, not measured

A verdict is a result and not a test: nothing here fails because it fell the other way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from v2sbench.results import paired
from v2sbench.results.bootstrap import Outcome
from v2sbench.results.measured import IDENTITIES, INITS, Measured, Variant, asked
from v2sbench.results.paired import Paired
from v2sbench.results.published import GRADES
from v2sbench.runtime import UseError, build, choose, read_yaml
from v2sbench.scoring.metrics import METRICS

CLAIMS = Path("results/claims.yaml")
AXES: Mapping[str, tuple[str, ...]] = MappingProxyType({"init": INITS, "identity": IDENTITIES})
"""What a pair may differ in, and the values of it."""
PAIRED: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {"init": (("frozen", "scratch"), ("tuned", "scratch")), "identity": (("speaker", "face"),)}
)
"""The comparisons made on each axis, left against right. "Pre-trained beats scratch" is the axis init."""
_FLIPPED: Mapping[Outcome, Outcome] = MappingProxyType(
    {"better": "worse", "worse": "better", "inconclusive": "inconclusive"}
)

Pair = Paired[Variant]
"""Two variants that differ in one thing, its `axis`; the left one is claimed to be better."""
Result = Literal["reproduced", "not reproduced", "inconclusive", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sourced claim of the form "left beats right"."""

    id: str
    """Short name."""
    text: str
    """The claim in one sentence."""
    source: str
    """Key in sources.bib."""
    grade: str
    """primary, secondary or assumed."""
    axis: str
    """Key of AXES: what the two sides differ in."""
    left: tuple[str, ...]
    """Values of the axis that are claimed to do better."""
    right: tuple[str, ...]
    """Values of the axis that are claimed to do worse."""
    metrics: tuple[str, ...]
    """Metrics that the claim is about."""
    holds: str
    """`most` or `not-all`: how many of the comparisons make the claim true."""
    locator: str = ""
    """Where in the source."""
    splits: tuple[str, ...] = ()
    """Splits that the claim is about; all where empty."""
    models: tuple[str, ...] = ()
    """Models that the claim is about; all where empty."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the measured systems say about a claim."""

    claim: Claim
    """The claim."""
    result: Result
    """The verdict."""
    better: int
    """Comparisons that go to the left side."""
    worse: int
    """Comparisons that go to the right side."""
    undecided: int
    """Comparisons that go to neither."""

    @property
    def basis(self) -> str:
        """The counts behind the verdict, in words."""
        count = self.better + self.worse + self.undecided
        if not count:
            return "no pair of measured systems"
        return f"{count} comparisons: {self.better} for, {self.worse} against, {self.undecided} undecided"


def read_claims(path: Path = CLAIMS) -> list[Claim]:
    """The claims; UseError names the claim and the key that is off."""
    content = read_yaml(path).get("claims")
    if not isinstance(content, list) or not content:
        raise UseError(f"{path} must hold a list `claims`")
    claims = [build(Claim, entry, f"{path}: claims[{index}]") for index, entry in enumerate(content)]
    for claim in claims:
        values = dict.fromkeys(choose("axis", claim.axis, AXES))
        for side in (*claim.left, *claim.right):
            choose(claim.axis, side, values)
        for left, right in ((left, right) for left in claim.left for right in claim.right):
            if not {(left, right), (right, left)} & set(PAIRED[claim.axis]):
                raise UseError(f"{path}: claim {claim.id!r} compares {left!r} with {right!r}, which nothing measures")
        for metric in claim.metrics:
            choose("metric", metric, METRICS)
        choose("grade", claim.grade, dict.fromkeys(GRADES))
        choose("quantifier", claim.holds, dict.fromkeys(("most", "not-all")))
    if len({claim.id for claim in claims}) < len(claims):
        raise UseError(f"{path} has two claims of one id")
    return claims


# ---------------------------------------------------------------- comparing


def compare(
    split: str, systems: Mapping[str, Measured], metrics: Sequence[str], axes: Iterable[str] = tuple(AXES)
) -> list[Pair]:
    """Every pair of measured variants that differ in one thing, in every metric, decided after Holm's correction."""
    clips = asked(systems) if systems else []
    found: list[Pair] = []
    for axis in axes:
        found += paired.decide(
            paired.compare(split, metric, (left, systems[left.name]), (right, systems[right.name]), clips, axis=axis)
            for left, right in _neighbours(systems, axis)
            for metric in metrics
            if systems[left.name].has(metric) and systems[right.name].has(metric)
        )
    return found


def _neighbours(systems: Mapping[str, Measured], axis: str) -> list[tuple[Variant, Variant]]:
    """Measured variants that differ in the axis alone, as (left, right) of PAIRED, in the order of `systems`."""
    variants = [variant for name in systems if (variant := Variant.of(name))]
    return [
        (one, other)
        for one in variants
        for left, right in PAIRED[axis]
        if getattr(one, axis) == left
        for other in variants
        if other == replace(one, **{axis: right})
    ]


# ---------------------------------------------------------------- judging


def judge(split: str, claims: Iterable[Claim], pairs: Sequence[Pair]) -> list[Verdict]:
    """A verdict on every claim that is about this split."""
    return [_verdict(claim, pairs) for claim in claims if not claim.splits or split in claim.splits]


def _verdict(claim: Claim, pairs: Sequence[Pair]) -> Verdict:
    outcomes = [said for pair in pairs if (said := _outcome_for(claim, pair))]
    better, worse = outcomes.count("better"), outcomes.count("worse")
    result: Result
    if not outcomes:
        result = "not measured"
    elif claim.holds == "most":
        # "Most" needs more than half; it is refuted as soon as half of the comparisons go the other way.
        result = "inconclusive"
        if 2 * better > len(outcomes):
            result = "reproduced"
        elif 2 * worse >= len(outcomes):
            result = "not reproduced"
    else:
        result = "reproduced" if worse else "not reproduced" if better == len(outcomes) else "inconclusive"
    return Verdict(claim=claim, result=result, better=better, worse=worse, undecided=outcomes.count("inconclusive"))


def _outcome_for(claim: Claim, pair: Pair) -> Outcome | None:
    """What the pair says of the claim's left side; None when it is not about the claim or could not be compared."""
    if pair.axis != claim.axis or pair.metric not in claim.metrics or pair.outcome is None:
        return None
    if claim.models and pair.left.model not in claim.models:
        return None
    left, right = getattr(pair.left, claim.axis), getattr(pair.right, claim.axis)
    if left in claim.left and right in claim.right:
        return pair.outcome
    if left in claim.right and right in claim.left:
        return _FLIPPED[pair.outcome]
    return None


def incomplete(systems: Iterable[str]) -> list[str]:
    """Variants whose scores are missing before "pre-trained beats scratch" can be decided for the models begun."""
    names = list(systems)
    variants = [variant for name in names if (variant := Variant.of(name))]
    wanted = dict.fromkeys(replace(variant, init=init).name for variant in variants for init in INITS)
    return [name for name in wanted if name not in names]
