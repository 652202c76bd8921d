"""One clip: everything about it that a worker process can find out. Bad audio is a status, never an exception."""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from v2sbench.audio import Wave, resample
from v2sbench.scoring.metrics import Pair, UnusableError, check, metric
from v2sbench.scoring.metrics.pair import SILENT_RMS
from v2sbench.scoring.protocols import PREPARATIONS, protocol
from v2sbench.scoring.recognisers import RATE as ASR_RATE
from v2sbench.scoring.recognisers import recogniser
from v2sbench.scoring.scores import Line
from v2sbench.scoring.transcripts import Transcripts
from v2sbench.scoring.wrong_files import profile, stretch

SIDES = {"wav": "", "ref": "_ref"}
"""Sides of a clip, prediction and reference -> what their keys in a line end in: heard, heard_ref."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker needs for one clip."""

    clip: str
    wav: Path | None
    """The prediction, None when there is none."""
    ref: Path | None
    """The reference, None when there is none."""
    metrics: tuple[str, ...]
    """Metrics to compute that need a pair of waves."""
    protocol: str
    asr: str | None = None
    """Recogniser to run in the worker; None for none, or for one that runs elsewhere."""
    listen: tuple[str, ...] = ()
    """Sides it listens to."""
    heard_by: str = ""
    """The listener in the store of transcripts: see `Method.listener_id`."""
    store: Path | None = None
    """File of transcripts, None for none."""
    compare: bool = False
    """Whether to make the profiles by which `wrong_files` compares."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """One file as it is scored."""

    digest: str | None
    """Name of its bytes in a line; None when they cannot be read."""
    wave: Wave | None
    """(T,) mono, within [-1, 1]; None when it cannot be scored."""
    rate: int
    fault: str
    """What is wrong with it, of REASONS; empty for nothing."""
    scaled: float = 1.0
    """The peak over full scale that it was divided by; 1 when it was left alone."""

    @property
    def audible(self) -> str:
        """Whether a recogniser can hear it: yes, no, or silent, which is to hear nothing."""
        return {"": "yes", "silent": "silent"}.get(self.fault, "no")


def load(path: Path | None) -> Sound:
    """A file, read once. Whatever is wrong with it is a fault, never an exception."""
    if path is None or not path.exists():
        return Sound(digest=None, wave=None, rate=0, fault="missing")
    try:
        data = path.read_bytes()
    except OSError:
        return Sound(digest=None, wave=None, rate=0, fault="unreadable")
    try:
        wave, rate, scaled = _decode(data)
    except UnusableError as error:
        return Sound(digest=_name(data), wave=None, rate=0, fault=error.reason)
    return Sound(digest=_name(data), wave=wave, rate=rate, fault="", scaled=scaled)


def digest(path: Path | None) -> str | None:
    """Name of a file's bytes in a line, None when it is not there."""
    return _name(path.read_bytes()) if path is not None and path.is_file() else None


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _decode(data: bytes) -> tuple[Wave, int, float]:
    """The bytes of a WAV or FLAC file -> (T,) mono within [-1, 1], Hz, and the peak that it was divided by.

    A float file that exceeds full scale is divided by its peak, so that every metric and recogniser gets the same wave:
    some of them would clip it, some not. Channels are averaged. Raises UnusableError.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            channels, rate, subtype = file.read(dtype="float32", always_2d=True), int(file.samplerate), file.subtype
    except soundfile.LibsndfileError:
        raise UnusableError("unreadable") from None
    if not len(channels):
        raise UnusableError("unreadable")
    wave = np.asarray(channels.mean(axis=1) if channels.shape[1] > 1 else channels[:, 0], np.float32)
    peak = float(np.abs(wave).max())
    if 1 < peak < np.inf:
        wave = wave / np.float32(peak)
    try:
        check(wave, rate)
    except UnusableError as error:
        if error.reason == "silent" and np.sqrt(np.square(channels).mean(axis=0)).max() >= SILENT_RMS:
            raise UnusableError("opposite-phase") from None
        if error.reason == "silent" and subtype == "PCM_32" and _speaks(wave * 2**16, rate):
            raise UnusableError("unscaled") from None
        raise
    return wave, rate, max(1.0, peak)


def _speaks(wave: Wave, rate: int) -> bool:
    try:
        check(wave, rate)
    except UnusableError:
        return False
    return True


def score_clip(task: Task) -> Line:
    """All about one clip that can be found out in a worker.

    Keys: clip, status, audio and ref (digests), values and errors of the metrics, those of NOTES that apply;
    audible, audible_ref (yes, no, or silent); heard, heard_ref: transcripts, absent where nobody listened, and
    fresh: those made now, by digest; profile, a (2, n) array of reference and prediction, and stretch, where they were
    asked for (see `wrong_files`).
    """
    prediction, reference = load(task.wav), load(task.ref)
    line: Line = {"clip": task.clip, "audio": prediction.digest, "ref": reference.digest, "errors": {}}
    line |= {"audible": prediction.audible, "audible_ref": reference.audible}
    status = prediction.fault or (f"reference-{reference.fault}" if reference.fault else "ok")
    pair: Pair | None = None
    if prediction.wave is not None and reference.wave is not None:
        sides = (reference.wave, reference.rate), (prediction.wave, prediction.rate)
        try:
            pair = Pair.of(*sides, protocol(task.protocol))
        except UnusableError as error:
            status = error.reason
    for name in task.metrics:
        try:
            if pair is None:
                raise UnusableError(status)
            line[name] = metric(name).compute(pair)
        except UnusableError as error:
            line["errors"][name] = error.reason
    if pair is not None:
        line |= pair.notes
    if pair is not None and task.compare and prediction.wave is not None and reference.wave is not None:
        both = np.stack([profile(pair.reference, pair.rate), profile(pair.prediction, pair.rate)])
        line["profile"] = both
        seconds = len(reference.wave) / reference.rate
        line["stretch"] = stretch(both[0], seconds, prediction.wave, prediction.rate)
    if prediction.scaled > 1:
        line["scaled"] = prediction.scaled
    if reference.scaled > 1:
        line["scaled_ref"] = reference.scaled
    if task.asr:
        sounds = {"wav": prediction, "ref": reference}
        line |= _listened(task, {side: sounds[side] for side in task.listen})
    return line | {"status": status}


# ---------------------------------------------------------------- what is heard


def for_ears(sound: Sound, prepare: str) -> Wave:
    """(T,) that a recogniser is given: at its own rate, prepared as the protocol says."""
    assert sound.wave is not None
    return PREPARATIONS[prepare](resample(sound.wave, sound.rate, ASR_RATE))


def _listened(task: Task, sounds: dict[str, Sound]) -> Line:
    """Transcripts of the sides that can be heard, from the store or made now."""
    listener, prepare = recogniser(str(task.asr)), protocol(task.protocol).prepare
    found: Line = {"fresh": {}}
    for side, sound in sounds.items():
        if sound.wave is None or sound.digest is None:
            continue
        text = _store(task.store, task.heard_by).get(sound.digest)
        if text is None:
            text = found["fresh"].get(sound.digest)
        if text is None:
            text = found["fresh"][sound.digest] = listener.transcribe([for_ears(sound, prepare)])[0]
        found[f"heard{SIDES[side]}"] = text
    return found


@functools.lru_cache(maxsize=8)
def _store(path: Path | None, heard_by: str) -> Transcripts:
    """One open file a worker."""
    return Transcripts(path, heard_by, readonly=True)
