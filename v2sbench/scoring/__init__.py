"""Score one folder of audio against another: a line of JSON a clip, in parallel, resumable, nothing left out.

    in   a Plan: folders of predictions and references of any rate, clips, texts, a protocol, a recogniser
    out  <system>.jsonl, in each line for every metric a value, or a reason in `errors`; and <system>.meta.json

A metric is a line of METRICS, a protocol a line of PROTOCOLS; `column` makes one number of many lines. Recognisers are
in `scoring.recognisers`. PyTorch and other networks are imported only where asked for. Begin with `score`.
"""

from v2sbench.scoring.folders import clips_of, files_of, locate, read_texts
from v2sbench.scoring.means import Column, Share, column, shares
from v2sbench.scoring.metrics import METRICS, Metric
from v2sbench.scoring.plan import Plan
from v2sbench.scoring.protocols import DEFAULT, PROTOCOLS, Protocol, protocol
from v2sbench.scoring.recognisers import normalise
from v2sbench.scoring.score import score
from v2sbench.scoring.scores import meta_path, read_scores
from v2sbench.scoring.summary import Summary, spread

__all__ = [
    "DEFAULT",
    "METRICS",
    "PROTOCOLS",
    "Column",
    "Metric",
    "Plan",
    "Protocol",
    "Share",
    "Summary",
    "clips_of",
    "column",
    "files_of",
    "locate",
    "meta_path",
    "normalise",
    "protocol",
    "read_scores",
    "read_texts",
    "score",
    "shares",
    "spread",
]
