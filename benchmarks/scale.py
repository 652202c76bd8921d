"""The paper's size on this machine: an index and a split of millions of clips, opened, searched, shuffled, resumed.

    python -m benchmarks.scale index [--clips 3000000] [--folder DIR]   figures of docs/scale.md, one line each
    python -m benchmarks.scale crops [--seconds 12]                     1 s out of a FLAC clip, against all of it
    python -m benchmarks.scale kills CORPUS --root DIR [--kills 10] [--jobs N]   preparation under `kill -9`
    python -m benchmarks.scale audio CORPUS --root DIR                  times real time of preparing sound, per core

Index and split are made up (ids, sizes and digests by hash); what reads them is what training uses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from v2sbench.audio import FPS, RATE, SAMPLES_PER_FRAME, decode_flac, encode_flac
from v2sbench.clips.identities import Identities
from v2sbench.clips.splits import COLUMNS as SPLIT_COLUMNS
from v2sbench.clips.splits import read_split
from v2sbench.clips.store import COLUMNS, Clips, write_table
from v2sbench.corpora import corpus, root_of
from v2sbench.prepare.clips import prepare
from v2sbench.runtime import rng
from v2sbench.train.batches import batch_ids

PER_SPEAKER = 250
"""Clips of one speaker."""
FRAMES = 107
"""Of one clip: 3,572 h over 3 million."""


def entries(clips: int) -> Iterator[tuple[object, ...]]:
    """Lines of a made-up index, sorted by id."""
    for at in range(clips):
        speaker = f"libritts-{at // PER_SPEAKER:06d}"
        name = f"{speaker}/{speaker}_{at % PER_SPEAKER:06d}_000001_000000"
        digest = hashlib.sha256(name.encode()).hexdigest()
        size = 100_000
        text = "words as they are in a sentence of a book, about as many as these"
        shard = f"../libritts/shard-{at // 10_000:05d}.zip"
        yield name, speaker, text, FRAMES, shard, at % 10_000 * size, size, 0, 0, 0, 0, digest, ""


def measure(what: str, function: Callable[[], Any]) -> Any:
    """Call, and print seconds and how much the process has grown by what is kept."""
    before, started = memory(), time.perf_counter()
    kept = function()
    seconds = time.perf_counter() - started
    print(f"{what:44s} {seconds:9.3f} s {memory() - before:+8.0f} MB", flush=True)
    return kept


def memory() -> float:
    """MB of this process' own memory: pages of mapped files, which the system may take back, are not counted."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def index(args: argparse.Namespace) -> None:
    """Make index and split, then measure what a training run does with them."""
    folder = args.folder or Path(tempfile.mkdtemp(prefix="v2sbench-scale-"))
    clips, split = folder / "clips" / "mix", folder / "splits" / "mix"
    if not (split / "split.json").exists():
        _make(clips, split, args.clips)
    n, names = args.clips, [row[0] for row in entries(args.clips) if unit_of(str(row[0])) < 10_000 / args.clips]
    store = measure("open the clips", lambda: Clips(clips))
    measure(f"{len(names)} look-ups by id", lambda: [store.entry(str(name)).frames for name in names] and None)
    measure("count them (one pass over the index)", lambda: len(store))
    table = measure("open the split", lambda: read_split(split))
    measure("places of the training part", lambda: table.span("train"))
    order = rng(1, "some").integers(n, size=10_000)
    measure("10000 rows by place", lambda: [table.rows[int(at)].frames for at in order] and None)
    measure("shuffle: batch of 64 at step 0", lambda: batch_ids(n, 64, 0, 1))
    measure("resume: batch of 64 at step 1,000,000", lambda: batch_ids(n, 64, 1_000_000, 1))
    measure("the next batch", lambda: batch_ids(n, 64, 1_000_001, 1))
    measure("open the embeddings", lambda: table.embeddings())
    identities = measure("who speaks, and which clips are copies", lambda: Identities(table, 1))
    measure("10000 identities", lambda: [identities.mate(int(at), 5) for at in order] and None)
    print(f"{'most memory at any time':44s} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:20.0f} MB "
          "(with pages of mapped files)")  # fmt: skip
    if args.folder is None:
        shutil.rmtree(folder)


def unit_of(name: str) -> float:
    """A number in [0, 1) of a name."""
    return int(hashlib.md5(name.encode()).hexdigest()[:8], 16) / 2**32


