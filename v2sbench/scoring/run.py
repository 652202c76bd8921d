"""The run: what is not there yet goes to the workers, what they find to the journal, and the journal to the scores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from v2sbench import runtime
from v2sbench.audio import read_wav
from v2sbench.runtime import UseError
from v2sbench.scoring.clip import SIDES, digest, for_ears, score_clip
from v2sbench.scoring.folders import files_of, locate
from v2sbench.scoring.metrics import DEFAULT
from v2sbench.scoring.plan import Plan, plan_of
from v2sbench.scoring.scores import Journal, Line, write_meta
from v2sbench.scoring.summary import Summary, meta, summary
from v2sbench.scoring.transcripts import Transcripts
from v2sbench.scoring.wrong_files import Agreement


def score(
    wavs: Path,
    refs: Path,
    clips: Sequence[str],
    texts: Mapping[str, str] | None,
    out: Path,
    *,
    protocol: str = DEFAULT,
    asr: str | None = "grid-grammar",
    metrics: Sequence[str] | None = None,
    jobs: int | None = None,
    system: str = "",
    normaliser: str | None = None,
    facts: Mapping[str, Any] | None = None,
    transcripts: Path | None = None,
    known: Sequence[Path] = (),
    doubt: bool = True,
) -> Summary:
    """Write one JSON line for each of `clips` to `out`, sorted by clip, and a .meta.json beside it.

    wavs, refs: folders of predictions and references, any rate and length, found by `locate`; a clip without a file is
    a line of status `missing`. texts: clip -> sentence for the WER, which is left out without texts or without `asr`.
    metrics: names, default those of the protocol. normaliser: default the protocol's for GRID when the recogniser or
    every text is GRID's, else that for open text. facts: further entries of .meta.json (vocoder, coverage).
    transcripts: file of transcripts to use and add to (see `Transcripts`). known: other files of scores, of which a
    line that would come out the same is taken over. doubt: whether to look for files under wrong names.
    Raises UseError before anything is written; CheckError when a worker was killed.
    """
    wavs, refs, out = Path(wavs), Path(refs), Path(out)
    system = system or wavs.resolve().name
    plan = plan_of(protocol, asr, metrics, texts, normaliser)
    chosen = sorted(set(clips))
    if not chosen:
        raise UseError("there are no clips to score")
    found, truth = locate(wavs, chosen), locate(refs, chosen)
    runtime.worker_count(jobs)

    def key_of(clip: str) -> str | None:
        return plan.key(clip, digest(found[clip]), digest(truth[clip])) if clip in found else None

    heard = Transcripts(transcripts if plan.asr else None, plan.listener_id)
    journal, agreement = Journal(out, key_of, known), Agreement()
    kept = len(journal)
    try:
        with journal:
            todo = _longest_first((clip, found[clip], truth[clip]) for clip in chosen if not journal.knows(clip))
            with runtime.progress(total=len(todo), desc=f"score {system}") as bar:
                tasks = (plan.task(*item, compare=doubt, store=transcripts) for item in todo)
                with contextlib.closing(runtime.parallel(score_clip, tasks, jobs=jobs, ordered=False)) as results:
                    for raw in results:
                        agreement.add(raw["clip"], raw.pop("profile", None), doubt and _same(raw))
                        _take(plan, raw, journal, heard)
                        bar.update()
            _listen(plan, {"wav": found, "ref": truth}, journal, heard, f"transcribe {system}")
            journal.finish(chosen)
    finally:
        heard.close()
    write_meta(out, meta(plan, system, len(chosen)) | dict(facts or {}))
    unused = len(files_of(wavs)) - sum(map(bool, found.values()))
    return summary(plan, out, system, kept, unused, agreement.warnings())


def _longest_first(items: Iterable[tuple[str, Path | None, Path | None]]) -> list[tuple[str, Path | None, Path | None]]:
    """By the size of the files, so that no worker ends long after the others."""

    def size(item: tuple[str, Path | None, Path | None]) -> tuple[int, str]:
        return -max((path.stat().st_size for path in item[1:] if path), default=0), item[0]

    return sorted(items, key=size)


def _same(raw: Line) -> bool:
    return raw["audio"] is not None and raw["audio"] == raw["ref"]


def _take(plan: Plan, raw: Line, journal: Journal, heard: Transcripts) -> None:
    """Keep what a worker found; a clip that is still to be heard waits in the journal."""
    raw["key"] = plan.key(raw["clip"], raw["audio"], raw["ref"])
    heard.put(raw.pop("fresh", {}))
    _recall(plan, raw, heard)
    journal.add(raw | {"pending": True} if plan.unheard(raw) else plan.finish(raw))


def _recall(plan: Plan, raw: Line, heard: Transcripts) -> None:
    """Fill in the transcripts that are there."""
    for side in plan.unheard(raw):
        text = heard.get(raw["audio" if side == "wav" else "ref"])
        if text is not None:
            raw[f"heard{SIDES[side]}"] = text


def _listen(
    plan: Plan, files: Mapping[str, Mapping[str, Path | None]], journal: Journal, heard: Transcripts, desc: str
) -> None:
    """The transcripts of a recogniser that works by the batch."""
    listener = plan.listener
    if listener is None or not journal.pending:
        return
    with runtime.progress(total=len(journal.pending), desc=desc) as bar:
        for clips in _by(listener.batch, sorted(journal.pending)):
            raws = [journal.line(clip) for clip in clips]
            wanted: dict[str, Path] = {}  # each audio once, whoever has it
            for raw in raws:
                _recall(plan, raw, heard)
                for side in plan.unheard(raw):
                    wanted[raw["audio" if side == "wav" else "ref"]] = files[side][raw["clip"]]  # type: ignore[assignment]
            for names in _by(listener.batch, list(wanted)):
                waves = [for_ears(*read_wav(wanted[name]), plan.rules.prepare) for name in names]
                heard.put(dict(zip(names, listener.transcribe(waves), strict=True)))
            for raw in raws:
                _recall(plan, raw, heard)
                del raw["pending"]
                journal.add(plan.finish(raw))
            bar.update(len(raws))


def _by(count: int, items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]
