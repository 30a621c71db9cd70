"""Call: a command on its way to its handler, and the reply on its way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import anyio
from attrs import frozen

from ._dispatch import Reply
from ._isolation import of_async_code, split_failure, without_exit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
        reply: settled by the handler's result or error.
    """

    __slots__ = ("_abandoned", "_scope", "command", "reply")

    def __init__(self, command: Command[R]) -> None:
        self.command = command
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

    async def answer(self, function: Callable[[Any], Awaitable[Any]]) -> None:
        """Run the handler, unless the caller has gone."""
        if self._abandoned:
            return
        with anyio.CancelScope() as self._scope:
            try:
                result = await function(self.command)
            except BaseException as error:  # noqa: BLE001 - what must pass is raised again
                failure, passing = split_failure(of_async_code(error))
                if failure is not None:
                    self.reply.fail(without_exit(failure))
                if passing is not None:
                    raise passing from None
            else:
                self._deliver(result)

    def _deliver(self, result: R) -> None:
        if not self.reply.set(result):
            _release(result)


def _release(result: object) -> None:
    if isinstance(result, _Resettable):
        result.reset()
