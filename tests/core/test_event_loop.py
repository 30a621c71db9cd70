"""The event loop: turns, taps, timers, slow handlers, strictness."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom._calls import Call, IncomingStream
from peerloom._dispatch import Handler, Owner
from peerloom._errors import NodeClosed, PluginError
from peerloom._event_loop import (
    COMMANDS_A_TURN,
    MAX_COMMANDS,
    MAX_INCOMING_STREAMS,
    MAX_SWARM_EVENTS,
    STREAMS_A_TURN,
    SWARM_EVENTS_A_TURN,
    TICKS_A_TURN,
)
from peerloom._events import Event, PluginFailed, SlowHandler
from peerloom._runtime import SystemRuntime
from peerloom._timers import Timer
from peerloom.plugin import InboundProtocol
from peerloom.testing import ManualRuntime, until
from tests.core.plugin_kit import (
    Bench,
    Echo,
    FakeStream,
    Said,
    Shouted,
    plugin,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Callable

from tests.core.plugin_kit import hears


def tap(order: list[str]) -> Callable[..., Any]:
    def dispatch(item: object) -> Any:
        order.append(kind_of(item))
        return (yield)

    return dispatch


def kind_of(item: object) -> str:
    if isinstance(item, Event):
        return "event"
    return {Timer: "tick", Call: "command", IncomingStream: "stream"}[type(item)]


async def test_event_reaches_every_handler_of_its_classes_in_plugin_order() -> None:
    heard: list[str] = []
    first = plugin("a", event_handlers=hears(Said.heard_by(lambda e: heard.append(f"a {e.text}"))))
    second = plugin(
        "b",
        event_handlers=hears(
            Event.heard_by(lambda e: heard.append("b any")),
            Shouted.heard_by(lambda e: heard.append("b shout")),
        ),
    )
    async with running(second, first) as bench:
        await bench.tell(Shouted("hi"))
        await bench.settle()
    assert heard == ["a hi", "b any", "b shout"]


async def test_emitted_events_come_before_the_next_item() -> None:
    heard: list[str] = []

    def setup(ctx: Any) -> None:
        one.ctx = ctx

    def on_said(event: Said) -> None:
        heard.append(event.text)
        if event.text in {"1", "2"}:
            one.ctx.emit(Said(event.text + "+"))

    one = plugin(setup=setup, event_handlers=hears(Said.heard_by(on_said)))
    async with running(one) as bench:
        bench.loop.swarm_events.try_put(Said("1"))
        bench.loop.swarm_events.try_put(Said("2"))
        await bench.settle()
    assert heard == ["1", "1+", "2", "2+"]


async def test_a_turn_takes_from_each_source_in_order_and_no_more_than_its_share() -> None:
    order: list[str] = []
    bench = Bench()
    bench.loop.plugin_manager.register(plugin("tap", dispatch=tap(order)), "tap")
    bench.loop.residents["alpha"] = _Resident()
    owner = Owner("alpha", "alpha", 0)

    async def answer(command: Echo) -> str:
        return command.text

    bench.loop.command_table.install(owner, [Echo.handled_by(answer)], _ignore, _ignore)
    for _ in range(100):
        bench.loop.wake_at(0, _ignore, "test")
        bench.loop.commands.try_put(Call(Echo(""), inf))
        bench.loop.swarm_events.try_put(Said(""))
        bench.loop.incoming_streams.try_put(
            IncomingStream("alpha", InboundProtocol(_serve), FakeStream())  # type: ignore[arg-type]
        )
    bench.loop._turn()
    assert order == (
        ["tick"] * TICKS_A_TURN
        + ["command"] * COMMANDS_A_TURN
        + ["event"] * SWARM_EVENTS_A_TURN
        + ["stream"] * STREAMS_A_TURN
    )
    assert (TICKS_A_TURN, COMMANDS_A_TURN, SWARM_EVENTS_A_TURN, STREAMS_A_TURN) == (64, 64, 64, 16)


async def test_a_flood_of_swarm_events_does_not_starve_a_command() -> None:
    async def answer(command: Echo) -> str:
        return command.text

    one = plugin(command_handlers=lambda ctx: [Echo.handled_by(answer)])
    async with running(one) as bench, anyio.create_task_group() as tasks:

        async def flood() -> None:
            while True:
                await bench.tell(Said("flood"))

        for _ in range(3):
            tasks.start_soon(flood)
        await until(lambda: bench.loop.swarm_events.waiting)
        before = bench.loop.status()["dispatched"]
        assert await bench.client.call(Echo("through")) == "through"
        taken = bench.loop.status()["dispatched"] - before
        tasks.cancel_scope.cancel()
    assert taken < 20 * SWARM_EVENTS_A_TURN


async def test_every_queue_is_bounded() -> None:
    bench = Bench()
    stream = IncomingStream("x", InboundProtocol(_serve), FakeStream())  # type: ignore[arg-type]
    sources: list[tuple[Any, object, int]] = [
        (bench.loop.swarm_events, Said(""), MAX_SWARM_EVENTS),
        (bench.loop.commands, Call(Echo(""), inf), MAX_COMMANDS),
        (bench.loop.incoming_streams, stream, MAX_INCOMING_STREAMS),
    ]
    for intake, item, bound in sources:
        assert sum(intake.try_put(item) for _ in range(2000)) == bound


async def test_closed_loop_keeps_nothing() -> None:
    bench = Bench()
    bench.loop.close()
    bench.loop.announce(Said("core's"))
    bench.loop.emit(Said("a plugin's"), _Resident())
    assert not bench.loop._emitted


async def test_timer_calls_when_its_time_has_come() -> None:
    called: list[float] = []
    bench = Bench()
    loop = bench.loop
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(loop.run)
        loop.wake_at(1005.0, lambda: called.append(bench.runtime.now()), "late")
        loop.wake_at(1002.0, lambda: called.append(bench.runtime.now()), "early")
        await anyio.wait_all_tasks_blocked()
        assert not called
        bench.runtime.advance(2)
        await until(lambda: len(called) == 1)
        bench.runtime.advance(3)
        await until(lambda: len(called) == 2)
        loop.close()
    assert called == [1002.0, 1005.0]


async def test_timer_wakes_a_sleeping_loop_by_the_real_clock() -> None:
    bench = Bench(runtime=SystemRuntime())
    done = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.loop.run)
        bench.loop.wake_at(bench.runtime.now() + 0.01, done.set, "soon")
        with anyio.fail_after(5):
            await done.wait()
        bench.loop.close()


async def test_alarm_follows_the_earliest_timer() -> None:
    bench = Bench(runtime=SystemRuntime())
    loop, now = bench.loop, bench.runtime.now()
    called: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(loop.run)
        never = loop.wake_at(now + 3600, lambda: called.append("never"), "never")
        await anyio.wait_all_tasks_blocked()
        cancelled = loop.wake_at(now + 0.02, lambda: called.append("cancelled"), "cancelled")
        await anyio.wait_all_tasks_blocked()
        cancelled.cancel()
        loop.wake_at(now + 0.04, lambda: called.append("second"), "second")
        loop.wake_at(now + 0.03, lambda: called.append("first"), "first")
        await until(lambda: len(called) == 2)
        assert never.active
        loop.close()
    assert called == ["first", "second"]


async def test_slow_handler_is_told() -> None:
    runtime = ManualRuntime()

    def sleepy(_: Said) -> None:
        runtime.time += 0.25

    one = plugin(event_handlers=hears(Said.heard_by(_ignore), Said.heard_by(sleepy)))
    async with running(one, runtime=runtime) as bench:
        await bench.tell(Said(""))
        slow = await bench.recorder.next(SlowHandler)
    assert (slow.plugin, slow.where) == ("alpha", "event handler sleepy for Said")
    assert slow.seconds == pytest.approx(0.25)


async def test_tap_sees_every_item() -> None:
    order: list[str] = []

    async def answer(command: Echo) -> str:
        return command.text

    one = plugin(dispatch=tap(order), command_handlers=lambda ctx: [Echo.handled_by(answer)])
    async with running(one) as bench:
        await bench.client.call(Echo("x"))
        await bench.tell(Said("x"))
        await bench.recorder.next(Said)
        bench.loop.wake_at(0, _ignore, "test")
        await until(lambda: len(order) == 3)
    assert order == ["command", "event", "tick"]


@pytest.mark.parametrize("when", ["before", "after", "no yield", "two yields"])
async def test_tap_that_fails_costs_no_item_and_only_its_plugin(when: str) -> None:
    def dispatch(item: object) -> Any:
        if when == "before" and isinstance(item, Said):
            raise ValueError(when)
        if when == "no yield" and isinstance(item, Said):
            return True
        result = yield
        if when == "after" and isinstance(item, Said):
            raise ValueError(when)
        if when == "two yields" and isinstance(item, Said):
            yield
        return result

    heard: list[Event] = []
    broken = plugin("broken", dispatch=dispatch)
    fine = plugin("fine", event_handlers=hears(Said.heard_by(heard.append)))
    async with running(broken, fine) as bench:
        await bench.tell(Said("once"))
        failed = await bench.recorder.next(PluginFailed)
        await bench.tell(Said("twice"))
        await bench.settle()
    assert (failed.plugin, failed.where) == ("broken", "its tap peerloom_dispatch")
    assert [event.text for event in heard if isinstance(event, Said)] == ["once", "twice"]


async def test_closing_fails_what_is_queued_and_ends_subscriptions() -> None:
    bench = Bench()
    call = Call(Echo("x"), inf)
    stream = FakeStream()
    bench.loop.commands.try_put(call)
    bench.loop.incoming_streams.try_put(
        IncomingStream("x", InboundProtocol(_serve), stream)  # type: ignore[arg-type]
    )
    async with bench.client.events(Said) as events:
        bench.loop.close()
        assert [event async for event in events] == []
    with pytest.raises(NodeClosed):
        await call.reply
    assert stream.was_reset
    with pytest.raises(NodeClosed):
        await bench.client.call(Echo("y"))
    with anyio.fail_after(1):
        await bench.tell(Said("dropped"))


async def test_stream_for_a_plugin_out_of_service_is_reset() -> None:
    stream = FakeStream()
    async with running() as bench:
        bench.loop.incoming_streams.try_put(
            IncomingStream("gone", InboundProtocol(_serve), stream)  # type: ignore[arg-type]
        )
        await stream.wait_reset()


async def test_strict_loop_raises_what_a_handler_raises() -> None:
    def fail(_: Said) -> None:
        raise ValueError("told")

    one = plugin(event_handlers=hears(Said.heard_by(fail)))
    with pytest.RaisesGroup(ValueError, flatten_subgroups=True):
        async with running(one, strict=True) as bench:
            await bench.tell(Said(""))
            await anyio.sleep_forever()


async def test_keyboard_interrupt_in_a_handler_passes() -> None:
    bench = Bench()

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.loop._process(Said(""), (Handler("alpha", "test", interrupt, _ignore),))


async def test_status_tells_lengths_and_bounds() -> None:
    async with running() as bench:
        status = bench.loop.status()
    assert status["queues"]["commands"] == {"length": 0, "bound": 1024, "waiting": 0}


class _Resident:
    def serve(self, incoming: IncomingStream) -> None: ...

    def failed(self, where: str, error: BaseException) -> None:
        raise error

    def overflowed(self, error: PluginError) -> None:
        raise error


def _ignore(*_: Any) -> None:
    """Do nothing."""


async def _serve(stream: Any) -> None:
    with suppress(anyio.EndOfStream):
        await stream.receive()
