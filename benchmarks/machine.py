"""Which machine a speed was measured on, and how busy it was: written into pytest-benchmark's JSON by two hooks.

    conftest.py imports the hooks --pytest-benchmark--> speed.json: machine_info.v2sbench --> benchmarks.history

pytest-benchmark's own machine id is the operating system and Python's version, by which two machines that have nothing
else in common would be one.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from v2sbench.runtime import environment, short_digest

KEY = "v2sbench"
"""Under pytest-benchmark's `machine_info`: what this module adds there."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processors that a container may use, and in which period."""
LOAD: pytest.StashKey[float] = pytest.StashKey()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a speed depends on and no commit changes."""

    processor: str
    """Model, with family, model number and stepping: clouds call several generations by one name."""
    cores: float
    """Processors that a process may use; a container's quota may leave it a part of one."""
    memory: int
    """GiB, rounded."""
    gpu: str
    """Model, with a count where there are several; `none`."""
    system: str
    """Kernel's name, architecture and distribution; without the kernel's release, which changes every week."""

    @property
    def fingerprint(self) -> str:
        """Eight hex digits."""
        return short_digest(f"{name}={value}" for name, value in asdict(self).items())[:8]

    def __str__(self) -> str:
        gpu = "no GPU" if self.gpu == "none" else self.gpu
        return f"{self.processor}, {self.cores:g} processors, {self.memory} GiB, {gpu}, {self.system}"


def this_machine(cpu: Mapping[str, Any]) -> Machine:
    """The machine that runs this; cpu: what py-cpuinfo found, which is little on a processor that it does not know."""
    import torch

    kind = ", ".join(f"{word} {cpu[word]}" for word in ("family", "model", "stepping") if word in cpu)
    processor = " ".join(str(cpu.get("brand_raw") or platform.processor() or platform.machine()).split())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    counts = {name: devices.count(name) for name in devices}
    system = f"{platform.system()} {platform.machine()}"
    with suppress(OSError):
        system += f", {platform.freedesktop_os_release()['PRETTY_NAME']}"
    return Machine(
        processor=f"{processor} ({kind})" if kind else processor,
        cores=cores(),
        memory=round(memory / 2**30),
        gpu=", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items()) or "none",
        system=system,
    )


def cores(quota: Path = QUOTA) -> float:
    """Processors that this process may use: those it may run on, or fewer where its container has a quota."""
    there = float(len(os.sched_getaffinity(0)))
    if not quota.is_file():
        return there
    most, period = quota.read_text(encoding="ascii").split()
    return there if most == "max" else min(there, int(most) / int(period))


# ---------------------------------------------------------------- hooks


def pytest_configure(config: pytest.Config) -> None:
    """Look how busy the machine is before anything runs."""
    config.stash[LOAD] = os.getloadavg()[0]


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Write into the JSON what pytest-benchmark does not know of."""
    machine, load = this_machine(machine_info["cpu"]), config.stash[LOAD]
    machine_info[KEY] = {"machine": asdict(machine), "versions": environment(), "load": float(f"{load:.2f}")}
