"""What each metric does when the same sound is stored, amplified, moved or spoilt otherwise: docs/metrics-behaviour.md.

`python -m tests.test_metamorphic` prints the table of that page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import soundfile

from tests.test_signals import noise, voice
from tests.trees import ROOT
from v2sbench.audio import RATE, resample
from v2sbench.results.cells import tight
from v2sbench.scoring import DEFAULT, METRICS, Plan, column, protocol, read_scores, recognisers, score
from v2sbench.scoring.metrics.networks import installed
from v2sbench.scoring.recognisers import Backend

PAGE = ROOT / "docs" / "metrics-behaviour.md"
Wave = np.ndarray[Any, Any]
SPEECH = 0.8 * voice(5)
PREDICTION = SPEECH + 0.004 * noise(len(SPEECH), 99)
GAP = np.zeros(RATE // 4)
CHANGES: dict[str, Callable[[Wave, Wave], tuple[Wave, Wave]]] = {
    "gain of -20 dB": lambda first, second: (first, 0.1 * second),
    "gain of -6 dB": lambda first, second: (first, 0.5 * second),
    "gain of +6 dB": lambda first, second: (first, 2 * second),
    "sign of the prediction": lambda first, second: (first, -second),
    "sign of both": lambda first, second: (-first, -second),
    "DC of .05": lambda first, second: (first, second + 0.05),
    "both .25 s late": lambda first, second: (np.append(GAP, first), np.append(GAP, second)),
    "silence after both": lambda first, second: (np.append(first, GAP), np.append(second, GAP)),
    "silence after the prediction": lambda first, second: (first, np.append(second, GAP)),
    "prediction 40 ms late": lambda first, second: (first, np.append(np.zeros(960), second)),
    "10 dB more noise": lambda first, second: (first, second + 0.012 * noise(len(second), 7)),
    "half of the prediction": lambda first, second: (first, second[: len(second) // 2]),
    "another voice": lambda first, second: (first, voice(23)[: len(second)]),
}
STORED: dict[str, tuple[int, str, str]] = {
    "as stored": (RATE, "wav", "PCM_16"), "FLAC": (RATE, "flac", "PCM_16"), "24 bits": (RATE, "wav", "PCM_24"),
    "float": (RATE, "wav", "FLOAT"), **{f"{rate:,} Hz": (rate, "wav", "PCM_16") for rate in (48_000, 16_000, 8_000)},
}  # fmt: skip
STILL = ("FLAC", "24 bits", "float", "48,000 Hz", "gain of -6 dB", "gain of +6 dB", "sign of both",
         "both .25 s late", "silence after both", "silence after the prediction")  # fmt: skip
"""Nobody hears these, and no metric but the networks moves; the 16-bit overflow of 2020 hears what is loud."""
STEADY = 0.02
"""Share of the way from a metric's floor to its best within which it has not moved."""
WORSE = ("10 dB more noise", "half of the prediction", "another voice")
DEAF = {"dnsmos": WORSE[1:2], "speaker_similarity": WORSE[1:], "mcd": WORSE[2:],
        **dict.fromkeys(("wer", "cer", "word_accuracy"), WORSE[::2])}  # fmt: skip
"""Metric -> what is worse and does not score worse: see the page."""


class Ear:
    """A recogniser that hears a syllable wherever it is loud."""

    id, grammar, batch = "ear/1", None, 1

    def transcribe(self, waves: list[Wave]) -> list[str]:
        levels = [wave[: len(wave) // 320 * 320].reshape(-1, 320).std(axis=1) for wave in waves]
        return ["la " * int((np.diff((level > 0.2 * level.max()).astype(int)) > 0).sum()) for level in levels]


def measured() -> Mapping[str, Mapping[str, float]]:
    """Change -> metric -> score, of every metric that is installed here."""
    clips = [*STORED, *CHANGES]
    names = [name for name, item in METRICS.items() if not item.extra or "none" not in map(installed, item.packages)]
    (said,) = Ear().transcribe([resample(SPEECH, RATE, recognisers.RATE)])
    ear = Backend(name="ear", description="", make=lambda option: Ear())
    with tempfile.TemporaryDirectory() as folder, patch.dict(recognisers.RECOGNISERS, ear=ear):
        root = Path(folder)
        for clip in clips:
            rate, suffix, subtype = STORED.get(clip, STORED["as stored"])
            change = CHANGES.get(clip, lambda *both: both)
            for side, wave in zip(("refs", "wavs"), change(SPEECH, PREDICTION), strict=True):
                (root / side).mkdir(exist_ok=True)
                soundfile.write(root / side / f"{clip}.{suffix}", resample(wave, RATE, rate), rate, subtype=subtype)
        plan = Plan(wavs=root / "wavs", refs=root / "refs", clips=clips, out=root / "o.jsonl", asr="ear", jobs=1,
                    metrics=names, texts=dict.fromkeys(clips, said), normaliser="words-v1", doubt=False)  # fmt: skip
        score(plan)
        lines = {line["clip"]: [line] for line in read_scores(plan.out)}
    return {clip: {name: column(protocol(DEFAULT), name, lines[clip]).value or 0 for name in names} for clip in clips}


def worse(name: str, change: str, found: Mapping[str, Mapping[str, float]]) -> float:
    """By which share of the metric's way from its floor to its best a change makes it worse; negative for better."""
    item = METRICS[name]
    way = (item.high if item.higher_is_better else item.low) - item.floor
    return (found["as stored"][name] - found[change][name]) / way


@pytest.mark.slow
def test_the_page_says_what_every_metric_does() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    heading, _, *rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    page = {row[0]: dict(zip(heading[1:], row[1:], strict=True)) for row in rows}
    found = measured()
    assert page.keys() == found.keys()
    for change, scores in found.items():
        for name, value in scores.items():
            place, tolerance = f"{name}: {change}", 0.02 if METRICS[name].extra else 5e-4 + 2 * tight(name)
            assert value == pytest.approx(float(page[change][name]), abs=tolerance), place
            if change in STILL and not METRICS[name].extra and (name, change) != ("stoi_int16", "gain of +6 dB"):
                assert abs(worse(name, change, found)) < STEADY, place
            if change in WORSE and change not in DEAF.get(name, ()):
                assert worse(name, change, found) > STEADY / 2, place


if __name__ == "__main__":
    table = measured()
    print("| change |", " | ".join(f"`{name}`" for name in table["FLAC"]), "|")
    print("| --- |" + " ---: |" * len(table["FLAC"]))
    for change in table:
        print(f"| {change} |", " | ".join(f"{value:.3f}" for value in table[change].values()), "|")
