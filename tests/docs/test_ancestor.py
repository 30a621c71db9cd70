"""docs/ancestor.md: each promise of the ancestor names what keeps it, and that is there."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import pytest

from tests.packaging.tree import PACKAGES, ROOT

LATER = frozenset({"autonat", "dcutr", "gossipsub", "kad", "mdns", "relay", "rendezvous"})
SERIES = {"": 158, "S": 57, "E": 9}  # its README, the features of its code, what it does besides

NUMBER = re.compile(r"([A-Z]?)(\d+)")
NOT_YET = re.compile(r"not yet: ([a-z, ]+)")


@dataclass(frozen=True)
class Row:
    """A line of a table: what was promised, and what keeps it."""

    number: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    later: frozenset[str]
    same_as: str | None


def _row(cells: list[str]) -> Row:
    number, *_, where, proof, _otherwise = cells
    later = NOT_YET.search(where)
    same = re.fullmatch(r"as (\w+)", where)
    return Row(
        number,
        tuple(re.findall(r"`(peerloom[\w.]*)`", where)),
        tuple(re.findall(r"`(\w+/test_\w+::test_\w+)`", proof)),
        frozenset(later[1].split(", ")) if later else frozenset(),
        same[1] if same else None,
    )


@cache
def _rows() -> dict[str, Row]:
    lines = (ROOT / "docs" / "ancestor.md").read_text(encoding="utf-8").splitlines()
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [_row(cells) for cells in split if NUMBER.fullmatch(cells[0])]
    return {row.number: row for row in rows}


@cache
def _functions(module: str) -> frozenset[str]:
    path = ROOT / "tests" / f"{module}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def _is_test(name: str) -> bool:
    module, _, function = name.partition("::")
    return function in _functions(module)


def _where_is(name: str) -> list[str]:
    function = name.partition("::")[2]
    modules = (ROOT / "tests").rglob("test_*.py")
    named = [str(path.relative_to(ROOT / "tests").with_suffix("")) for path in modules]
    return [module for module in sorted(named) if function in _functions(module)]


def _is_module(name: str) -> bool:
    path = name.replace(".", "/")
    candidates = (f"src/{path}.py", f"src/{path}/__init__.py")
    return any((package / one).is_file() for package in PACKAGES for one in candidates)


def test_every_promise_has_its_row_in_order() -> None:
    numbers = [NUMBER.fullmatch(number) for number in _rows()]
    series = groupby((match.groups() for match in numbers), key=lambda pair: pair[0])

    assert [(letter, [int(number) for _, number in group]) for letter, group in series] == [
        (letter, list(range(1, last + 1))) for letter, last in SERIES.items()
    ]


@pytest.mark.parametrize("row", _rows().values(), ids=lambda row: row.number)
def test_a_promise_is_kept_by_modules_and_tests_or_named_as_not_yet(row: Row) -> None:
    if row.same_as:
        assert _rows()[row.same_as].same_as is None
    elif not row.later:
        assert row.modules
        assert row.tests
    assert bool(row.modules) == bool(row.tests)
    assert [name for name in row.modules if not _is_module(name)] == []
    missing = [name for name in row.tests if not _is_test(name)]
    assert not missing, [f"{name} is now in {_where_is(name)}" for name in missing]


def test_what_is_there_is_no_longer_called_not_yet() -> None:
    named = frozenset().union(*(row.later for row in _rows().values()))

    assert named <= LATER
    assert not named & {package.name for package in PACKAGES}
