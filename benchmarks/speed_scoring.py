"""How many times as fast as what everybody does: `v2sbench score` against a plain serial loop, process against process.

    python -m benchmarks.speed_scoring [--clips 120] [--rounds 3] [--jobs 2] [--rate 16000]       needs V2S_DATA/grid

Real clips of GRID with white noise at 0 to 15 dB are written to a temporary folder. Then the two take turns, each as a
fresh process, imports and all; the medians are printed, and how far their numbers lie apart. Seconds of processors tell
what the clock of a busy machine does not. The loop is what a user would write: read, `pesq.pesq(16000, ..., "wb")`,
`pystoi.stoi`, `pystoi.stoi(..., extended=True)`. With another --rate than PESQ's 16,000 both resample first, alike.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

METRICS = ("pesq_wb", "stoi", "estoi")
LOOP = """
import json, sys
from pathlib import Path
import pesq, pystoi, soundfile
wavs, refs, out = map(Path, sys.argv[1:4])
found = {}
for path in sorted(refs.rglob("*.wav")):
    name = path.relative_to(refs)
    reference, rate = soundfile.read(path, dtype="float32")
    prediction, _ = soundfile.read(wavs / name, dtype="float32")
    if rate != 16000:
        from v2sbench.audio import resample
        reference, prediction = resample(reference, rate, 16000), resample(prediction, rate, 16000)
    found[str(name.with_suffix(""))] = (
        pesq.pesq(16000, reference, prediction, "wb"),
        pystoi.stoi(reference, prediction, 16000),
        pystoi.stoi(reference, prediction, 16000, extended=True),
    )
out.write_text(json.dumps(found))
"""


def write_clips(root: Path, count: int, rate: int) -> float:
    """`count` clips under root/refs and, with noise, under root/wavs; seconds of speech in all."""
    from v2sbench.audio import MediaError, write_wav
    from v2sbench.corpora.grid_grammar import fault_of
    from v2sbench.prepare.media import decode

    logging.disable(logging.WARNING)
    grid = Path(os.environ.get("V2S_DATA", "data")) / "grid"
    written = seconds = 0.0
    for path in sorted(grid.glob("s*/*.mp*")):
        if fault_of(path.stem) is not None:
            continue
        try:
            wave = decode(path, video=False, rate=rate).wave
        except MediaError:
            continue
        draw, snr = np.random.default_rng(int(written)), (0, 5, 10, 15)[int(written) % 4]
        noise = draw.standard_normal(len(wave)).astype(np.float32) * np.sqrt(np.mean(wave**2)) * 10 ** (-snr / 20)
        name = f"{path.parent.name}/{path.stem}.wav"
        write_wav(root / "refs" / name, wave, rate)
        write_wav(root / "wavs" / name, np.asarray(0.5 * (wave + noise), np.float32), rate)
        written, seconds = written + 1, seconds + len(wave) / rate
        if written == count:
            return seconds
    raise SystemExit(f"only {written:.0f} usable clips under {grid}")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds that a process takes, and those of processors that it and its workers used."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"V2S_QUIET": "1"})
    spent, after = time.perf_counter() - start, os.times()
    return spent, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("--clips", 120), ("--rounds", 3), ("--jobs", 2), ("--rate", 16_000)):
        parser.add_argument(option, type=int, default=default)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        seconds = write_clips(root, args.clips, args.rate)
        places = [str(root / "wavs"), str(root / "refs")]
        loop, ours = [], []
        for number in range(args.rounds):
            loop.append(timed([sys.executable, "-c", LOOP, *places, str(root / "loop.json")]))
            out = root / f"{number}.jsonl"  # a new file each time: nothing to resume from
            ours.append(timed([
                sys.executable, "-m", "v2sbench", "score", "--wavs", places[0], "--refs", places[1], "--asr", "none",
                "--metrics", ",".join(METRICS), "--jobs", str(args.jobs), "--out", str(out),
            ]))  # fmt: skip
        theirs = json.loads((root / "loop.json").read_text())
        apart = dict.fromkeys(METRICS, 0.0)
        for line in map(json.loads, out.read_text().splitlines()):
            for metric, value in zip(METRICS, theirs[line["clip"]], strict=True):
                apart[metric] = max(apart[metric], abs(line[metric] - value))
    print(f"{args.clips} clips, {seconds:.0f} s of speech at {args.rate} Hz, {args.jobs} workers, {args.rounds} rounds")
    wall = {name: [run[0] for run in runs] for name, runs in (("serial loop", loop), ("v2sbench score", ours))}
    for name, runs in (("serial loop", loop), ("v2sbench score", ours)):
        print(f"{name:14} {median(wall[name]):7.2f} s ({', '.join(f'{value:.2f}' for value in wall[name])}), "
              f"{median(run[1] for run in runs):.2f} s of processors")  # fmt: skip
    each = [theirs_ / ours_ for theirs_, ours_ in zip(*wall.values(), strict=True)]
    print(f"ratio          {median(each):7.2f}   ({', '.join(f'{value:.2f}' for value in each)})")
    print("largest difference: " + ", ".join(f"{metric} {value:.1e}" for metric, value in apart.items()))


if __name__ == "__main__":
    main()
