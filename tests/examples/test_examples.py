"""What holds for every example."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[!_]*.py"))
PROJECTS = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))
SHORTEST, LONGEST = 60, 150


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows_and_has_a_test(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    says = ast.get_docstring(ast.parse(text)) or ""

    assert re.search(rf"\n    (python examples/|uvicorn .*|pytest .*){example.stem}", says)
    assert SHORTEST <= len(text.splitlines()) <= LONGEST
    assert (Path(__file__).parent / f"test_{example.stem}.py").exists()


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_an_example_of_several_files_has_none_that_is_long(project: Path) -> None:
    modules = sorted(project.rglob("*.py"))

    assert modules
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST for path in modules)
    assert (Path(__file__).parent / f"test_{project.name}.py").exists()


def test_the_readme_lists_all_of_them() -> None:
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    files = {f"[{path.name}]({path.name})" for path in EXAMPLES}
    projects = {f"[{path.name}]({path.name}/README.md)" for path in PROJECTS}

    assert files
    assert projects
    assert set(re.findall(r"^\| (\[.*?\]\(.*?\)) \|", readme, re.MULTILINE)) == files | projects
