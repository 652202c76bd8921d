"""Lines of scores -> table, claims, gate.

    results/measured/<split>/*.jsonl --table--> Table --layout--> results/tables/<split>.{md,csv,tex,json}
                                     --accept, check--> results/baseline/<split>.csv, or what differs from it

`Results` says which split is meant and where its scores, the papers' numbers and the claims lie. Begin with `table`;
`measured` reads the scores, `bootstrap` and `crossed` have the intervals and tests, `claims` the comparisons, `layout`
the text for every format; `gate` asks whether scoring and numbers are still those of the baseline. pandas and scipy
are imported inside the functions that need them.
"""

from v2sbench.results.acceptance import accept
from v2sbench.results.claims import compare, read_claims
from v2sbench.results.gate import check
from v2sbench.results.measured import Measured, load
from v2sbench.results.published import read_reported
from v2sbench.results.table import Results, Table, table

__all__ = [
    "Measured",
    "Results",
    "Table",
    "accept",
    "check",
    "compare",
    "load",
    "read_claims",
    "read_reported",
    "table",
]
