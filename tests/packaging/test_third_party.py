"""A plugin that `peerloom new-plugin` wrote, beside ours as somebody else's."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.packaging.environments import Environment, empty
from tests.packaging.tree import PLUGINS
from tests.packaging.wheelhouse import COLLECT_SECONDS, NEWEST, collected, our_wheels, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * COLLECT_SECONDS)]


@pytest.fixture(scope="module")
def author(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment where somebody has written a plugin, has built it, and installs the wheel."""
    environment = empty(tmp_path_factory.mktemp("author"))
    ours = ("peerloom", *(f"peerloom-{plugin}" for plugin in PLUGINS))
    environment.install((wheels, collected(NEWEST)), *ours)
    environment.run("peerloom", "new-plugin", "counter")
    built = our_wheels(tmp_path_factory.mktemp("built"), [environment.home / "peerloom-counter"])
    environment.install((wheels, collected(NEWEST), built), "peerloom-counter[test]")
    return environment


def test_its_wheel_stands_beside_our_plugins(author: Environment) -> None:
    listed = author.plugins()["plugins"]

    author.check()
    assert listed["counter"]["distribution"] == "peerloom-counter"
    assert {name: listed[name]["state"] for name in ("counter", *PLUGINS)} == dict.fromkeys(
        ("counter", *PLUGINS), "active"
    )


def test_its_own_tests_pass(author: Environment, tmp_path: Path) -> None:
    """With what is installed: its sources are not there."""
    shutil.copytree(author.home / "peerloom-counter" / "tests", tmp_path / "tests")
    shutil.copy(author.home / "peerloom-counter" / "pyproject.toml", tmp_path)

    assert " passed" in author.run("python", "-m", "pytest", "-q", cwd=tmp_path)


def test_it_is_typed_for_mypy_and_pyright(author: Environment) -> None:
    """By its own settings, which are strict; its extra for tests has brought mypy."""
    project = author.home / "peerloom-counter"

    author.run("python", "-m", "mypy", "--cache-dir", os.devnull, "src", "tests", cwd=project)
    run(
        *(sys.executable, "-m", "basedpyright", "--pythonpath", str(author.python)),
        cwd=project,
    )
