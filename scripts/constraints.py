"""Write constraints.txt anew: the newest versions that fit together, all of them, exactly.

Run it by `make constraints`. It installs every package of the workspace and the tools of
requirements-dev.in into an empty environment without constraints, and freezes what pip chose.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
EXACT_PIN = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+")
HEADER = """\
# Every distribution that a working copy installs, pinned; made by `make constraints` on
# Python {version}. What installs from it names no index: pip's own configuration decides.
"""


def main() -> None:
    """Resolve, freeze, write."""
    packages = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        run(
            *(python, "-m", "pip", "install", "--quiet"),
            *("--upgrade", "--upgrade-strategy", "eager"),
            *("--requirement", str(ROOT / "requirements-dev.in")),
            *(str(path) for path in (ROOT / "core", *packages)),
        )
        frozen = run(python, "-m", "pip", "freeze", "--all").splitlines()
    pins = [line for line in frozen if not line.startswith("peerloom")]
    wrong = [line for line in pins if not EXACT_PIN.fullmatch(line)]
    if wrong:
        sys.exit(f"not an exact pin: {wrong}")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    TARGET.write_text(HEADER.format(version=version) + "".join(f"{pin}\n" for pin in pins))


def run(*command: str) -> str:
    """Run a command that must succeed and give what it printed."""
    return subprocess.run(  # noqa: S603 - commands of our own making
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    main()
