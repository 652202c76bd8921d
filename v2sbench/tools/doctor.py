"""What is on this disk of a corpus against what should be there, and what is broken: ``v2sbench doctor CORPUS``.

    names of files     -> what is missing, by speaker and split
    each media file    -> headers and time stamps, or a whole decode as `prepare` does it
    landmark files     -> read as `prepare` reads them
    prepared clips     -> digests of a sample, and what was left out

Everything wrong is a `Finding`: a count, the first ten cases, and the remedy. Begin with `examine`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from v2sbench.audio import FPS, RATE
from v2sbench.clips.store import Clips
from v2sbench.corpora import Corpus, Coverage, Scan, folder_of
from v2sbench.corpora.folder import name_below
from v2sbench.corpora.own_splits import read_own_split
from v2sbench.runtime import UseError, parallel, progress, rng
from v2sbench.tools.doctor_machine import VERDICTS, Case, Finding, code_of, findings_text, paragraph
from v2sbench.tools.doctor_media import look, look_at_landmarks, try_clip

SCHEMA = 2  # version of the JSON report; it counts changes of meaning
FEW = 10  # cases that a finding names
SAMPLE = 64  # prepared clips that are compared with their digests, unless deep
Depth = Literal["names", "headers", "deep"]


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """The whole report on one corpus; keys and meaning in docs/doctor.md."""

    corpus: str
    title: str
    root: str
    licence: str
    depth: Depth
    layout: str
    clips: int
    expected: int | None  # clips of a full copy; None where no count is known
    speakers: dict[str, tuple[int, int | None]]  # speaker -> (clips here, clips in a full copy or None)
    splits: dict[str, str]  # split -> "train 630/700, test 10/10 (partial 640/710)"
    beside: dict[str, int]  # texts, word times, landmarks: clips that have them
    media: dict[str, Any] | None  # counts of files, hours and formats; None where only names were looked at
    prepared: dict[str, Any] | None  # what `prepare` made of it; None when it did not run yet
    findings: tuple[Finding, ...]  # gravest first

    @property
    def code(self) -> int:
        """0 usable, 1 usable in part, 2 not usable."""
        return code_of(self.findings)

    def json(self) -> str:
        """One JSON object, keys as the fields here, with ``schema``, ``code`` and ``verdict``."""
        told = {"schema": SCHEMA, "code": self.code, "verdict": VERDICTS[self.code], **asdict(self)}
        return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)


def examine(
    item: Corpus, root: Path, *, clips: Path, depth: Depth = "headers", roi: str = "auto", listing: Path | None = None,
    jobs: int | None = None,
) -> Checkup:  # fmt: skip
    """Look at the corpus `item` in the folder `root`, and at the prepared clips in the folder `clips` if it is there.

    depth: "names" opens no media file; "headers" reads headers, time stamps and landmarks; "deep" does to each clip
    what `prepare` does with the landmark provider `roi`. listing: a file of clips that should be here.
    UseError when there is no folder; a folder without one usable clip is a finding.
    """
    if not root.is_dir():
        raise UseError(f"corpus {item.name}: not made yet at {root}; run: v2sbench prepare {item.name}")
    scan = item.scan(root)
    found = list(_names(item, scan, root, listing))
    media = prepared = None
    if depth != "names" and scan.clips:
        media, faults = _media(item, scan, root, depth, roi, jobs)
        found += faults
    again = f"run: v2sbench prepare {item.name}"
    again += "" if root == folder_of(item, None) else f" --root {root}"
    again += "" if clips == Path("clips", item.name) else f" --out {clips}"
    if (clips / "index.tsv").exists():
        prepared, faults = _prepared(scan, clips, again, whole=depth == "deep")
        found += faults
    else:
        found.append(Finding(weight=0, kind="prepared", text=f"not prepared yet; {again}"))
    ids = [clip.id for clip in scan.clips]
    return Checkup(
        corpus=item.name,
        title=item.title,
        root=str(root),
        licence=item.access.note or item.licence,
        depth=depth,
        layout=scan.layout,
        clips=len(ids),
        expected=sum(item.inventory.values()) if item.inventory else item.total,
        speakers=item.counts(scan),
        splits={split.name: _cover(split.coverage(ids)) for split in item.splits},
        beside={
            "texts": sum(clip.text is not None for clip in scan.clips),
            "word times": sum(clip.align is not None for clip in scan.clips),
            "landmarks": sum(clip.landmarks is not None for clip in scan.clips),
        },
        media=media,
        prepared=prepared,
        findings=tuple(sorted(found, key=lambda finding: -finding.weight)),
    )


def _cover(cover: Coverage) -> str:
    parts = [f"{part} {_of(have, full if cover.exact else None)}" for part, (have, full) in cover.parts.items()]
    return ", ".join(parts) + (f" ({cover.label})" if cover.label else "")


def _of(have: int, full: int | None) -> str:
    return f"{have}" if full is None else f"{have}/{full}"


def _some(names: Sequence[str], few: int = FEW) -> str:
    """The first few of some names: ``s1/bbaf2n, s1/bbaf3s and 98 more``."""
    more = len(names) - few
    return ", ".join(names[:few]) + (f" and {more} more" if more > 0 else "")


def _finding(weight: Literal[0, 1, 2], kind: str, cases: Iterable[Case], text: str, remedy: str = "") -> list[Finding]:
    """One finding that counts `cases` and names the first, or none without cases; `text` follows the count."""
    found = sorted(cases, key=lambda case: (case.name, case.reason))
    if not found:
        return []
    reasons = Counter(case.reason for case in found if case.reason)
    by_reason = f" ({', '.join(f'{reason} {count}' for reason, count in reasons.most_common(5))})" if reasons else ""
    detail = f" ({found[0].detail})" if found[0].detail else ""
    names = _some([case.name for case in found], 5)
    told = f"{len(found)} {text}{by_reason}: {names}{detail}{'; ' if remedy else ''}{remedy}"
    return [Finding(weight=weight, kind=kind, text=told, count=len(found), cases=tuple(found[:FEW]))]


# ---------------------------------------------------------------- names


def _names(item: Corpus, scan: Scan, root: Path, listing: Path | None) -> Iterator[Finding]:
    if not scan.clips:
        text = "not one usable clip; say where the corpus is: --root DIR"
        yield Finding(weight=2, kind="empty", text=text)
    speakers = item.counts(scan)
    ids = {clip.id for clip in scan.clips}
    short = {who: full - have for who, (have, full) in speakers.items() if full is not None and have < full}
    if short:
        whole = [who for who in short if not speakers[who][0]]
        text = f"{sum(short.values())} of {sum(item.inventory.values())} clips are missing"
        text += f", among them all of {len(whole)} speakers" if whole else ""
        yield Finding(weight=1, kind="missing", text=text, count=sum(short.values()))
    lacking = (Case(name=part) for part in item.parts if not any(name.startswith(f"{part}-") for name in ids))
    yield from _finding(1, "lacking", lacking, f"of {len(item.parts)} parts are not here")
    open_ended = {who for who, (_, full) in speakers.items() if full is None}
    known = {name for name in scan.absent if name.split("/", 1)[0] in {*short, *open_ended}}
    if listing is not None:
        known |= set(read_own_split(listing, item).parts)
    absent = (Case(name=name) for name in known - ids)
    yield from _finding(1, "absent", absent, "missing clips are known by name, from the list or from word times")
    problems = (Case(name=name_below(problem.path, root), reason=problem.reason) for problem in scan.problems)
    yield from _finding(1, "problems", problems, "files cannot be used")
    surplus = (Case(name=who) for who, (have, full) in speakers.items() if full is not None and have > full)
    yield from _finding(0, "surplus", surplus, "speakers have more clips than in a full copy")
    further = (Case(name=name_below(path, root)) for path in scan.superseded)
    yield from _finding(0, "superseded", further, "further copies of clips are passed over")


# ---------------------------------------------------------------- media


def _media(
    item: Corpus, scan: Scan, root: Path, depth: Depth, roi: str, jobs: int | None
) -> tuple[dict[str, Any], list[Finding]]:
    """Every media file and every landmark file once; when deep, every clip as well."""
    files = {clip.media: clip for clip in scan.clips}  # clips cut from one long file share it
    looks = dict(zip(files, parallel(look, list(files.values()), jobs=jobs, desc=f"look at {item.name}"), strict=True))
    told = {clip.id: looks[clip.media] for clip in scan.clips}
    if depth == "deep":
        tried = parallel(partial(try_clip, roi=roi), list(scan.clips), jobs=jobs, desc=f"decode {item.name}")
        told = dict(zip(told, tried, strict=True))
    elif roi in ("auto", "precomputed"):
        marked = [clip for clip in scan.clips if clip.landmarks is not None and not told[clip.id].reason]
        read = parallel(look_at_landmarks, marked, jobs=jobs, desc="look at landmarks" if marked else None)
        told |= {clip.id: bad for clip, bad in zip(marked, read, strict=True) if bad is not None}
    infos = [found.info for found in looks.values() if found.info]
    late = {clip.id: looks[clip.media].offset or 0.0 for clip in scan.clips}
    here = f"{root}{os.sep}"
    faults = [
        Case(name=name, reason=found.reason, detail=found.detail.replace(here, ""))
        for name, found in told.items()
        if found.reason
    ]
    damaged = [Case(name=name, detail=found.damage) for name, found in told.items() if found.damage]
    astray = [
        Case(name=name, detail=f"{round(seconds * RATE):+d} samples at {RATE} Hz")
        for name, seconds in late.items()
        if abs(seconds) > 1 / FPS
    ]
    all_bad = len(faults) == len(scan.clips)
    media = {
        "files": len(files),
        "hours": round(sum(info.seconds or 0 for info in infos) / 3600, 2),
        "pictures": dict(Counter(f"{info.width}x{info.height}" for info in infos if info.width).most_common()),
        "frame rates": dict(Counter(f"{info.fps:.6g}" for info in infos if info.fps).most_common()),
        "sound": dict(Counter(f"{info.rate} Hz x {info.channels}" for info in infos if info.rate).most_common()),
        "codecs": dict(
            Counter(" + ".join(filter(None, (info.video_codec, info.audio_codec))) for info in infos).most_common()
        ),
    }
    return media, [
        *_finding(2 if all_bad else 1, "faults", faults, "clips cannot be used"),
        *_finding(0, "damaged", damaged, "clips lost something and can be used"),
        *_finding(0, "astray", astray, "clips have sound that starts more than a frame from the picture"),
    ]


# ---------------------------------------------------------------- prepared clips


def _prepared(scan: Scan, folder: Path, again: str, *, whole: bool) -> tuple[dict[str, Any], list[Finding]]:
    """UseError for a folder whose index or lists are damaged. again: the command that prepares it, in words."""
    clips = Clips(folder)
    left_out = quarantined(folder)
    ids, made = {clip.id for clip in scan.clips}, list(clips.ids)
    entries = list(clips)
    checked = made
    if not whole and len(made) > SAMPLE:
        checked = sorted(rng(0, "doctor", len(made)).choice(made, SAMPLE, replace=False).tolist())
    broken = [name for name in progress(checked, desc="compare digests") if not _intact(clips, name)]
    todo, gone = ids - set(made) - {case.name for case in left_out}, set(made) - ids
    damaged = [Case(name=entry.id, detail=entry.damage) for entry in entries if entry.damage]
    prepared = {
        "folder": str(folder),
        "roi": str(clips.about.get("roi", "")),
        "clips": len(made),
        "hours": round(sum(entry.frames for entry in entries) / FPS / 3600, 2),
        "checked": len(checked),
        "intact": len(checked) - len(broken),
    }
    looked = f"of {len(checked)} prepared clips looked at are damaged on this disk"
    listed = f"see {folder}/quarantine.tsv"
    return prepared, [
        *_finding(1, "broken", [Case(name=name) for name in broken], looked, f"{again} --fresh"),
        *_finding(1, "quarantined", left_out, "clips or files were left out by prepare", listed),
        *_finding(1, "unprepared", [Case(name=name) for name in todo], "clips are not prepared yet", again),
        *_finding(0, "gone", [Case(name=name) for name in gone], "prepared clips have no media file here any more"),
        *_finding(0, "damaged", damaged, "prepared clips come from files that had lost something"),
    ]


def _intact(clips: Clips, name: str) -> bool:
    try:
        return clips.intact(name)
    except UseError:  # the shard is gone or cut off
        return False


def quarantined(folder: Path) -> list[Case]:
    """Clips and files that `prepare` left out, from quarantine.tsv; UseError when it is damaged."""
    path = folder / "quarantine.tsv"
    try:
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
        return [Case(name=row["id"], reason=row["reason"], detail=row["detail"]) for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise UseError(f"{path} is damaged ({error}); run: v2sbench prepare CORPUS --fresh") from error


# ---------------------------------------------------------------- for people


def page(checkup: Checkup) -> str:
    """The whole report as text."""
    missing = (checkup.expected or 0) - checkup.clips
    lines = [f"{checkup.title}\nin {checkup.root}"]
    lines.append(paragraph("licence", checkup.licence))
    lines.append(paragraph("layout", checkup.layout or "none that is known"))
    lines.append(
        paragraph("clips", _of(checkup.clips, checkup.expected) + (f" ({missing} fewer)" if missing > 0 else ""))
    )
    lines.append(paragraph("speakers", _speakers(checkup)))
    lines.append(paragraph("beside them", ", ".join(f"{count} {kind}" for kind, count in checkup.beside.items())))
    lines += [paragraph("split", f"{name}: {cover}") for name, cover in checkup.splits.items()]
    if checkup.media:
        lines.append(paragraph("media", f"{checkup.media['files']} files, {checkup.media['hours']} h"))
        for kind in ("pictures", "frame rates", "sound", "codecs"):
            counts = [f"{value} ({count})" for value, count in checkup.media[kind].items()]
            if counts:
                lines.append(paragraph("", f"{kind}: {_some(counts, 6)}"))
    if checkup.prepared:
        about = checkup.prepared
        text = f"{about['clips']} clips in {about['folder']}, {about['hours']} h, roi {about['roi']}; "
        text += f"{about['intact']} of {about['checked']} looked at are intact"
        lines.append(paragraph("prepared", text))
    lines += ["", findings_text(checkup.findings, checkup.corpus)]
    return "\n".join(lines)


def _speakers(checkup: Checkup) -> str:
    """Those with a part of their clips with counts, then the complete and the absent ones by name."""
    part = {who: counts for who, counts in checkup.speakers.items() if counts[0]}
    full = [who for who, (have, expected) in part.items() if expected is not None and have >= expected]
    absent = [who for who in checkup.speakers if who not in part]
    some = [f"{who} {_of(*counts)}" for who, counts in part.items() if who not in full]
    told = [_some(some, 40)] if some else []
    if full:
        told.append(f"complete: {_some(full, 40)}")
    if absent:
        told.append(f"nothing of {_some(absent, 40)}")
    return f"{len(part)}: {'; '.join(told)}" if told else "none"