def _make(clips: Path, split: Path, count: int) -> None:
    clips.mkdir(parents=True)
    split.mkdir(parents=True)
    write_table(clips / "index.tsv", COLUMNS, entries(count))
    (clips / "clips.json").write_text(json.dumps({"corpus": "mix", "kind": "audio", "roi": "auto"}))
    val = count // 100
    rows = ((("train" if at < count - val else "val"), *row[:2], row[4], row[5], row[11], row[3], row[2])
            for at, row in enumerate(entries(count)))  # fmt: skip
    write_table(split / "split.tsv", SPLIT_COLUMNS, rows)
    about = {"name": "mix", "corpus": "mix", "clips": "../../clips/mix", "coverage_label": "", "digest": "",
             "division": "", "coverage": {"train": [count - val, None], "val": [val, None]}, "listing": None,
             "identity": "seen", "grammar": None, "wer": False}  # fmt: skip
    (split / "split.json").write_text(json.dumps(about))
    vectors = np.lib.format.open_memmap(split / "speaker.npy", "w+", np.float32, (count, 256))
    del vectors  # zeros, with holes for pages: the reading is what is measured


def crops(args: argparse.Namespace) -> None:
    """Milliseconds for 1 s anywhere in a clip, against the whole of it."""
    time_axis = np.arange(args.seconds * RATE) / RATE
    draw = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 150 * time_axis) * np.sin(2 * np.pi * 3 * time_axis) * 0.3 + draw.normal(
        0, 0.01, len(time_axis)
    )
    data = encode_flac(wave.astype(np.float32))
    for name, starts, samples in (
        ("whole", np.zeros(200, int), None),
        ("1 s at a random frame", draw.integers(0, (args.seconds - 1) * FPS, 200) * SAMPLES_PER_FRAME, RATE),
    ):
        started = time.perf_counter()
        for start in starts:
            decode_flac(data, int(start), samples)
        print(f"{name:24s} {(time.perf_counter() - started) / 200 * 1e3:7.2f} ms")


def kills(args: argparse.Namespace) -> None:
    """Prepare once, then again under kills at random moments, and compare all bytes."""
    place = Path(tempfile.mkdtemp(prefix="v2sbench-kills-"))
    command = [
        sys.executable,
        "-m",
        "v2sbench",
        "prepare",
        args.corpus,
        "--root",
        str(args.root),
        "--jobs",
        str(args.jobs),
    ]
    started = time.perf_counter()
    subprocess.run([*command, "--out", str(place / "whole")], check=True)
    whole = time.perf_counter() - started
    draw, same = rng(args.seed, "kills"), True
    out, receipt = place / "killed", place / ".killed.done"
    for number in range(args.kills + 1):
        process = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.DEVNULL)
        try:
            process.wait(float(draw.uniform(0, whole)) if number < args.kills else None)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        journal = place / ".killed.partial" / "journal.tsv"
        lines = journal.read_bytes().count(b"\n") if journal.exists() else 0
        print(f"kill {number + 1}: {lines} clips there" if process.returncode else "done", flush=True)
        if not process.returncode:  # begin again
            same &= digests(place / "whole") == digests(out)
            shutil.rmtree(out)
            receipt.unlink()
    print("the same bytes" if same else "OTHER BYTES")
    shutil.rmtree(place)
    raise SystemExit(not same)


def digests(folder: Path) -> dict[str, str]:
    """File -> SHA-256."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def audio(args: argparse.Namespace) -> None:
    """Prepare a corpus of sounds with one job; the scan and its texts are part of it."""
    item = corpus(args.corpus)
    with tempfile.TemporaryDirectory() as place:
        root, out = root_of(item, args.root), Path(place) / "clips"
        prepare(item, root, out, jobs=1)  # what is imported on the way is imported once
        started = time.process_time()
        report = prepare(item, root, out, jobs=1, fresh=True)
        seconds = time.process_time() - started
    print(f"{report}\n{report.frames / FPS / seconds:.0f} times real time, {seconds / report.kept * 1e3:.1f} ms a clip")


def main() -> None:
    """Read the arguments, and do it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("index")
    one.add_argument("--clips", type=int, default=3_000_000)
    one.add_argument("--folder", type=Path, help="made where it is not there, and kept")
    one.set_defaults(run=index)
    one = verbs.add_parser("crops")
    one.add_argument("--seconds", type=int, default=12)
    one.set_defaults(run=crops)
    for name, function in (("kills", kills), ("audio", audio)):
        one = verbs.add_parser(name)
        one.add_argument("corpus")
        one.add_argument("--root", type=Path, required=True)
        one.set_defaults(run=function)
        if name == "kills":
            one.add_argument("--kills", type=int, default=10)
            one.add_argument("--jobs", type=int, default=2)
            one.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
