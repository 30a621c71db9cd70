"""PluginLife: one life of a plugin, from being built to being withdrawn, and all that it owns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import frozen

from ._calls import discard
from ._dispatch import Handler, Reply, name_of, never_runs_at_once
from ._errors import (
    CommandError,
    LinkClosed,
    PluginError,
    RemoteProtocolError,
    StreamReset,
)
from ._isolation import Seam

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from anyio.abc import TaskGroup

    from ._behaviour import Behaviour, SwarmApi
    from ._calls import Call, IncomingStream
    from ._dispatch import CommandHandler, EventHandler, Owner
    from ._event_loop import EventLoop
    from ._events import Event
    from ._isolation import Strikes
    from ._links import Transport
    from ._peer_id import PeerId
    from ._timers import Timer

MAX_TASKS: Final = 16_384  # a task for each of a node's streams, and many more
MAX_REPLIES: Final = 4096  # callers that wait for a later event; more means nothing settles them

# What a stream handler raises because the stream or its connection is gone: nobody's fault.
_STREAM_GONE: Final = (
    StreamReset,
    LinkClosed,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)
# What it raises because the other side broke the protocol or fell silent: a strike.
_REMOTE_FAULT: Final = (RemoteProtocolError, TimeoutError)


@frozen
class Parts:
    """What a plugin's hooks gave, to be put into service."""

    plugin: object
    behaviours: Sequence[Behaviour]
    transports: Sequence[Transport]
    event_handlers: Sequence[EventHandler]
    command_handlers: Sequence[CommandHandler]

    @property
    def protocols(self) -> frozenset[str]:
        """The protocol ids of the behaviours."""
        return frozenset(name for one in self.behaviours for name in one.protocols)


@frozen
class Failure:
    """Why a life ended.

    Attributes:
        where: what raised.
        error: what it raised.
        final: whether building the plugin anew cannot help.
    """

    where: str
    error: BaseException
    final: bool = False


