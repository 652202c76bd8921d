"""A `Checkup` for the eye: a page of text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap

from v2sbench.tools.doctor.diagnosis import some
from v2sbench.tools.doctor.report import VERDICTS, Case, Checkup, Finding, Histogram, Media, Names, Prepared

WIDTH = 110
"""Columns."""
INDENT = 13
"""Columns of the heads of paragraphs."""
BAR = 40
"""Columns of the longest bar of a histogram."""
MARKS = ("note", "in part", "fatal")
"""What stands before a finding, by weight."""


def page(checkup: Checkup) -> str:
    """The whole report."""
    parts = [
        f"{checkup.title}\nin {checkup.root}",
        *_names(checkup),
        *(_media(checkup.media, checkup.depth) if checkup.media else ()),
        *(_prepared(checkup.prepared) if checkup.prepared else ()),
        findings(checkup.findings, f"{checkup.corpus} is {checkup.verdict}"),
    ]
    return "\n".join(parts)


def findings(found: Iterable[Finding], verdict: str = "") -> str:
    """The findings, one a paragraph, and the verdict; without one, that of the gravest finding."""
    told = [*found]
    lines = [_paragraph(MARKS[finding.weight], finding.text) for finding in told]
    end = verdict or VERDICTS[max((finding.weight for finding in told), default=0)]
    return "\n".join(["", *lines, f"=> {end}"])


def _paragraph(head: str, text: str) -> str:
    lines = wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(f"{head if not k else '':<{INDENT}}{line}" for k, line in enumerate(lines))


def _counts(values: Mapping[str, int], few: int = 6) -> str:
    """``360x288 (946), 720x576 (1)``."""
    return some([f"{value} ({count})" for value, count in values.items()], few)


def _of(have: int, full: int | None) -> str:
    return f"{have}" if full is None else f"{have}/{full}"


# ---------------------------------------------------------------- names


def _names(checkup: Checkup) -> Iterator[str]:
    names = checkup.names
    yield _paragraph("licence", checkup.note or checkup.licence)
    yield _paragraph("layout", names.layout or "none that is known")
    missing = f", {names.missing} missing" if names.missing else ""
    yield _paragraph("clips", f"{_of(names.clips, names.expected)}{missing}")
    yield _paragraph("speakers", _speakers(names))
    if names.absent:
        yield _paragraph("by name", f"missing are {some(names.absent, 120)}")
    beside = {"texts": names.texts, "word times": names.aligned, "landmarks": names.landmarks}
    moved = f" ({names.moved} of the word times under another speaker)" if names.moved else ""
    yield _paragraph("beside them", ", ".join(f"{count} {kind}" for kind, count in beside.items()) + moved)
    for split, cover in names.splits.items():
        sizes = ", ".join(
            f"{part} {_of(have, full if cover.exact else None)}" for part, (have, full) in cover.parts.items()
        )
        yield _paragraph("split", f"{split}: {sizes}" + (f" ({cover.label})" if cover.label else ""))
    yield from _cases("unusable", names.problems)


def _speakers(names: Names) -> str:
    """Those of whom something is here, one by one up to forty; those of whom nothing is, by name."""
    here = {who: counts for who, counts in names.speakers.items() if counts[0]}
    absent = [who for who, (have, _) in names.speakers.items() if not have]
    full = [who for who, (have, expected) in here.items() if expected is not None and have >= expected]
    part = {who: counts for who, counts in here.items() if who not in set(full)}
    told = []
    if len(part) > 40 and all(expected is None for _, expected in part.values()):
        told.append(f"{len(part)}, of {min(have for have, _ in part.values())} to "
                    f"{max(have for have, _ in part.values())} clips")  # fmt: skip
    elif part:
        lacks = [f"{who} {_of(have, expected)}" + (f" ({expected - have} missing)" if expected else "")
                 for who, (have, expected) in part.items()]  # fmt: skip
        told.append(some(lacks, 100))
    if full:
        told.append(f"complete: {some(full, 100)}")
    if absent:
        told.append(f"nothing of {some(absent, 100)}")
    return "; ".join(told) or "none"


def _cases(head: str, cases: tuple[Case, ...]) -> Iterator[str]:
    """By reason, with the first names of each."""
    by_reason: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_reason[case.reason].append(case)
    order = Counter(case.reason for case in cases).most_common(12)
    for reason, count in order:
        first = by_reason[reason][0]
        detail = f" ({first.detail})" if first.detail else ""
        yield _paragraph(head, f"{count} {reason}: {some([case.name for case in by_reason[reason]])}{detail}")
    if len(by_reason) > len(order):
        yield _paragraph(head, f"{len(by_reason) - len(order)} more reasons; see --json")


# ---------------------------------------------------------------- media


def _media(media: Media, depth: str) -> Iterator[str]:
    how = "decoded and cropped" if depth == "deep" else "headers and time stamps"
    yield _paragraph("media", f"{media.files} files, {media.seconds / 3600:.2f} h ({how})")
    if media.sizes:
        yield _paragraph("", f"pictures {_counts(media.sizes)}; {_counts(media.fps)} frames a second")
        yield _paragraph("", f"pictures in a clip: {_counts(media.pictures)}")
    yield _paragraph("", f"sound {_counts(media.sound)}; {_counts(media.codecs)}")
    if media.gap_ms:
        yield from _histogram("sound ends before the picture by", media.gap_ms)
    if media.offset_ms:
        yield from _histogram("sound starts after the picture by", media.offset_ms)
    yield from _cases("faults", media.faults)
    yield from _cases("damaged", media.damaged)
    yield from _cases("odd", media.odd)
    yield from _cases("astray", media.astray)


def _histogram(title: str, values: Histogram) -> Iterator[str]:
    yield _paragraph("", f"{title} {values.low:.0f} to {values.high:.0f} ms, median {values.median:.0f}:")
    most = max(values.bins.values())
    for place, count in sorted(values.bins.items()):
        yield f"{'':<{INDENT}}{place:>6} ms {'#' * max(1, round(BAR * count / most)):<{BAR}} {count}"


# ---------------------------------------------------------------- prepared clips


def _prepared(prepared: Prepared) -> Iterator[str]:
    sound = f"{prepared.checked - len(prepared.broken)} of {prepared.checked} looked at are intact"
    text = f"{prepared.clips} clips in {prepared.folder}, {prepared.seconds / 3600:.2f} h, roi {prepared.roi}; {sound}"
    yield _paragraph("prepared", text)
    yield from _cases("quarantined", prepared.quarantined)
    yield from _cases("damaged", prepared.damaged)
