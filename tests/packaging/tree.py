"""The working copy, as the tests of this folder look at it."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "core", *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")))
PLUGINS = tuple(package.name for package in PACKAGES[1:])
PROJECTS = {
    package: tomllib.loads((package / "pyproject.toml").read_text())["project"]
    for package in PACKAGES
}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    paths = {ROOT / name for name in listing.decode().split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def project_texts() -> tuple[tuple[str, str], ...]:
    """Name and content of every text file of the project."""
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for path in project_files():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules_of(package: Path) -> list[Path]:
    """The modules that a package ships."""
    return sorted((package / "src").rglob("*.py"))


def imported_by(module: Path) -> set[str]:
    """The absolute names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


def example_of_the_readme() -> tuple[str, str]:
    """The program that README.md shows, and what it says that it prints."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    [printed] = re.findall(r"It prints `(.*)`", readme)
    return program, printed
