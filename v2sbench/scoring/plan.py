"""What a scoring asks of every clip: protocol, metrics, recogniser, texts; and the stored line of a clip by these."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from v2sbench.runtime import UseError
from v2sbench.scoring.clip import SIDES, Task
from v2sbench.scoring.metrics import METRICS, NOTES, MetricError, Protocol, Words, metric, protocol
from v2sbench.scoring.recognisers import Recogniser, are_grid, normalise, recogniser, with_words
from v2sbench.scoring.scores import Line


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a scoring asks of every clip."""

    rules: Protocol
    """Protocol."""
    metrics: tuple[str, ...]
    """Every metric asked for, in the order of a line."""
    asr: str | None
    """Recogniser, with the words that it is held to; None when no metric needs words."""
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

    @functools.cached_property
    def listener_id(self) -> str:
        """What a transcript depends on beside the audio; empty without a recogniser."""
        if self.listener is None:
            return ""
        prepared = "" if self.rules.prepare == "none" else f"|{self.rules.prepare}"
        return f"{self.listener.id}{prepared}"

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
        """The worker's part of a clip. compare: see `agreement`; store: file of transcripts."""
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
        versions = [[name, METRICS[name].version] for name in self.metrics]
        facts = [clip, audio, ref, self.rules.name, versions, self.asr_id, self.texts.get(clip)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def unheard(self, raw: Line) -> list[str]:
        """Sides of a measured clip that can be heard and were not."""
        return [side for side in self.listen(raw["clip"])
                if f"heard{SIDES[side]}" not in raw and raw.get(f"audible{SIDES[side]}") == "yes"]  # fmt: skip

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
            sides = (normalise(side, self.normaliser) for side in (target, heard))
            try:
                values[name] = METRICS[name].compute(Words(reference=next(sides), hypothesis=next(sides)))
            except MetricError as error:
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
    """The transcript of a side: nothing in silence, None where nobody could listen."""
    found: str | None = raw.get(f"heard{SIDES[side]}", "" if raw.get(f"audible{SIDES[side]}") == "silent" else None)
    return found


def plan_of(
    name: str, asr: str | None, metrics: Sequence[str] | None, texts: Mapping[str, str] | None, normaliser: str | None
) -> Plan:
    """The plan of what a user named; UseError says what does not go together. See `score` for the arguments."""
    rules = protocol(name)
    chosen = tuple(metric(item).name for item in (rules.metrics if metrics is None else dict.fromkeys(metrics)))
    words = [item for item in chosen if METRICS[item].needs == "words"]
    unsaid = texts is None and rules.words == "text"
    if words and (unsaid or asr is None):
        if metrics is not None:
            lacking = "a recogniser: give --asr" if asr is None else "texts: give --texts FILE.tsv or --grammar grid"
            raise UseError(f"{', '.join(words)} needs {lacking}")
        chosen, words = tuple(item for item in chosen if item not in words), []
    if not chosen:
        raise UseError(f"no metric is left to compute (known: {', '.join(METRICS)})")
    if not words or asr is None:
        return Plan(rules=rules, metrics=chosen, asr=None, normaliser="", texts={})
    said = dict(texts or {})
    asr = with_words(asr, said.values())
    held = recogniser(asr).grammar
    if held == "grid" and said and not any(are_grid([text]) for text in said.values()):
        other = "whisper:tiny.en" if any(" " in text for text in said.values()) else "words-grammar"
        raise UseError(f"recogniser {asr} knows only GRID sentences, and no text is one; use --asr {other}")
    grid = held == "grid" or are_grid(said.values())
    kind = "words-v1" if held == "words" else rules.normalisers["grid" if grid else "open"]
    chosen_normaliser = normaliser or kind
    normalise("", chosen_normaliser)
    return Plan(rules=rules, metrics=chosen, asr=asr, normaliser=chosen_normaliser, texts=said)
