"""TrioWakeup: a wakeup on trio's own terms; imported only where trio runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trio.lowlevel import (
    Abort,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

if TYPE_CHECKING:
    from trio.lowlevel import Task


class TrioWakeup:
    """See `Wakeup`. Nearly always one task waits, and for the others there is a list."""

    __slots__ = ("_first", "_others")

    def __init__(self) -> None:
        self._first: Task | None = None
        self._others: list[Task] | tuple[()] = ()

    def set(self) -> None:
        """See `Wakeup`."""
        if self._first is not None:
            first, self._first = self._first, None
            reschedule(first)
        if self._others:
            others, self._others = self._others, ()
            for task in others:
                reschedule(task)

    async def wait(self) -> None:
        """See `Wakeup`."""
        if self._first is None:
            self._first = current_task()
            await wait_task_rescheduled(self._abort_first)
        else:
            task = current_task()
            self._others = [*self._others, task]
            await wait_task_rescheduled(partial(self._abort_other, task))

    def _abort_first(self, _raise_cancel: object) -> Abort:
        self._first = None
        return Abort.SUCCEEDED

    def _abort_other(self, task: Task, _raise_cancel: object) -> Abort:
        self._others = [other for other in self._others if other is not task]
        return Abort.SUCCEEDED
