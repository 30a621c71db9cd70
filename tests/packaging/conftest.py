"""Wheels built once, and empty environments that have just what a test asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.packaging.tree import PACKAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

# Compiling fastecdsa and unpacking some seventy wheels, on a slow disk.
INSTALL_SECONDS = 300


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and an empty home beside it."""

    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the environment's programs, which must succeed; gives what it printed."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "PEERLOOM", "XDG", "VIRTUAL_ENV"))
        }
        return _run(
            str(self.folder / "bin" / program),
            *arguments,
            cwd=home,
            env={**inherited, "HOME": str(home), "COLUMNS": "200"},
        )


EnvironmentWith = Callable[..., Environment]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels of our packages and of all that they need."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    pins = str(ROOT / "constraints.txt")
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--wheel-dir", str(folder)),
        *("--constraint", pins, "--build-constraint", pins),
        *map(str, PACKAGES),
    )
    return folder


@pytest.fixture(scope="session")
def environment_with(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> EnvironmentWith:
    """Gives, for requirements, an environment where those and nothing else are installed."""

    @cache
    def build(*requirements: str) -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder)
        python = str(folder / "bin" / "python")
        _run(
            *(sys.executable, "-m", "pip", "--python", python, "install", "--no-compile"),
            *("--no-index", "--find-links", str(wheelhouse), *requirements),
        )
        return Environment(folder)

    return build


def _run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
