"""The typed tables, Reply, timers, intakes and the restart policy: pure parts of the loop."""

from __future__ import annotations

import asyncio
from functools import partial, wraps
from math import nan
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerloom._dispatch import (
    CommandHandler,
    CommandTable,
    EventHandler,
    EventTable,
    Handler,
    Owner,
    Reply,
    name_of,
)
from peerloom._errors import CommandError, PluginError
from peerloom._handler_judgement import judge_handlers
from peerloom._intake import Intake
from peerloom._isolation import Seam, Strikes, split_failure
from peerloom._restart import RestartPolicy
from peerloom._timers import TimerHeap
from tests.core.plugin_kit import ALICE, BOB, Echo, Hurry, Said, Shouted

if TYPE_CHECKING:
    from collections.abc import Iterator

ALPHA = Owner("alpha", "alpha (dist-a 1.0)", 0)
BETA = Owner("beta", "beta (dist-b 2.0)", 1)


def ignore(*_: Any) -> None:
    """A handler that does nothing."""


async def answer(_: Any) -> str:
    return "answer"


def generate(_: Any) -> Iterator[str]:
    yield "answer"


async def hurry(_: Any) -> None: ...


class Answerer:
    async def __call__(self, _: Any) -> str:
        return "answer"

    async def answer(self, _: Any) -> str:
        return "answer"


class TestEventTable:
    def test_finds_handlers_of_base_classes_in_plugin_order(self) -> None:
        table = EventTable()
        table.install(BETA, [Said.heard_by(ignore)], ignore)
        table.install(ALPHA, [Shouted.heard_by(ignore), Said.heard_by(ignore)], ignore)
        assert [one.plugin for one in table.handlers_of(Shouted)] == ["alpha", "alpha", "beta"]
        assert [one.plugin for one in table.handlers_of(Said)] == ["alpha", "beta"]

    def test_keeps_the_place_of_a_plugin_that_was_built_anew(self) -> None:
        table = EventTable()
        table.install(ALPHA, [Said.heard_by(ignore)], ignore)
        table.install(BETA, [Said.heard_by(ignore)], ignore)
        table.withdraw("alpha")
        assert [one.plugin for one in table.handlers_of(Said)] == ["beta"]
        table.install(ALPHA, [Said.heard_by(ignore)], ignore)
        assert [one.plugin for one in table.handlers_of(Said)] == ["alpha", "beta"]

    def test_names_handlers_for_people(self) -> None:
        table = EventTable()
        table.install(ALPHA, [Said.heard_by(partial(ignore))], ignore)
        assert table.handlers_of(Said)[0].where == "event handler ignore for Said"


class TestJudgement:
    """A handler is judged before it is put into service, in a sentence that names its plugin."""

    @pytest.mark.parametrize(
        ("handler", "complaint"),
        [
            (EventHandler(Said, answer), "the event handler answer is async or a generator"),  # type: ignore[arg-type]
            (EventHandler("x", ignore), "for 'x', which is no subclass of Event"),  # type: ignore[arg-type]
            (EventHandler("x", None), "for 'x', which is no subclass of Event"),  # type: ignore[arg-type]
            (EventHandler(Echo, ignore), "no subclass of Event; make handlers by the class"),  # type: ignore[arg-type]
            (EventHandler(Said, None), "the handler for Said is None, which cannot be called"),  # type: ignore[arg-type]
        ],
    )
    def test_refuses_what_cannot_hear(self, handler: EventHandler, complaint: str) -> None:
        with pytest.raises(PluginError) as raised:
            judge_handlers(ALPHA, [Said.heard_by(ignore), handler], [])
        assert str(raised.value).startswith("plugin alpha (dist-a 1.0): ")
        assert complaint in str(raised.value)

    @pytest.mark.parametrize(
        ("handler", "complaint"),
        [
            (CommandHandler(Echo, generate), "handler generate for Echo is a generator"),
            (CommandHandler(Echo, Answerer), "Answerer for Echo is a class"),  # type: ignore[arg-type]
            (CommandHandler(Said, answer), "no subclass of Command; make handlers by"),  # type: ignore[arg-type]
            (CommandHandler(Echo, "answer"), "the handler for Echo is 'answer', which cannot"),  # type: ignore[arg-type]
        ],
    )
    def test_refuses_what_cannot_answer(self, handler: CommandHandler, complaint: str) -> None:
        with pytest.raises(PluginError) as raised:
            judge_handlers(ALPHA, [], [Hurry.handled_by(hurry), handler])
        assert str(raised.value).startswith("plugin alpha (dist-a 1.0): ")
        assert complaint in str(raised.value)

    def test_takes_whatever_is_async(self) -> None:
        @wraps(answer)
        def wrapped(command: Any) -> Any:
            return answer(command)

        several = (answer, partial(answer), Answerer(), Answerer().answer, wrapped)
        judge_handlers(ALPHA, [], [Echo.handled_by(one) for one in several])


