"""What holds for every example."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[!_]*.py"))
SHORTEST, LONGEST = 60, 150


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows_and_has_a_test(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    says = ast.get_docstring(ast.parse(text)) or ""

    assert re.search(rf"\n    (python examples/|uvicorn .*|pytest .*){example.stem}", says)
    assert SHORTEST <= len(text.splitlines()) <= LONGEST
    assert (Path(__file__).parent / f"test_{example.stem}.py").exists()


def test_the_readme_lists_all_of_them() -> None:
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| \[(\w+\.py)\]\(\1\)", readme, re.MULTILINE)
    assert set(re.findall(r"\]\((\w+\.py)\)", readme)) == {path.name for path in EXAMPLES}
