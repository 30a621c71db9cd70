"""peerloom.blocking: threads, interruption, forks, and loops that run already."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Thread, current_thread, main_thread
from threading import enumerate as living_threads
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import ExternalAddressConfirmed, NetworkConfig, NodeClosed
from peerloom.blocking import Node
from peerloom.plugin import PluginInfo, hookimpl
from tests.core.nodes import LOOPBACK, Serving, echo

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from peerloom.blocking._portal import Backend

THREADS = 16
SECONDS = 20  # that something takes which cannot fail to come
FORKING = """
import os, sys
from peerloom import NodeClosed
from peerloom.blocking import Node

with Node(backend=sys.argv[1]) as node, node.client.events() as events:
    child = os.fork()
    if not child:
        try:
            node.client.peers()
        except NodeClosed as error:
            print(error, flush=True)
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    print(node.client.peers())
"""


@pytest.fixture
def node(anyio_backend: Any) -> Iterator[Node]:
    with Node(NetworkConfig(strict=True), backend=anyio_backend) as it:
        yield it


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C does what it does in a program, whatever has started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_ctrl_c() -> None:
    signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)


class Waiting:
    """An async function that is interrupted while it waits, and tells how it ended."""

    def __init__(self) -> None:
        self.cancelled = False

    async def __call__(self) -> None:
        press_ctrl_c()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            self.cancelled = True
            raise


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_cancels_the_call_and_the_node_goes_on(node: Node) -> None:
    waiting = Waiting()
    with pytest.raises(KeyboardInterrupt):
        node.run(waiting)

    assert waiting.cancelled
    assert node.client.peers() == ()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_a_node_starts_leaves_nothing(anyio_backend: Any) -> None:
    waiting = Waiting()

    class Slow:
        info = PluginInfo("slow")

        @hookimpl
        @asynccontextmanager
        async def peerloom_lifespan(self, ctx: Any) -> AsyncGenerator[None]:
            await waiting()
            yield

    with (
        pytest.raises(KeyboardInterrupt),
        Node(NetworkConfig(listen=[LOOPBACK]), plugins=[Slow()], backend=anyio_backend),
    ):
        pytest.fail("it has started")

    assert waiting.cancelled
    assert not _loops()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_blocks_that_it_leaves(anyio_backend: Any) -> None:
    ended: list[str] = []

    @asynccontextmanager
    async def block() -> AsyncGenerator[None]:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                yield
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise

    with (
        pytest.raises(KeyboardInterrupt),
        Node(backend=anyio_backend) as it,
        it.enter(block()),
    ):
        it.run(Waiting())

    assert ended == ["cancelled"]
    assert not _loops()


def test_an_error_of_the_block_is_raised_in_the_managers(node: Node) -> None:
    seen: list[BaseException] = []

    @asynccontextmanager
    async def block(*, swallow: bool) -> AsyncGenerator[None]:
        try:
            yield
        except LookupError as error:
            seen.append(error)
            if not swallow:
                raise

    with node.enter(block(swallow=True)):
        raise KeyError("swallowed")
    with pytest.raises(KeyError, match="raised"), node.enter(block(swallow=False)):
        raise KeyError("raised")

    assert [str(error) for error in seen] == ["'swallowed'", "'raised'"]


def test_an_error_of_the_manager_is_raised_where_it_is_entered_or_left(node: Node) -> None:
    @asynccontextmanager
    async def block(*, enters: bool) -> AsyncGenerator[str]:
        if enters:
            yield "value"
        raise OSError("of the manager")

    with pytest.raises(OSError, match="of the manager"), node.enter(block(enters=False)):
        pytest.fail("it was entered")
    with pytest.raises(OSError, match="of the manager"), node.enter(block(enters=True)) as value:
        assert value == "value"
    assert node.client.peers() == ()


def test_a_manager_that_has_ended_by_itself_swallows_nothing(node: Node) -> None:
    @asynccontextmanager
    async def block() -> AsyncGenerator[anyio.Event]:
        ended = anyio.Event()
        with anyio.CancelScope() as scope:
            scope.cancel()
            yield ended
        ended.set()

    def use() -> None:
        with node.enter(block()) as ended:
            node.run(ended.wait, timeout=SECONDS)
            raise KeyError

    with pytest.raises(KeyError):
        use()


def test_run_takes_plain_functions_and_time_limits(node: Node) -> None:
    assert node.run(current_thread) is not current_thread()
    with pytest.raises(TimeoutError, match=r"^sleep_forever\(\) took longer .*: allow more"):
        node.run(anyio.sleep_forever, timeout=0.01)
    with pytest.raises(ZeroDivisionError):
        node.run(lambda: 1 // 0)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_ends_the_callers_and_not_the_loop(
    node: Node, kind: type[BaseException]
) -> None:
    async def leave() -> None:
        raise kind(3)

    with pytest.raises(kind, match="3"):
        node.run(leave)
    assert node.client.peers() == ()


def test_many_threads_call_at_once(anyio_backend: Any) -> None:
    config = NetworkConfig(listen=[LOOPBACK], strict=True)
    serving = Node(config, plugins=[Serving(echo=echo)], backend=anyio_backend)
    asking = Node(NetworkConfig(strict=True), backend=anyio_backend)

    def talk(number: int) -> bytes:
        with asking.client.open_stream(serving.peer_id, "/echo/1") as stream:
            stream.send(b"%d" % number)
            return stream.receive()

    with serving, asking, ThreadPoolExecutor(THREADS) as threads:
        asking.client.dial(serving.addresses[0])
        heard = list(threads.map(talk, range(4 * THREADS)))

    assert heard == [b"%d" % number for number in range(4 * THREADS)]


def test_a_call_that_the_node_outlasts_raises_node_closed(anyio_backend: Any) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(NodeClosed) as caught:
            it.run(sleep)
        raised.append(caught.value)

    async def sleep() -> None:
        began.set()
        await anyio.sleep_forever()

    with Node(backend=anyio_backend) as it:
        began = it.run(anyio.Event)
        waiter = Thread(target=wait)
        waiter.start()
        it.run(began.wait, timeout=SECONDS)
    waiter.join(SECONDS)

    assert raised


def test_the_loops_own_thread_is_told_not_to_wait_for_itself(node: Node) -> None:
    async def mistaken() -> None:
        node.client.peers()

    with pytest.raises(RuntimeError, match=r"node\.async_client in place of node\.client"):
        node.run(mistaken)


async def test_a_node_on_asyncio_runs_beside_a_loop_that_runs_already() -> None:
    config = NetworkConfig(listen=[LOOPBACK], strict=True)
    with Node(config) as one, Node(NetworkConfig(strict=True)) as other:
        other.client.dial(one.addresses[0])

        assert other.client.peers() == (one.peer_id,)


async def test_events_are_waited_for_beside_a_loop_of_the_other_kind(anyio_backend: Any) -> None:
    there: Backend = "asyncio" if anyio_backend == "trio" else "trio"
    with Node(backend=there) as it, it.client.events(ExternalAddressConfirmed) as events:
        with pytest.raises(TimeoutError):
            events.next(timeout=0.01)
        it.client.add_external_address("/ip4/192.0.2.1/tcp/4001")
        assert isinstance(events.next(timeout=SECONDS), ExternalAddressConfirmed)


async def test_a_node_on_trio_is_refused_only_where_trio_runs(anyio_backend: Any) -> None:
    if anyio_backend == "trio":
        with pytest.raises(RuntimeError, match='give it backend="asyncio"'), Node(backend="trio"):
            pytest.fail("it has started")
    else:
        with Node(backend="trio") as it:
            assert it.client.peers() == ()


def test_a_forked_process_is_told_to_make_its_own(anyio_backend: Any) -> None:
    command = [sys.executable, "-c", FORKING, anyio_backend]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)

    assert done.returncode == 0, done.stderr
    told, peers = done.stdout.splitlines()
    assert told.endswith("make one after the fork")
    assert peers == "()"


def _loops() -> list[str]:
    return [it.name for it in living_threads() if it.name.startswith("peerloom-")]
