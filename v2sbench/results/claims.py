"""Two systems compared over the same utterances, and the paper's claims decided by such comparisons.

    Recipe, Recipe, metric --compare--> Paired (difference, interval, p) --decide--> corrected by Holm, outcome
    systems of a split --neighbours--> pairs that differ in one thing --judge--> a `Verdict` on each claim

A family of comparisons that `decide` corrects together is whatever is printed as one table; a pair that cannot be
compared says why and counts in no correction. Recipes are compared over trainings and utterances; with one training on
a side the outcome is about these weights, and decides no claim. A claim is about the paper's sizes, so it is decided
only by recipes of their card's own size with MIN_TRAININGS trainings each. A verdict is a result and not a test:
nothing here fails because it fell the other way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from v2sbench.results import bootstrap, crossed
from v2sbench.results.bootstrap import Comparison, Outcome
from v2sbench.results.measured import Recipe, asked
from v2sbench.results.published import GRADES
from v2sbench.runtime import UseError, build, choose, fold, read_yaml
from v2sbench.runtime.systems import IDENTITIES, INITS, Variant, recipe_of
from v2sbench.scoring import METRICS

CLAIMS = Path("results/claims.yaml")
AXES: Mapping[str, tuple[str, ...]] = MappingProxyType({"init": INITS, "identity": IDENTITIES})
"""What a pair may differ in, and its values."""
PAIRED: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {"init": (("frozen", "scratch"), ("tuned", "scratch")), "identity": (("speaker", "face"),)}
)
"""The comparisons made on each axis, left against right. "Pre-trained beats scratch" is the axis init."""
HOLDS = ("most", "some")
MIN_TRAININGS = 3
"""Fewer trainings of a recipe than this decide no claim."""
_FLIPPED: Mapping[Outcome, Outcome] = MappingProxyType(
    {"better": "worse", "worse": "better", "inconclusive": "inconclusive"}
)

Side = TypeVar("Side")
Result = Literal["supported", "contradicted", "undecided", "not tested here"]


@dataclass(frozen=True, kw_only=True)
class Paired(Generic[Side]):
    """Two systems, compared in one metric."""

    left: Side
    right: Side
    metric: str
    comparison: Comparison | None  # left minus right; None when they cannot be compared
    p_adjusted: float | None = None  # after Holm's correction over the family
    outcome: Outcome | None = None  # of the left side; None when not compared, or not decided yet
    why_not: str = ""  # why they cannot be compared
    axis: str = ""  # what the two differ in, where that is one thing


Pair = Paired[Variant]
"""Two variants that differ in one thing, its `axis`; the left one is claimed to be better."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sourced claim of the form "left beats right"."""

    id: str
    text: str  # the claim in one sentence
    source: str  # key in sources.bib
    grade: str  # one of GRADES
    axis: str  # key of AXES: what the two sides differ in
    left: tuple[str, ...]  # values of the axis that are claimed to do better
    right: tuple[str, ...]  # values of the axis that are claimed to do worse
    metrics: tuple[str, ...]
    holds: str  # one of HOLDS: how many of the comparisons go to the left side if the claim is true
    locator: str = ""  # where in the source
    splits: tuple[str, ...] = ()  # splits that the claim is about; all where empty
    models: tuple[str, ...] = ()  # models that the claim is about; all where empty


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the measured systems say about a claim: a result, and how many comparisons it rests on."""

    claim: Claim
    result: Result
    better: int
    worse: int
    undecided: int
    why_not: str = ""  # why it is not tested here

    @property
    def basis(self) -> str:
        """The counts behind the verdict, or why there is none, in words."""
        count = self.better + self.worse + self.undecided
        if self.why_not:
            return self.why_not
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
        choose("quantifier", claim.holds, dict.fromkeys(HOLDS))
    if len({claim.id for claim in claims}) < len(claims):
        raise UseError(f"{path} has two claims of one id")
    return claims


# ---------------------------------------------------------------- comparing


def compare(
    split: str,
    metric: str,
    left: tuple[Side, Recipe],
    right: tuple[Side, Recipe],
    clips: Sequence[str],
    *,
    axis: str = "",
) -> Paired[Side]:
    """Two recipes compared in one metric, over those of `clips` for which both have a value.

    One training a side: a paired bootstrap over utterances; else over trainings and utterances, see `crossed`. split:
    enters the seed, so that a table's digits do not depend on what else it compares. left, right: the name of the side,
    and its scores.
    """
    (a_name, a), (b_name, b) = left, right
    why_not = a.comparable(b, metric)
    if not why_not and not (a.has(metric) and b.has(metric)):
        why_not = "not measured"
    if not why_not:
        stops = [(item.system, item.column(metric, clips).note) for side in (a, b) for item in side.trainings]
        why_not = "; ".join(f"{system}: {note}" for system, note in stops if note)
    comparison = None
    if not why_not:
        ours, theirs = a.shares(metric, clips), b.shares(metric, clips)
        if len(a.trainings) == len(b.trainings) == 1:
            one, other = (ours[0][0], ours[1][0]), (theirs[0][0], theirs[1][0])
            comparison = bootstrap.difference(one, other, seed=fold(bootstrap.SEED, split, metric))
        else:
            comparison = crossed.difference(ours, theirs)
        why_not = "" if comparison else "no utterance has a value of both"
    return Paired(left=a_name, right=b_name, metric=metric, comparison=comparison, why_not=why_not, axis=axis)


def decide(family: Iterable[Paired[Side]]) -> list[Paired[Side]]:
    """The family with p-values corrected by Holm over all of it, and the outcome of each comparison."""
    items = list(family)
    adjusted = iter(bootstrap.holm([item.comparison.p for item in items if item.comparison]))
    decided = []
    for item in items:
        if item.comparison:
            p = next(adjusted)
            higher = METRICS[item.metric].higher_is_better
            said = bootstrap.outcome(item.comparison, p, higher_is_better=higher)
            item = replace(item, p_adjusted=p, outcome=said)
        decided.append(item)
    return decided


def neighbours(
    split: str, systems: Mapping[str, Recipe], metrics: Sequence[str], axes: Iterable[str] = tuple(AXES)
) -> list[Pair]:
    """Every pair of measured variants that differ in one thing, in every metric, decided axis by axis."""
    trainings = {item.system: item for system in systems.values() for item in system.trainings}
    clips = asked(trainings) if trainings else []
    variants = [variant for name in systems if (variant := Variant.of(name)) and variant.name == name]
    found: list[Pair] = []
    for axis in axes:
        pairs = [
            (one, other)
            for one in variants
            for left, right in PAIRED[axis]
            if getattr(one, axis) == left
            for other in variants
            if other == replace(one, **{axis: right})
        ]
        found += decide(
            compare(split, metric, (left, systems[left.name]), (right, systems[right.name]), clips, axis=axis)
            for left, right in pairs
            for metric in metrics
            if systems[left.name].has(metric) and systems[right.name].has(metric)
        )
    return found


# ---------------------------------------------------------------- judging


def judge(split: str, claims: Iterable[Claim], pairs: Sequence[Pair], systems: Mapping[str, Recipe]) -> list[Verdict]:
    """A verdict on every claim that is about this split."""
    return [_verdict(claim, pairs, systems) for claim in claims if not claim.splits or split in claim.splits]


def _verdict(claim: Claim, pairs: Sequence[Pair], systems: Mapping[str, Recipe]) -> Verdict:
    about = [(pair, said) for pair in pairs if (said := _outcome_for(claim, pair))]
    sides = dict.fromkeys(side.name for pair, _ in about for side in (pair.left, pair.right))
    why_not = next(filter(None, (_unfit(systems[name]) for name in sides)), "")
    if not about or why_not:
        why_not = why_not or "no pair of measured systems"
        return Verdict(claim=claim, result="not tested here", better=0, worse=0, undecided=0, why_not=why_not)
    outcomes = [said for _, said in about]
    better, worse = outcomes.count("better"), outcomes.count("worse")
    result: Result = "undecided"
    if claim.holds == "most":
        # "Most" needs more than half; it is refuted as soon as half of the comparisons go the other way.
        if 2 * better > len(outcomes):
            result = "supported"
        elif 2 * worse >= len(outcomes):
            result = "contradicted"
    elif worse:
        result = "supported"
    elif better == len(outcomes):
        result = "contradicted"
    return Verdict(claim=claim, result=result, better=better, worse=worse, undecided=outcomes.count("inconclusive"))


def _unfit(recipe: Recipe) -> str:
    """Why a recipe as it was trained here cannot decide what the paper claims; empty when it can."""
    changed, count = recipe.changed, len(recipe.trainings)
    if not recipe.meta.get("training"):
        return f"how {recipe.name} was trained is unknown; make its audio with `v2sbench synth`"
    if changed:
        key, (card, used) = min(changed.items(), key=lambda item: item[0] != "train.steps")
        return f"{recipe.name} is not of its card's size: {len(changed)} values differ, {key} is {used}, not {card}"
    if count < MIN_TRAININGS:
        return f"{recipe.name} has {count} of the {MIN_TRAININGS} trainings that a claim needs"
    return ""


def _outcome_for(claim: Claim, pair: Pair) -> Outcome | None:
    """The outcome for the claim's left side; None when the pair is not about the claim or could not be compared."""
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
    names = [recipe_of(name) for name in systems]
    variants = [variant for name in names if (variant := Variant.of(name))]
    wanted = dict.fromkeys(replace(variant, init=init).name for variant in variants for init in INITS)
    return [name for name in wanted if name not in names]
