"""A plugin whose task, timer or lifespan fails is built anew, a bounded number of times."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom._errors import PluginError
from peerloom._events import PluginFailed
from peerloom._plugin_scope import ScopeBounds
from peerloom.testing import until
from tests.core.plugin_kit import (
    ERRORS,
    Said,
    hook_raising,
    plugin,
    raising,
    running,
    serving,
    state_of,
    with_context,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


QUICK = ScopeBounds(enter_seconds=0.05, leave_seconds=0.05)


class TestRestart:
    @pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
    async def test_failing_task_builds_the_plugin_anew(self, error: BaseException) -> None:
        async def fail() -> None:
            raise error

        heard: list[Any] = []

        def handlers(ctx: Any) -> list[Any]:
            return [Said.heard_by(lambda event: heard.append(ctx))]

        one = with_context(event_handlers=handlers)
        async with running(one) as bench:
            one.ctx.spawn(fail)
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where.endswith("task fail")
            await until(lambda: state_of(bench) == "waiting")
            await bench.tell(Said("nobody hears it"))
            await bench.settle()
            assert heard == []
            bench.runtime.advance(1)
            await until(lambda: state_of(bench) == "running")
            assert len(one.contexts) == 2
            await bench.tell(Said("the new one hears it"))
            await bench.settle()
            assert heard == [one.ctx]

    async def test_failing_timer_builds_the_plugin_anew(self) -> None:
        one = with_context()
        async with running(one) as bench:
            never: list[int] = []
            one.ctx.wake_at(bench.runtime.now() + 5, raising(ValueError("timer")))
            one.ctx.wake_at(bench.runtime.now() + 5.5, lambda: never.append(1))
            bench.runtime.advance(5)
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where == "timer function"
            await until(lambda: state_of(bench) == "waiting")
            bench.runtime.advance(1)
            await until(lambda: state_of(bench) == "running")
            await bench.settle()
            assert never == []

    async def test_waits_1_2_4_8_seconds_and_stops_at_the_fifth_failure(self) -> None:
        def lives(count: int) -> bool:
            return len(one.contexts) == count

        one = with_context(lifespan=hook_raising(ValueError("never")))
        async with running(one) as bench:
            for number, wait in enumerate((1, 2, 4, 8), start=1):
                await until(lambda: state_of(bench) == "waiting")
                assert len(one.contexts) == number
                bench.runtime.advance(wait - 0.25)
                await bench.settle()
                assert len(one.contexts) == number
                bench.runtime.advance(0.25)
                await until(partial(lives, number + 1))
            await until(lambda: state_of(bench) == "failed")
            failed = await bench.recorder.several(PluginFailed, 5)
            assert [event.stopped for event in failed] == [False] * 4 + [True]
            bench.runtime.advance(1000)
            await bench.settle()
            assert len(one.contexts) == 5

    async def test_everything_is_withdrawn_and_cancelled(self) -> None:
        async def handler(stream: Any) -> None: ...

        cancelled = anyio.Event()

        async def other_task() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.set()

        async def fail() -> None:
            raise ValueError

        one = with_context(behaviours=serving(handler))
        async with running(one) as bench:
            assert bench.swarm.installed == {"alpha": ("/test/1",)}
            one.ctx.spawn(other_task)
            reply = one.ctx.reply()
            one.ctx.spawn(fail)
            with anyio.fail_after(5):
                await cancelled.wait()
                await until(lambda: state_of(bench) == "waiting")
            assert bench.swarm.installed == {}
            assert "stopped" in str(reply.error)
            for use in (
                lambda: one.ctx.spawn(fail),
                lambda: one.ctx.wake_at(0, print),
                one.ctx.reply,
            ):
                with pytest.raises(PluginError, match="has stopped"):
                    use()

    async def test_async_timer_callback_is_refused(self) -> None:
        async def callback() -> None: ...

        one = with_context()
        async with running(one):
            with pytest.raises(PluginError, match="make it plain"):
                one.ctx.wake_at(0, callback)

    async def test_stopping_does_not_wait_for_the_next_life(self) -> None:
        one = plugin(setup=hook_raising(ValueError()))
        with anyio.fail_after(5):
            async with running(one) as bench:
                assert state_of(bench) == "waiting"

    async def test_counters_survive(self) -> None:
        one = with_context()

        async def fail() -> None:
            raise ValueError

        async with running(one) as bench:
            one.ctx.metrics.counter("dials", "Dials.", ["how"]).inc(2, how="tcp")
            one.ctx.spawn(fail)
            await until(lambda: state_of(bench) == "waiting")
            bench.runtime.advance(1)
            await until(lambda: state_of(bench) == "running")
            one.ctx.metrics.counter("dials", "Dials.", ["how"]).inc(how="tcp")
            value = bench.metrics.registry().get_sample_value(
                "peerloom_alpha_dials_total", {"how": "tcp"}
            )
        assert value == 3


class TestLifespan:
    @staticmethod
    def noting(order: list[str], name: str) -> Any:
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            order.append(f"+{name}")
            yield
            await anyio.lowlevel.checkpoint()
            order.append(f"-{name}")

        return plugin(name, lifespan=lifespan)

    async def test_is_entered_in_order_and_left_in_reverse(self) -> None:
        order: list[str] = []
        async with running(*(self.noting(order, name) for name in "abc")):
            assert order == ["+a", "+b", "+c"]
        assert order == ["+a", "+b", "+c", "-c", "-b", "-a"]

    async def test_is_left_in_reverse_when_the_node_is_cancelled(self) -> None:
        order: list[str] = []
        with anyio.CancelScope() as scope:
            async with running(*(self.noting(order, name) for name in "ab")):
                scope.cancel()
                await anyio.sleep_forever()
        assert order == ["+a", "+b", "-b", "-a"]

    async def test_that_does_not_open_in_time_fails_the_plugin(self) -> None:
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            async with anyio.create_task_group():
                await anyio.sleep_forever()
                yield

        async with running(plugin(lifespan=lifespan), plugin("b"), bounds=QUICK) as bench:
            assert (state_of(bench), state_of(bench, "b")) == ("waiting", "running")
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where == "entering its lifespan"
            assert isinstance(failed.cause, TimeoutError)

    async def test_that_does_not_open_does_not_hold_a_node_that_is_cancelled(self) -> None:
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            await anyio.sleep_forever()
            yield

        with anyio.fail_after(5), anyio.move_on_after(0.02):
            async with running(plugin(lifespan=lifespan)):
                pytest.fail("it cannot have started")

    async def test_that_does_not_close_in_time_does_not_hold_the_node(self) -> None:
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            yield
            await anyio.sleep_forever()

        with anyio.fail_after(5):
            async with running(plugin(lifespan=lifespan), bounds=QUICK):
                pass

    async def test_whose_own_task_fails_builds_the_plugin_anew(self) -> None:
        async def fail() -> None:
            raise ValueError

        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fail)
                yield

        async with running(plugin(lifespan=lifespan)) as bench:
            failed = await bench.recorder.next(PluginFailed)
            assert failed.where.endswith("its lifespan")
            assert isinstance(failed.cause, ExceptionGroup)
            await until(lambda: state_of(bench) == "waiting")

    async def test_failure_while_leaving_is_reported(self) -> None:
        @asynccontextmanager
        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            yield
            raise ValueError

        async with running(plugin(lifespan=lifespan)) as bench:
            pass
        assert bench.loop.failures.count == 1
