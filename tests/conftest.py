"""Fixtures and rules for all tests."""

from __future__ import annotations

import gc
import os
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Where assertions stand besides test modules: they shall say what they saw as well.
pytest.register_assert_rewrite(
    "tests.interop.scenarios",
    "tests.interop.lazy",
    "tests.interop.gossip_rows",
    "examples.simulated_network",
)

# The machines that run this are shared: how long one example takes says nothing.
settings.register_profile("peerloom", deadline=None)
settings.load_profile("peerloom")

WAITS_OF_TEN_SECONDS = (
    "_arrivals.UPGRADE_SECONDS",
    "_connection.NEGOTIATION_SECONDS",
    "_dialer.DIAL_SECONDS",
    "_dialer.UPGRADE_SECONDS",
    "_optimistic_stream.NEGOTIATION_SECONDS",
)


def pytest_collection_finish() -> None:
    """What libraries and tests hold stays anyway: the collector need not look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both backends."""
    backend: str = request.param
    return backend


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> str:
    """The swarm waits two seconds where it waits ten, and sweeps at once; gives that in words."""
    for name in WAITS_OF_TEN_SECONDS:
        monkeypatch.setattr(f"peerloom._swarm.{name}", 2.0)
    monkeypatch.setattr("peerloom._swarm._plugin.SWEEP_SECONDS", 0.1)
    return "2 s"


@pytest.fixture
def core_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if nothing were installed beside the core."""
    from peerloom import _known_plugins  # noqa: PLC0415 - not before assertions are rewritten

    def version(distribution: str) -> str:
        raise PackageNotFoundError(distribution)

    _known_plugins.is_installed.cache_clear()
    monkeypatch.setattr(_known_plugins, "version", version)
    yield
    _known_plugins.is_installed.cache_clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must be there (CI), a skipped test has failed."""
    report = yield
    if report.skipped and os.environ.get("PEERLOOM_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped although PEERLOOM_REQUIRE_ALL=1: {report.longrepr}"
    return report