class TestCommandTable:
    def test_conflict_names_both_distributions_and_installs_nothing(self) -> None:
        table = CommandTable()
        table.install(ALPHA, [Echo.handled_by(answer)], ignore, ignore)
        with pytest.raises(PluginError, match=r"beta \(dist-b 2.0\).*Echo.*alpha \(dist-a 1.0\)"):
            table.install(BETA, [Hurry.handled_by(hurry), Echo.handled_by(answer)], ignore, ignore)
        assert not table.handlers_of(Hurry)

    def test_conflict_of_a_plugin_with_itself_is_found(self) -> None:
        twice = [Echo.handled_by(answer), Echo.handled_by(answer)]
        with pytest.raises(PluginError, match="Echo"):
            CommandTable().install(ALPHA, twice, ignore, ignore)

    def test_remembers_who_answered(self) -> None:
        table = CommandTable()
        table.install(ALPHA, [Echo.handled_by(answer)], ignore, ignore)
        table.withdraw("alpha")
        assert not table.handlers_of(Echo)
        assert table.former_owner(Echo) == "alpha"


class TestReply:
    async def test_wakes_everybody_who_waits(self) -> None:
        reply: Reply[int] = Reply()
        got: list[int] = []

        async def wait() -> None:
            got.append(await reply)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert reply.set(7)
        assert got == [7, 7]

    async def test_is_settled_once(self) -> None:
        reply: Reply[int] = Reply()
        assert reply.fail(ValueError("first"))
        assert not reply.set(1)
        with pytest.raises(ValueError, match="first"):
            await reply.wait()

    def test_has_no_result_before(self) -> None:
        with pytest.raises(CommandError):
            Reply[int]().result()

    async def test_tells_its_end_when_the_last_waiter_is_cancelled(self) -> None:
        ended: list[object] = []
        reply: Reply[int] = Reply(on_end=ended.append)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reply.wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert ended == [reply]


class TestTimers:
    @staticmethod
    def handler(plugin: str = "alpha") -> Handler:
        return Handler(plugin, "timer", ignore, ignore)

    @given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=300))
    def test_come_due_in_order_without_the_cancelled(self, plan: list[tuple[int, bool]]) -> None:
        heap = TimerHeap(ignore)
        timers = [(heap.add(time, self.handler()), keep) for time, keep in plan]
        for timer, keep in timers:
            if not keep:
                timer.cancel()
        kept = sorted(time for time, keep in plan if keep)
        assert len(heap) == len(kept)
        fired = []
        while (due := heap.pop_due(25)) is not None:
            fired.append(due.time)
        assert fired == [time for time in kept if time <= 25]
        assert heap.next_time() == next((time for time in kept if time > 25), None)

    def test_sweep_keeps_memory_bounded(self) -> None:
        heap = TimerHeap(ignore)
        for _ in range(10_000):
            heap.add(1.0, self.handler()).cancel()
        assert len(heap._entries) < 200

    def test_cancel_after_firing_does_nothing(self) -> None:
        heap = TimerHeap(ignore)
        timer = heap.add(1.0, self.handler())
        heap.add(2.0, self.handler())
        assert heap.pop_due(1.0) is timer
        timer.cancel()
        assert len(heap) == 1

    def test_are_withdrawn_with_their_plugin(self) -> None:
        heap = TimerHeap(ignore)
        mine, other = heap.add(1.0, self.handler("alpha")), heap.add(2.0, self.handler("beta"))
        heap.withdraw("alpha")
        assert (mine.active, other.active) == (False, True)

    def test_refuse_no_time_and_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heap = TimerHeap(ignore)
        with pytest.raises(PluginError, match="NaN"):
            heap.add(nan, self.handler())
        monkeypatch.setattr("peerloom._timers.MAX_TIMERS", 1)
        heap.add(1.0, self.handler())
        with pytest.raises(PluginError, match="alpha asks for one more timer"):
            heap.add(1.0, self.handler())


