"""What is measured on one clip, a line of METRICS each.

    reference, prediction --Pair.of--> one rate, one length, guarded --Metric.compute--> float      (needs "pair")
    reference text, transcript ------> Words ------------------------Metric.compute--> edit counts  (needs "words")

A metric that cannot be computed raises `UnusableError` with a reason of REASONS; it never returns a number in its
stead. Begin with `catalogue`.
"""

from v2sbench.scoring.metrics.catalogue import METRICS, Metric, metric
from v2sbench.scoring.metrics.pair import NOTES, Pair, align, check
from v2sbench.scoring.metrics.unusable import REASONS, UnusableError
from v2sbench.scoring.metrics.words import Words

__all__ = [
    "METRICS",
    "NOTES",
    "REASONS",
    "Metric",
    "Pair",
    "UnusableError",
    "Words",
    "align",
    "check",
    "metric",
]
