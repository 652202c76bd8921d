"""A split's scores taken apart: by speaker, by word slot of a GRID sentence.

speakers     system x speaker -> mean      which voices are hard
slots        system x slot -> error rate   which words of the sentence are lost
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jiwer

from v2sbench.corpora.grid_grammar import GRAMMAR
from v2sbench.results import Measured
from v2sbench.scoring.recognisers import normalise

SLOTS = tuple(name for name, _ in GRAMMAR)  # word slots of a GRID sentence, in order


def speakers(systems: Mapping[str, Measured], metric: str, clips: Sequence[str]) -> dict[str, dict[str, float]]:
    """System -> speaker -> value of the metric over that speaker's clips, by the protocol's own aggregation.

    Empty where clips do not say who speaks (no ``speaker/stem``) or only one does. A speaker without any value is left
    out.
    """
    by_speaker: dict[str, list[str]] = {}
    for clip in clips:
        who, slash, _ = clip.partition("/")
        if not slash:
            return {}
        by_speaker.setdefault(who, []).append(clip)
    if len(by_speaker) < 2:
        return {}
    names = sorted(by_speaker, key=lambda who: (len(who), who))
    found: dict[str, dict[str, float]] = {}
    for name, scores in systems.items():
        if not scores.has(metric):
            continue
        columns = {who: scores.column(metric, by_speaker[who]) for who in names}
        found[name] = {who: column.value for who, column in columns.items() if column.value is not None}
    return found


def slots(systems: Mapping[str, Measured], clips: Sequence[str]) -> dict[str, list[float]]:
    """System -> percent of the utterances whose word in each of `SLOTS` was substituted or deleted.

    Insertions belong to no slot. Systems without transcripts, and sentences of more or fewer than six words, are left
    out.
    """
    found: dict[str, list[float]] = {}
    for name, scores in systems.items():
        wrong, count = [0] * len(SLOTS), 0
        normaliser = scores.meta.get("normaliser")
        for clip in clips:
            line = scores.lines.get(clip, {})
            said, heard = line.get("text"), line.get("hyp")
            if not normaliser or not said or heard is None:
                continue
            words = normalise(said, normaliser).split()
            if len(words) != len(SLOTS):
                continue
            count += 1
            for slot in _errors(" ".join(words), normalise(heard, normaliser)):
                wrong[slot] += 1
        if count:
            found[name] = [100.0 * errors / count for errors in wrong]
    return found


def _errors(said: str, heard: str) -> list[int]:
    """Places in `said` of the words that were not recognised."""
    if not heard:
        return list(range(len(said.split())))
    (chunks,) = jiwer.process_words(said, heard).alignments
    wrong = [chunk for chunk in chunks if chunk.type in ("substitute", "delete")]
    return [place for chunk in wrong for place in range(chunk.ref_start_idx, chunk.ref_end_idx)]
