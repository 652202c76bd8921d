"""A long scoring under bad luck: thousands of clips, killed again and again, and the memory that it takes meanwhile.

    python -m benchmarks.many [--clips 10000] [--kills 3] [--jobs 2] [--seconds 3] [--metrics M,M]  needs V2S_DATA/grid

Real clips of GRID are repeated, each with a little noise of its own, so that no two files are alike. `v2sbench score`
is started, killed with SIGKILL when it has a share of the lines, started again, and so on; then a second, undisturbed
run of the same is compared with it byte by byte. Printed: clips a second, lines that survived each kill, and the memory
of all its processes at a tenth of the run and later, which must not grow with what is done.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.speed_scoring import write_clips

BASE = 60
"""Real clips that are repeated."""
RATE = 16_000
"""Hz of all files."""


def repeat_clips(root: Path, count: int, seconds: float) -> None:
    """`count` clips as root/{wavs,refs}/sK/cNNNNN.wav."""
    from v2sbench.audio import read_wav, write_wav
    from v2sbench.scoring.folders import clips_of, files_of

    write_clips(root / "base", BASE, RATE)
    sides = {name: files_of(root / "base" / name) for name in ("wavs", "refs")}
    most = int(seconds * RATE)
    base = [
        {name: read_wav(files[clip])[0][:most] for name, files in sides.items()}
        for clip in clips_of(root / "base" / "refs")
    ]
    for index in range(count):
        draw = np.random.default_rng(index)
        for name, wave in base[index % len(base)].items():
            noise = 0.0005 * draw.standard_normal(len(wave)).astype(np.float32)
            write_wav(root / name / f"s{index % 30}" / f"c{index:05d}.wav", wave + noise, RATE)


@dataclass
class Run:
    """One process of `v2sbench score`, watched."""

    command: list[str]
    """What is run."""
    part: Path
    """Its journal."""
    memory: list[tuple[int, int]] = field(default_factory=list)
    """(lines done, KiB resident in all its processes), as sampled."""

    def until(self, lines: int | None) -> bool:
        """Run until the journal has so many lines, then kill; or to the end. Whether it was killed."""
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, env=os.environ | {"V2S_QUIET": "1"})
        while process.poll() is None:
            time.sleep(0.2)
            done = self.lines()
            self.memory.append((done, resident(process.pid)))
            if lines is not None and done >= lines:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
        if process.returncode:
            raise SystemExit(f"exit code {process.returncode}: {' '.join(self.command)}")
        return False

    def lines(self) -> int:
        """Lines of the journal."""
        return self.part.read_bytes().count(b"\n") if self.part.exists() else 0


def resident(pid: int) -> int:
    """KiB resident in a process and its children; pages that they share count once (PSS)."""
    total = 0
    for each in (pid, *children(pid)):
        try:
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            continue  # it ended
    return total


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--metrics", default="pesq_wb,stoi,estoi")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repeat_clips(root, args.clips, args.seconds)
        runs = {}
        for name in ("killed", "whole"):
            command = [
                sys.executable, "-m", "v2sbench", "score", "--wavs", str(root / "wavs"), "--refs", str(root / "refs"),
                "--asr", "none", "--metrics", args.metrics, "--jobs", str(args.jobs),
                "--out", str(root / f"{name}.jsonl"),
            ]  # fmt: skip
            runs[name] = Run(command=command, part=root / f"{name}.jsonl.part")
        for number in range(1, args.kills + 1):
            if runs["killed"].until(args.clips * number // (args.kills + 1)):
                print(f"kill {number}: {runs['killed'].lines()} of {args.clips} lines are on disk")
        runs["killed"].until(None)
        start = time.perf_counter()
        runs["whole"].until(None)
        spent = time.perf_counter() - start
        same = (root / "killed.jsonl").read_bytes() == (root / "whole.jsonl").read_bytes()
        memory = runs["whole"].memory
    tenth = next((size for done, size in memory if done >= args.clips / 10), 0)
    late = max(size for _, size in memory[len(memory) // 2 :])
    print(f"{args.clips} clips in {spent:.1f} s: {args.clips / spent:.1f} a second, {args.jobs} workers")
    print(f"resident memory: {tenth / 1024:.0f} MiB after a tenth of the clips, {late / 1024:.0f} MiB at most later")
    print(f"killed {args.kills} times and whole run: {'the same bytes' if same else 'DIFFERENT'}")
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
