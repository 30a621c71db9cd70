"""What the tests of loop and plugins stand on: small plugins and streams, a running host."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
from attrs import frozen

from peerloom._behaviour import Behaviour, InboundProtocol
from peerloom._calls import IncomingStream
from peerloom._client import NetworkClient
from peerloom._commands import Command
from peerloom._context import NodeServices
from peerloom._errors import StreamReset
from peerloom._event_loop import EventLoop
from peerloom._events import Event
from peerloom._hookspecs import PluginInfo, new_plugin_manager
from peerloom._metrics import Metrics
from peerloom._peer_id import PeerId
from peerloom._plugin_host import PluginHost
from peerloom._plugins import Candidate, given_candidate, load_plugins
from peerloom._store import MemoryStore
from peerloom._swarm import Surroundings
from peerloom.testing import FakeSwarm, ManualRuntime, Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from peerloom._plugin_scope import ScopeBounds

LOCAL = PeerId(bytes((0, 2, 1, 1)))
ALICE = PeerId(bytes((0, 2, 1, 2)))
BOB = PeerId(bytes((0, 2, 1, 3)))

ERRORS = [
    ValueError("boom"),
    SystemExit(1),
    ExceptionGroup("several", [ValueError(), OSError()]),
]

T = TypeVar("T")


@frozen
class Said(Event):
    text: str


@frozen
class Shouted(Said):
    """A subclass, heard by who hears Said."""


@frozen
class Echo(Command[str]):
    text: str


@frozen
class Hurry(Command[None]):
    timeout_seconds = 0.02


class FakeStream:
    """A stream of which only the end matters."""

    def __init__(self, peer: PeerId = ALICE, protocol: str = "/test/1") -> None:
        self.peer = peer
        self.protocol = protocol
        self.was_reset = False
        self._reset = anyio.Event()

    def reset(self) -> None:
        self.was_reset = True
        self._reset.set()

    async def wait_reset(self) -> None:
        await self._reset.wait()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        await self._reset.wait()
        raise StreamReset("the stream was reset")


class NotingSwarm(FakeSwarm):
    """Notes which peers were disconnected, whether they were connected or not."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.disconnected: list[tuple[PeerId, str]] = []

    async def disconnect(self, peer: PeerId, cause: str) -> int:
        self.disconnected.append((peer, cause))
        return 1


class Bench:
    """A loop with its plugins, and what a test wants to look at."""

    def __init__(self, *, strict: bool = False, runtime: Any = None) -> None:
        self.runtime = runtime or ManualRuntime()
        self.loop = EventLoop(self.runtime, new_plugin_manager(), strict=strict)
        around = Surroundings(self.loop.swarm_events, lambda _: None, lambda *_: False)
        self.swarm = NotingSwarm(LOCAL, around, None, self.runtime)
        self.client = NetworkClient(self.loop)
        self.metrics = Metrics()
        self.services = NodeServices(
            swarm=self.swarm,
            client=self.client,
            store=MemoryStore(),
            identity=None,  # type: ignore[arg-type]
            runtime=self.runtime,
            metrics=self.metrics,
        )
        self.recorder = Recorder(self.client)
        self.host: PluginHost
        if isinstance(self.runtime, ManualRuntime):
            self.runtime.on_advance = self.loop.wake

    async def tell(self, event: Event) -> None:
        await self.loop.swarm_events.put(event)

    async def settle(self) -> None:
        """Until the loop has taken all that was put before this call."""
        done = anyio.Event()
        self.loop.wake_at(self.runtime.now() - 1e9, done.set, "settle")
        with anyio.fail_after(5):
            await done.wait()
            while not self.loop._idle():
                await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def running(
    *plugins: object,
    strict: bool = False,
    runtime: Any = None,
    settings: dict[str, Any] | None = None,
    bounds: ScopeBounds | None = None,
    inventory: Any = None,
) -> AsyncIterator[Bench]:
    bench = Bench(strict=strict, runtime=runtime)
    if inventory is None:
        inventory = load_plugins([given_candidate(one) for one in plugins])
        assert not inventory.broken, [str(one) for one in inventory.broken]
    bench.host = PluginHost(inventory, bench.loop, bench.services, settings or {}, bounds)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.loop.run)
        with bench.recorder:
            async with bench.host:
                yield bench
        bench.loop.close()


def plugin(name: str = "alpha", **hooks: Any) -> Any:
    """A plugin whose hooks are given as functions without self; `info` may be given too."""
    from peerloom.plugin import hookimpl  # noqa: PLC0415

    info = hooks.pop("info", None) or PluginInfo(name)
    made = type("Plugin", (), {"info": info})()
    for hook, function in hooks.items():
        marked = hookimpl(wrapper=True) if hook == "dispatch" else hookimpl
        setattr(made, f"peerloom_{hook}", marked(function))
    return made


def with_context(name: str = "alpha", **hooks: Any) -> Any:
    """A plugin that keeps its newest context as `ctx`, and all of them as `contexts`."""

    def setup(ctx: Any) -> None:
        one.ctx = ctx
        one.contexts.append(ctx)

    one = plugin(name, setup=setup, **hooks)
    one.contexts = []
    return one


def serving(handler: Any, protocol: str = "/test/1") -> Callable[[Any], list[Behaviour]]:
    """A hook whose behaviour accepts that protocol."""

    class Serving(Behaviour):
        protocols = {protocol: InboundProtocol(handler)}  # noqa: RUF012 - a test's constant

    return lambda ctx: [Serving()]


def incoming(handler: Any, peer: PeerId = ALICE) -> tuple[IncomingStream, FakeStream]:
    """A stream on its way to a handler of the plugin alpha."""
    stream = FakeStream(peer)
    item = IncomingStream("alpha", InboundProtocol(handler), stream)  # type: ignore[arg-type]
    return item, stream


def raising(error: BaseException) -> Callable[..., Any]:
    """A function that takes anything and raises."""

    def function(*_: Any) -> Any:
        raise error

    return function


def hook_raising(error: BaseException) -> Callable[[Any], Any]:
    """A hook that raises."""

    def function(ctx: Any) -> Any:
        raise error

    return function


def state_of(bench: Bench, name: str = "alpha") -> Any:
    return bench.host.status()["plugins"][name]["state"]


def hears(*handlers: Any) -> Callable[[Any], list[Any]]:
    """An event_handlers hook that gives these."""
    return lambda ctx: list(handlers)


def candidate(one: object, distribution: str = "dist", version: str = "1.0") -> Candidate:
    """A plugin as it is found in a distribution."""
    name = getattr(getattr(one, "info", None), "name", "nameless")
    return Candidate(name, distribution, version, lambda: one)
