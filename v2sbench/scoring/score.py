"""The run: clips without a score go to the workers, their findings to the journal, and the journal to the scores.

clips -> locate both files -> [workers] read, resample, align, measure, (cheap recogniser) -> journal
      -> [this process] (batched recogniser), edit counts -> lines sorted by clip, and .meta.json
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from v2sbench.runtime import UseError, parallel, progress, worker_count
from v2sbench.scoring.clip import SIDES, digest, for_ears, load, score_clip
from v2sbench.scoring.folders import files_of, locate
from v2sbench.scoring.plan import Method, Plan
from v2sbench.scoring.scores import Journal, Line, read_meta, write_meta
from v2sbench.scoring.summary import Summary, meta, summary
from v2sbench.scoring.transcripts import Transcripts
from v2sbench.scoring.wrong_files import Agreement

Files = Mapping[str, Path | None]
"""Clip -> its audio file, None where there is none."""
DIGESTS = {"wav": "audio", "ref": "ref"}
"""Side of a clip -> key of its digest in a line."""


def score(plan: Plan) -> Summary:
    """Write one JSON line for each clip of a plan to `plan.out`, sorted by clip, and a .meta.json beside it.

    A line whose `key` holds is kept instead of made again, so a run that was killed goes on where it stood. Raises
    UseError before anything is written, and where another run writes the same scores; CheckError when a worker was
    killed.
    """
    system = plan.system or plan.wavs.resolve().name
    method = Method.of(plan)
    clips = sorted(set(plan.clips))
    if not clips:
        raise UseError("there are no clips to score")
    worker_count(plan.jobs)  # a wrong number is told before anything is written
    wavs, refs = locate(plan.wavs, clips), locate(plan.refs, clips)
    heard = Transcripts(plan.transcripts if method.asr else None, method.listener_id)
    agreement = Agreement()

    def key_of(clip: str) -> str | None:
        return method.key(clip, digest(wavs[clip]), digest(refs[clip])) if clip in wavs else None

    with contextlib.closing(heard), Journal(plan.out, key_of, plan.known) as journal:
        kept = len(journal)
        todo = _longest_first((clip for clip in clips if not journal.knows(clip)), wavs, refs)
        store = plan.transcripts
        tasks = (method.task(clip, wavs[clip], refs[clip], compare=plan.doubt, store=store) for clip in todo)
        results = parallel(score_clip, tasks, jobs=plan.jobs, desc=f"score {system}", total=len(todo), ordered=False)
        with contextlib.closing(results):
            for raw in results:
                same = plan.doubt and raw["audio"] is not None and raw["audio"] == raw["ref"]
                agreement.add(raw["clip"], raw.pop("profile", None), same, raw.pop("stretch", None))
                _take(method, raw, journal, heard)
        _listen(method, {"wav": wavs, "ref": refs}, journal, heard, f"transcribe {system}")
        journal.finish(clips)
    about = meta(method, system, len(clips)) | dict(plan.facts)
    if kept == len(clips):  # nothing was scored, so where and when it was scored stays
        about["environment"] = read_meta(plan.out).get("environment") or about["environment"]
    write_meta(plan.out, about)
    unused = len(files_of(plan.wavs)) - sum(map(bool, wavs.values()))
    return summary(method, plan.out, system, kept, unused, agreement.warnings())


def _longest_first(clips: Iterable[str], *folders: Files) -> list[str]:
    """By the size of the files, so that no worker ends long after the others."""

    def size(path: Path | None) -> int:
        with contextlib.suppress(OSError):  # a link to nothing
            return os.path.getsize(path) if path else 0
        return 0

    return sorted(clips, key=lambda clip: (-max(size(files[clip]) for files in folders), clip))


def _take(method: Method, raw: Line, journal: Journal, heard: Transcripts) -> None:
    """Keep what a worker found; a clip that is still to be heard waits in the journal."""
    raw["key"] = method.key(raw["clip"], raw["audio"], raw["ref"])
    heard.put(raw.pop("fresh", {}))
    _recall(method, raw, heard)
    journal.add(raw | {"pending": True} if method.unheard(raw) else method.finish(raw))


def _recall(method: Method, raw: Line, heard: Transcripts) -> None:
    """Fill in the transcripts that are there."""
    for side in method.unheard(raw):
        text = heard.get(raw[DIGESTS[side]])
        if text is not None:
            raw[f"heard{SIDES[side]}"] = text


def _listen(method: Method, files: Mapping[str, Files], journal: Journal, heard: Transcripts, desc: str) -> None:
    """The transcripts of a recogniser that works by the batch."""
    listener = method.listener
    if listener is None or not journal.pending:
        return
    with progress(total=len(journal.pending), desc=desc) as bar:
        for clips in _batches(journal.pending, listener.batch):
            raws = [journal.line(clip) for clip in clips]
            wanted: dict[str, Path | None] = {}  # each audio once, however many clips have it
            for raw in raws:
                _recall(method, raw, heard)
                wanted |= {raw[DIGESTS[side]]: files[side][raw["clip"]] for side in method.unheard(raw)}
            for names in _batches(wanted, listener.batch):
                waves = [for_ears(load(wanted[name]), method.rules.prepare) for name in names]
                heard.put(dict(zip(names, listener.transcribe(waves), strict=True)))
            for raw in raws:
                _recall(method, raw, heard)
                del raw["pending"]
                journal.add(method.finish(raw))
            bar.update(len(raws))


def _batches(items: Iterable[str], count: int) -> Iterator[Sequence[str]]:
    left = iter(items)
    while batch := list(itertools.islice(left, count)):
        yield batch
