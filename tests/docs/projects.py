"""What a page belongs to: its project may be one that is not installed, as an example's."""

from __future__ import annotations

import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from tests.packaging.tree import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Project:
    """A page's folder, and of a distribution that is not installed its name and its plugins."""

    folder: Path
    name: str | None = None
    plugins: tuple[object, ...] = ()


@contextmanager
def project_beside(page: Path) -> Iterator[Project]:
    """The project of a page; its modules can be imported meanwhile."""
    folder, metadata = page.parent, page.with_name("pyproject.toml")
    told = tomllib.loads(metadata.read_text(encoding="utf-8")) if metadata.exists() else {}
    if "project" not in told or folder in PACKAGES:
        yield Project(folder)
        return
    source = str(folder / "src")
    sys.path.insert(0, source)
    try:
        points = told["project"]["entry-points"]["peerloom.plugins"].items()
        plugins = [EntryPoint(name, value, "peerloom.plugins").load() for name, value in points]
        yield Project(folder, told["project"]["name"], tuple(plugins))
    finally:
        sys.path.remove(source)
