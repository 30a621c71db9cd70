"""Entered: an async context manager, used from another thread as a plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from anyio.abc import TaskStatus

    from ._loop_thread import LoopThread

T = TypeVar("T")


class Entered(Generic[T]):
    """One task of the loop enters the manager, holds it and leaves it, as cancel scopes demand.

    An `Exception` of the block is raised in the manager's as well. What interrupts a program, such
    as KeyboardInterrupt, cancels the manager's, as it would in a program that is async.
    """

    def __init__(
        self, loop: LoopThread, manager: AbstractAsyncContextManager[T, bool | None]
    ) -> None:
        self._loop = loop
        self._manager = manager
        self._scope: anyio.CancelScope
        self._leaving: anyio.Event
        self._left: anyio.Event
        self._error: Exception | None = None
        self._thrown = False
        self._failure: Exception | None = None

    def __enter__(self) -> T:
        return self._loop.call(self._enter)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._loop.call(lambda: self._leave(error)) if self._loop.runs else None

    async def _enter(self) -> T:
        value: T = await self._loop.tasks.start(self._hold)
        return value

    async def _hold(self, *, task_status: TaskStatus[T]) -> None:
        entered = False
        self._leaving, self._left = anyio.Event(), anyio.Event()
        try:
            with anyio.CancelScope() as self._scope:
                async with self._manager as value:
                    entered = True
                    task_status.started(value)
                    await self._leaving.wait()
                    if self._error is not None:
                        self._thrown = True
                        raise self._error
        except Exception as failure:
            if not entered:
                raise
            self._failure = failure  # raised where the block is left
        finally:
            self._left.set()

    async def _leave(self, error: BaseException | None) -> bool:
        """Gives whether the manager has swallowed the error."""
        if error is None or isinstance(error, Exception):
            self._error = error
            self._leaving.set()
        else:
            self._scope.cancel()
        await self._left.wait()
        if self._failure is not None and self._failure is not error:
            raise self._failure
        return self._thrown and self._failure is None
