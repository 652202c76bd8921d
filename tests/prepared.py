"""Prepared clips for tests: what a folder holds, and corpora of a few sounds."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from v2sbench.audio import write_wav
from v2sbench.corpora import Clip, Scan, corpus


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def table(path):
    header, *lines = path.read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def sounds(root, **waves):
    """An audio-only corpus of the given waves."""
    found = []
    for stem, wave in waves.items():
        path = root / f"{stem}.wav"
        write_wav(path, wave)
        found.append(Clip(id=f"p1/{stem}", speaker="p1", media=path, text=None, video=False))
    scan = Scan(clips=tuple(found), problems=(), layout="flat")
    return replace(corpus("grid"), name="sounds", kind="audio", scan=lambda _: scan, splits=())


def noise(samples, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)
