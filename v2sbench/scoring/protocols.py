"""PROTOCOLS: what two numbers must share before one may be subtracted from the other, a line of data each.

`v2sbench-1` is this suite's own. The others reproduce published programs with their quirks, so that their bias shows
and like is compared with like. The recogniser and its weights are not part of a protocol. A further protocol is a
further line, and any change of meaning is a new name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from v2sbench.runtime import choose

Failure = Literal["counted", "zero", "dropped", "fatal"]

LENGTHS: dict[str, Callable[[int, int], int]] = {
    "reference": lambda reference, prediction: reference,
    "shorter": min,
    "prediction": lambda reference, prediction: prediction,
}
"""Length policy -> samples of both waves, from those of reference and prediction; zeros fill a shorter wave."""


def _peak_preemphasis(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,) -> (T,) of VCA-GAN's features: peak .9, each sample less .97 of the one before it, then clipped."""
    peak = float(np.abs(wave).max(initial=0.0))
    if not peak:
        return wave
    scaled = wave * np.float32(0.9 / peak)
    scaled[1:] = scaled[1:] - np.float32(0.97) * scaled[:-1]
    return np.asarray(np.clip(scaled, -1, 1))


PREPARATIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": lambda wave: wave,
    "peak-preemphasis": _peak_preemphasis,
}
"""Preparation -> (T,) float32 wave to the one that the recogniser hears; what is compared with it stays as it is."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The rules of one benchmark."""

    name: str
    """Name with version: any change of meaning is a new name."""
    description: str
    """One line for people."""
    rate: int
    """Hz to which both waves are brought before anything else."""
    metrics: tuple[str, ...]
    """Metrics computed unless others are asked for; they also say which PESQ this is."""
    length: str
    """Key of LENGTHS: what happens when the lengths differ."""
    failure: Failure
    """What a failed PESQ does to a clip. counted: it has no value, enters no mean and is counted beside it. zero: it
    enters the mean as 0. dropped: as counted, but the original does not mention it. fatal: the original stops there
    and prints nothing, so no metric of waves has a value. A missing file, and a failure of any other metric, is always
    counted."""
    words: Literal["text", "heard"]
    """What the transcript is compared with. text: the sentence that was to be said. heard: the same recogniser's
    transcript of the real audio."""
    per_words: Literal["reference", "hypothesis"]
    """Which text gives the number of words that the edits are divided by; an empty one counts as one word."""
    aggregation: Literal["pooled", "utterances"]
    """How rates become a column. pooled: all edits over all words. utterances: the mean of the clips' own rates.
    Every other metric is a mean over utterances in both."""
    prepare: str = "none"
    """Key of PREPARATIONS: what is done to a wave before the recogniser hears it."""
    normalisers: Mapping[Literal["grid", "open"], str] = field(
        default_factory=lambda: {"grid": "grid-strict-v1", "open": "plain-v1"}
    )
    """Normaliser of GRID sentences and of other text, both keys of NORMALISERS. assumed, of every protocol but ours:
    their programs compare lower-cased words, which is what these make of GRID's."""


DEFAULT = "v2sbench-1"
"""Protocol where none is named."""

PROTOCOLS: dict[str, Protocol] = {
    item.name: item
    for item in (
        Protocol(
            name="v2sbench-1",
            description="16 kHz, padded or cut to the reference, failures counted, WER against the text, pooled",
            rate=16_000,
            metrics=("pesq_wb", "pesq_nb8", "stoi", "estoi", "wer"),
            length="reference",
            failure="counted",
            words="text",
            per_words="reference",
            aggregation="pooled",
        ),
        # Mira et al. 2020. A single word that is heard as a single word makes a rate of 0 or 100 %, so on LRW, where a
        # classifier of 500 words listens, the WER is 1 - word accuracy, as there.
        Protocol(
            name="evalaudio-2020",
            description="raw narrow-band PESQ at 8 kHz, a failed one 0; STOI of overflowing integers; cut to the "
            "shorter; WER per word of the transcript, mean over utterances",
            rate=16_000,
            metrics=("pesq_raw8", "stoi_int16", "wer"),
            length="shorter",
            failure="zero",
            words="text",
            per_words="hypothesis",
            aggregation="utterances",
        ),
        # SVTS 2022, the second program of the same authors. Each of its PESQs drops its own failures.
        Protocol(
            name="svts-2022",
            description="raw, narrow and wide-band PESQ, failed ones dropped; cut to the shorter; WER against what is "
            "heard in the real audio, per word of the transcript, mean over utterances",
            rate=16_000,
            metrics=("pesq_raw8", "pesq_nb8", "pesq_wb", "stoi", "estoi", "wer"),
            length="shorter",
            failure="dropped",
            words="heard",
            per_words="hypothesis",
            aggregation="utterances",
        ),
        # VCA-GAN 2021. Its averaging over flipped pictures at test time belongs to the model, not to the protocol.
        # assumed: a reference that is shorter than the prediction is padded with zeros, as its loader pads clips.
        Protocol(
            name="vca-gan-2021",
            description="narrow-band PESQ at 8 kHz, a failed one stops it; reference cut to the prediction; the "
            "recogniser hears peak .9 and pre-emphasis; WER mean over utterances",
            rate=16_000,
            metrics=("pesq_nb8", "stoi", "estoi", "wer"),
            length="prediction",
            failure="fatal",
            words="text",
            per_words="reference",
            aggregation="utterances",
            prepare="peak-preemphasis",
        ),
        # Lip2Wav 2020. assumed: all about its WER, whose recogniser is unspecified and whose program is not public.
        Protocol(
            name="lip2wav-2020",
            description="narrow-band PESQ at 16 kHz, a failed one stops it; cut to the shorter; WER pooled",
            rate=16_000,
            metrics=("pesq_nb", "stoi", "estoi", "wer"),
            length="shorter",
            failure="fatal",
            words="text",
            per_words="reference",
            aggregation="pooled",
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol of that name; UseError with the nearest one otherwise."""
    return choose("protocol", name, PROTOCOLS)
