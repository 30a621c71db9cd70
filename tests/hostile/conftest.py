"""Fixtures of the hostile tests."""

from __future__ import annotations

import pytest

from tests.hostile.ways import QUIC_WAYS, RAW_WAYS, WAYS, Way


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to reach a node."""
    chosen: Way = request.param
    return chosen


@pytest.fixture(params=RAW_WAYS, ids=lambda way: way.name)
def raw_way(request: pytest.FixtureRequest) -> Way:
    """Each way that begins with a byte pipe."""
    chosen: Way = request.param
    return chosen


@pytest.fixture(params=QUIC_WAYS, ids=lambda way: way.name)
def quic_way(request: pytest.FixtureRequest) -> Way:
    """QUIC on each engine."""
    chosen: Way = request.param
    return chosen
