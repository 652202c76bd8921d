"""A corpus folder -> `Checkup`: names first, then what each media file tells, then what `prepare` made of it."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import av

from v2sbench.audio import FPS, RATE, MediaError
from v2sbench.clips.lines import Lines
from v2sbench.clips.store import Clips
from v2sbench.corpora import Clip, Corpus, Scan
from v2sbench.corpora.folder import name_below
from v2sbench.corpora.listing import read_listing
from v2sbench.prepare.clips import LATE, MIN_FRAMES, prepare_clip
from v2sbench.prepare.writer import LEFT_OUT
from v2sbench.runtime import UseError, parallel, progress, rng
from v2sbench.tools.doctor.diagnosis import diagnose
from v2sbench.tools.doctor.packets import Contents, contents
from v2sbench.tools.doctor.report import Case, Checkup, Depth, Histogram, Media, Names, Prepared, SplitCover

SAMPLE = 64
"""Prepared clips whose bytes are compared with their digest, unless deep."""
SHOWN = 24
"""Clips on a contact sheet."""
ALIKE = 0.9
"""Share of clips of one length from which on those of another are named."""


def examine(
    item: Corpus,
    root: Path,
    *,
    clips: Path,
    depth: Depth = "headers",
    roi: str = "auto",
    listing: Path | None = None,
    jobs: int | None = None,
) -> Checkup:
    """Look at the corpus `item` in the folder `root`, and at the prepared clips in the folder `clips` if it is there.

    depth: how far to look into media files; "deep" does to each what `prepare` does with the landmark provider `roi`.
    listing: a file of clips that should be here (`corpora.listing`); those that are not are named.
    UseError when there is no folder; a folder without one usable clip is a finding.
    """
    if not root.is_dir():
        raise UseError(f"corpus {item.name}: not made yet at {root}; run: v2sbench prepare {item.name}")
    scan = item.scan(root)
    names = _names(item, scan, root, listing)
    media = None if depth == "names" or not scan.clips else _media(item, scan, root, depth, roi, jobs)
    prepared = _prepared(scan, clips, whole=depth == "deep") if (clips / "index.tsv").exists() else None
    return Checkup(
        corpus=item.name,
        title=item.title,
        root=str(root),
        licence=item.licence,
        note=item.access.note,
        depth=depth,
        names=names,
        media=media,
        prepared=prepared,
        findings=diagnose(item, names, media, prepared),
    )


# ---------------------------------------------------------------- names


def _names(item: Corpus, scan: Scan, root: Path, listing: Path | None) -> Names:
    ids = [clip.id for clip in scan.clips]
    speakers = item.counts(scan)
    listed = None if listing is None else sorted(read_listing(listing, item).parts)
    covers = {split.name: split.coverage(ids) for split in item.splits}
    return Names(
        layout=scan.layout,
        clips=len(ids),
        expected=sum(item.inventory.values()) if item.inventory else item.total,
        speakers=speakers,
        missing=sum(max(0, (full or 0) - have) for have, full in speakers.values()) if item.inventory else None,
        lacking=tuple(part for part in item.parts if not any(name.startswith(f"{part}-") for name in ids)),
        absent=tuple(sorted({*(listed or ()), *_lacking(scan, speakers)} - set(ids))),
        listed=None if listed is None else len(listed),
        problems=tuple(Case(name=name_below(problem.path, root), reason=problem.reason) for problem in scan.problems),
        superseded=len(scan.superseded),
        texts=sum(clip.text is not None for clip in scan.clips),
        aligned=sum(clip.align is not None for clip in scan.clips),
        moved=sum(_moved(clip) for clip in scan.clips),
        landmarks=sum(clip.landmarks is not None for clip in scan.clips),
        splits={
            name: SplitCover(parts=dict(cover.parts), exact=cover.exact, label=cover.label)
            for name, cover in covers.items()
        },
    )


def _lacking(scan: Scan, speakers: Mapping[str, tuple[int, int | None]]) -> list[str]:
    """Of the clips that the corpus itself names and has not, those of speakers who should have more."""
    short = {who for who, (have, full) in speakers.items() if full is None or have < full}
    return [name for name in scan.absent if name.split("/", 1)[0] in short]


def _moved(clip: Clip) -> bool:
    """Whether a clip's word times lie neither beside it nor in a folder of its speaker's name."""
    if clip.align is None or clip.align.parent == clip.media.parent:
        return False
    return clip.speaker.lower() not in (part.lower() for part in clip.align.parts)


# ---------------------------------------------------------------- media


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What one media file told."""

    contents: Contents | None
    reason: str = ""
    detail: str = ""
    damage: str = ""


