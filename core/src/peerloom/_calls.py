"""Call: a command on its way to its handler, and the reply on its way back."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import anyio
from attrs import frozen

from ._dispatch import Reply
from ._errors import CommandTimedOut
from ._isolation import of_async_code, of_plain_code, split_failure, without_exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._behaviour import InboundProtocol
    from ._commands import Command
    from ._stream import Stream

R = TypeVar("R")


@frozen(eq=False)
class IncomingStream:
    """A stream that another node has opened, on its way to the protocol's handler.

    Attributes:
        owner: name of the plugin whose protocol it is.
        protocol: how it is served.
        stream: the stream.
    """

    owner: str
    protocol: InboundProtocol
    stream: Stream


@runtime_checkable
class _Resettable(Protocol):
    def reset(self) -> None: ...


class Call(Generic[R]):
    """One command of one caller.

    Attributes:
        command: the command.
        deadline: when it fails unless it is answered, on the Runtime's clock (seconds).
        reply: settled by the handler's result or error.
    """

    __slots__ = ("_abandoned", "_scope", "command", "deadline", "reply")

    def __init__(self, command: Command[R], deadline: float) -> None:
        self.command: Command[R] = command
        self.deadline: float = deadline
        self.reply: Reply[R] = Reply()
        self._scope: anyio.CancelScope | None = None
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._abandoned

    def abandon(self) -> None:
        """The caller has gone: cancels the handler; a stream that it gave already is reset."""
        self._abandoned = True
        if self._scope is not None:
            self._scope.cancel()
        if not self.reply.fail(anyio.ClosedResourceError()) and self.reply.error is None:
            _release(self.reply.result())

    def time_out(self) -> None:
        """The deadline has come: fails the call and cancels the handler."""
        command = self.command
        self.reply.fail(
            CommandTimedOut(
                f"{type(command).__name__} was not answered within {command.timeout_seconds:g} s"
            )
        )
        if self._scope is not None:
            self._scope.cancel()

    def answer_at_once(self, function: Callable[[Any], Any]) -> Awaitable[R] | None:
        """Call the handler; gives what is left for `answer_later` or `discard`, if anything is."""
        try:
            result = function(self.command)
            if isinstance(result, Awaitable):
                return result
        except BaseException as error:  # noqa: BLE001 - what must pass is raised again
            self._fail(of_plain_code(error))
        else:
            self._deliver(result)
        return None

    async def answer_later(self, awaitable: Awaitable[R]) -> None:
        """Await what the handler gave, unless the caller has gone."""
        if self._abandoned or self.reply.settled:
            discard(awaitable)
            return
        with anyio.CancelScope() as self._scope:
            try:
                result = await awaitable
            except BaseException as error:  # noqa: BLE001 - what must pass is raised again
                self._fail(of_async_code(error))
            else:
                self._deliver(result)

    def _fail(self, error: BaseException) -> None:
        failure, passing = split_failure(error)
        if failure is not None:
            self.reply.fail(without_exit(failure))
        if passing is not None:
            raise passing from None

    def _deliver(self, result: R) -> None:
        if not self.reply.set(result):
            _release(result)


def discard(awaitable: Awaitable[object]) -> None:
    """Nobody is going to await it."""
    if isinstance(awaitable, Coroutine):
        awaitable.close()
    elif isinstance(awaitable, Reply):
        awaitable.forgo()


def _release(result: object) -> None:
    if isinstance(result, _Resettable):
        result.reset()
