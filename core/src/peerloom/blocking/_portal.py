"""Portal: how code that is not async uses what is."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Self,
    TypeVar,
    TypeVarTuple,
    get_args,
    overload,
)

from ._argument import check_function, check_iterable, check_manager
from ._entered import Entered
from ._iterated import Iterated
from ._loop_thread import LoopThread
from ._time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from types import TracebackType

Backend = Literal["asyncio", "trio"]
R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Portal:
    """An event loop in a thread of its own, while a ``with`` block lasts, and the ways into it.

    Any thread may call, and many may wait at once. Calls raise `NodeClosed` outside the block and
    in a forked process, and when the block ends before they do. A call that Ctrl-C interrupts is
    cancelled, and over when KeyboardInterrupt is raised.
    """

    def __init__(self, backend: Backend = "asyncio") -> None:
        if backend not in get_args(Backend):
            known = " or ".join(map(repr, get_args(Backend)))
            raise ValueError(f"expected {known} as the backend, found {backend!r}")
        self._loop = LoopThread(backend)

    def __enter__(self) -> Self:
        self._loop.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop.runs:
            self._loop.stop()

    @overload
    def run(
        self,
        function: Callable[[*Ts], Awaitable[R]],
        *args: *Ts,
        timeout: float | None = None,
    ) -> R: ...
    @overload
    def run(self, function: Callable[[*Ts], R], *args: *Ts, timeout: float | None = None) -> R: ...

    def run(self, function: Callable[[*Ts], Any], *args: *Ts, timeout: float | None = None) -> Any:
        """Call a function in the loop, await what it gives, and give the result.

        Takes positional arguments; a lambda gives others. Raises what the function raises, and
        TimeoutError when `timeout` seconds have passed.
        """
        check_function(function)
        limit = None if timeout is None else TimeLimit(timeout, function)
        return self._loop.call(partial(_awaited, function, *args), limit)

    def enter(
        self, manager: AbstractAsyncContextManager[T, bool | None]
    ) -> AbstractContextManager[T, bool | None]:
        """What is for ``async with``, for ``with``."""
        check_manager(manager)
        return Entered(self._loop, manager)

    def iterate(self, iterable: AsyncIterable[T]) -> Iterator[T]:
        """What is for ``async for``, for ``for``.

        A generator that the loop leaves before its end is closed. Anything else, such as a stream,
        goes on in the next loop, and must hold no task group or cancel scope from one item to the
        next: that is a RuntimeError where the loop is left, which Python only prints behind a
        ``break``.
        """
        check_iterable(iterable)
        return Iterated(self._loop, iterable).items()


async def _awaited(function: Callable[[*Ts], Any], *args: *Ts) -> Any:
    result = function(*args)
    return await result if isawaitable(result) else result
