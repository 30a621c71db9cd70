"""Background: a task group whose owner's errors come out as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup


class Background:
    """``async with Background() as tasks:`` as `anyio.create_task_group`, with one difference.

    What the block itself raises is not wrapped into an exception group, so that whoever wrote the
    block can catch it by its type. What the tasks raise still comes as a group.
    """

    def __init__(self) -> None:
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> TaskGroup:
        return await self._group.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if error is None or isinstance(error, anyio.get_cancelled_exc_class()):
            return await self._group.__aexit__(kind, error, traceback)
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)
        return False
