"""EventLoop: the only dispatcher of a node. Four bounded sources, taken in turns."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from anyio.lowlevel import checkpoint

from ._dispatch import CommandTable, EventTable, Handler
from ._errors import NodeClosed, PluginError
from ._events import Event, PluginFailed, SlowHandler
from ._hookspecs import hookimpl
from ._intake import Intake
from ._isolation import Failures, of_plain_code, split_failure
from ._nobody import nobody_answers
from ._runtime import SystemRuntime
from ._subscriptions import SubscriptionBoard
from ._timers import Timer, TimerHeap
from ._wakeup import wakeup_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    import pluggy

    from ._calls import Call, IncomingStream
    from ._runtime import Runtime
    from ._wakeup import Wakeup

MAX_SWARM_EVENTS: Final = 1024  # a few turns' worth; a longer queue is only delay
MAX_COMMANDS: Final = 1024
MAX_INCOMING_STREAMS: Final = 256  # beyond, the swarm refuses

TICKS_A_TURN: Final = 64
COMMANDS_A_TURN: Final = 64
SWARM_EVENTS_A_TURN: Final = 64
STREAMS_A_TURN: Final = 16  # each starts a task

MAX_CASCADE: Final = 10_000  # events that one item may lead to; more is two handlers in a circle
SLOW_SECONDS: Final = 0.1  # a tenth of a second without reading is felt by every peer


class Resident(Protocol):
    """A plugin's life, as the loop deals with it."""

    def serve(self, incoming: IncomingStream) -> None:
        """Run the protocol's handler in a task."""
        ...

    def failed(self, where: str, error: BaseException) -> None:
        """Something raised that the plugin must be built anew for."""
        ...

    def overflowed(self, error: PluginError) -> None:
        """It emits without end: stop it for good."""
        ...


