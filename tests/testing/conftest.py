"""The worlds in which contracts of a swarm are tested: with the real one, and with the fake one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.testing.worlds import (
    fake_world,
    real_world,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom.plugin import PluginContext
    from tests.testing.worlds import World


@pytest.fixture(params=[fake_world, real_world], ids=["fake", "real"])
async def world(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncGenerator[World, None]:
    async with request.param() as made:
        yield made


@pytest.fixture
def ctx(world: World) -> PluginContext:
    return world.keeper.context
