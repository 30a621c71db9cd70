"""Wheels: ours, built anew for each run, and those of all others, collected once into a cache."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from platformdirs import user_cache_path

from tests.interop.build import locked
from tests.packaging.tree import PACKAGES, PROJECTS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEWEST: Final = ROOT / "constraints.txt"
LOWEST: Final = ROOT / "constraints-lowest.txt"
# What runs the tests of the lowest versions, and those of a plugin of somebody else's.
TEST_TOOLS: Final = ("hypothesis", "mypy", "pytest", "pytest-timeout", "pytest-xdist")
# Downloading some eighty wheels and compiling fastecdsa, on a slow machine.
COLLECT_SECONDS: Final = 600


def dependencies() -> Mapping[str, Requirement]:
    """What our packages need of others, by canonical name."""
    written = _by_name(line for one in PROJECTS.values() for line in one["dependencies"])
    return {name: needed for name, needed in written.items() if not name.startswith("peerloom")}


def extras() -> Mapping[str, set[str]]:
    """The canonical names of what each extra of the core brings."""
    written = PROJECTS[PACKAGES[0]]["optional-dependencies"]
    return {extra: set(_by_name(lines)) for extra, lines in written.items()}


def _by_name(requirements: Iterable[str]) -> Mapping[str, Requirement]:
    return {canonicalize_name(one.name): one for one in map(Requirement, requirements)}


def pinned(file: Path) -> Mapping[str, Version]:
    """The versions in a file of constraints, by canonical name."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    pins = [line.split("==") for line in lines]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def our_wheels(folder: Path, packages: Iterable[Path] = PACKAGES) -> Path:
    """Build wheels into a folder, with the tools at hand."""
    pip(
        *("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)),
        *map(str, packages),
    )
    return folder


def collected(pins: Path) -> Path:
    """A folder with the wheels of all that our packages need, in the versions of that file."""
    brought = {name for names in extras().values() for name in names if "peerloom" not in name}
    wanted = (*map(str, dependencies().values()), *TEST_TOOLS, *brought)
    folder = user_cache_path("peerloom-tests") / f"wheels-{_key(pins, wanted)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _collect(folder, pins, wanted)
    return folder


def _collect(folder: Path, pins: Path, wanted: Iterable[str]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
        wheels = Path(unfinished) / "wheels"
        pip(
            *("wheel", "--wheel-dir", str(wheels), "--constraint", str(pins)),
            *("--build-constraint", str(NEWEST), *wanted),
        )
        wheels.rename(folder)


def pip(*arguments: str, into: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run pip, which must succeed, for the environment of this interpreter or of another."""
    where = () if into is None else ("--python", str(into))
    run(sys.executable, "-m", "pip", "--quiet", *where, *arguments, env=env)


def run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must succeed; gives what it printed."""
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COLLECT_SECONDS,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _key(pins: Path, wanted: Iterable[str]) -> str:
    """Whatever changes what is collected changes it."""
    parts = (sys.version, sys.platform, pins.read_text(), NEWEST.read_text(), *sorted(wanted))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
