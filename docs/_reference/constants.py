"""What is written below a constant or an alias, which have no docstring of their own."""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@cache
def written_below(package: str) -> Mapping[str, str]:
    """By name, of everything in a package or in the one that it is a part of."""
    [folder] = import_module(package.partition(".")[0]).__path__
    return dict(found for path in sorted(Path(folder).rglob("*.py")) for found in _in_module(path))


def _in_module(path: Path) -> Iterator[tuple[str, str]]:
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    for statement, below in pairwise(statements):
        match statement, below:
            case (
                (ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name))),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, text
