"""Score one folder of audio against another: a line of JSON a clip, in parallel, resumable, nothing left out.

    clips -> locate both files -> [workers] read, resample, align, measure, (cheap recogniser) -> journal
          -> [this process] (batched recogniser), edit counts -> lines sorted by clip, and .meta.json

Every metric that was asked for is, in each line, a value or a reason in `errors`. `key` digests all that a line depends
on; a line whose key holds is kept instead of made again, so a run that was killed goes on where it stood.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2sbench import runtime
from v2sbench.asr import RATE as ASR_RATE
from v2sbench.asr import Recogniser, are_grid, normalise, recogniser
from v2sbench.folders import clips_of, files_of, locate
from v2sbench.ledger import Journal, Line, read_scores, write_meta
from v2sbench.metrics import METRICS, MetricError, Pair, Protocol, UnusableError, Words, check, metric, protocol
from v2sbench.pcm import MediaError, read_wav, resample
from v2sbench.runtime import CheckError, UseError

__all__ = ["Plan", "Summary", "Task", "clips_of", "locate", "read_scores", "score", "score_clip"]

FEW = 16
"""Clips under which starting worker processes takes longer than scoring."""


# ---------------------------------------------------------------- one clip


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
    asr: str | None
    """Recogniser to run in the worker; None for none, or for one that runs elsewhere."""


def score_clip(task: Task) -> Line:
    """All about one clip that can be had in a worker; bad audio is a status, never an exception.

    Keys: clip, status, audio and ref (hashes), values and errors of the metrics, padded (samples at the protocol's
    rate), audible (yes, no, or silent), and heard: the transcript, absent when nobody listened.
    """
    wave, fault = _load(task.wav)
    reference, reference_fault = _load(task.ref)
    line: Line = {"clip": task.clip, "audio": _hash(task.wav), "ref": _hash(task.ref), "errors": {}}
    line["audible"] = {None: "yes", "silent": "silent"}.get(fault, "no")
    status = fault or (f"reference-{reference_fault}" if reference_fault else "ok")
    pair: Pair | None = None
    if wave is not None and reference is not None:
        try:
            pair = Pair.of(reference, wave, protocol(task.protocol))
            line["padded"] = pair.padded
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
    if wave is not None and task.asr:
        line["heard"] = recogniser(task.asr).transcribe([resample(*wave, ASR_RATE)])[0]
    return line | {"status": status}


def _load(path: Path | None) -> tuple[tuple[NDArray[np.float32], int] | None, str | None]:
    """(wave, Hz) and no fault, or None and what is wrong with the file."""
    if path is None:
        return None, "missing"
    try:
        wave, rate = read_wav(path)
        check(wave, rate)
    except MediaError as error:
        return None, "missing" if error.reason == "missing" else "unreadable"
    except UnusableError as error:
        return None, error.status
    return (wave, rate), None


def _hash(path: Path | None) -> str | None:
    return runtime.sha256_file(path)[:16] if path is not None and path.is_file() else None


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a scoring asks of every clip."""

    rules: Protocol
    """Protocol."""
    metrics: tuple[str, ...]
    """Every metric asked for, in the order of a line."""
    asr: str | None
    """Recogniser as the user named it, None when no metric needs words."""
    normaliser: str
    """Key of NORMALISERS; empty without a recogniser."""
    texts: Mapping[str, str]
    """Clip -> what was to be said."""

    @property
    def listener(self) -> Recogniser | None:
        """The recogniser."""
        return recogniser(self.asr) if self.asr else None

    @functools.cached_property
    def asr_id(self) -> str | None:
        """Recogniser and normaliser, as tables name them."""
        return f"{self.listener.id}+{self.normaliser}" if self.listener else None

    @property
    def in_workers(self) -> bool:
        """Whether the recogniser runs in the workers."""
        return self.listener is not None and self.listener.batch == 1

    def names(self, needs: str) -> tuple[str, ...]:
        """Metrics that need a `pair`, or those that need `words`."""
        return tuple(name for name in self.metrics if METRICS[name].needs == needs)

    def key(self, clip: str, audio: str | None, ref: str | None) -> str:
        """Digest of all that the clip's line depends on."""
        versions = [[name, METRICS[name].version] for name in self.metrics]
        facts = [clip, audio, ref, self.rules.name, versions, self.asr_id, self.texts.get(clip)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def waits(self, raw: Line) -> bool:
        """Whether the clip's transcript is still to be made, in this process."""
        return (
            self.listener is not None and "heard" not in raw and raw["audible"] == "yes" and raw["clip"] in self.texts
        )

    def finish(self, raw: Line) -> Line:
        """The stored line of a clip, from what the worker and the recogniser found."""
        clip, errors = raw["clip"], dict(raw["errors"])
        values = {name: raw[name] for name in self.names("pair") if name in raw}
        heard = raw.get("heard", "" if raw["audible"] == "silent" else None)
        text = self.texts.get(clip)
        for name in self.names("words"):
            if text is None or heard is None:
                errors[name] = "no-text" if text is None else raw["status"]
                continue
            sides = (normalise(side, self.normaliser) for side in (text, heard))
            try:
                values[name] = METRICS[name].compute(Words(reference=next(sides), hypothesis=next(sides)))
            except MetricError as error:
                errors[name] = error.reason
        status = "partial" if raw["status"] == "ok" and errors else raw["status"]
        line: Line = {"clip": clip, "status": status} | {name: values[name] for name in self.metrics if name in values}
        if self.asr:
            line |= {"text": text, "hyp": heard}
        line |= {name: raw[name] for name in ("padded",) if name in raw}
        if errors:
            line["errors"] = {name: errors[name] for name in self.metrics if name in errors}
        return line | {"audio": raw["audio"], "ref": raw["ref"], "key": raw["key"]}


def _plan(
    name: str, asr: str | None, metrics: Sequence[str] | None, texts: Mapping[str, str] | None, normaliser: str | None
) -> Plan:
    rules = protocol(name)
    chosen = tuple(metric(item).name for item in (rules.metrics if metrics is None else metrics))
    words = [item for item in chosen if METRICS[item].needs == "words"]
    if words and (texts is None or asr is None):
        if metrics is not None:
            lacking = "a recogniser: give --asr" if asr is None else "texts: give --texts FILE.tsv or --grammar grid"
            raise UseError(f"{', '.join(words)} needs {lacking}")
        chosen, words = tuple(item for item in chosen if item not in words), []
    if not chosen:
        raise UseError(f"no metric is left to compute (known: {', '.join(METRICS)})")
    if not words or asr is None or texts is None:
        return Plan(rules=rules, metrics=chosen, asr=None, normaliser="", texts={})
    closed = recogniser(asr).grammar == "grid"
    if closed and not any(are_grid([text]) for text in texts.values()):
        raise UseError(f"recogniser {asr} knows only GRID sentences, and no text is one; use --asr whisper:tiny.en")
    chosen_normaliser = normaliser or rules.normalisers["grid" if closed or are_grid(texts.values()) else "open"]
    normalise("", chosen_normaliser)
    return Plan(rules=rules, metrics=chosen, asr=asr, normaliser=chosen_normaliser, texts=dict(texts))


# ---------------------------------------------------------------- the run


def score(
    wavs: Path,
    refs: Path,
    clips: Sequence[str],
    texts: Mapping[str, str] | None,
    out: Path,
    *,
    protocol: str = "v2sbench-1",
    asr: str | None = "grid-grammar",
    metrics: Sequence[str] | None = None,
    jobs: int | None = None,
    system: str = "",
    normaliser: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Summary:
    """Write one JSON line for each of `clips` to `out`, sorted by clip, and a .meta.json beside it.

    wavs, refs: folders of predictions and references, any rate and length, found by `locate`; a clip without a file is
    a line of status `missing`. texts: clip -> sentence for the WER, which is left out without texts or without `asr`.
    metrics: names, default those of the protocol. normaliser: default the protocol's for GRID when the recogniser or
    every text is GRID's, else that for open text. facts: further entries of .meta.json (vocoder, coverage).
    Raises UseError before anything is written; CheckError when a worker was killed.
    """
    wavs, refs, out = Path(wavs), Path(refs), Path(out)
    system = system or wavs.resolve().name
    plan = _plan(protocol, asr, metrics, texts, normaliser)
    chosen = sorted(set(clips))
    if not chosen:
        raise UseError("there are no clips to score")
    found, truth = locate(wavs, chosen), locate(refs, chosen)
    heard_there = plan.asr if plan.in_workers else None
    tasks = {
        clip: Task(clip=clip, wav=found[clip], ref=truth[clip], metrics=plan.names("pair"), protocol=plan.rules.name,
                   asr=heard_there if clip in plan.texts else None)
        for clip in chosen
    }  # fmt: skip

    def key_of(clip: str) -> str | None:
        return plan.key(clip, _hash(found[clip]), _hash(truth[clip])) if clip in tasks else None

    journal = Journal(out, key_of)
    kept = len(journal.lines)
    with journal:
        _measure(plan, tasks, journal, jobs, f"score {system}")
        _listen(plan, tasks, journal, f"transcribe {system}")
    lines = journal.finish(chosen)
    write_meta(out, _meta(plan, system, len(lines)) | dict(facts or {}))
    return _summary(plan, out, system, lines, kept, unused=len(files_of(wavs)) - sum(map(bool, found.values())))


def _measure(plan: Plan, tasks: Mapping[str, Task], journal: Journal, jobs: int | None, desc: str) -> None:
    """Every clip that the journal has not, the longest first, so that no worker ends long after the others."""
    todo = [task for clip, task in tasks.items() if clip not in journal.lines and clip not in journal.pending]
    todo.sort(
        key=lambda task: (-max((path.stat().st_size for path in (task.wav, task.ref) if path), default=0), task.clip)
    )
    with runtime.progress(total=len(todo), desc=desc) as bar:
        for raw in _results(todo, jobs):
            raw["key"] = plan.key(raw["clip"], raw["audio"], raw["ref"])
            journal.add(raw | {"pending": True} if plan.waits(raw) else plan.finish(raw))
            bar.update()


def _results(tasks: Sequence[Task], jobs: int | None) -> Iterator[Line]:
    """`score_clip` of each task, in the order in which they end."""
    count = runtime.worker_count(jobs)
    if count == 1 or len(tasks) < FEW:
        yield from map(score_clip, tasks)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Not runtime.parallel, which keeps the order: there, what is done waits for a long clip, and dies with the run.
    pool = joblib.Parallel(n_jobs=count, return_as="generator_unordered")
    try:
        yield from pool(joblib.delayed(score_clip)(task) for task in tasks)
    except TerminatedWorkerError:
        raise CheckError(
            "a worker was killed, perhaps for want of memory; what was scored is kept: run again, with fewer --jobs"
        ) from None


def _listen(plan: Plan, tasks: Mapping[str, Task], journal: Journal, desc: str) -> None:
    """The transcripts of a recogniser that works by the batch."""
    listener, waiting = plan.listener, sorted(journal.pending)
    if listener is None or not waiting:
        return
    with runtime.progress(total=len(waiting), desc=desc) as bar:
        for start in range(0, len(waiting), listener.batch):
            part = waiting[start : start + listener.batch]
            waves = [read_wav(path, ASR_RATE)[0] for clip in part if (path := tasks[clip].wav)]
            for clip, heard in zip(part, listener.transcribe(waves), strict=True):
                journal.add(plan.finish(journal.pending[clip] | {"heard": heard}))
            bar.update(len(part))


# ---------------------------------------------------------------- the sum of it


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a scoring came to; `str()` of it is for people."""

    out: Path
    """The scores."""
    system: str
    """Whose they are."""
    clips: int
    """Lines."""
    kept: int
    """Lines taken over from an earlier run."""
    statuses: Mapping[str, int]
    """Status -> clips."""
    failed: Mapping[str, int]
    """Metric -> clips without a value."""
    means: Mapping[str, float]
    """Metric -> mean over the clips that have a value; WER: percent, pooled over words."""
    unused: int
    """Audio files of the system that no clip asked for."""
    asr: str | None
    """Recogniser and normaliser."""

    def __str__(self) -> str:
        """A line a metric, and what went wrong."""
        lines = [f"{self.out}: {self.clips} clips of {self.system}" + (f", {self.kept} kept" if self.kept else "")]
        for name, failed in self.failed.items():
            value = f"{self.means[name]:8.3f}" if name in self.means else f"{'-':>8}"
            column = (
                f"{METRICS[name].column} {METRICS[name].unit}" if METRICS[name].unit == "%" else METRICS[name].column
            )
            lines.append(f"  {column:16} {value}  n {self.clips - failed}" + (f", failed {failed}" if failed else ""))
        if self.asr:
            lines.append(f"  recogniser {self.asr}")
        if bad := [f"{count} {status}" for status, count in sorted(self.statuses.items()) if status != "ok"]:
            lines.append(f"  not ok: {', '.join(bad)}")
        if self.unused:
            lines.append(f"  {self.unused} audio files belong to no clip")
        return "\n".join(lines)


def _summary(plan: Plan, out: Path, system: str, lines: Sequence[Line], kept: int, unused: int) -> Summary:
    means: dict[str, float] = {}
    for name in plan.metrics:
        values = [line[name] for line in lines if name in line]
        if METRICS[name].needs == "words" and sum(edits["words"] for edits in values):
            wrong = sum(edits["sub"] + edits["del"] + edits["ins"] for edits in values)
            means[name] = 100 * wrong / sum(edits["words"] for edits in values)
        elif METRICS[name].needs == "pair" and values:
            means[name] = float(np.mean(values))
    return Summary(
        out=out, system=system, clips=len(lines), kept=kept, statuses=Counter(line["status"] for line in lines),
        failed={name: sum(name not in line for line in lines) for name in plan.metrics}, means=means, unused=unused,
        asr=plan.asr_id,
    )  # fmt: skip


def _meta(plan: Plan, system: str, clips: int) -> dict[str, Any]:
    return {
        "system": system,
        "protocol": plan.rules.name,
        "aggregation": plan.rules.aggregation,
        "asr": plan.asr_id,
        "normaliser": plan.normaliser or None,
        "metrics": {name: METRICS[name].version for name in plan.metrics},
        "clips": clips,
        "environment": _machine(plan),
    }


def _machine(plan: Plan) -> dict[str, str]:
    """What the scores depend on beside the versions of the metrics; PyTorch is asked only where it was at work."""
    if plan.listener is not None and not plan.in_workers:
        return runtime.environment()
    found = {name: version(name) for name in ("numpy", "scipy", "soundfile")}
    return {"python": platform.python_version(), "machine": platform.machine()} | found
