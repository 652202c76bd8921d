"""Divides prepared clips into a split: asks the corpus, writes ``split.tsv``, ``split.json`` and ``speaker.npy``."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2sbench.clips.splits import COLUMNS, read_split
from v2sbench.clips.store import Clips, write_table
from v2sbench.corpora import Coverage, Split, corpus, digest_of
from v2sbench.corpora.own_splits import read_own_split
from v2sbench.runtime import UseError, atomic, short_digest


def write_split(
    split: Split, clips_folder: Path, out: Path, listing: Path | None = None, *,
    embed: Callable[[Clips, Sequence[str]], NDArray[np.float32]] | None = None,
) -> Coverage:  # fmt: skip
    """Divide the prepared clips of `clips_folder`: writes ``split.tsv`` and ``split.json`` to the folder `out`.

    listing: a file with somebody's own division (`corpora.own_splits`), in place of the split's.
    embed: gives the (N, D) speaker embeddings of clips; they become ``speaker.npy``. The folder is replaced as a whole
    at the end, so that an interrupted run leaves it as it was; ``face.npy`` is kept where it belongs to the same clips.
    UseError when the clips are of another corpus, or not one of them is in the split.
    """
    clips = Clips(clips_folder)
    made_from = clips.about.get("corpus")
    if made_from != split.corpus:
        raise UseError(f"split {split.name} divides {split.corpus}, but {clips_folder} holds clips of {made_from}")
    title = None
    if listing is not None:
        imported = read_own_split(listing, corpus(split.corpus))
        split, title = imported.of(split), imported.title
    parts = split.assign(clips.ids)
    if not parts:
        raise UseError(f"split {split.name}: none of the {len(clips)} clips in {clips_folder} is in it")
    coverage = replace(split.coverage_of(parts), lacking=tuple(clips.about.get("lacking", ())))

    def rows() -> Iterator[tuple[object, ...]]:  # in the order of the clips: read twice, but never all in memory
        for part in dict.fromkeys(parts.values()):
            for entry in clips:
                if parts.get(entry.id) == part:
                    yield (part, entry.id, entry.speaker, entry.shard, entry.wave_offset, entry.sha256, entry.frames,
                           entry.text)  # fmt: skip

    about = {
        "name": split.name,
        "corpus": split.corpus,
        "clips": os.path.relpath(clips_folder, out),
        "coverage": {part: [*counts] for part, counts in coverage.parts.items()},
        "coverage_label": coverage.label,
        "digest": short_digest(f"{row[0]}\t{row[1]}\t{row[5]}" for row in rows()),
        "division": digest_of(parts),
        "listing": title,
        "identity": split.identity,
        "grammar": split.grammar,
        "wer": split.wer,
    }
    with atomic(out) as draft:
        draft.mkdir()
        write_table(draft / "split.tsv", COLUMNS, rows())
        (draft / "split.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if embed is not None:
            np.save(draft / "speaker.npy", embed(clips, list(parts)))
        if (out / "face.npy").is_file() and _digest_of(out) == about["digest"]:
            shutil.copyfile(out / "face.npy", draft / "face.npy")
    return coverage


def _digest_of(folder: Path) -> str | None:
    """That of the split in a folder, None where it cannot be read."""
    try:
        return read_split(folder).digest
    except UseError:
        return None
