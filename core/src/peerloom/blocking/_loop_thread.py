"""LoopThread: an event loop in a thread of its own, which other threads call."""

from __future__ import annotations

import os
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import Context
from threading import Thread, current_thread
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from peerloom._errors import NodeClosed

from ._call import Call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ._time_limit import TimeLimit

R = TypeVar("R")


class LoopThread:
    """An event loop that runs from `start` until `stop`, over anyio's blocking portal.

    The thread is made here, since anyio's `start_blocking_portal` would wait for it wherever a
    forked process ends.

    Attributes:
        tasks: what runs in the loop beside calls, until it stops.
    """

    def __init__(self, backend: str) -> None:
        self.tasks: TaskGroup
        self._backend = backend
        self._thread = Thread(
            target=Context().run, args=(self._run,), name=f"peerloom-{backend}", daemon=True
        )
        self._ready: Future[BlockingPortal] = Future()
        self._process = 0
        self._stopped = False

    @property
    def runs(self) -> bool:
        """Whether calls from this process are taken."""
        return self._process == os.getpid() and not self._stopped

    @property
    def is_here(self) -> bool:
        """Whether this is its thread, where it cannot be waited for."""
        return current_thread() is self._thread

    def start(self) -> None:
        """Returns when the loop runs."""
        if self._process:
            raise NodeClosed("a node can be entered once: make another one")
        self._check_trio()
        self._process = os.getpid()
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel what still runs; returns when the thread has ended."""
        self._stopped = True
        if self._ready.exception() is None:
            portal = self._ready.result()
            with suppress(RuntimeError):  # the loop has ended by itself
                portal.call(portal.stop, True)  # noqa: FBT003 - what anyio wants
        self._thread.join()

    def call(self, function: Callable[[], Awaitable[R]], limit: TimeLimit | None = None) -> R:
        """Await the function in the loop and wait for its result.

        A caller who is interrupted, by Ctrl-C for instance, cancels it and waits for its end.
        """
        self._check()
        portal, call = self._ready.result(), Call(function, limit)
        try:
            return portal.start_task_soon(call.run).result()
        except CancelledError:
            raise (call.exit or _closed()) from None
        except BaseException as error:
            if not call.over:
                if isinstance(error, RuntimeError):  # the portal does not take it any more
                    raise _closed() from None
                with suppress(RuntimeError, CancelledError):  # the loop ends meanwhile
                    portal.call(call.give_up)
            raise

    def _check(self) -> None:
        if self._process not in {0, os.getpid()}:
            raise NodeClosed(f"this node runs in process {self._process}: make one after the fork")
        if not self.runs:
            raise _closed()
        if self.is_here:
            raise RuntimeError(
                "the node's own event loop would wait for itself: await what is async there, "
                "such as node.async_client in place of node.client"
            )
        self._check_trio()

    def _check_trio(self) -> None:
        if self._backend == "trio" and _in_trio():
            raise RuntimeError(
                "where trio runs already, a node on trio cannot be waited for: "
                'give it backend="asyncio", or use it in another thread'
            )

    def _run(self) -> None:
        try:
            anyio.run(self._serve, backend=self._backend)
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        async with BlockingPortal() as portal, anyio.create_task_group() as self.tasks:
            self._ready.set_result(portal)
            await portal.sleep_until_stopped()


def _closed() -> NodeClosed:
    return NodeClosed("the node is not running: use it inside `with Node(...)`")


def _in_trio() -> bool:
    from trio.lowlevel import current_trio_token  # noqa: PLC0415 - who does not use it need not wait

    try:
        current_trio_token()
    except RuntimeError:
        return False
    return True
