"""One clip: all about it that can be had in a worker process. Bad audio is a status, never an exception."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2sbench.audio import MediaError, read_wav, resample
from v2sbench.scoring.metrics import PREPARATIONS, MetricError, Pair, UnusableError, check, metric, protocol
from v2sbench.scoring.recognisers import RATE as ASR_RATE
from v2sbench.scoring.recognisers import recogniser
from v2sbench.scoring.scores import Line
from v2sbench.scoring.transcripts import Transcripts
from v2sbench.scoring.wrong_files import profile

Audio = tuple[NDArray[np.float32], int]
"""(T,) samples and Hz."""
SIDES = {"wav": "", "ref": "_ref"}
"""Sides of a clip, prediction and reference -> what their keys in a line end in: heard, heard_ref."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker needs for one clip."""

    clip: str
    """Name of the clip."""
    wav: Path | None
    """The prediction, None when there is none."""
    ref: Path | None
    """The reference, None when there is none."""
    metrics: tuple[str, ...]
    """Metrics to compute that need a pair of waves."""
    protocol: str
    """Name of the protocol."""
    asr: str | None = None
    """Recogniser to run in the worker; None for none, or for one that runs elsewhere."""
    listen: tuple[str, ...] = ()
    """Sides it listens to."""
    heard_by: str = ""
    """Whose transcripts are in the store: see `Plan.listener_id`."""
    store: Path | None = None
    """File of transcripts, None for none."""
    compare: bool = False
    """Whether to tell how both sides run in time, for `agreement`."""


def score_clip(task: Task) -> Line:
    """All about one clip that can be had in a worker.

    Keys: clip, status, audio and ref (hashes), values and errors of the metrics, metrics.NOTES where there was a pair;
    audible, audible_ref (yes, no, or silent); heard, heard_ref: transcripts, absent where nobody listened, and
    fresh: those made now, by hash; profile: (2, n) array of reference and prediction, where it was asked for.
    """
    rules = protocol(task.protocol)
    (wave, fault, audio), (reference, reference_fault, ref) = _load(task.wav), _load(task.ref)
    line: Line = {"clip": task.clip, "audio": audio, "ref": ref, "errors": {}}
    line |= {"audible": _audible(fault), "audible_ref": _audible(reference_fault)}
    status = fault or (f"reference-{reference_fault}" if reference_fault else "ok")
    pair: Pair | None = None
    if wave is not None and reference is not None:
        try:
            pair = Pair.of(reference, wave, rules)
        except UnusableError as error:
            status = error.status
    for name in task.metrics:
        if pair is None:
            line["errors"][name] = status
            continue
        try:
            line[name] = metric(name).compute(pair)
        except MetricError as error:
            line["errors"][name] = error.reason
    line |= pair.notes if pair is not None else {}
    if pair is not None and task.compare:
        line["profile"] = np.stack([profile(pair.reference, pair.rate), profile(pair.prediction, pair.rate)])
    if task.asr:
        sides = {"wav": (wave, audio), "ref": (reference, ref)}
        line |= _listened(task, {side: sides[side] for side in task.listen})
    return line | {"status": status}


def _audible(fault: str | None) -> str:
    return {None: "yes", "silent": "silent"}.get(fault, "no")


def _load(path: Path | None) -> tuple[Audio | None, str | None, str | None]:
    """(wave, Hz) and no fault, or None and what is wrong with the file; and the hash of its bytes."""
    if path is None:
        return None, "missing", None
    try:
        data = path.read_bytes()
    except OSError:
        return None, "missing" if not path.exists() else "unreadable", None
    name = _name(data)
    try:
        wave, rate = read_wav(path)
        check(wave, rate)
    except MediaError as error:
        return None, "missing" if error.reason == "missing" else "unreadable", name
    except UnusableError as error:
        return None, error.status, name
    return (wave, rate), None, name


def digest(path: Path | None) -> str | None:
    """Name of a file's bytes in a line, None when it is not there."""
    return _name(path.read_bytes()) if path is not None and path.is_file() else None


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# ---------------------------------------------------------------- what is heard


def for_ears(wave: NDArray[np.float32], rate: int, prepare: str) -> NDArray[np.float32]:
    """(T,) at `rate` Hz -> what a recogniser is given: at its own rate, prepared as the protocol says."""
    return PREPARATIONS[prepare](resample(wave, rate, ASR_RATE))


def _listened(task: Task, sides: dict[str, tuple[Audio | None, str | None]]) -> Line:
    """Transcripts of the sides that can be heard, from the store or made now."""
    listener, prepare = recogniser(str(task.asr)), protocol(task.protocol).prepare
    found: Line = {"fresh": {}}
    for side, (audio, name) in sides.items():
        if audio is None or name is None:
            continue
        text = _store(task.store, task.heard_by, os.getpid()).get(name)
        if text is None:
            text = found["fresh"].get(name)
        if text is None:
            text = found["fresh"][name] = listener.transcribe([for_ears(*audio, prepare)])[0]
        found[f"heard{SIDES[side]}"] = text
    return found


@functools.lru_cache(maxsize=8)
def _store(path: Path | None, heard_by: str, process: int) -> Transcripts:
    """One open file a worker: SQLite forbids to carry one through a fork, hence `process`."""
    return Transcripts(path, heard_by, readonly=True)
