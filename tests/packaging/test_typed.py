"""Whoever checks a program of their own sees the types of our public names, and no `Any`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.tree import PLUGINS
from tests.packaging.wheelhouse import COLLECT_SECONDS, run

if TYPE_CHECKING:
    from tests.packaging.conftest import EnvironmentWith
    from tests.packaging.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * COLLECT_SECONDS)]
PROGRAMS = Path(__file__).with_name("programs")
IMPORTED = ("peerloom", *(f"peerloom_{plugin}" for plugin in PLUGINS))


@pytest.fixture
def everything(environment_with: EnvironmentWith) -> Environment:
    """An environment with all of our packages, and no stubs of anybody else's."""
    return environment_with("peerloom", *(f"peerloom-{plugin}" for plugin in PLUGINS))


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("application.py", ["--disallow-any-expr"]),
        ("plugin.py", []),  # the decorators of attrs are made of Any
    ],
)
def test_a_program_is_typed_for_mypy(
    everything: Environment, tmp_path: Path, program: str, options: list[str]
) -> None:
    run(
        *(sys.executable, "-m", "mypy", "--config-file=", "--strict", *options),
        *("--cache-dir", str(tmp_path), "--python-executable", str(everything.python)),
        str(PROGRAMS / program),
    )


def test_a_program_is_typed_for_pyright(everything: Environment, tmp_path: Path) -> None:
    settings = tmp_path / "pyrightconfig.json"
    settings.write_text(json.dumps({"typeCheckingMode": "strict", "include": [str(PROGRAMS)]}))

    pyright(everything, "--project", str(settings))


@pytest.mark.parametrize("module", IMPORTED)
def test_every_public_name_has_a_known_type(everything: Environment, module: str) -> None:
    """But for what pluggy leaves to be inferred in its own classes."""
    said = pyright(everything, "--ignoreexternal", "--verifytypes", module)

    assert "Type completeness score: 100%" in said


def test_the_types_that_we_give_multiaddr_are_its_own() -> None:
    run(sys.executable, "-m", "mypy.stubtest", "multiaddr", "--ignore-missing-stub")


def pyright(environment: Environment, *arguments: str) -> str:
    """Run pyright, or rather its fork that pip installs whole, as it sees an environment."""
    path = f"{environment.python.parent}{os.pathsep}{os.environ['PATH']}"
    command = Path(sys.executable).with_name("basedpyright")
    return run(str(command), *arguments, cwd=environment.folder, env={**os.environ, "PATH": path})