class PluginLife:
    """Owns a plugin's tasks, timers, replies and calls, and its places in the loop and the swarm.

    Attributes:
        failure: why it ended, unless it was ended on purpose.
    """

    def __init__(
        self, owner: Owner, loop: EventLoop, swarm: SwarmApi, strikes: Strikes, tasks: TaskGroup
    ) -> None:
        self.failure: Failure | None = None
        self._owner = owner
        self._loop = loop
        self._swarm = swarm
        self._strikes = strikes
        self._tasks = tasks
        self._task_count = 0
        # In order of making: that is the order in which those that wait are told of the end.
        self._replies: dict[Reply[Any], None] = {}
        self._calls: dict[Call[Any], None] = {}
        self._ending = anyio.Event()
        self._muted = False

    # What the plugin does, through its context.

    def emit(self, event: Event) -> None:
        """Hand an event to the loop."""
        if not self._muted:
            self._loop.emit(event, self)

    def room_for(self, event_class: type[Event]) -> int:
        """How many more such events can be emitted before anybody misses one."""
        return self._loop.room_for(event_class)

    async def wait_for_room(self, event_class: type[Event]) -> None:
        """Wait until there is room for such events."""
        await self._loop.wait_for_room(event_class)

    def spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a task that ends with this life at the latest."""
        self._start(self._run_task(function, *args), f"spawn {name_of(function)}")

    def wake_at(self, time: float, callback: Callable[[], object]) -> Timer:
        """Call back in the loop's turn, unless this life has ended."""
        where = f"timer {name_of(callback)}"
        self._check_is_on(where)
        if never_runs_at_once(callback):
            raise PluginError(f"{where} is async or a generator: make it plain and use ctx.spawn")
        handler = Handler(self._owner.name, where, lambda _: callback(), self.failed)
        return self._loop.timers.add(time, handler)

    def reply(self) -> Reply[Any]:
        """A reply that fails when this life ends."""
        self._check_is_on("a reply")
        if len(self._replies) >= MAX_REPLIES:
            raise PluginError(
                f"plugin {self._owner.label} has {MAX_REPLIES} open replies: settle them, or refuse"
            )
        reply: Reply[Any] = Reply(on_end=self._forget)
        self._replies[reply] = None
        return reply

    # What the loop does with the plugin.

    def serve(self, incoming: IncomingStream) -> None:
        """Run the protocol's handler in a task."""
        try:
            self._start(self._run_stream(incoming), "a stream handler")
        except PluginError:
            incoming.stream.reset()
            raise

    def answer(self, function: Callable[[Any], Any], call: Call[Any]) -> None:
        """Call a command handler, and do in a task what it leaves to be awaited."""
        rest = call.answer_at_once(function)
        if rest is None:
            return
        try:
            alarm = self._loop.wake_at(call.deadline, call.time_out, "the deadline of a command")
        except PluginError as error:
            self._refuse(call, rest, error)
            return
        self._calls[call] = None
        try:
            self._start(self._run_call(rest, call, alarm), "a command handler")
        except PluginError as error:
            alarm.cancel()
            self._calls.pop(call, None)
            self._refuse(call, rest, error)

    def _refuse(self, call: Call[Any], rest: Awaitable[Any], error: PluginError) -> None:
        discard(rest)
        call.reply.fail(CommandError(str(error)))

    def failed(self, where: str, error: BaseException) -> None:
        """A timer, a task or the like raised: this life ends and another begins later."""
        self._loop.failures.raise_if_strict(self._owner, where, error)
        self.end(Failure(where, error))

    def overflowed(self, error: PluginError) -> None:
        """It emits without end: this was its last life."""
        where = "its event handlers"
        self._loop.failures.raise_if_strict(self._owner, where, error)
        self._muted = True
        self.end(Failure(where, error, final=True))

    def event_handler_failed(self, where: str, error: BaseException) -> None:
        """An event handler raised; it stays."""
        self._loop.failures.report(self._owner, where, error)

    # What its scope does with it.

    def install(self, parts: Parts) -> None:
        """Put its parts into service; raises `PluginError` where somebody else has the place."""
        loop, owner = self._loop, self._owner
        loop.command_table.install(owner, parts.command_handlers, self.answer, self.failed)
        loop.event_table.install(owner, parts.event_handlers, self.event_handler_failed)
        self._swarm.install(owner.name, parts.behaviours, parts.transports)
        loop.residents[owner.name] = self
        loop.plugin_manager.register(parts.plugin, owner.name)

    async def wait_until_ending(self) -> None:
        """Until it fails, or `end` is called."""
        await self._ending.wait()

    def end(self, failure: Failure | None = None) -> bool:
        """Withdraw it, on purpose or for a failure; gives False if it was ending already.

        Its tasks go on until `close`.
        """
        if self._ending.is_set():
            return False
        self.failure = failure
        self._ending.set()
        self._withdraw()
        return True

    def close(self) -> None:
        """Cancel its tasks, and fail whoever waits for it."""
        self.end()
        self._tasks.cancel_scope.cancel()
        error = CommandError(f"plugin {self._owner.name} has stopped before it answered")
        for reply in [*self._replies, *(call.reply for call in self._calls)]:
            reply.fail(error)

    def _forget(self, reply: Reply[Any]) -> None:
        self._replies.pop(reply, None)

    def _withdraw(self) -> None:
        name, loop = self._owner.name, self._loop
        loop.event_table.withdraw(name)
        loop.command_table.withdraw(name)
        loop.timers.withdraw(name)
        if loop.residents.pop(name, None) is not None:
            loop.plugin_manager.unregister(name=name)
        self._swarm.withdraw(name)

    def _check_is_on(self, wanted: str) -> None:
        if self._ending.is_set():
            raise PluginError(f"plugin {self._owner.label} has stopped and can have no {wanted}")

    def _start(self, task: Coroutine[Any, Any, None], what: str) -> None:
        try:
            self._check_is_on(what)
            if self._task_count >= MAX_TASKS:
                raise PluginError(f"plugin {self._owner.label} runs {MAX_TASKS} tasks: no more")
        except PluginError:
            task.close()
            raise
        self._task_count += 1
        self._tasks.start_soon(self._run, task)

    async def _run(self, task: Coroutine[Any, Any, None]) -> None:
        try:
            await task
        finally:
            self._task_count -= 1

    async def _run_task(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        with Seam(partial(self.failed, f"task {name_of(function)}")):
            await function(*args)

    async def _run_call(self, rest: Awaitable[Any], call: Call[Any], alarm: Timer) -> None:
        try:
            await call.answer_later(rest)
        finally:
            alarm.cancel()
            self._calls.pop(call, None)
            call.reply.fail(CommandError("the handler of the command has ended without an answer"))

    async def _run_stream(self, incoming: IncomingStream) -> None:
        try:
            with Seam(partial(self._stream_failed, incoming)):
                await incoming.protocol.handler(incoming.stream)
        except BaseException:
            incoming.stream.reset()
            raise

    def _stream_failed(self, incoming: IncomingStream, error: BaseException) -> None:
        stream = incoming.stream
        stream.reset()
        if isinstance(error, _STREAM_GONE):
            return
        if self._strikes.strike(stream.peer, self._loop.runtime.now()):
            self._tasks.start_soon(self._close_connections, stream.peer)
        if not isinstance(error, _REMOTE_FAULT):
            where = f"stream handler {stream.protocol}"
            self._loop.failures.report(self._owner, where, error, peer=stream.peer)

    async def _close_connections(self, peer: PeerId) -> None:
        with Seam(partial(self.failed, "closing a peer's connections")):
            await self._swarm.disconnect(peer, "three of its streams failed within a minute")
