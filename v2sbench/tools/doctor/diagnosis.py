"""The data of an examination -> findings: what a person should know, gravest first, each with what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from v2sbench.corpora import Corpus
from v2sbench.tools.doctor.report import Case, Finding, Media, Names, Prepared

FEW = 5
"""Names that stand in a line; the JSON has all."""


def some(names: Sequence[str], few: int = FEW) -> str:
    """The first few of some names: ``s1/bbaf2n, s1/bbaf3s and 98 more``."""
    more = len(names) - few
    return ", ".join(names[:few]) + (f" and {more} more" if more > 0 else "")


def _by_reason(cases: Iterable[Case]) -> str:
    counts = Counter(case.reason for case in cases)
    return ", ".join(f"{reason} {count}" for reason, count in counts.most_common(FEW))


def diagnose(item: Corpus, names: Names, media: Media | None, prepared: Prepared | None) -> tuple[Finding, ...]:
    """Findings, gravest first."""
    found = [*_of_names(item, names), *_of_media(names, media), *_of_prepared(item, prepared)]
    return tuple(sorted(found, key=lambda finding: -finding.weight))


def _of_names(item: Corpus, names: Names) -> list[Finding]:
    found = []

    def tell(weight: Literal[0, 1, 2], text: str) -> None:
        found.append(Finding(weight=weight, text=text))

    if not names.clips:
        tell(2, "not one usable clip; say where the corpus is: --root DIR")
    if names.missing:
        whole = [who for who, (have, full) in names.speakers.items() if full and not have]
        text = f"{names.missing} of {names.expected} clips are missing"
        tell(1, text + (f", among them all of {len(whole)} speakers" if whole else ""))
    if names.lacking:
        tell(1, f"{len(names.lacking)} of {len(item.parts)} parts are not here: {', '.join(names.lacking)}")
    if names.absent:
        named = "by the list" if names.listed else "by word times without a video"
        tell(1, f"{len(names.absent)} missing clips are known by name, {named}: {some(names.absent)}")
    surplus = {who: have - full for who, (have, full) in names.speakers.items() if full and have > full}
    if surplus:
        tell(0, f"more clips than a full copy has: {', '.join(f'{who} {more:+d}' for who, more in surplus.items())}")
    if names.problems:
        first = names.problems[0]
        tell(1, f"{len(names.problems)} unusable files, e.g. {first.name}: {first.reason}")
    if names.moved:
        tell(0, f"{names.moved} word times lie under another speaker; they were found by the sentence's name")
    if names.superseded:
        tell(0, f"{names.superseded} further copies of clips are passed over")
    if 0 < names.texts < names.clips:
        tell(0, f"{names.clips - names.texts} clips have no text: they count in no word error rate")
    return found


def _of_media(names: Names, media: Media | None) -> list[Finding]:
    found: list[Finding] = []
    if media is None:
        return found

    def tell(weight: Literal[0, 1, 2], text: str) -> None:
        found.append(Finding(weight=weight, text=text))

    if media.faults:
        weight: Literal[1, 2] = 2 if len(media.faults) == names.clips else 1
        examples = some([case.name for case in media.faults])
        tell(weight, f"{len(media.faults)} clips cannot be used ({_by_reason(media.faults)}): {examples}")
    if media.damaged:
        first = media.damaged[0]
        tell(0, f"{len(media.damaged)} clips lost something and can be used, e.g. {first.name}: {first.detail}")
    if media.astray:
        text = f"{len(media.astray)} clips have sound that starts more than a frame from the picture"
        tell(0, f"{text}: {some([case.name for case in media.astray])}")
    for kind, values in (("picture sizes", media.sizes), ("frame rates", media.fps), ("sound formats", media.sound)):
        if len(values) > 1:
            tell(0, f"{len(values)} {kind}: {', '.join(f'{value} ({count})' for value, count in values.items())}")
    return found


def _of_prepared(item: Corpus, prepared: Prepared | None) -> list[Finding]:
    again = f"run: v2sbench prepare {item.name}"
    if prepared is None:
        return [Finding(weight=0, text=f"not prepared yet; {again}")]
    found: list[Finding] = []

    def tell(weight: Literal[0, 1, 2], text: str) -> None:
        found.append(Finding(weight=weight, text=text))

    if prepared.broken:
        count = f"{len(prepared.broken)} of {prepared.checked} prepared clips looked at"
        tell(1, f"{count} are damaged on this disk: {some(prepared.broken)}; {again}")
    if prepared.quarantined:
        examples = some([case.name for case in prepared.quarantined])
        text = f"prepare left out {len(prepared.quarantined)} ({_by_reason(prepared.quarantined)}): {examples}"
        tell(1, f"{text}; see {prepared.folder}/quarantine.tsv")
    if prepared.unprepared:
        tell(1, f"{len(prepared.unprepared)} clips are not prepared yet: {some(prepared.unprepared)}; {again}")
    if prepared.gone:
        tell(0, f"{len(prepared.gone)} prepared clips have no media file here any more: {some(prepared.gone)}")
    return found