class TestIntake:
    async def test_full_queue_holds_its_producers_in_order(self) -> None:
        intake: Intake[int] = Intake(2, ignore)
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(intake.put, number)
                await anyio.wait_all_tasks_blocked()
            assert (len(intake), intake.waiting) == (2, 2)
            assert not intake.try_put(9)
            assert [intake.take() for _ in range(4)] == [0, 1, 2, 3]

    async def test_cancelled_producer_leaves_its_place(self) -> None:
        intake: Intake[int] = Intake(1, ignore)
        assert intake.try_put(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(intake.put, 2)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert intake.waiting == 0
        assert intake.take() == 1
        assert len(intake) == 0

    async def test_closing_releases_producers_and_gives_what_is_left(self) -> None:
        intake: Intake[int] = Intake(1, ignore)
        intake.try_put(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(intake.put, 2)
            await anyio.wait_all_tasks_blocked()
            assert intake.close() == [1, 2]
        assert not intake.try_put(3)
        await intake.put(4)
        assert len(intake) == 0


class TestRestartPolicy:
    def test_waits_1_2_4_8_and_stops_at_the_fifth_failure(self) -> None:
        policy = RestartPolicy()
        assert [policy.failed(time) for time in range(5)] == [1, 2, 4, 8, None]

    def test_waits_60_seconds_at_most_when_failures_are_rare(self) -> None:
        policy = RestartPolicy()
        waits = [policy.failed(200.0 * n) for n in range(10)]
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]

    def test_begins_anew_after_ten_quiet_minutes(self) -> None:
        policy = RestartPolicy()
        assert [policy.failed(0), policy.failed(1), policy.failed(602)] == [1, 2, 1]


class TestStrikes:
    def test_third_within_a_minute_counts(self) -> None:
        strikes = Strikes()
        assert [strikes.strike(ALICE, time) for time in (0, 30, 59)] == [False, False, True]

    def test_are_counted_for_each_peer_and_forgotten_after_a_minute(self) -> None:
        strikes = Strikes()
        assert not any(strikes.strike(peer, 0) for peer in (ALICE, ALICE, BOB, BOB))
        assert not strikes.strike(ALICE, 61)

    def test_begin_anew_after_the_third(self) -> None:
        strikes = Strikes()
        assert [strikes.strike(ALICE, 0) for _ in range(4)] == [False, False, True, False]


class TestSeam:
    @pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3)])
    def test_keeps_exceptions_and_exits(self, error: BaseException) -> None:
        kept: list[BaseException] = []
        with Seam(kept.append):
            raise error
        assert kept == [error]

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
    def test_lets_the_rest_pass(self, kind: type[BaseException]) -> None:
        with pytest.raises(kind), Seam(ignore):
            raise kind

    async def test_lets_a_cancellation_pass_that_a_scope_asked_for(self) -> None:
        kept: list[BaseException] = []
        with anyio.CancelScope() as scope, Seam(kept.append):
            scope.cancel()
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert not kept

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_lets_a_cancellation_pass_that_came_from_outside(self) -> None:
        kept: list[BaseException] = []

        async def wait() -> None:
            with Seam(kept.append):
                await anyio.sleep_forever()

        task = asyncio.create_task(wait())
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not kept

    async def test_keeps_a_cancellation_that_nobody_asked_for(self) -> None:
        kept: list[BaseException] = []
        with Seam(kept.append):
            raise asyncio.CancelledError
        assert "nobody cancels it" in str(kept[0])

    def test_splits_groups(self) -> None:
        kept: list[BaseException] = []
        error = BaseExceptionGroup("both", [ValueError("kept"), KeyboardInterrupt()])
        with pytest.raises(BaseExceptionGroup) as passed, Seam(kept.append):
            raise error
        assert [type(one) for one in passed.value.exceptions] == [KeyboardInterrupt]
        assert isinstance(kept[0], ExceptionGroup)
        assert split_failure(ExceptionGroup("only", [ValueError()]))[1] is None


def test_name_of_leaves_out_local_scopes() -> None:
    def local() -> None: ...

    assert name_of(local) == "local"
    assert name_of(TestSeam.test_splits_groups) == "TestSeam.test_splits_groups"
    assert name_of(3) == "int"
