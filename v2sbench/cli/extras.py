"""Which extra of the package brings which module: for the sentence that a missing one ends in."""

from __future__ import annotations

EXTRAS = {
    "train": ("av", "cv2", "requests", "safetensors", "torch", "torchaudio", "urllib3"),
    "pipeline": ("dvc",),
    "demo": ("espeakng_loader", "pocketsphinx"),
    "whisper": ("whisper",),
    "vocoders": ("h5py",),
    "similarity": ("onnxruntime",),
    "cluster": ("dask", "distributed"),
    "dev": ("hypothesis", "pystoi", "pytest", "selenium"),
}
"""Extra -> modules that it installs and that something here imports."""


def missing(module: str | None) -> str:
    """What to install when a module cannot be imported; empty for a module that no extra brings."""
    top = (module or "").split(".")[0]
    for extra, modules in EXTRAS.items():
        if top in modules:
            return f"this needs {top}, which is not installed; run: pip install 'v2sbench[{extra}]'"
    return ""
