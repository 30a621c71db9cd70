"""Leaks: tasks, sockets, files and threads that were not there before."""

from __future__ import annotations

import os
import socket
import stat
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

GRACE_SECONDS: Final = 1.0  # what has been closed may need some turns of the event loop to go
_PAUSE_SECONDS: Final = 0.01
_DESCRIPTORS: Final = Path("/dev/fd")
# Threads that wait for work; the event loop keeps them.
_POOLED: Final = ("AnyIO worker thread", "Trio thread", "trio-thread", "asyncio_")

# What waits for each test and fixture on asyncio while another task runs it: one for each.
_RUNNER: Final = "TestRunner._call_in_runner_task"


class LeakError(AssertionError):
    """Something was left behind; the text names it."""


@frozen
class Snapshot:
    """What there is at one time: each thing by what tells it apart, with a name for people."""

    things: Mapping[Any, str]

    @classmethod
    def take(cls) -> Snapshot:
        """Look; inside of a running event loop."""
        return cls({**_tasks(), **_threads(), **_descriptors()})

    def leaks(self) -> list[str]:
        """What has come since then and is still there."""
        now = Snapshot.take().things
        return sorted(name for key, name in now.items() if key not in self.things)


@asynccontextmanager
async def no_leaks(unless: Callable[[], bool] = lambda: False) -> AsyncGenerator[None, None]:
    """Raise `LeakError` if the block leaves a task, socket, open file or thread behind.

    Idle threads of the event loop's pool are none. `unless` is asked at the end; where it says
    True nothing is looked for, nor where the block raises.
    """
    before = Snapshot.take()
    yield
    if unless():
        return
    with anyio.move_on_after(GRACE_SECONDS):
        while before.leaks():  # noqa: ASYNC110 - what goes tells nobody
            await anyio.sleep(_PAUSE_SECONDS)
    if leaks := before.leaks():  # where the machine stood still, the time has passed unused
        raise LeakError("left behind: " + "; ".join(leaks))


def _tasks() -> dict[Any, str]:
    own = anyio.get_current_task().id
    return {
        ("task", task.coro): f"task {_told(task)}"
        for task in anyio.get_running_tasks()
        if task.id != own and _name(task.coro) != _RUNNER
    }


def _name(coroutine: object) -> str | None:
    return getattr(coroutine, "__qualname__", None)


def _told(task: anyio.TaskInfo) -> str:
    name, frame = _name(task.coro) or task.name, getattr(task.coro, "cr_frame", None)
    if frame is None:
        return str(name)
    return f"{name} (at {Path(frame.f_code.co_filename).name}:{frame.f_lineno})"


def _threads() -> dict[Any, str]:
    return {
        ("thread", thread): f"thread {thread.name}"
        for thread in threading.enumerate()
        if not thread.name.startswith(_POOLED)
    }


def _descriptors() -> dict[Any, str]:
    if not _DESCRIPTORS.exists():
        return {}
    found = {}
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - the names are the numbers
        descriptor = int(name)
        try:
            status = os.fstat(descriptor)
        except OSError:  # the listing's own
            continue
        if stat.S_ISSOCK(status.st_mode):
            found["socket", descriptor, status.st_ino] = f"socket {_socket(descriptor)}"
        elif stat.S_ISREG(status.st_mode):
            found["file", descriptor, status.st_ino] = f"file {_path(descriptor)}"
    return found


def _socket(descriptor: int) -> str:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:  # of a kind that has no address, or closed by now
        return f"of descriptor {descriptor}"
    try:
        return _ends(sock)
    finally:
        sock.detach()


def _ends(sock: socket.socket) -> str:
    family = getattr(sock.family, "name", sock.family)  # of some kinds Python knows no name
    kind = f"{family} {sock.type.name} {sock.getsockname()}"
    try:
        return f"{kind} to {sock.getpeername()}"
    except OSError:  # it is not connected
        return kind


def _path(descriptor: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:  # no Linux
        return f"of descriptor {descriptor}"
