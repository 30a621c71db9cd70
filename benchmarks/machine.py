"""What was measured on: the machine, and the versions in this process's environment."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores and kernel, in one line."""
    cores = len(os.sched_getaffinity(0))
    return f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}"


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
