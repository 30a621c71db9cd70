"""Fixtures and rules for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

# Where assertions stand besides test modules: they shall say what they saw as well.
pytest.register_assert_rewrite(
    "tests.interop.scenarios", "tests.interop.lazy", "examples.simulated_network"
)

# The machines that run this are shared: how long one example takes says nothing.
settings.register_profile("peerloom", deadline=None)
settings.load_profile("peerloom")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs on both backends."""
    backend: str = request.param
    return backend


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