def _media(item: Corpus, scan: Scan, root: Path, depth: Depth, roi: str, jobs: int | None) -> Media:
    """Every media file once; when deep, every clip as well."""
    files = {clip.media: clip for clip in scan.clips}  # clips cut from one long file share it
    seen = dict(zip(files, parallel(_look, list(files.values()), jobs=jobs, desc=f"look at {item.name}"), strict=True))
    told = {clip.id: seen[clip.media] for clip in scan.clips}
    if depth == "deep":
        tried = parallel(partial(_try, roi=roi), list(scan.clips), jobs=jobs, desc=f"decode {item.name}")
        told = {clip.id: deep for clip, deep in zip(scan.clips, tried, strict=True)}
    here = f"{root}{os.sep}"
    good = {path: found.contents for path, found in seen.items() if found.contents is not None}
    offsets = {clip.id: found.offset for clip in scan.clips if (found := good.get(clip.media)) and found.offset}
    return Media(
        files=len(files),
        seconds=round(sum(found.info.seconds or 0 for found in good.values()), 1),
        faults=_cases((name, look.reason, look.detail.replace(here, "")) for name, look in told.items()),
        damaged=_cases((name, look.damage and "damaged", look.damage) for name, look in told.items()),
        sizes=_census(f"{found.info.width}x{found.info.height}" for found in good.values() if found.info.width),
        fps=_census(f"{found.info.fps:.6g}" for found in good.values() if found.info.fps),
        pictures=_census(str(found.picture.packets) for found in good.values() if found.picture),
        sound=_census(f"{found.info.rate} Hz x {found.info.channels}" for found in good.values() if found.info.rate),
        codecs=_census(
            " + ".join(filter(None, (found.info.video_codec, found.info.audio_codec))) for found in good.values()
        ),
        gap_ms=Histogram.of(found.gap for found in good.values() if found.gap is not None),
        offset_ms=Histogram.of(found.offset for found in good.values() if found.offset is not None),
        odd=_odd(
            {clip.id: found.picture.packets for clip in scan.clips if (found := good.get(clip.media)) and found.picture}
        ),
        astray=_cases(
            (name, "offset" * (abs(seconds) > 1 / FPS), f"the sound starts {1000 * seconds:+.0f} ms after the picture")
            for name, seconds in offsets.items()
        ),
    )


def _odd(pictures: Mapping[str, int]) -> tuple[Case, ...]:
    """Clips of another length, in a corpus whose clips are all of one (but for a tenth at most)."""
    usual = Counter(pictures.values()).most_common(1)
    if not usual or usual[0][1] < ALIKE * len(pictures):
        return ()
    (count, _), *_ = usual
    return _cases(
        (name, "length" * (here != count), f"{here} pictures, not {count}") for name, here in pictures.items()
    )


def _cases(found: Iterable[tuple[str, str, str]]) -> tuple[Case, ...]:
    """Of those with a reason, in order of names."""
    return tuple(Case(name=name, reason=reason, detail=detail) for name, reason, detail in sorted(found) if reason)


