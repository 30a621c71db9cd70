"""What pytest loads of Peerloom, by its entry point: fixtures that import it when they are used.

A module outside of the package, since importing anything of the package imports all of it.
"""

from __future__ import annotations

from inspect import iscoroutinefunction, signature
from types import FunctionType
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from peerloom.testing import Nodes, Plugins

_FAILED: Final = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> None:
    """Have anyio run the async tests that use `plugins`, on both backends."""
    if (
        isinstance(obj, FunctionType)
        and iscoroutinefunction(obj)
        and collector.istestfunction(obj, name)
        and "plugins" in signature(obj).parameters
    ):
        pytest.mark.usefixtures("anyio_backend")(obj)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test itself failed: then a fixture need not find fault as well."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
async def nodes(
    anyio_backend: object,  # noqa: ARG001 - has anyio run the fixture, and the tests that use it
    request: pytest.FixtureRequest,
) -> AsyncGenerator[Nodes, None]:
    """Real nodes on 127.0.0.1; call it to get some, see `peerloom.testing.Nodes`.

    At the end they are closed; a task, socket, file or thread that is left then fails the test.
    """
    from peerloom.testing import Nodes, no_leaks  # noqa: PLC0415 - not before it is used

    async with no_leaks(unless=lambda: request.node.stash.get(_FAILED, False)), Nodes() as made:
        yield made


@pytest.fixture
def plugins() -> Generator[Plugins, None, None]:
    """Plugins without a node: only those that the test names; nothing installed is looked for."""
    from peerloom.testing import Plugins  # noqa: PLC0415 - not before it is used

    with Plugins() as named:
        yield named
