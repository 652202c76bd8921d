"""Corpus -> prepared clips: decode each clip, crop the mouth, keep one still of the face, write shards.

A clip that cannot be used is listed in ``quarantine.tsv`` with its reason and stops nothing. A corpus that goes away
meanwhile, or a machine that runs out of files or memory, stops the run; the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from importlib import metadata
from pathlib import Path

import av
import cv2
import numpy as np

from v2sbench.audio import FPS, SAMPLES_PER_FRAME, MediaError, encode_flac, fit
from v2sbench.clips.store import Clips, Table, line_of
from v2sbench.corpora import Clip, Corpus, scan_of
from v2sbench.corpora.folder import name_below
from v2sbench.prepare.crops import RoiError, crop, face_still
from v2sbench.prepare.media import decode
from v2sbench.prepare.mouths import PROVIDERS, find_mouth
from v2sbench.prepare.writer import LEFT_OUT, ShardWriter, draft_of, encode_still, is_made
from v2sbench.runtime import UseError, choose, parallel, sha256_file, short_digest, worker_count

MIN_FRAMES = 5  # a clip shorter than this (0.2 s) is quarantined as too-short
SILENCE = 1e-3  # a clip whose samples all stay below this (-60 dB of full scale) is quarantined as no-sound
LATE = 5 * SAMPLES_PER_FRAME  # sound that ends more than this before the picture is damage (GRID's usual 22 ms are not)
PACKAGES = ("av", "numpy", "opencv-python-headless", "scipy", "soundfile", "mediapipe")
"""Packages that the bytes of a clip depend on: a draft made with others is not continued."""
FAULTS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)
"""Errors of the disk or the machine, never of a file's content."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `prepare` did."""

    corpus: str
    out: Path
    kept: int  # clips prepared
    frames: int  # their video frames
    damaged: int  # those of them whose media had lost something
    quarantined: Mapping[str, int]  # reason -> clips or files left out
    resumed: int = 0  # clips, kept or not, taken over from a run that was cut off
    outdated: int = 0  # clips of such a run done again, since files, options or code have changed
    unchanged: bool = False  # whether the folder was as it should be, and nothing was done

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
    wave: bytes = b""  # FLAC of the sound
    roi: bytes = b""  # NPY of the mouth crops, empty without a picture
    face: bytes = b""  # PNG of the still, empty without a picture
    frames: int = 0  # length in video frames
    damage: str = ""  # what the media file had lost
    reason: str = ""  # why there is no payload, empty where there is one
    detail: str = ""  # what was seen


def prepare(
    item: Corpus, root: Path, out: Path, *, jobs: int | None = None, roi: str = "auto", fresh: bool = False,
    cluster: str | None = None,
) -> Report:  # fmt: skip
    """Write the prepared clips of corpus `item`, read from `root`, to the folder `out`, replaced as a whole at the end.

    A run that was cut off is continued: its clips are taken over as far as their files, the options and the code that
    makes them are as they were. When all of these are as they were at the last full run, nothing is done.

    jobs, cluster: as of `runtime.parallel`; the bytes do not depend on them.
    roi: a name of `mouths.PROVIDERS`, or ``auto``.
    fresh: do all clips again.
    Files that the scan cannot use are quarantined as ``unusable-file``.
    UseError when there is no corpus, not one clip of it can be prepared, or its files cannot be read any more; then
    `out` is as it was.
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
    reasons = Counter(Table(out / "quarantine.tsv", LEFT_OUT).column("reason"))
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
    code = Path(__file__).parent
    found = [roi, *map(sha256_file, sorted([*code.glob("*.py"), code.parent / "audio.py"]))]
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return short_digest(found)


def _keyed(item: tuple[Clip, str], *, roi: str) -> tuple[Outcome, str]:
    clip, key = item
    done = prepare_clip(clip, roi=roi)
    if done.reason or done.damage:
        for path in filter(None, (clip.media, clip.landmarks)):
            _check_readable(path)
    return done, key


def _check_readable(path: Path) -> None:
    """UseError unless all bytes of a file can be read: what went wrong is then not the content's fault."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except (OSError, MemoryError) as error:
        raise _stopped(path, error) from error


def _stopped(path: Path, error: BaseException) -> UseError:
    what = getattr(error, "strerror", None) or type(error).__name__
    return UseError(f"{path} cannot be read any more ({what}); put that right and give the command again: it goes on")


def prepare_clip(clip: Clip, *, roi: str) -> Outcome:
    """Decode, crop and encode one clip, in a worker; what is wrong with the clip becomes a reason.

    UseError when the disk or the machine fails.
    """
    cv2.setNumThreads(1)
    try:
        return _payload(clip, roi)
    except (av.FFmpegError, cv2.error, MediaError, MemoryError, OSError, RoiError, ValueError) as error:
        if fault := _fault(error):
            raise _stopped(clip.media, fault) from error
        if isinstance(error, MediaError | RoiError):
            return Outcome(clip=clip, reason=error.reason, detail=error.detail)
        return Outcome(clip=clip, reason="undecodable", detail=f"{type(error).__name__}: {error}")


def _fault(error: BaseException) -> BaseException | None:
    """The failure of the disk or the machine behind an error, if any.

    FFmpeg's own errors are not believed: a damaged file, too, makes it report EIO or ENOMEM.
    """
    if isinstance(error, MemoryError) and not isinstance(error, av.FFmpegError):
        return error
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, av.FFmpegError) and cause.errno in FAULTS:
            return cause
        cause = cause.__cause__
    return None


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
