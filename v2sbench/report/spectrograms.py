"""Log-mel spectrograms of several systems side by side, on one scale of colours: a dark patch is quiet in all of them.

A sheet has one row a clip and one column a system.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from v2sbench.audio import RATE, read_wav
from v2sbench.nets.cards import MelArch
from v2sbench.runtime import UseError, atomic

MEL = MelArch(n_fft=2048, window=1200, hop=300, bands=80, low=80.0, high=7600.0, floor=1e-5)
"""The mel of the pictures: the suite's usual one, whatever a system was trained on."""
SPAN = (-4.0, 1.0)
"""Log10 magnitudes from the darkest to the brightest colour: 100 dB, from below a quiet room to above loud speech."""


def mel_sheet(
    split: str,
    systems: Sequence[str],
    clips: Sequence[str],
    out: Path,
    *,
    audio: Path = Path("audio"),
    texts: dict[str, str] | None = None,
) -> Path:
    """Write a PNG with the log-mels of `clips` (rows) by `systems` (columns); the same audio gives the same bytes.

    systems: names of folders under audio/<split>, the ground truth usually first. texts: clip -> sentence for the row
    labels. UseError without a system or a clip, and when a clip of a system has no audio.
    """
    if not systems or not clips:
        raise UseError("a picture needs at least one system and one clip")
    mels = [[log_mel(_wav(audio / split, system, clip)) for system in systems] for clip in clips]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(systems), 1.9 * len(clips) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(clips), len(systems), squeeze=False, sharey=True)
    for row, clip in enumerate(clips):
        for column, system in enumerate(systems):
            axis, mel = axes[row, column], mels[row][column]
            seconds = mel.shape[0] * MEL.hop / RATE
            extent = (0.0, seconds, 0, MEL.bands)
            shades = {"vmin": SPAN[0], "vmax": SPAN[1], "cmap": "magma", "interpolation": "nearest"}
            axis.imshow(mel.T, origin="lower", aspect="auto", extent=extent, **shades)
            axis.tick_params(labelsize=6)
            if row == 0:
                axis.set_title(system, fontsize=8)
            if row == len(clips) - 1:
                axis.set_xlabel("seconds", fontsize=7)
        sentence = (texts or {}).get(clip, "")
        axes[row, 0].set_ylabel(f"{clip}\n{sentence}\nmel band" if sentence else f"{clip}\nmel band", fontsize=7)
    with atomic(out) as draft:
        figure.savefig(draft, format="png", dpi=110, metadata={"Software": None})
    return out


def log_mel(path: Path) -> npt.NDArray[np.float32]:
    """(M, bands) log10 mel magnitudes of a WAV, at RATE."""
    import torch

    from v2sbench.nets.mel import LogMel

    wave, _ = read_wav(path, RATE)
    padded = np.pad(wave, (0, max(0, MEL.n_fft - len(wave))))
    mel: npt.NDArray[np.float32] = LogMel(MEL)(torch.from_numpy(padded)[None])[0].numpy()
    return mel


def _wav(folder: Path, system: str, clip: str) -> Path:
    path = folder / system / f"{clip}.wav"
    if not path.is_file():
        raise UseError(f"no audio {path}; run: v2sbench synth {system} --split {folder.name}")
    return path
