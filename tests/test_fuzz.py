"""Mutated bytes of every file that is read: the outcome is a value or a UseError, in bounded time and memory.

`V2S_FUZZ=3000` draws that many mutations a target, in place of some dozens. Media files: tests/test_mutations.py.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.torch import save_file

from tests import fake_scores
from tests.small import small_card, small_split
from tests.trees import ROOT
from v2sbench.audio import MediaError, read_wav, write_wav
from v2sbench.cli.options import read_facts
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import Clips
from v2sbench.nets import load_card, load_params
from v2sbench.nets.model import ABOUT, build_model, load_weights
from v2sbench.report.numbers import logs
from v2sbench.results.claims import read_claims
from v2sbench.results.gate_files import read_baseline, read_spread, read_utterances
from v2sbench.results.measured import read_measured
from v2sbench.results.published import read_reported, read_sources
from v2sbench.runtime import UseError, rng
from v2sbench.scoring.scores import read_scores
from v2sbench.tools.sweep import read_sweep

COUNT = int(os.environ.get("V2S_FUZZ", "10"))
SECONDS, MEMORY = 20.0, 4 << 30
"""Of one mutation; on a busy machine a good file takes well below a second."""
HOSTILE = (
    b"nan", b"-1", b"0", b"1e999", b"9" * 310, b"1000000000", b"null", b"[]", b"{}", b"[[[[" * 200, b"&a [*a]", b'"x"',
    b"../../x", b"\xff\xfe", b"\xe9", b"\x00", b"\xe2\x80\xa8", b"!!set {}", b"true", b"", b"\n", b"\t", b",", b'"',
)  # fmt: skip
TRAINED = "v2a-mel-s-speaker-tuned.seed1"


def mutated(good: bytes, *parts: object) -> bytes:
    """One to three changes: a value replaced, a stretch cut out, doubled or moved, bits flipped, the end missing."""
    draw, data = rng(0, *parts), bytearray(good)
    for _ in range(int(draw.integers(1, 4))):
        start, size = (int(draw.integers(len(data) + 1)), int(draw.integers(1, 40)))
        hostile = HOSTILE[int(draw.integers(len(HOSTILE)))]
        tokens = list(re.finditer(rb"[\w.+-]+", bytes(data[:200_000])))
        match int(draw.integers(7)):
            case 0 | 1 | 2 if tokens:
                token = tokens[int(draw.integers(len(tokens)))]
                data[token.start() : token.end()] = hostile
            case 3:
                del data[start : start + size]
            case 4:
                data[start:start] = data[start : start + size] * 3
            case 5 if data:
                data[start % len(data)] ^= 1 << int(draw.integers(8))
            case 6:
                del data[start:]
            case _:
                data[start:start] = hostile
    return bytes(data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one file of every kind."""
    place = tmp_path_factory.mktemp("fuzz")
    for name in ("models", "profiles"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("weights"))
    results = [f"results/{name}" for name in ("claims.yaml", "reported.csv", "sources.bib")]
    for name in ("params.yaml", "sweeps/amount.yaml", *results):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    shutil.copytree(ROOT / "results/published/baseline", place / "baseline")
    small_split(place)
    fake_scores.write_all(place / "measured", "demo-seen", count=3)
    (place / "system.json").write_text('{"vocoder": "griffin-lim", "training": {"seed": 1, "changed": {}}}\n')
    write_wav(place / "a.wav", np.sin(np.arange(4800.0) / 9))
    log = place / "models/weights/demo-seen" / f"{TRAINED}.tsv"
    log.parent.mkdir(parents=True)
    log.write_text("step\tlr\tl1\tval\n25\t1e-3\t0.9\t\n50\t1e-3\t0.8\t0.7\n")
    card = small_card("a2a-mel-s")
    about = {"card": json.loads(card.json()), "heard": [], "training": {"seed": 1, "threads": 2}}
    (place / "about.json").write_text(json.dumps(about))
    return place


def weights_with(path: Path) -> object:
    """Loads a weights file whose metadata is the content of `path`."""
    save_file(build_model(small_card("a2a-mel-s")).state_dict(), path.with_name("w.safetensors"),
              metadata={ABOUT: path.read_bytes().decode("utf-8", "replace").replace("\0", "")})  # fmt: skip
    return load_weights(path.with_name("w.safetensors"))


def all_of_clips(path: Path) -> object:
    store = Clips(path.parent)
    return [store.wave(entry.id) for entry in store]


TABLE = SimpleNamespace(split="demo-seen", results=SimpleNamespace(systems=[TRAINED]))
TARGETS: dict[str, Callable[[Path], object]] = {
    "models/a2a-mel-s.yaml": lambda path: load_card("a2a-mel-s", folder=path.parent),
    "params.yaml": load_params,
    "sweeps/amount.yaml": lambda path: read_sweep("amount", path.parents[1]),
    "results/claims.yaml": read_claims,
    "splits/*/split.tsv": lambda path: list(read_split(path.parent).rows),
    "splits/*/split.json": lambda path: list(read_split(path.parent).rows),
    "clips/*/index.tsv": all_of_clips,
    "clips/*/*.zip": all_of_clips,
    "measured/demo-seen/*.jsonl": read_scores,
    "measured/demo-seen/*.meta.json": lambda path: read_measured(
        path.with_name(path.name.replace(".meta.json", ".jsonl"))
    ),
    "baseline/*[a-z].csv": lambda path: read_baseline(path.stem, path.parent),
    "baseline/*.utterances.tsv": lambda path: read_utterances(path.name.split(".")[0], path.parent),
    "baseline/*.spread.csv": lambda path: read_spread(path.name.split(".")[0], path.parent),
    "results/reported.csv": read_reported,
    "results/sources.bib": read_sources,
    "system.json": lambda path: read_facts(path.parent),
    "models/weights/*/*.tsv": lambda _: logs(TABLE),
    "about.json": weights_with,
    "a.wav": lambda path: read_wav(path, 24_000),
}  # fmt: skip


@pytest.fixture
def bounded(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the project, with no more than MEMORY over what is in use."""
    monkeypatch.chdir(place)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("target", TARGETS)
def test_a_value_or_one_line(target: str, place: Path, bounded: None) -> None:
    path = min(path for path in place.glob(target) if "spread" not in path.name or "spread" in target)
    good, faults = path.read_bytes(), []
    TARGETS[target](path)
    for number in range(COUNT):
        path.write_bytes(mutated(good, target, number))
        start = time.perf_counter()
        try:
            TARGETS[target](path)
        except (UseError, MediaError) as error:
            if "\n" in str(error) or len(str(error)) > 2000:
                faults.append(f"{number}: {len(str(error))} signs in {str(error).count(chr(10)) + 1} lines")
        except Exception as error:
            faults.append(f"{number}: {type(error).__name__}: {str(error)[:100]!r}")
        faults += [f"{number}: took too long"] * (time.perf_counter() - start > SECONDS)
    path.write_bytes(good)
    assert not faults, f"{len(faults)} of {COUNT}: {faults[:20]}"
