"""Calls: answers, errors, time limits, cancellation."""

from __future__ import annotations

from asyncio import CancelledError
from math import inf
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom._calls import Call
from peerloom._dispatch import Reply
from peerloom._errors import (
    CommandError,
    CommandTimedOut,
    PluginError,
    StreamLimitReached,
)
from tests.core.plugin_kit import (
    Bench,
    Echo,
    FakeStream,
    Hurry,
    plugin,
    running,
    with_context,
)


def answering(*records: Any, name: str = "alpha") -> Any:
    return plugin(name, command_handlers=lambda ctx: list(records))


async def test_call_gives_the_answer() -> None:
    async def answer(command: Echo) -> str:
        return command.text

    async with running(answering(Echo.handled_by(answer))) as bench:
        assert await bench.client.call(Echo("x")) == "x"


async def test_call_raises_what_the_handler_raises_and_the_plugin_lives() -> None:
    async def answer(command: Echo) -> str:
        raise StreamLimitReached(command.text)

    async with running(answering(Echo.handled_by(answer))) as bench:
        for _ in range(6):
            with pytest.raises(StreamLimitReached, match="full"):
                await bench.client.call(Echo("full"))
        assert bench.host.status()["plugins"]["alpha"]["failures"] == 0


async def test_handler_that_ends_in_a_foreign_cancellation_leaves_no_caller_waiting() -> None:
    async def answer(command: Echo) -> str:
        raise CancelledError

    one = with_context(command_handlers=lambda ctx: [Echo.handled_by(answer)])
    async with running(one) as bench:
        with pytest.raises(RuntimeError, match="CancelledError, although nobody cancels it"):
            await bench.client.call(Echo(""))
        assert len(one.contexts) == 1


async def test_handler_that_exits_does_not_end_the_program() -> None:
    async def answer(command: Echo) -> str:
        raise SystemExit(4)

    async with running(answering(Echo.handled_by(answer))) as bench:
        with pytest.raises(PluginError, match=r"called sys.exit\(4\)"):
            await bench.client.call(Echo("x"))


async def test_plain_handler_answers_in_the_turn_that_takes_the_command() -> None:
    async with running(answering(Echo.handled_by(lambda command: command.text))) as bench:
        assert await bench.client.call(Echo("x")) == "x"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (StreamLimitReached("full"), StreamLimitReached),
        (CancelledError(), RuntimeError),
        (SystemExit(4), PluginError),
        (BaseExceptionGroup("both", [ValueError(), CancelledError()]), RuntimeError),
    ],
)
async def test_what_a_plain_handler_raises_is_the_answer(
    raised: BaseException, expected: type[BaseException]
) -> None:
    def answer(command: Echo) -> str:
        raise raised

    async with running(answering(Echo.handled_by(answer))) as bench:
        for _ in range(2):
            with pytest.raises(expected):
                await bench.client.call(Echo("x"))
        assert bench.host.status()["plugins"]["alpha"]["failures"] == 0


async def test_plain_handler_may_give_what_is_to_be_awaited() -> None:
    async def later(text: str) -> str:
        await checkpoint()
        return text

    async with running(answering(Echo.handled_by(lambda command: later(command.text)))) as bench:
        assert await bench.client.call(Echo("x")) == "x"


async def test_reply_that_a_plain_handler_gave_to_a_caller_who_has_gone_is_forgotten() -> None:
    call: Call[Any] = Call(Echo("x"), inf)
    ended: list[Any] = []
    reply: Reply[Any] = Reply(on_end=ended.append)
    rest = call.answer_at_once(lambda _: reply)
    assert rest is reply
    call.abandon()
    await call.answer_later(rest)
    assert ended == [reply]


async def test_command_whose_time_was_up_in_the_queue_reaches_no_handler() -> None:
    heard: list[Echo] = []

    def answer(command: Echo) -> str:
        heard.append(command)
        return command.text

    async with running(answering(Echo.handled_by(answer))) as bench:
        late: Call[Any] = Call(Echo("x"), bench.loop.runtime.now())
        assert bench.loop.commands.try_put(late)
        with pytest.raises(CommandTimedOut):
            await late.reply.wait()
    assert not heard


async def test_call_times_out_and_cancels_the_handler() -> None:
    begun, cancelled = anyio.Event(), anyio.Event()

    async def answer(command: Hurry) -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async def pass_time() -> None:
        await begun.wait()
        bench.runtime.advance(Hurry.timeout_seconds)

    async with (
        running(answering(Hurry.handled_by(answer))) as bench,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(pass_time)
        with pytest.raises(CommandTimedOut, match=r"Hurry was not answered within 0.02 s"):
            await bench.client.call(Hurry())
        with anyio.fail_after(5):
            await cancelled.wait()


async def test_call_times_out_while_the_queue_is_full() -> None:
    bench = Bench()  # nobody runs the loop
    while bench.loop.commands.try_put(Call(Echo(""), inf)):
        pass
    with pytest.raises(CommandTimedOut):
        await bench.client.call(Hurry())


async def test_cancelled_caller_cancels_its_handler() -> None:
    begun, cancelled = anyio.Event(), anyio.Event()

    async def answer(command: Echo) -> str:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        return ""

    async with running(answering(Echo.handled_by(answer))) as bench:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bench.client.call, Echo("x"))
            await begun.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await cancelled.wait()


async def test_stream_answered_to_a_caller_who_has_gone_is_reset() -> None:
    early, late, plain = FakeStream(), FakeStream(), FakeStream()
    call: Call[Any] = Call(Echo("x"), inf)
    call.reply.set(early)
    call.abandon()
    assert early.was_reset

    async def answer(_: Any) -> Any:
        await checkpoint()
        second.abandon()
        return late

    second: Call[Any] = Call(Echo("x"), inf)
    rest = second.answer_at_once(answer)
    assert rest is not None
    await second.answer_later(rest)
    assert late.was_reset

    third: Call[Any] = Call(Echo("x"), inf)
    third.abandon()
    assert third.answer_at_once(lambda _: plain) is None
    assert plain.was_reset


async def test_work_shared_by_callers_outlives_the_first() -> None:
    work = anyio.Event()
    replies: list[Any] = []
    one: Any = plugin(
        setup=lambda ctx: setattr(one, "ctx", ctx),
        command_handlers=lambda ctx: [Echo.handled_by(join)],
    )

    async def join(command: Echo) -> str:
        if not replies:
            replies.append(one.ctx.reply())
            one.ctx.spawn(do)
        return str(await replies[0])

    async def do() -> None:
        await work.wait()
        replies[0].set("done")

    got: list[str] = []

    async with running(one) as bench, anyio.create_task_group() as tasks:

        async def ask() -> None:
            got.append(await bench.client.call(Echo("x")))

        with anyio.move_on_after(0.02):
            await ask()
        assert not replies[0].settled
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        work.set()
    assert got == ["done"]


async def test_call_fails_when_the_plugin_stops_before_it_answers() -> None:
    async def answer(command: Echo) -> str:
        await anyio.sleep_forever()
        return ""

    one: Any = plugin(
        setup=lambda ctx: setattr(one, "ctx", ctx),
        command_handlers=lambda ctx: [Echo.handled_by(answer)],
    )

    async def fail() -> None:
        raise ValueError

    async with running(one) as bench, anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(CommandError, match="alpha has stopped before it answered"):
                await bench.client.call(Echo("x"))

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        one.ctx.spawn(fail)
