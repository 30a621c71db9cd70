"""Write constraints.txt and constraints-lowest.txt anew: versions that fit together, exactly.

Run it by `make constraints`. It installs every package of the workspace and the tools of
requirements-dev.in into an empty environment and freezes what pip chose: once the newest versions
of all, and once the lowest that our packages allow of what they name themselves.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")))
NEWEST = ROOT / "constraints.txt"
LOWEST = ROOT / "constraints-lowest.txt"
EXACT_PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+")
FLOOR = re.compile(r"([\w.-]+)>=([\w.]+)")
NEWEST_HEADER = """\
# Every distribution that a working copy installs, pinned; made by `make constraints` on
# Python {version}. What installs from it names no index: pip's own configuration decides.
"""
LOWEST_HEADER = """\
# The same with the lowest versions that our packages allow of what they name themselves; made by
# `make constraints` on Python {version}. `make packaging` tests with them.
"""


def main() -> None:
    """Resolve, freeze, write; twice."""
    write(NEWEST, NEWEST_HEADER, frozen())
    write(LOWEST, LOWEST_HEADER, frozen(*floors()))


def floors() -> set[str]:
    """What our packages name, in the lowest version of each."""
    projects = [tomllib.loads((path / "pyproject.toml").read_text()) for path in PACKAGES]
    named = [line for project in projects for line in project["project"]["dependencies"]]
    return {
        f"{name}=={version}"
        for name, version in map(floor_of, named)
        if not name.startswith("peerloom")
    }


def floor_of(requirement: str) -> tuple[str, str]:
    """Name and lowest version."""
    found = FLOOR.match(requirement)
    if found is None:
        sys.exit(f"no lowest version: {requirement}")
    return found[1], found[2]


def frozen(*pins: str) -> list[str]:
    """What pip installs together with these pins."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        run(
            *(python, "-m", "pip", "install", "--quiet"),
            *("--upgrade", "--upgrade-strategy", "eager"),
            *("--requirement", str(ROOT / "requirements-dev.in")),
            *map(str, PACKAGES),
            *pins,
        )
        return run(python, "-m", "pip", "freeze", "--all").splitlines()


def write(target: Path, header: str, lines: list[str]) -> None:
    """Write what was frozen, but for our own packages."""
    pins = [line for line in lines if not line.startswith("peerloom")]
    wrong = [line for line in pins if not EXACT_PIN.fullmatch(line)]
    if wrong:
        sys.exit(f"not an exact pin: {wrong}")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    target.write_text(header.format(version=version) + "".join(f"{pin}\n" for pin in pins))


def run(*command: str) -> str:
    """Run a command that must succeed and give what it printed."""
    return subprocess.run(  # noqa: S603 - commands of our own making
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
