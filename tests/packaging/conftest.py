"""Wheels and environments that the tests of a run share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.packaging.environments import Environment, empty
from tests.packaging.wheelhouse import NEWEST, collected, our_wheels

if TYPE_CHECKING:
    from pathlib import Path

EnvironmentWith = Callable[..., Environment]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels of our packages."""
    return our_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def environment_with(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> EnvironmentWith:
    """Gives, for requirements, an environment where those and nothing else are installed."""

    @cache
    def build(*requirements: str) -> Environment:
        environment = empty(tmp_path_factory.mktemp("environment"))
        environment.install((wheels, collected(NEWEST)), *requirements)
        return environment

    return build
