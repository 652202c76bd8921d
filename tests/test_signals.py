"""Reference signals made by code, scored on whatever machine runs this, against published scores.

`python -m tests.test_signals` prints the table that results/published/signals.tsv holds.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import butter, lfilter, sosfilt

from tests.trees import ROOT
from v2sbench.audio import RATE, write_wav
from v2sbench.results.cells import tight
from v2sbench.scoring import METRICS, Plan, read_scores, score

PUBLISHED = ROOT / "results" / "published" / "signals.tsv"
NAMES = ("pesq_wb", "pesq_nb8", "stoi", "estoi", "mcd")
SECONDS = 2.4
Wave = np.ndarray[Any, Any]


def noise(count: int, seed: int) -> Wave:
    """White noise in [-1, 1) by a linear congruence: the same integers on every machine."""
    found, state = np.empty(count), seed
    for place in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        found[place] = state / 2**31 - 1
    return found


def voice(seed: int) -> Wave:
    """Syllables: a pulse train whose pitch glides, through three resonances that move, with pauses between."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(110 + 30 * np.sin(2 * np.pi * 0.7 * time + seed)) / RATE
    source = np.cos(phase) ** 31 + 0.02 * noise(len(time), seed)
    wave = np.zeros_like(source)
    for place, formant in enumerate((500.0, 1500.0, 2600.0)):
        for half in range(4):  # each quarter has formants of its own
            centre = formant * (1 + 0.25 * np.sin(seed + 2.1 * place + 1.7 * half))
            radius = np.exp(-np.pi * 90 / RATE)
            heard = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], source)
            part = slice(half * len(time) // 4, (half + 1) * len(time) // 4)
            wave[part] += heard[part] / (place + 1)
    envelope = np.clip(1.5 * np.sin(2 * np.pi * 3.1 * time) ** 2 - 0.2, 0, 1)
    return np.asarray(0.5 * wave * envelope / np.abs(wave * envelope).max())


SPOILT: dict[str, Callable[[Wave], Wave]] = {
    "same": lambda wave: wave,
    "quiet": lambda wave: 0.1 * wave,
    "noisy": lambda wave: wave + 0.02 * noise(len(wave), 99),
    "clipped": lambda wave: np.clip(wave, -0.08, 0.08),
    "late": lambda wave: np.concatenate((np.zeros(480), wave[:-480])),
    "telephone": lambda wave: sosfilt(butter(4, (300, 3400), "band", fs=RATE, output="sos"), wave),
    "another": lambda wave: voice(23)[: len(wave)],
}


def measured() -> Iterator[tuple[str, str, float]]:
    """(signal, metric, score) of every spoilt voice against the whole one."""
    with tempfile.TemporaryDirectory() as folder:
        root, whole = Path(folder), voice(5)
        for name, spoil in SPOILT.items():
            write_wav(root / "refs" / f"{name}.wav", whole.astype(np.float32), RATE)
            write_wav(root / "wavs" / f"{name}.wav", spoil(whole).astype(np.float32), RATE)
        plan = Plan(wavs=root / "wavs", refs=root / "refs", clips=list(SPOILT), out=root / "scores.jsonl", asr=None,
                    metrics=NAMES, jobs=1, doubt=False)  # fmt: skip
        score(plan)
        for line in read_scores(plan.out):
            yield from ((line["clip"], metric, line[metric]) for metric in NAMES)


def test_reference_signals_score_as_published() -> None:
    with PUBLISHED.open(encoding="utf-8", newline="") as stream:
        published = {
            (line["signal"], line["metric"]): float(line["score"]) for line in csv.DictReader(stream, delimiter="\t")
        }
    found = {(signal, metric): value for signal, metric, value in measured()}
    assert found.keys() == published.keys()
    for key, value in found.items():
        assert value == pytest.approx(published[key], abs=tight(key[1])), key
    for metric in NAMES:  # the table tells a good signal from a bad one
        best = max if METRICS[metric].higher_is_better else min
        assert best(SPOILT, key=lambda name: found[name, metric]) in ("same", "quiet", "late")


if __name__ == "__main__":
    print("signal\tmetric\tscore")
    for signal, metric, value in measured():
        print(f"{signal}\t{metric}\t{value:.6f}")
