"""A project that ``peerloom new-plugin`` wrote: built, and put where Python finds it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

if TYPE_CHECKING:
    from pathlib import Path


def wheel_of(project: Path, folder: Path) -> Path:
    """Build the project's wheel into a folder, with what builds our own."""
    command = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


def unpack(wheel: Path, site: Path) -> dict[str, str]:
    """Install a wheel without dependencies or programs; gives the environment that sees it."""
    with ZipFile(wheel) as files:
        files.extractall(site)
    return {"PYTHONPATH": str(site)}
