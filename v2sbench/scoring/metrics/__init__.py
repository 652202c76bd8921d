"""What is measured on one clip, a line of METRICS each; PROTOCOLS, which fix what two numbers must share; and columns.

    reference, prediction --Pair.of--> one rate, one length, guarded --Metric.compute--> float      (needs "pair")
    reference text, transcript ------> Words ------------------------Metric.compute--> edit counts  (needs "words")
    lines of scores, protocol -------> column --> value, n, n_failed

A metric that cannot be computed raises `MetricError` with a reason; it never returns a number in its stead. A further
metric is a further line of METRICS, a further protocol a further line of PROTOCOLS.
"""

from __future__ import annotations

from v2sbench.scoring.means import Column, Share, column, shares
from v2sbench.scoring.metrics.catalogue import METRICS, Metric, metric
from v2sbench.scoring.metrics.pair import NOTES, REASONS, MetricError, Pair, Reason, UnusableError, Wave, align, check
from v2sbench.scoring.metrics.words import Words
from v2sbench.scoring.protocols import DEFAULT, LENGTHS, PREPARATIONS, PROTOCOLS, Failure, Protocol, protocol

__all__ = [
    "DEFAULT",
    "LENGTHS",
    "METRICS",
    "NOTES",
    "PREPARATIONS",
    "PROTOCOLS",
    "REASONS",
    "Column",
    "Failure",
    "Metric",
    "MetricError",
    "Pair",
    "Protocol",
    "Reason",
    "Share",
    "UnusableError",
    "Wave",
    "Words",
    "align",
    "check",
    "column",
    "metric",
    "protocol",
    "shares",
]
