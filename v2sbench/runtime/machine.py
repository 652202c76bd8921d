"""The machine: versions, device, deterministic kernels."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.runtime.errors import UseError, suggest

if TYPE_CHECKING:
    import torch

_RECORDED = (
    "torch", "torchaudio", "numpy", "scipy", "av", "soundfile", "opencv-python-headless", "pesq", "jiwer",
    "pocketsphinx", "openai-whisper",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Versions, processor, threads and device: what a number depends on beside the code and the data."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    found["processor"] = processor()
    for name in _RECORDED:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    import torch

    found["threads"] = str(torch.get_num_threads())
    found["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return found


def processor() -> str:
    """The processor's model, or its architecture where the system does not name it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def revision() -> str:
    """The commit of the code that runs, with `+` where it was changed; the version where it is not in git."""
    from v2sbench import __version__

    where = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*where, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*where, "status", "--porcelain", "--untracked-files=no", "."], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def device(name: str = "auto") -> torch.device:
    """The device to compute on: `auto` takes the first GPU where there is one; UseError when a named one is missing."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise UseError(f"unknown device {name!r}{suggest(name, ['cpu', 'cuda', 'auto'])} (known: auto, cpu, cuda)")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UseError(f"device {name!r} asked for, but PyTorch {torch.__version__} sees no GPU; use --device cpu")
    return torch.device(name)


def setup_determinism(seed: int, threads: int | None = None) -> None:
    """Seed PyTorch and ask it for deterministic kernels; fix the threads, since sums depend on their number."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs, and nothing reads it
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
