"""Corpus -> prepared clips -> splits -> batches: what lies between raw files and training.

`prepare` decodes every clip of a corpus, crops the mouth, keeps one still of the face and writes shards; a clip that
cannot be used is listed in ``quarantine.tsv`` with its reason and stops nothing.  `Clips` (of `shards`) reads them
back.  `write_split` divides them, and `batch_ids` says which of them a training step sees (of `splits`). Whoever only
reads imports `shards` and `splits`, and so does not depend on the corpora.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import metadata
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from v2sbench.corpora import Clip, Corpus, Coverage, Split, corpus, digest_of, scan_of
from v2sbench.corpora.folder import name_below
from v2sbench.corpora.listing import apply, read_listing
from v2sbench.drafts import draft_of, is_made
from v2sbench.lines import Lines, line_of, write_table
from v2sbench.media import FPS, SAMPLES_PER_FRAME, MediaError, decode, encode_flac, fit
from v2sbench.roi import PROVIDERS, RoiError, crop, face_still, find_mouth
from v2sbench.runtime import UseError, atomic, choose, parallel, sha256_file, short_digest, worker_count
from v2sbench.shards import Clips, Entry
from v2sbench.shardwriter import LEFT_OUT, ShardWriter, encode_still
from v2sbench.splits import COLUMNS, Row, SplitTable, batch_ids, read_split

__all__ = [
    "Clips",
    "Entry",
    "Outcome",
    "Report",
    "Row",
    "SplitTable",
    "batch_ids",
    "prepare",
    "prepare_clip",
    "read_split",
    "write_split",
]

MIN_FRAMES = 5
"""A clip shorter than this (0.2 s) is quarantined as ``too-short``."""
SILENCE = 1e-3
"""A clip whose samples all stay below this (-60 dB of full scale) is quarantined as ``no-sound``."""
LATE = 5 * SAMPLES_PER_FRAME
"""Sound that ends more than this before the picture is told as damage (GRID's usual 22 ms are not)."""

CODE = ("clips", "media", "mpeg1", "pcm", "roi", "shards", "shardwriter", "tracks")
"""Modules that the bytes of a clip depend on: a draft of other code is not continued."""
PACKAGES = ("av", "numpy", "opencv-python-headless", "scipy", "soundfile", "ai-edge-litert", "mediapipe")
"""Packages likewise."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `prepare` did."""

    corpus: str
    """Its name."""
    out: Path
    """Where the clips lie."""
    kept: int
    """Clips prepared."""
    frames: int
    """Their video frames."""
    damaged: int
    """Those of them whose media had lost something."""
    quarantined: Mapping[str, int]
    """Reason -> clips or files left out."""
    resumed: int = 0
    """Clips, kept or not, that were taken over from a run that was cut off."""
    outdated: int = 0
    """Those of such a run that were done again, since files, options or code have changed since."""
    unchanged: bool = False
    """Whether the folder was as it should be, and nothing was done."""

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason} {count}" for reason, count in self.quarantined.items())
        left = f"{sum(self.quarantined.values())} quarantined ({reasons}; see {self.out / 'quarantine.tsv'})"
        hours = self.frames / FPS / 3600
        before = f"{self.resumed} of them done before; " if self.resumed else ""
        before += f"{self.outdated} done before are out of date and were done again; " if self.outdated else ""
        done = "nothing has changed (--fresh prepares anew); " if self.unchanged else before
        return (
            f"{self.corpus}: {done}{self.kept} clips, {hours:.2f} h, {self.damaged} of them from damaged files; "
            f"{left if self.quarantined else 'none quarantined'}"
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One clip's payload, or why there is none."""

    clip: Clip
    """Whose."""
    wave: bytes = b""
    """FLAC bytes of its sound."""
    roi: bytes = b""
    """NPY bytes of its mouth crops, empty without a picture."""
    face: bytes = b""
    """PNG bytes of its still, empty without a picture."""
    frames: int = 0
    """Length in video frames."""
    damage: str = ""
    """What its media file had lost."""
    reason: str = ""
    """Why there is no payload, empty where there is one."""
    detail: str = ""
    """What was seen."""


def prepare(
    item: Corpus, root: Path, out: Path, *, jobs: int | None = None, roi: str = "auto", fresh: bool = False,
    cluster: str | None = None,
) -> Report:  # fmt: skip
    """Write the prepared clips of corpus `item`, read from `root`, to the folder `out`, replaced as a whole at the end.

    A run that was cut off is continued: its clips are taken over as far as their files, the options and the code that
    makes them are as they were. When all of these are as they were at the last full run, nothing is done.

    jobs, cluster: as of `runtime.parallel`; the bytes do not depend on them.
    roi: a name of `roi.PROVIDERS`, or ``auto``.
    fresh: do all clips again.
    Files that the scan cannot use are quarantined as ``unusable-file``.
    UseError when there is no corpus, or not one clip of it can be prepared; then `out` is as it was.
    """
    if roi != "auto":
        choose("ROI provider", roi, PROVIDERS)
    worker_count(jobs)  # a wrong number is said also where there is nothing to do
    scan = scan_of(item, root)
    clips = sorted(scan.clips, key=lambda clip: clip.id)
    problems = [(name_below(problem.path, root), "unusable-file", problem.reason) for problem in scan.problems]
    key = partial(_key, root=root, made_by=_made_by(roi))
    made_from = short_digest([item.name, item.kind, *map(key, clips), *map(line_of, problems)])
    if not fresh and is_made(out, made_from):
        return _report(item, out, unchanged=True)
    with draft_of(out, fresh=fresh) as draft, ShardWriter(draft.folder, journal=draft.journal) as writer:
        found = draft.done()
        resumed = writer.resume((clip.id, key(clip)) for clip in clips)
        todo = ((clip, key(clip)) for clip in clips[resumed:])
        results = parallel(
            partial(_keyed, roi=roi), todo, jobs=jobs, cluster=cluster, desc=f"prepare {item.name}",
            total=len(clips), done=resumed,
        )  # fmt: skip
        for done, name in results:
            clip = done.clip
            if done.reason:
                writer.leave_out(clip.id, done.reason, done.detail.replace(f"{root}{os.sep}", ""), key=name)
            else:
                writer.add(
                    clip.id, clip.speaker, clip.text, done.frames, done.wave, done.roi, done.damage, done.face, key=name
                )
        if not writer.kept:
            name, reason, detail = min([*writer.left_out(), *problems])
            draft.discard()
            raise UseError(f"no clip of {item.name} under {root} can be prepared, e.g. {name}: {reason} ({detail})")
        writer.finish(problems, {"corpus": item.name, "kind": item.kind, "roi": roi})
        draft.publish(made_from)
    return _report(item, out, resumed=resumed, outdated=found - resumed)


def _report(item: Corpus, out: Path, *, resumed: int = 0, outdated: int = 0, unchanged: bool = False) -> Report:
    kept = frames = damaged = 0
    for entry in Clips(out):
        kept, frames, damaged = kept + 1, frames + entry.frames, damaged + bool(entry.damage)
    reasons = Counter(Lines(out / "quarantine.tsv", LEFT_OUT).column("reason"))
    return Report(
        corpus=item.name, out=out, kept=kept, frames=frames, damaged=damaged,
        quarantined=dict(sorted(reasons.items())), resumed=resumed, outdated=outdated, unchanged=unchanged,
    )  # fmt: skip


def _key(clip: Clip, *, root: Path, made_by: str) -> str:
    """Names all that a clip's line and bytes depend on; files stand for their bytes by size and time of change."""
    parts: list[object] = [made_by]
    for field in fields(clip):
        value = getattr(clip, field.name)
        parts.append(name_below(value, root) if isinstance(value, Path) else value)
        if isinstance(value, Path) and value.exists():
            found = value.stat()
            parts += [found.st_size, found.st_mtime_ns]
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def _made_by(roi: str) -> str:
    """Names the option, the code and the packages by which clips are made."""
    folder, found = Path(__file__).parent, [roi]
    for name in CODE:
        found += [sha256_file(path) for path in sorted([*folder.glob(f"{name}.py"), *folder.glob(f"{name}/**/*.py")])]
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return short_digest(found)


def _keyed(item: tuple[Clip, str], *, roi: str) -> tuple[Outcome, str]:
    return prepare_clip(item[0], roi=roi), item[1]


def prepare_clip(clip: Clip, *, roi: str) -> Outcome:
    """Decode, crop and encode one clip, in a worker; what is wrong with the clip becomes a reason."""
    cv2.setNumThreads(1)
    try:
        return _payload(clip, roi)
    except (MediaError, RoiError) as error:
        return Outcome(clip=clip, reason=error.reason, detail=error.detail)
    except (av.FFmpegError, cv2.error, MemoryError, OSError, ValueError) as error:  # codecs' own ways
        return Outcome(clip=clip, reason="undecodable", detail=f"{type(error).__name__}: {error}")


def _payload(clip: Clip, roi: str) -> Outcome:
    recording = decode(clip.media, video=clip.video, start=clip.start, end=clip.end)
    wave, pictures, damage = recording.wave, recording.frames, list(recording.damage)
    assert wave is not None  # asked for
    frames = len(wave) // SAMPLES_PER_FRAME if pictures is None else len(pictures)
    if frames < MIN_FRAMES:
        raise MediaError("too-short", f"{frames} frames, at least {MIN_FRAMES} are needed")
    missing = frames * SAMPLES_PER_FRAME - len(wave)
    if missing > LATE:
        damage.append(f"the sound ends {missing / SAMPLES_PER_FRAME / FPS:.2f} s before the picture")
    wave = fit(wave, frames)
    if not np.isfinite(wave).all():
        raise MediaError("undecodable", "the sound holds values that are no numbers")
    peak = float(np.abs(wave).max())
    if peak < SILENCE:
        return Outcome(clip=clip, reason="no-sound", detail=f"the loudest sample is {peak:.1e} of full scale")
    crops, face = io.BytesIO(), b""
    if pictures is not None:
        warps = find_mouth(pictures, landmarks=clip.landmarks, provider=roi, shown=recording.shown)
        np.save(crops, crop(pictures, warps))
        face = encode_still(face_still(pictures[frames // 2], warps[frames // 2]))
    return Outcome(
        clip=clip, wave=encode_flac(wave), roi=crops.getvalue(), face=face, frames=frames, damage="; ".join(damage)
    )


def write_split(
    split: Split,
    clips_folder: Path,
    out: Path,
    listing: Path | None = None,
    *,
    embed: Callable[[Clips, Sequence[str]], NDArray[np.float32]] | None = None,
) -> Coverage:
    """Divide the prepared clips of `clips_folder`: writes ``split.tsv`` and ``split.json`` to the folder `out`.

    listing: a file with somebody's own division (`corpora.listing`), in place of the split's.
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
        imported = read_listing(listing, corpus(split.corpus))
        split, title = apply(imported, split), imported.title
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
        "exact": coverage.exact,
        "digest": short_digest(f"{row[0]}\t{row[1]}\t{row[5]}" for row in rows()),
        "division": digest_of(parts),
        "listing": title,
        "identity": split.identity,
        "grammar": split.grammar,
        "wer": split.wer,
    }
    if coverage.lacking:
        about["lacking"] = coverage.lacking
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
