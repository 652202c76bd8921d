"""Triangular filters on a mel axis, in numpy: scoring installs without PyTorch, and so without torchaudio's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def triangles(edges: NDArray[np.float64], fft: int, rate: int) -> NDArray[np.float64]:
    """(n + 2,) edges in Hz -> (n, fft // 2 + 1) triangles of height 1, each from an edge to the next but one."""
    bins = np.arange(fft // 2 + 1) * (rate / fft)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