class EventLoop:
    """Dispatches swarm events, incoming streams, commands and timers, one item after another.

    Attributes:
        swarm_events: where the swarm puts events, waiting while it is full.
        incoming_streams: where the swarm offers streams, refusing them while it is full.
        commands: where `NetworkClient` puts calls.
        timers: the heap of ticks.
        event_table: who hears what.
        command_table: who answers what.
        board: who has subscribed to what.
        failures: where isolation seams report.
        residents: the lives of the plugins in service, by name.
    """

    def __init__(
        self, runtime: Runtime, plugin_manager: pluggy.PluginManager, *, strict: bool = False
    ) -> None:
        """Take a manager that knows the hooks; `strict` raises what is isolated otherwise."""
        self.swarm_events: Intake[Event] = Intake(MAX_SWARM_EVENTS, self.wake)
        self.incoming_streams: Intake[IncomingStream] = Intake(MAX_INCOMING_STREAMS, self.wake)
        self.commands: Intake[Call[Any]] = Intake(MAX_COMMANDS, self.wake)
        self.timers: TimerHeap = TimerHeap(self.wake)
        self.event_table: EventTable = EventTable()
        self.command_table: CommandTable = CommandTable()
        self.board: SubscriptionBoard = SubscriptionBoard()
        self.failures: Failures = Failures(runtime, self.announce, strict=strict)
        self.residents: dict[str, Resident] = {}
        self.plugin_manager = plugin_manager
        self.runtime = runtime
        self._dispatch = plugin_manager.hook.peerloom_dispatch
        self._walker = _Walker(runtime, self.failures)
        plugin_manager.register(self._walker, "peerloom-dispatch")
        self._emitted: deque[Event] = deque()
        self._cascade = 0
        self._item: object = None
        self._dispatched = 0
        self._awaken: Wakeup | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it dispatches no more."""
        return self._closed

    async def run(self) -> None:
        """Dispatch until `close`; raises only what must pass, or where strict."""
        self._awaken = wakeup_kind()()
        try:
            while not self._closed:
                with anyio.CancelScope() as alarm:
                    await self._run_until(alarm, self._awaken)
        finally:
            self.close()

    def close(self) -> None:
        """Dispatch nothing more: open calls fail, subscriptions end, streams are reset."""
        self._closed = True
        for call in self.commands.close():
            call.reply.fail(NodeClosed("the node has stopped"))
        for incoming in self.incoming_streams.close():
            incoming.stream.reset()
        self.swarm_events.close()
        self.board.close()
        self.wake()

    def emit(self, event: Event, resident: Resident) -> None:
        """Dispatch an event after the present item; stops a plugin that emits without end."""
        if self._closed:
            return
        self._cascade += 1
        if self._cascade > MAX_CASCADE:
            self._cascade = 0
            resident.overflowed(
                PluginError(f"it emitted the event number {MAX_CASCADE + 1} of one cascade")
            )
            return
        self._emitted.append(event)
        self.wake()

    def room_for(self, event_class: type[Event]) -> int:
        """How many more such events can be emitted before anybody misses one."""
        return max(self.board.room_for(event_class) - len(self._emitted), 0)

    async def wait_for_room(self, event_class: type[Event]) -> None:
        """Wait until there is room for such events."""
        while not self.room_for(event_class) and not self._closed:
            await self.board.wait_for_room(event_class)
            await checkpoint()  # what has been emitted takes its place

    def wake(self) -> None:
        """Look again whether there is something to do."""
        if self._awaken is not None:
            self._awaken.set()

    def wake_at(self, time: float, callback: Callable[[], object], where: str) -> Timer:
        """A timer of core's own, whose callback does not raise."""
        handler = Handler("peerloom", where, lambda _: callback(), _raise)
        return self.timers.add(time, handler)

    def status(self) -> Mapping[str, Any]:
        """Counters and bounds."""
        queues: dict[str, Intake[Any]] = {
            "swarm_events": self.swarm_events,
            "incoming_streams": self.incoming_streams,
            "commands": self.commands,
        }
        return {
            "dispatched": self._dispatched,
            "failures": self.failures.count,
            "timers": len(self.timers),
            "subscriptions": len(self.board),
            "queues": {
                name: {"length": len(queue), "bound": queue.bound, "waiting": queue.waiting}
                for name, queue in queues.items()
            },
        }

    def announce(self, event: Event) -> None:
        """Dispatch an event of core's own; where a handler led to it, its plugin answers for it."""
        # A handler of these two that fails would be told of its own failure for ever.
        about_plugins = (PluginFailed, SlowHandler)
        if isinstance(event, about_plugins) and isinstance(self._item, about_plugins):
            return
        led_to_it = None if self._item is None else self.residents.get(self._walker.plugin)
        if led_to_it is not None:
            self.emit(event, led_to_it)
        elif not self._closed:
            self._emitted.append(event)
            self.wake()

    def part_failed(self, plugin: str, where: str, error: BaseException) -> None:
        """A part of a plugin raised where the swarm asked it: the plugin is built anew."""
        resident = self.residents.get(plugin)
        if resident is not None:
            resident.failed(where, error)

    async def _run_until(self, alarm: anyio.CancelScope, awaken: Wakeup) -> None:
        """Dispatch until the alarm goes, which is set anew only when another timer is the next.

        Setting a deadline for every sleep cost more than all else that the loop does for an item.
        """
        set_for: float | None = None
        while not self._closed:
            self._turn()
            time = self.timers.next_time()
            if time != set_for:
                set_for = time
                alarm.deadline = self._deadline(time)
            if self._idle():
                await awaken.wait()
            else:
                await checkpoint()

    def _deadline(self, time: float | None) -> float:
        if time is None:
            return inf
        return anyio.current_time() + max(0.0, time - self.runtime.now())

    def _idle(self) -> bool:
        return not (
            self._closed
            or self._emitted
            or len(self.commands)
            or len(self.swarm_events)
            or len(self.incoming_streams)
        )

    def _turn(self) -> None:
        self._settle()
        self._take_ticks()
        for _ in range(min(COMMANDS_A_TURN, len(self.commands))):
            self._take_command(self.commands.take())
        for _ in range(min(SWARM_EVENTS_A_TURN, len(self.swarm_events))):
            event = self.swarm_events.take()
            self._take_event(event)
            self._settle()
        for _ in range(min(STREAMS_A_TURN, len(self.incoming_streams))):
            self._take_stream(self.incoming_streams.take())

    def _take_ticks(self) -> None:
        now = self.runtime.now()
        for _ in range(TICKS_A_TURN):
            timer = self.timers.pop_due(now)
            if timer is None:
                return
            self._process(timer, timer.handlers)
            self._settle()

    def _take_command(self, call: Call[Any]) -> None:
        if call.abandoned:
            return
        if self.runtime.now() >= call.deadline:
            call.time_out()
            return
        handlers = self.command_table.handlers_of(type(call.command))
        if not handlers:
            call.reply.fail(nobody_answers(type(call.command), self.command_table))
        self._process(call, handlers)
        self._settle()

    def _take_stream(self, incoming: IncomingStream) -> None:
        resident = self.residents.get(incoming.owner)
        if resident is None:
            incoming.stream.reset()
            return
        handler = Handler(incoming.owner, "incoming streams", resident.serve, resident.failed)
        self._process(incoming, (handler,))
        self._settle()

    def _take_event(self, event: Event) -> None:
        self._process(event, self.event_table.handlers_of(type(event)))
        self.board.deliver(event)

    def _settle(self) -> None:
        """Dispatch what has been emitted, and what that leads to."""
        emitted = self._emitted
        while emitted:
            self._take_event(emitted.popleft())
        self._cascade = 0

    def _process(self, item: object, handlers: Sequence[Handler]) -> None:
        self._item = item
        self._dispatched += 1
        self._walker.walked = False
        try:
            self._dispatch(item=item, handlers=handlers)
        except BaseException as error:  # noqa: BLE001 - a seam; what must pass is raised again
            self._tap_failed(of_plain_code(error), item, handlers)
        finally:
            self._item = None

    def _tap_failed(self, error: BaseException, item: object, handlers: Sequence[Handler]) -> None:
        failure, passing = split_failure(error)
        if failure is None or passing is not None or self.failures.strict:
            raise error
        if not self._walker.walked:
            self._walker.peerloom_dispatch(item, handlers)
        for name in self._taps_blamed(failure.__traceback__):
            self.residents[name].failed("its tap peerloom_dispatch", failure)

    def _taps_blamed(self, traceback: TracebackType | None) -> set[str]:
        """The plugins whose taps stand in the traceback; all, where pluggy itself complains."""
        codes = set()
        while traceback is not None:
            codes.add(traceback.tb_frame.f_code)
            traceback = traceback.tb_next
        taps = {
            tap.plugin_name: getattr(tap.function, "__code__", None)
            for tap in self._dispatch.get_hookimpls()
            if tap.plugin_name in self.residents
        }
        return {name for name, code in taps.items() if code in codes} or set(taps)


class _Walker:
    """Core's implementation of the dispatch hook: each handler in turn, each isolated."""

    def __init__(self, runtime: Runtime, failures: Failures) -> None:
        self.walked = False
        self.plugin = ""
        self._now = runtime.stopwatch if isinstance(runtime, SystemRuntime) else runtime.now
        self._failures = failures

    @hookimpl(trylast=True)
    def peerloom_dispatch(self, item: object, handlers: Sequence[Handler]) -> bool:
        self.walked = True
        if not handlers:
            return True
        now = self._now
        began = now()
        for handler in handlers:
            self.plugin = handler.plugin
            try:
                handler.call(item)
            except BaseException as error:  # noqa: BLE001 - a seam; what must pass is raised again
                _tell(handler, of_plain_code(error))
            ended = now()
            if ended - began > SLOW_SECONDS:
                self._failures.slow(handler, ended - began)
            began = ended
        return True


def _tell(handler: Handler, error: BaseException) -> None:
    failure, passing = split_failure(error)
    if failure is not None:
        handler.failed(handler.where, failure)
    if passing is not None:
        raise passing


def _raise(_where: str, error: BaseException) -> None:
    raise error
