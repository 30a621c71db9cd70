"""Iterated: an async iterable, used from another thread as a plain one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import anyio

from peerloom._errors import NodeClosed
from peerloom._isolation import of_async_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator

    from anyio.abc import TaskStatus

    from ._loop_thread import LoopThread

T = TypeVar("T")


HOLDS_SCOPES: Final = (
    "what was iterated held a task group or a cancel scope when the loop over it was left: "
    "let it be a generator, which is closed then"
)
ENDINGS: Final = (Exception, SystemExit, KeyboardInterrupt)  # raised where the items are wanted


class Iterated(Generic[T]):
    """One task of the loop takes all items, as cancel scopes in a generator demand.

    A generator that is not iterated to its end is closed when the loop over it is left. Whatever
    else is iterated goes on in the next loop, in another task.
    """

    def __init__(self, loop: LoopThread, iterable: AsyncIterable[T]) -> None:
        self._loop = loop
        self._iterable = iterable
        self._scope: anyio.CancelScope
        self._wanted: anyio.Event
        self._given: anyio.Event
        self._over: anyio.Event | None = None
        self._left = False
        self._item: T
        self._failure: BaseException | None = None
        self._failure_to_close: BaseException | None = None

    def items(self) -> Iterator[T]:
        """What is for ``for``."""
        try:
            self._loop.call(self._begin)
            while True:
                try:
                    item = self._loop.call(self._next)
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._end()

    def _end(self) -> None:
        if self._loop.is_here:  # its garbage collection: what is left there cannot be waited for
            Thread(target=self._end_meanwhile, name="peerloom-iterate", daemon=True).start()
        elif self._loop.runs:
            self._loop.call(self._leave)

    def _end_meanwhile(self) -> None:
        with suppress(NodeClosed):
            self._loop.call(self._leave)

    async def _begin(self) -> None:
        iterator = aiter(self._iterable)
        await self._loop.tasks.start(self._contain, iterator)

    async def _contain(self, iterator: AsyncIterator[T], *, task_status: TaskStatus[None]) -> None:
        # What still holds a scope takes the task group around its task with it, and no more.
        self._wanted, self._given, self._over = anyio.Event(), anyio.Event(), anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._hold, iterator)
                task_status.started()
        except* RuntimeError as group:
            self._failure_to_close = RuntimeError(HOLDS_SCOPES)
            self._failure_to_close.__cause__ = group
        finally:
            self._over.set()
            self._given.set()

    async def _next(self) -> T:
        assert self._over is not None
        if not self._over.is_set():
            await self._until_given()
        if self._failure is not None:
            raise self._failure
        if self._failure_to_close is not None:
            raise self._failure_to_close
        return self._item

    async def _until_given(self) -> None:
        self._given = anyio.Event()
        self._wanted.set()
        try:
            await self._given.wait()
        finally:
            if not self._given.is_set():
                self._scope.cancel()

    async def _leave(self) -> None:
        if self._over is None:
            return
        self._left = True
        self._wanted.set()
        try:
            await self._over.wait()
        finally:
            self._scope.cancel()
        if self._failure_to_close is not None:
            raise self._failure_to_close

    async def _hold(self, iterator: AsyncIterator[T], *, task_status: TaskStatus[None]) -> None:
        with anyio.CancelScope() as self._scope:
            task_status.started()
            try:
                await self._give(iterator)
            finally:
                await self._close(iterator)

    async def _give(self, iterator: AsyncIterator[T]) -> None:
        while self._failure is None:
            await self._wanted.wait()
            if self._left:
                return
            self._wanted = anyio.Event()
            try:
                self._item = await anext(iterator)
            except ENDINGS as failure:
                self._failure = failure
            except anyio.get_cancelled_exc_class() as error:
                if (cause := of_async_code(error)) is error:
                    raise
                self._failure = cause
            self._given.set()

    async def _close(self, iterator: AsyncIterator[T]) -> None:
        # In no scope of its own: those that a generator has entered must be left before it.
        if isinstance(iterator, AsyncGenerator):
            try:
                await iterator.aclose()
            except BaseExceptionGroup as group:
                self._failure_to_close = _failures_in(group)
            except ENDINGS as failure:
                self._failure_to_close = failure


def _failures_in(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    # A task group makes a group of what it is left by, and be it that its generator is closed.
    return group.split((GeneratorExit, anyio.get_cancelled_exc_class()))[1]
