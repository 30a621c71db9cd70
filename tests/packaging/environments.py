"""Empty environments that have just what a test asks for."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.packaging.wheelhouse import run

if TYPE_CHECKING:
    from collections.abc import Iterable

UV: Final = str(Path(sys.executable).with_name("uv"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and an empty home beside it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def home(self) -> Path:
        """The home and working folder of what runs in it."""
        return self.folder / "home"

    def install(self, wheelhouses: Iterable[Path], *requirements: str) -> None:
        """Put requirements and all that they need into it, from folders of wheels only."""
        found = [word for folder in wheelhouses for word in ("--find-links", str(folder))]
        run(
            *(UV, "pip", "install", "--quiet", "--no-config", "--offline", "--no-index"),
            *("--python", str(self.python), *found, *requirements),
        )

    def distributions(self) -> set[str]:
        """The names of what is installed."""
        listed = run(
            *(UV, "pip", "list", "--quiet", "--format", "json", "--python", str(self.python))
        )
        return {one["name"] for one in json.loads(listed)}

    def check(self) -> None:
        """Fail unless everything has what it says that it needs."""
        run(UV, "pip", "check", "--quiet", "--python", str(self.python))

    def run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        """Run one of its programs, which must succeed; gives what it printed."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "PEERLOOM", "PYTEST", "XDG", "VIRTUAL_ENV"))
        }
        return run(
            str(self.folder / "bin" / program),
            *arguments,
            cwd=cwd or self.home,
            env={**inherited, "HOME": str(self.home), "COLUMNS": "200"},
        )

    def plugins(self) -> dict[str, Any]:
        """What ``peerloom plugins`` says: installed ones by name, and what could be added."""
        said = json.loads(self.run("peerloom", "plugins", "--json"))
        return {**said, "plugins": {one["name"]: one for one in said["plugins"]}}


def empty(folder: Path) -> Environment:
    """A new environment with nothing in it, not even pip."""
    run(UV, "venv", "--quiet", "--no-config", "--python", sys.executable, str(folder))
    environment = Environment(folder)
    environment.home.mkdir()
    return environment
