"""What was measured on: the machine, and the versions in this process's environment."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Final

_BUSY_LOAD_PER_CORE: Final = 0.25


def machine() -> str:
    """Processor, cores and kernel, in one line."""
    cores = len(os.sched_getaffinity(0))
    return f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}"


def busy() -> str | None:
    """A warning if others use the processors; None if they are ours."""
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load <= _BUSY_LOAD_PER_CORE * cores:
        return None
    return f"the machine is busy (load {load:.1f} on {cores} cores): these figures will be wrong"


def versions_here() -> dict[str, str]:
    """Python, and what our data path and the Python baselines stand on."""
    packages = ("anyio", "trio", "cryptography", "pyOpenSSL")
    return {
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