def _census(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _look(clip: Clip) -> _Seen:
    """Headers and time stamps of a clip's file, in a worker."""
    try:
        found = contents(clip.media, video=clip.video)
    except MediaError as error:
        return _Seen(contents=None, reason=error.reason, detail=error.detail)
    except (av.FFmpegError, OSError, ValueError) as error:
        return _Seen(contents=None, reason="undecodable", detail=f"{type(error).__name__}: {error}")
    lost = list(found.lost)
    if found.gap is not None and found.gap > LATE / RATE:
        lost.append(f"the sound ends {found.gap:.2f} s before the picture")
    reason, detail = _unusable(found, clip)
    return _Seen(contents=found, reason=reason, detail=detail, damage="" if reason else "; ".join(lost))


def _unusable(found: Contents, clip: Clip) -> tuple[str, str]:
    """Reason and detail where the headers already rule a file out, as `prepare` will."""
    if clip.video and found.info.video_codec is None:
        return "no-video", f"{clip.media} has no video stream"
    if found.info.audio_codec is None:
        return "no-audio", f"{clip.media} has no audio stream"
    if found.picture and found.info.fps:
        frames = round((found.picture.end - found.picture.start) * FPS)
        if frames < MIN_FRAMES:
            return "too-short", f"{frames} frames, at least {MIN_FRAMES} are needed"
    return "", ""


def _try(clip: Clip, *, roi: str) -> _Seen:
    """Do to a clip what `prepare` does, and keep only what was wrong with it."""
    done = prepare_clip(clip, roi=roi)
    return _Seen(contents=None, reason=done.reason, detail=done.detail, damage=done.damage)


# ---------------------------------------------------------------- prepared clips


def _prepared(scan: Scan, folder: Path, *, whole: bool) -> Prepared:
    """UseError for a folder whose index or lists are damaged."""
    clips = Clips(folder)
    quarantined = _quarantine(folder)
    ids = {clip.id for clip in scan.clips}
    entries = list(clips)
    checked = list(clips.ids)
    if not whole and len(checked) > SAMPLE:
        checked = sorted(rng(0, "doctor", len(checked)).choice(checked, SAMPLE, replace=False).tolist())
    return Prepared(
        folder=str(folder),
        roi=str(clips.about.get("roi", "")),
        clips=len(clips),
        seconds=round(sum(entry.frames for entry in entries) / FPS, 2),
        quarantined=quarantined,
        damaged=_cases((entry.id, entry.damage and "damaged", entry.damage) for entry in entries),
        checked=len(checked),
        broken=tuple(name for name in progress(checked, desc="compare digests") if not _intact(clips, name)),
        unprepared=tuple(sorted(ids - set(clips.ids) - {case.name for case in quarantined})),
        gone=tuple(sorted(set(clips.ids) - ids)),
    )


def _intact(clips: Clips, name: str) -> bool:
    try:
        return clips.intact(name)
    except UseError:  # the shard is gone or cut off
        return False


def to_show(clips: Clips, count: int = SHOWN) -> list[str]:
    """Ids for a contact sheet: quarantined clips, a third at most, then clips of every speaker in turn, far apart."""
    left = [case.name for case in _quarantine(clips.folder) if case.reason != "unusable-file"]
    shown = _spread(left, count // 3)
    of_speaker: defaultdict[str, list[str]] = defaultdict(list)
    for entry in clips:
        of_speaker[entry.speaker].append(entry.id)
    allotted = dict.fromkeys(_spread(list(of_speaker), count), 0)
    room = count - len(shown)
    while room and (hungry := [who for who, has in allotted.items() if has < len(of_speaker[who])]):
        for who in hungry[:room]:
            allotted[who] += 1
        room -= len(hungry[:room])
    turns = zip_longest(*(_spread(of_speaker[who], has) for who, has in allotted.items() if has))
    return [*shown, *[name for turn in turns for name in turn if name]]


def _spread(names: Sequence[str], count: int) -> list[str]:
    """At most `count` of `names`, evenly spread, in their order."""
    return [names[k * len(names) // count] for k in range(count)] if len(names) > count else list(names)


def _quarantine(folder: Path) -> tuple[Case, ...]:
    path = folder / "quarantine.tsv"
    try:
        rows: Sequence[list[str]] = [line.split("\t") for line in Lines(path, LEFT_OUT)]
        return tuple(Case(name=name, reason=reason, detail=detail) for name, reason, detail in rows)
    except (OSError, ValueError) as error:
        raise UseError(f"{path} is damaged ({error}); run: v2sbench prepare CORPUS") from error
