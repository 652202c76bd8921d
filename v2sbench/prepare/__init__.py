"""Film -> mouths and sound on one clock -> prepared clips -> splits.

Comes in: a corpus, as `corpora` describes it, and the folder of its files. Goes out: a folder of prepared clips that
`clips` reads, with what could not be used and why in ``quarantine.tsv``; an index over several such folders
(`prepare_mix`); a split of one (`write_split`). A run that is killed at any moment goes on where it was, and ends with
the same bytes. This face imports no PyTorch; the embeddings of speakers and faces, which need it, are in `identity`.

Begin with `clips`, which takes one clip from film to payload: `media` decodes, `mouths` finds the mouth by one of the
face finders, `crops` cuts it out, `writer` stores it.
"""

from v2sbench.prepare.clips import prepare
from v2sbench.prepare.mixing import prepare_mix
from v2sbench.prepare.splits import write_split

__all__ = ["prepare", "prepare_mix", "write_split"]
