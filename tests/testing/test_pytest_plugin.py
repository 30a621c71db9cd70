"""What pytest gets with the package: fixtures, and nothing else until one is used."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from tests.testing.inner import Outcome, run_pytest

if TYPE_CHECKING:
    from pathlib import Path

# As in `test_conformance`: the first runs what another process tests.
pytestmark = pytest.mark.timeout(300)

UNUSED = """
import sys

def test_nothing_is_imported_until_a_fixture_is_used(request):
    assert request.config.pluginmanager.has_plugin("peerloom")
    loaded = {"peerloom", "libp2p", "trio", "multiaddr"} & set(sys.modules)
    assert not loaded, loaded
"""

USED = """
import socket
import threading

import anyio
import pytest

from peerloom import Node, PeerConnected
from peerloom.plugin import Dialing, PluginInfo, hookimpl

KEPT = []


class Failing:
    info = PluginInfo("failing")

    @hookimpl
    def peerloom_event_handlers(self, ctx):
        return [Dialing.heard_by(self.fail)]

    def fail(self, event):
        raise ValueError("raised by a handler")


def keep_a_socket():
    KEPT.append(socket.create_server(("127.0.0.1", 0)))


async def test_nodes_needs_no_configuration(nodes):
    ann, ben = await nodes(2, connected=True)
    assert await ann.client.peers() == (ben.peer_id,)


async def test_plugins_needs_none_either(plugins, anyio_backend_name):
    assert anyio_backend_name in {"asyncio", "trio"}


async def test_leaves_much(nodes, tmp_path, anyio_backend_name):
    keep_a_socket()
    KEPT.append((tmp_path / "forgotten.txt").open("w"))
    threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()
    if anyio_backend_name == "trio":
        import trio
        trio.lowlevel.spawn_system_task(trio.sleep_forever)
    else:
        import asyncio
        KEPT.append(asyncio.ensure_future(asyncio.sleep(3600)))


async def test_leaves_nothing(nodes):
    [node] = await nodes()
    worker = threading.Thread(target=lambda: None)
    worker.start()
    with socket.create_server(("127.0.0.1", 0)):
        await anyio.to_thread.run_sync(worker.join)


async def test_fails_by_itself_and_leaves_a_socket(nodes):
    await nodes()
    keep_a_socket()
    assert 2 + 2 == 5


async def test_has_a_handler_that_raises(nodes):
    ann, ben = await nodes(2, plugins=[Failing()])
    with pytest.raises(Exception):
        await ann.client.dial(ben.peer_id, ben.addresses)


async def test_gives_a_plugin_that_is_broken(nodes):
    await nodes(plugins=[object()])


async def test_stops_a_node_under_a_recorder(nodes):
    [node] = await nodes()
    heard = nodes.record(node)
    await nodes.stop(node)
    await heard.next(PeerConnected)


async def test_leaves_scopes_open_around_nodes(nodes):
    with anyio.move_on_after(60):
        [node] = await nodes()
    assert await node.client.peers() == ()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await nodes()


async def test_looks_for_installed_plugins(plugins):
    async with Node():
        pass


def test_looks_again_behind_the_fixture():
    from peerloom._plugins import installed_candidates
    assert installed_candidates()
"""

WRONG = {
    "leaves_much": ("socket AF_INET", "forgotten.txt", "thread forgotten", "task sleep"),
    "fails_by_itself_and_leaves_a_socket": ("assert (2 + 2) == 5",),
    "has_a_handler_that_raises": ("raised by a handler",),
    "gives_a_plugin_that_is_broken": ("has no attribute info",),
    "stops_a_node_under_a_recorder": ("no PeerConnected before the node stopped; it heard ",),
    "looks_for_installed_plugins": ("looks for no installed plugins",),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return run_pytest(tmp_path_factory.mktemp("used"), USED)


def test_nothing_is_imported_until_a_fixture_is_used(tmp_path: Path) -> None:
    outcomes = run_pytest(tmp_path, UNUSED, "-p", "no:anyio", "-p", "no:hypothesispytest")

    [outcome] = outcomes.values()
    assert outcome.passed, outcome.failures


def test_the_entry_point_names_a_module_outside_of_the_package() -> None:
    [point] = [one for one in entry_points(group="pytest11") if one.name == "peerloom"]
    program = f"import {point.module}, sys; print('peerloom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert done.stdout.split() == [b"False"]


def test_each_async_test_runs_on_both_backends(outcomes: dict[str, Outcome]) -> None:
    both = {name.partition("[")[0]: set[str]() for name in outcomes if "[" in name}
    for name in outcomes:
        test, _, backend = name.partition("[")
        both.get(test, set()).add(backend.rstrip("]"))

    assert len(both) == USED.count("async def test_")
    assert set(map(frozenset, both.values())) == {frozenset({"asyncio", "trio"})}


def test_what_is_right_passes_and_what_is_wrong_fails(outcomes: dict[str, Outcome]) -> None:
    failed = {name.partition("[")[0] for name, outcome in outcomes.items() if not outcome.passed}

    assert failed == {f"test_{name}" for name in WRONG}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_went_wrong_is_said_once(
    outcomes: dict[str, Outcome], name: str, backend: str
) -> None:
    [failure] = outcomes[f"test_{name}[{backend}]"].failures

    assert all(part in failure for part in WRONG[name])
