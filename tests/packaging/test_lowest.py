"""Our packages with the lowest versions that they allow of what they depend on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.packaging.environments import Environment, empty
from tests.packaging.tree import PLUGINS, ROOT
from tests.packaging.wheelhouse import (
    COLLECT_SECONDS,
    LOWEST,
    TEST_TOOLS,
    collected,
    dependencies,
    pinned,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * COLLECT_SECONDS)]
# What touches each dependency: all of its own tests would take minutes.
TOUCHING = (
    *(f"tests/core/test_{unit}.py" for unit in (
        "config_text", "keys", "node", "noise", "plugins", "quic_link", "records", "resolve",
        "store_file", "tls", "tls_certificate", "wakeup",
    )),
    "tests/cli/test_cli_info.py",
    *(f"tests/{plugin}" for plugin in PLUGINS),
)  # fmt: skip
INSTALLED = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in %r}))"


@pytest.fixture(scope="module")
def lowest(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with all of our packages."""
    environment = empty(tmp_path_factory.mktemp("lowest"))
    ours = ("peerloom", *(f"peerloom-{plugin}" for plugin in PLUGINS))
    environment.install((wheels, collected(LOWEST)), *ours, *TEST_TOOLS)
    return environment


def test_it_has_the_lowest_versions(lowest: Environment) -> None:
    names = sorted(dependencies())
    installed = json.loads(lowest.run("python", "-c", INSTALLED % names))

    lowest.check()
    assert {name: pinned(LOWEST)[name] for name in names} == {
        name: Version(version) for name, version in installed.items()
    }


def test_what_touches_the_dependencies_works(lowest: Environment) -> None:
    """A dependency's own notices of what it will drop are not of interest here."""
    options = (
        "-q",
        "--numprocesses",
        "2",
        "-p",
        "no:cacheprovider",
        "-W",
        "default::DeprecationWarning",
    )
    lowest.run("python", "-m", "pytest", *options, "-m", "not slow", *TOUCHING, cwd=ROOT)
