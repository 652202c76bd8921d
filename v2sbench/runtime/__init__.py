"""What every package may use: errors with an exit code, seeds, atomic files, workers, the machine, YAML.

    UseError    wrong use or missing input   -> one line, exit code 2
    CheckError  a check failed               -> one line, exit code 1

Begin with `errors`. PyTorch is imported inside the functions that need it, so that `v2sbench --help` is quick.
"""

from v2sbench.runtime.errors import CheckError, UseError, choose, suggest
from v2sbench.runtime.files import atomic, below, sha256_file, write_csv
from v2sbench.runtime.machine import device, environment, processor, revision, setup_determinism
from v2sbench.runtime.seeds import fold, rng, short_digest, unit
from v2sbench.runtime.workers import parallel, progress, worker_count
from v2sbench.runtime.yaml import Between, build, merge, read_yaml

__all__ = [
    "Between",
    "CheckError",
    "UseError",
    "atomic",
    "below",
    "build",
    "choose",
    "device",
    "environment",
    "fold",
    "merge",
    "parallel",
    "processor",
    "progress",
    "read_yaml",
    "revision",
    "rng",
    "setup_determinism",
    "sha256_file",
    "short_digest",
    "suggest",
    "unit",
    "worker_count",
    "write_csv",
]
