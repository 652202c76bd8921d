"""Prepared clips, splits and identities, as training, synthesis and the report read them.

Comes in: a folder that `v2sbench prepare` made (zip shards, ``index.tsv``) and one that `v2sbench split` made
(``split.tsv``, ``split.json``, ``speaker.npy``). Goes out: for a clip, its sound (24 kHz float32, 960 samples a frame),
its mouth crops (frames, 96, 96) uint8 and a still of the face; for a split, its rows; for a row, the embedding that
stands for its speaker. Nothing here writes to these folders, decodes a film or imports PyTorch.

Begin with `store`, which holds the layout of a prepared folder; then `splits`, then `identities`.
"""

from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import DIMENSIONS, SUBSETS, Row, SplitTable, Subset, read_split
from v2sbench.clips.store import SIZE, Clips, Entry, UInt8

__all__ = [
    "DIMENSIONS",
    "SIZE",
    "SUBSETS",
    "Clips",
    "Entry",
    "Identities",
    "Row",
    "SplitTable",
    "Subset",
    "UInt8",
    "read_split",
]
