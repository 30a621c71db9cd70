"""Isolation: what a plugin raises is caught at a seam, told, and spreads no further."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final

import anyio
from attrs import frozen

from ._errors import PluginError, describe
from ._events import PluginFailed, SlowHandler

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ._dispatch import Handler, Owner
    from ._events import Event
    from ._peer_id import PeerId
    from ._runtime import Runtime

_log = logging.getLogger("peerloom.plugins")

LOG_EVERY_SECONDS: Final = 60.0  # one place says the same thing no more often
_MAX_PLACES: Final = 1024  # places remembered for that; plugins have some dozens each
STRIKES: Final = 3  # failing streams of one peer that close its connections,
STRIKE_SECONDS: Final = 60.0  # when they fall within this time
_MAX_STRUCK_PEERS: Final = 4096  # as many as the address book knows


def split_failure(
    error: BaseException,
) -> tuple[BaseException | None, BaseException | None]:
    """What a seam keeps of an error, and what must pass: cancellation and KeyboardInterrupt."""
    if isinstance(error, BaseExceptionGroup):
        return error.split((Exception, SystemExit))
    if isinstance(error, (Exception, SystemExit)):
        return error, None
    return None, error


class Seam:
    """``with Seam(report):`` hands what the block raises to `report` and goes on behind it."""

    __slots__ = ("_report",)

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Report the failure; lets pass what must."""
        if error is None:
            return False
        failure, passing = split_failure(of_async_code(error))
        if failure is not None:
            self._report(failure)
        if passing is not None and passing is not error:
            raise passing
        return passing is None


class PlainSeam(Seam):
    """A seam around plain code of a plugin, which nobody cancels: a cancellation is a failure."""

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Report the failure; lets pass what must."""
        return super().__exit__(kind, error and of_plain_code(error), traceback)


@frozen(eq=False)
class Blame:
    """Who raised what ends a strict node.

    Attributes:
        plugin: its name.
        where: the hook, handler or task.
        error: what it raised.
    """

    plugin: str
    where: str
    error: BaseException


class Failures:
    """Tells of failures: in the log once a minute for one place, and as events.

    Attributes:
        count: how many there were.
        blame: where strict, whose failure was raised first.
    """

    def __init__(
        self, runtime: Runtime, announce: Callable[[Event], None], *, strict: bool
    ) -> None:
        """Take what `announce` does with an event; `strict` raises in place of telling."""
        self.count: int = 0
        self.blame: Blame | None = None
        self._runtime = runtime
        self._announce = announce
        self._strict = strict
        self._last_told: dict[tuple[str, str], float] = {}

    @property
    def strict(self) -> bool:
        """Whether failures are raised rather than told."""
        return self._strict

    def report(  # noqa: PLR0913 - one keyword for each attribute of PluginFailed
        self,
        owner: Owner,
        where: str,
        error: BaseException,
        *,
        peer: PeerId | None = None,
        consequence: str = "the node and the plugin go on",
        stopped: bool = False,
    ) -> None:
        """Tell that something of a plugin raised; raises it instead where strict."""
        cause = without_exit(error)
        self.count += 1
        self.raise_if_strict(owner, where, cause)
        if self._may_tell(owner.name, where):
            _log.error(
                "Plugin %s failed in %s: %s; %s.",
                owner.label,
                where,
                describe(cause),
                consequence,
                exc_info=cause,
            )
        self._announce(PluginFailed(owner.name, where, cause, peer, stopped))

    def raise_if_strict(self, owner: Owner, where: str, error: BaseException) -> None:
        """Raise what something of a plugin raised, where strict."""
        if self._strict:
            self.blame = self.blame or Blame(owner.name, where, error)
            raise error

    def slow(self, handler: Handler, seconds: float) -> None:
        """Tell that a handler held the loop."""
        if self._may_tell(handler.plugin, f"slow {handler.where}"):
            _log.warning(
                "Plugin %s held the event loop for %.3f s in %s: a handler must return at once; "
                "start the work with ctx.spawn, or use runtime.offload.",
                handler.plugin,
                seconds,
                handler.where,
            )
        self._announce(SlowHandler(handler.plugin, handler.where, seconds))

    def _may_tell(self, plugin: str, where: str) -> bool:
        now = self._runtime.now()
        last = self._last_told.get((plugin, where))
        if last is not None and now - last < LOG_EVERY_SECONDS:
            return False
        self._last_told.pop((plugin, where), None)
        if len(self._last_told) >= _MAX_PLACES:
            del self._last_told[next(iter(self._last_told))]
        self._last_told[plugin, where] = now
        return True


class Strikes:
    """Counts the failing streams of each peer; pure."""

    def __init__(self) -> None:
        self._times: dict[PeerId, deque[float]] = {}

    def strike(self, peer: PeerId, now: float) -> bool:
        """Note one; gives whether it is the third within a minute, and then begins anew."""
        times = self._times.pop(peer, deque())
        times.append(now)
        while now - times[0] > STRIKE_SECONDS:
            times.popleft()
        if len(times) >= STRIKES:
            return True
        if len(self._times) >= _MAX_STRUCK_PEERS:
            del self._times[next(iter(self._times))]
        self._times[peer] = times
        return False


def of_async_code(error: BaseException) -> BaseException:
    """What async code raised, or a RuntimeError in place of a cancellation nobody asked for.

    Such a one comes out of asyncio's futures: whoever awaits one that was cancelled raises it.
    """
    if isinstance(error, asyncio.CancelledError) and not _is_being_cancelled():
        return of_plain_code(error)
    return error


def of_plain_code(error: BaseException) -> BaseException:
    """What plain code raised, or a RuntimeError in place of what would cancel the node's task."""
    harmless = (Exception, SystemExit, KeyboardInterrupt)
    if isinstance(error, harmless):
        return error
    if isinstance(error, BaseExceptionGroup) and error.split(harmless)[1] is None:
        return error
    replacement = RuntimeError(f"it raised {describe(error)}, although nobody cancels it")
    replacement.__cause__ = error
    return replacement.with_traceback(error.__traceback__)


def without_exit(error: BaseException) -> BaseException:
    """The error, or a `PluginError` in place of SystemExit, which would end the program."""
    if not isinstance(error, SystemExit):
        return error
    replacement = PluginError(f"it called sys.exit({error.code!r})")
    replacement.__cause__ = error
    return replacement


def _is_being_cancelled() -> bool:
    """Whether somebody cancels what runs here: by a scope, or the asyncio task from outside."""
    try:
        if anyio.current_effective_deadline() == -inf:
            return True
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs, or it is not asyncio's
        return False
    return task is not None and task.cancelling() > 0
