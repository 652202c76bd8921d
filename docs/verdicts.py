"""How often each way to compare two recipes errs, and what it finds: `python docs/verdicts.py` writes docs/verdicts.md.

Simulated recipes first, then the demo's published trainings held against themselves. A minute on one core.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from tabulate import tabulate

from v2sbench.results import crossed
from v2sbench.results.bootstrap import holm
from v2sbench.results.gate_files import PUBLISHED, read_utterances
from v2sbench.runtime.systems import recipe_of

OUT = Path(__file__).with_suffix(".md")
UTTERANCES, RUNS, DRAWS = 53, 1000, 1000
LEVEL = 0.05
Side = np.ndarray[Any, Any]  # (trainings, utterances)


def utterances_alone(a: Side, b: Side) -> float:
    """A paired test over utterances of the first trainings: what one training a side allows."""
    return float(stats.ttest_rel(a[0], b[0]).pvalue)


def trainings_alone(a: Side, b: Side) -> float:
    """Welch's t-test of the trainings' means."""
    return float(stats.ttest_ind(a.mean(axis=1), b.mean(axis=1), equal_var=False).pvalue)


def both_resampled(a: Side, b: Side, draw: np.random.Generator) -> float:
    """A bootstrap that draws trainings and utterances anew, percentile interval."""
    n = a.shape[1]
    who = draw.multinomial(n, np.full(n, 1 / n), DRAWS) / n
    ours, theirs = (
        ((draw.multinomial(len(side), np.full(len(side), 1 / len(side)), DRAWS) / len(side)) @ side * who).sum(axis=1)
        for side in (a, b)
    )
    found = ours - theirs
    return float(min(1.0, 2 * (min((found <= 0).sum(), (found >= 0).sum()) + 1) / (DRAWS + 1)))


def this_suite(a: Side, b: Side) -> float:
    """The test of `v2sbench.results.crossed`."""
    found = crossed.difference((a, np.ones_like(a)), (b, np.ones_like(b)))
    return found.p if found else 1.0


def simulated(trainings: int, spread: float, apart: float, draw: np.random.Generator) -> tuple[Side, Side]:
    """Two recipes. spread: standard deviation between trainings, apart: true difference, both in units of the standard
    error that the utterances alone give their difference.
    """
    unit = np.sqrt(UTTERANCES / 2)
    sides = []
    for shift in (apart, 0.0):
        taste = draw.normal(0, 0.8 * unit, UTTERANCES)  # what a recipe makes of each utterance
        noise = draw.normal(0, 0.6 * unit, (trainings, UTTERANCES))
        sides.append(shift + draw.normal(0, spread, (trainings, 1)) + taste + noise)
    return sides[0], sides[1]


def rates(trainings: int, spread: float, apart: float) -> list[float]:
    """Share of the runs that each test decides."""
    draw = np.random.default_rng([trainings, int(10 * spread), int(10 * apart)])
    tests: list[Callable[[Side, Side], float]] = [utterances_alone, trainings_alone, this_suite]
    count = [0.0] * 4
    for _ in range(RUNS):
        a, b = simulated(trainings, spread, apart, draw)
        for place, test in enumerate(tests):
            count[place] += (test(a, b) <= LEVEL) / RUNS
        count[3] += (both_resampled(a, b, draw) <= LEVEL) / RUNS
    return [count[0], count[1], count[3], count[2]]


def simulation() -> str:
    """The table of false positives and power."""
    lines = []
    for spread, trainings in itertools.product((0.0, 1.0, 3.0), (2, 3, 5)):
        false = rates(trainings, spread, 0.0)
        power = rates(trainings, spread, 3 * np.sqrt(1 + spread**2))
        lines.append([f"{spread:g}", trainings, *(f"{a:.1%} / {b:.0%}" for a, b in zip(false, power, strict=True))])
    head = ["spread", "trainings", "utterances alone", "trainings alone", "both resampled", "this suite"]
    return tabulate(lines, head, tablefmt="pipe", disable_numparse=True)


def against_itself(scores: Any, left: int, right: int) -> Iterator[tuple[Any, list[float]]]:
    """Recipe and p-values by metric, of every division of its trainings into two groups of these sizes."""
    metrics = [name for name in scores if name not in ("audio", "ref")]
    trainings: dict[str, list[str]] = {}
    for name in dict.fromkeys(scores.index.get_level_values("system")):
        trainings.setdefault(recipe_of(name), []).append(name)
    for recipe, names in trainings.items():
        for ours in itertools.combinations(names, left):
            for theirs in itertools.combinations([name for name in names if name not in ours], right):
                if len(names) < left + right or (left == right and ours > theirs):
                    continue
                sides = [
                    [np.stack([scores.loc[name, metric] for name in side]) for side in (ours, theirs)]
                    for metric in metrics
                ]
                test = utterances_alone if left == right == 1 else this_suite
                yield recipe, [test(a, b) for a, b in sides]


def demo() -> str:
    """The demo's trainings against themselves."""
    scores = read_utterances("demo-seen", PUBLISHED)
    lines = []
    for left, right in ((1, 1), (2, 2), (2, 3)):
        found = [p for _, p in against_itself(scores, left, right)]
        decided = sum(value <= LEVEL for p in found for value in p)
        corrected = sum(value <= LEVEL for p in found for value in holm(p))
        total = sum(map(len, found))
        test = "utterances alone" if left == right == 1 else "this suite"
        lines.append([f"{left} against {right}", test, total, f"{decided / total:.1%}", f"{corrected / total:.1%}"])
    head = ["trainings", "test", "comparisons", "decided", "decided after Holm over five metrics"]
    return tabulate(lines, head, tablefmt="pipe", disable_numparse=True)


TEXT = """<!-- Generated by `python docs/verdicts.py`; do not edit. -->

# How recipes are compared, and how often that errs

A recipe is trained with several seeds, and every training speaks the same test utterances: the two are crossed. An
interval over utterances alone says how far other sentences would move a number, and nothing about another seed. The
test of this suite (`v2sbench/results/crossed.py`) takes both: the variance of the trainings' means and that of the
utterances add up, degrees of freedom by Satterthwaite; and a difference must also stand against Welch's t-test of the
trainings' means, since two or three trainings may lie close together by chance. It is the analysis of readers and cases
of radiology (Obuchowski and Rockette 1995; Hillis 2007), trainings being the readers.

## Simulated recipes

{utterances} utterances, {runs:,} runs a cell. Spread: the standard deviation between
trainings, in units of the standard error that the utterances give the difference. Each cell: how often the test decides
between two recipes that do not differ (it should be at most 5 %), then how often it finds a difference of three
standard errors (of one training a side, spread included).

{simulation}

Utterances alone takes every other seed for a finding. Resampling both levels errs with few trainings, and the more the
trainings differ. Two trainings decide little; three are the least that decides a claim here.

## The demo's trainings against themselves

Five published trainings of each of three recipes, PESQ-WB, PESQ-NB, STOI, ESTOI and WER; every division of them into
two groups, as if these were two recipes. All that is decided is wrong.

{demo}

The comparisons of a recipe share its five trainings, so these shares are of few independent draws.
"""

if __name__ == "__main__":
    text = TEXT.format(utterances=UTTERANCES, runs=RUNS, simulation=simulation(), demo=demo())
    OUT.write_text(text, encoding="utf-8")
