"""Score one folder of audio against another: a line of JSON a clip, in parallel, resumable, nothing left out.

    clips -> locate both files -> [workers] read, resample, align, measure, (cheap recogniser) -> journal
          -> [this process] (batched recogniser), edit counts -> lines sorted by clip, and .meta.json

Every metric that was asked for is, in each line, a value or a reason in `errors`. `key` digests all that a line depends
on; a line whose key holds is kept instead of made again, so a run that was killed goes on where it stood.
"""

from __future__ import annotations

from v2sbench.scoring.plan import Plan
from v2sbench.scoring.run import score
from v2sbench.scoring.summary import Summary, spread

__all__ = ["Plan", "Summary", "score", "spread"]
