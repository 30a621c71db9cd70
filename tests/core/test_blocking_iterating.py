"""`Portal.iterate`: generators that hold cancel scopes, and loops over them that end anyhow."""

from __future__ import annotations

import asyncio
import gc
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from peerloom import NodeClosed
from peerloom.blocking import Portal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECONDS = 20  # that something takes which cannot fail to come


@pytest.fixture
def portal(anyio_backend: Any) -> Iterator[Portal]:
    with Portal(anyio_backend) as portal:
        yield portal


class Counting:
    """Counts in a task group, and remembers how that ended."""

    def __init__(self) -> None:
        self.ended = False
        self.left_by: BaseException | None = None
        self.closed = Event()

    async def to(self, end: int) -> AsyncIterator[int]:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                for number in range(end):
                    yield number
                tasks.cancel_scope.cancel()
        except BaseException as error:
            self.left_by = error
            raise
        finally:
            await checkpoint()
            self.ended = True
            self.closed.set()


class Exit(Exception):
    pass


def test_a_generator_that_holds_a_task_group_is_iterated_to_its_end(portal: Portal) -> None:
    counting = Counting()

    assert list(portal.iterate(counting.to(3))) == [0, 1, 2]
    assert (counting.ended, counting.left_by) == (True, None)


def test_a_generator_whose_loop_is_left_is_closed_at_once(portal: Portal) -> None:
    counting = Counting()
    for number in portal.iterate(counting.to(3)):
        if number == 1:
            break

    assert counting.ended
    assert list(portal.iterate(counting.to(2))) == [0, 1]


def test_an_exception_thrown_where_an_item_is_given_closes_the_generator(portal: Portal) -> None:
    counting = Counting()
    items: Any = portal.iterate(counting.to(3))
    next(items)
    with pytest.raises(Exit):
        items.throw(Exit())

    assert counting.ended
    assert list(items) == []
    assert portal.run(anyio.sleep, 0.0) is None


def test_generators_are_iterated_by_turns(portal: Portal) -> None:
    one, other = Counting(), Counting()
    pairs = zip(portal.iterate(one.to(3)), portal.iterate(other.to(9)), strict=False)

    assert list(pairs) == [(0, 0), (1, 1), (2, 2)]
    del pairs
    assert one.ended
    assert other.ended


def test_what_an_iterable_raises_comes_out_of_the_loop_over_it(portal: Portal) -> None:
    async def failing(error: BaseException) -> AsyncIterator[int]:
        yield 1
        raise error

    for error in (Exit(), SystemExit(3)):
        items = portal.iterate(failing(error))
        assert next(items) == 1
        with pytest.raises(type(error)):
            next(items)
    wrong: Any = 5
    with pytest.raises(TypeError):
        next(portal.iterate(wrong))
    assert portal.run(anyio.sleep, 0.0) is None


def test_a_future_that_was_cancelled_does_not_let_the_loop_wait_for_ever() -> None:
    async def awaiting() -> AsyncIterator[int]:
        yield 1
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        yield await future

    with Portal("asyncio") as portal:
        items = portal.iterate(awaiting())
        assert next(items) == 1
        with pytest.raises(RuntimeError, match="nobody cancels it"):
            next(items)
        assert portal.run(anyio.sleep, 0.0) is None


def test_a_loop_that_is_left_is_collected_in_any_thread(portal: Portal) -> None:
    counting = Counting()
    items = portal.iterate(counting.to(3))
    next(items)
    circle: list[Any] = [items]
    circle.append(circle)
    del items, circle
    portal.run(gc.collect)

    assert counting.closed.wait(SECONDS)


def test_what_a_generator_raises_when_it_is_closed_comes_out_as_well(portal: Portal) -> None:
    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise Exit

    items: Any = portal.iterate(stubborn())
    next(items)
    with pytest.raises(Exit):
        items.close()
    assert portal.run(anyio.sleep, 0.0) is None


def test_what_is_no_generator_goes_on_in_the_next_loop(portal: Portal) -> None:
    class Numbers:
        last = 0

        def __aiter__(self) -> Numbers:
            return self

        async def __anext__(self) -> int:
            self.last += 1
            return self.last

    numbers = Numbers()
    assert next(portal.iterate(numbers)) == 1
    assert next(portal.iterate(numbers)) == 2


class Holding:
    """Holds a scope from one item to the next, and is no generator that could be closed."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    def __aiter__(self) -> Holding:
        return self

    async def __anext__(self) -> int:
        if isinstance(scope := self.scope(), anyio.CancelScope):
            scope.__enter__()
        else:
            await scope.__aenter__()
            scope.start_soon(anyio.sleep_forever)
        return 1


@pytest.mark.parametrize("scope", [anyio.CancelScope, anyio.create_task_group])
def test_what_is_no_generator_and_holds_a_scope_fails_alone(portal: Portal, scope: Any) -> None:
    items: Any = portal.iterate(Holding(scope))
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="let it be a generator"):
        items.close()

    assert list(portal.iterate(Counting().to(2))) == [0, 1]


class Cancelled:
    """Holds a scope from its first item on, which ends the task that takes the items."""

    def __init__(self) -> None:
        self.scope: anyio.CancelScope | None = None

    def __aiter__(self) -> Cancelled:
        return self

    async def __anext__(self) -> int:
        if self.scope is None:
            self.scope = anyio.CancelScope()
            self.scope.__enter__()
            return 1
        self.scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize("between", [False, True])
def test_nobody_waits_for_what_a_scope_of_its_own_has_cancelled(
    portal: Portal,
    between: bool,  # noqa: FBT001
) -> None:
    cancelled = Cancelled()
    items: Any = portal.iterate(cancelled)
    assert next(items) == 1
    if between:
        assert cancelled.scope is not None
        portal.run(cancelled.scope.cancel)
        portal.run(anyio.wait_all_tasks_blocked)
    with pytest.raises(RuntimeError, match="let it be a generator"):
        next(items)

    assert list(portal.iterate(Counting().to(2))) == [0, 1]


def test_a_loop_over_a_generator_may_outlive_the_portal(anyio_backend: Any) -> None:
    counting = Counting()
    with Portal(anyio_backend) as portal:
        items: Any = portal.iterate(counting.to(3))
        next(items)
    assert counting.left_by is not None
    items.close()


def test_a_loop_that_waits_for_an_item_ends_with_the_portal(anyio_backend: Any) -> None:
    waits, ends = Event(), []

    async def silent() -> AsyncIterator[int]:
        async with anyio.create_task_group():
            waits.set()
            await anyio.sleep_forever()
            yield 1

    def take(portal: Portal) -> None:
        try:
            next(portal.iterate(silent()))
        except NodeClosed as error:
            ends.append(error)

    with Portal(anyio_backend) as portal:
        taker = Thread(target=take, args=(portal,))
        taker.start()
        assert waits.wait(SECONDS)
    taker.join(SECONDS)
    assert len(ends) == 1
