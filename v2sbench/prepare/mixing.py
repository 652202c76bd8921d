"""A mix of corpora as prepared clips: one index over the shards of its parts, which stay where they are.

    clips/libritts, clips/vctk, ... --prepare_mix--> clips/speech-mix/{index.tsv, quarantine.tsv, clips.json}

Seconds, whatever the size: lines are copied with the shard's path and the part's name in front, and merged by id.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from v2sbench.audio import FPS
from v2sbench.clips.store import COLUMNS, Clips, Entry, write_table
from v2sbench.corpora import Corpus
from v2sbench.corpora.mix import mixed
from v2sbench.prepare.writer import LEFT_OUT
from v2sbench.runtime import UseError, atomic


@dataclass(frozen=True, kw_only=True)
class MixReport:
    """What a mix holds."""

    corpus: str
    out: Path
    hours: dict[str, float]  # part -> hours of its speech
    lacking: tuple[str, ...]  # parts that are not prepared, and so not in it

    def __str__(self) -> str:
        parts = ", ".join(f"{part} {hours:.2f} h" for part, hours in self.hours.items())
        without = ", ".join(self.lacking)
        todo = f"; PARTIAL, without {without}: v2sbench prepare each of them, then this again" if without else ""
        return f"{self.corpus}: {sum(self.hours.values()):.2f} h ({parts}){todo}"


def prepare_mix(item: Corpus, clips: Path, out: Path) -> MixReport:
    """Write the index of the mix `item` over the prepared parts, folders of `clips`, to the folder `out`.

    UseError when not one part is prepared, or one is not of the corpus that its name says, or is no corpus of sounds.
    """
    here = {part: Clips(clips / part) for part in item.parts if (clips / part / "index.tsv").is_file()}
    lacking = tuple(part for part in item.parts if part not in here)
    if not here:
        raise UseError(
            f"{item.name} is made of {', '.join(item.parts)}, and none of them is prepared in {clips}; "
            f"run: v2sbench prepare {item.parts[0]}"
        )
    for part, store in here.items():
        if (found := store.about.get("corpus")) != part:
            raise UseError(f"{store.folder} holds clips of {found}, not of {part}; run: v2sbench prepare {part}")
    hours = dict.fromkeys(here, 0.0)

    def of(part: str) -> Iterator[Entry]:
        folder = os.path.relpath(here[part].folder, out)
        for entry in here[part]:
            hours[part] += entry.frames / FPS / 3600
            name, speaker, shard = mixed(part, entry.id), mixed(part, entry.speaker), f"{folder}/{entry.shard}"
            yield replace(entry, id=name, speaker=speaker, shard=shard)

    about = {"corpus": item.name, "kind": item.kind, "roi": "none", "parts": [*here], "lacking": [*lacking]}
    with atomic(out) as draft:
        draft.mkdir()
        write_table(draft / "index.tsv", COLUMNS, map(astuple, heapq.merge(*map(of, here), key=lambda entry: entry.id)))
        write_table(draft / "quarantine.tsv", LEFT_OUT, ())
        (draft / "clips.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return MixReport(corpus=item.name, out=out, hours=hours, lacking=lacking)
