"""What a user asks of a scoring (`Plan`), and how each clip is measured by it (`Method`)."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from v2sbench.runtime import UseError
from v2sbench.scoring.clip import SIDES, Task
from v2sbench.scoring.metrics import METRICS, NOTES, UnusableError, Words, metric
from v2sbench.scoring.protocols import DEFAULT, Protocol, protocol
from v2sbench.scoring.recognisers import Recogniser, are_grid, normalise, recogniser, with_words
from v2sbench.scoring.scores import Line


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One system against its references."""

    wavs: Path
    """Folder of predictions, of any rate and length; a clip that `locate` does not find has the status missing."""
    refs: Path
    """Folder of references."""
    clips: Sequence[str]
    """Clips to score, a line each."""
    out: Path
    """The file of scores; a .meta.json is written beside it."""
    texts: Mapping[str, str] | None = None
    """Clip -> sentence for the WER, which is left out without texts or without `asr`."""
    protocol: str = DEFAULT
    asr: str | None = "grid-grammar"
    metrics: Sequence[str] | None = None
    """Names of metrics; None for those of the protocol."""
    jobs: int | None = None
    system: str = ""
    """What the system is called; empty for the name of the folder `wavs`."""
    normaliser: str | None = None
    """None for the protocol's: that of GRID when the recogniser or every text is GRID's, else that of open text."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of .meta.json (vocoder, coverage)."""
    transcripts: Path | None = None
    """File of transcripts to use and add to, see `Transcripts`."""
    known: Sequence[Path] = ()
    """Other files of scores; a line of theirs that would come out the same is taken over."""
    doubt: bool = True
    """Whether to look for files under wrong names."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """How every clip of a scoring is measured."""

    rules: Protocol
    metrics: tuple[str, ...]
    """Every metric asked for, in the order of a line."""
    asr: str | None
    """Recogniser, with the words that it is held to; None when no metric needs words."""
    normaliser: str
    """Key of NORMALISERS; empty without a recogniser."""
    texts: Mapping[str, str]
    """Clip -> what was to be said."""

    @classmethod
    def of(cls, plan: Plan) -> Method:
        """The method of a plan; UseError says what does not go together."""
        rules = protocol(plan.protocol)
        asked = rules.metrics if plan.metrics is None else tuple(dict.fromkeys(plan.metrics))
        chosen = tuple(metric(name).name for name in asked)
        words = [name for name in chosen if METRICS[name].needs == "words"]
        unsaid = plan.texts is None and rules.words == "text"
        if words and (unsaid or plan.asr is None):
            if plan.metrics is not None:
                recognise, read = "a recogniser: give --asr", "texts: give --texts FILE.tsv or --grammar grid"
                raise UseError(f"{', '.join(words)} needs {recognise if plan.asr is None else read}")
            chosen, words = tuple(name for name in chosen if name not in words), []
        if not chosen:
            raise UseError(f"no metric is left to compute (known: {', '.join(METRICS)})")
        if not words or plan.asr is None:
            return cls(rules=rules, metrics=chosen, asr=None, normaliser="", texts={})
        texts = dict(plan.texts or {})
        asr = with_words(plan.asr, texts.values())
        held = recogniser(asr).grammar
        if held == "grid" and texts and not any(are_grid([text]) for text in texts.values()):
            other = "whisper:tiny.en" if any(" " in text for text in texts.values()) else "words-grammar"
            raise UseError(f"recogniser {asr} knows only GRID sentences, and no text is one; use --asr {other}")
        grid = held == "grid" or are_grid(texts.values())
        default = "words-v1" if held == "words" else rules.normalisers["grid" if grid else "open"]
        normaliser = plan.normaliser or default
        normalise("", normaliser)  # an unknown one is told before anything is scored
        return cls(rules=rules, metrics=chosen, asr=asr, normaliser=normaliser, texts=texts)

    @property
    def listener(self) -> Recogniser | None:
        """The recogniser, made once a process."""
        return recogniser(self.asr) if self.asr else None

    @functools.cached_property
    def asr_id(self) -> str | None:
        """Recogniser and normaliser, as tables name them."""
        return f"{self.listener.id}+{self.normaliser}" if self.listener else None

    @functools.cached_property
    def listener_id(self) -> str:
        """What a transcript depends on beside the audio; empty without a recogniser."""
        if self.listener is None:
            return ""
        prepared = "" if self.rules.prepare == "none" else f"|{self.rules.prepare}"
        return f"{self.listener.id}{prepared}"

    @functools.cached_property
    def versions(self) -> dict[str, str]:
        """Metric -> versions of its definition and of the packages behind it."""
        return {name: METRICS[name].versions for name in self.metrics}

    @property
    def in_workers(self) -> bool:
        """Whether the recogniser runs in the workers."""
        return self.listener is not None and self.listener.batch == 1

    def names(self, needs: str) -> tuple[str, ...]:
        """Metrics that need a `pair`, or those that need `words`."""
        return tuple(name for name in self.metrics if METRICS[name].needs == needs)

    def listen(self, clip: str) -> tuple[str, ...]:
        """Sides of a clip that the recogniser is to hear."""
        if not self.asr:
            return ()
        if self.rules.words == "heard":
            return tuple(SIDES)
        return ("wav",) if clip in self.texts else ()

    def task(self, clip: str, wav: Path | None, ref: Path | None, *, compare: bool, store: Path | None) -> Task:
        """The worker's part of a clip. compare: whether to make profiles; store: file of transcripts."""
        here = self.listen(clip) if self.in_workers else ()
        return Task(
            clip=clip,
            wav=wav and wav.absolute(),
            ref=ref and ref.absolute(),
            metrics=self.names("pair"),
            protocol=self.rules.name,
            asr=self.asr if here else None,
            listen=here,
            heard_by=self.listener_id if here else "",
            store=store and store.absolute(),
            compare=compare,
        )

    def key(self, clip: str, audio: str | None, ref: str | None) -> str:
        """Digest of all that the clip's line depends on."""
        versions = [[name, version] for name, version in self.versions.items()]
        facts = [clip, audio, ref, self.rules.name, versions, self.asr_id, self.texts.get(clip)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def unheard(self, raw: Line) -> list[str]:
        """Sides of a measured clip that can be heard and were not."""
        return [
            side
            for side, end in SIDES.items()
            if side in self.listen(raw["clip"]) and f"heard{end}" not in raw and raw.get(f"audible{end}") == "yes"
        ]

    def finish(self, raw: Line) -> Line:
        """The stored line of a clip, from what the worker and the recogniser found."""
        clip, errors = raw["clip"], dict(raw["errors"])
        values = {name: raw[name] for name in self.names("pair") if name in raw}
        said, heard = self.texts.get(clip), _heard(raw, "wav")
        target = said if self.rules.words == "text" else _heard(raw, "ref")
        for name in self.names("words"):
            if target is None or heard is None:
                errors[name] = "no-text" if target is None and self.rules.words == "text" else raw["status"]
                continue
            first, second = normalise(target, self.normaliser), normalise(heard, self.normaliser)
            try:
                values[name] = METRICS[name].compute(Words(reference=first, hypothesis=second))
            except UnusableError as error:
                errors[name] = error.reason
        status = "partial" if raw["status"] == "ok" and errors else raw["status"]
        line: Line = {"clip": clip, "status": status} | {name: values[name] for name in self.metrics if name in values}
        if self.asr:
            line |= {"text": said, "hyp": heard}
            line |= {"hyp_ref": target} if self.rules.words == "heard" else {}
        line |= {name: raw[name] for name in NOTES if name in raw}
        if errors:
            line["errors"] = {name: errors[name] for name in self.metrics if name in errors}
        return line | {"audio": raw["audio"], "ref": raw["ref"], "key": raw["key"]}


def _heard(raw: Line, side: str) -> str | None:
    """The transcript of a side: empty for silence, None where nobody could listen."""
    silence = "" if raw.get(f"audible{SIDES[side]}") == "silent" else None
    found: str | None = raw.get(f"heard{SIDES[side]}", silence)
    return found
