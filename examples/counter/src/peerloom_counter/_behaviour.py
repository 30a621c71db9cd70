"""CounterBehaviour: the protocol, as it is spoken to others and served to them.

A request is what to add, in eight bytes, and a name; to add 0 is to ask. The answer is the value
in eight bytes behind `OK`, or a reason behind `REFUSED`. Both end with their half of the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from peerloom import MalformedMessage
from peerloom.plugin import Behaviour, InboundProtocol

from ._errors import CounterRefused
from ._events import CounterChanged
from ._numbers import Numbers

if TYPE_CHECKING:
    from peerloom import PeerId, Stream
    from peerloom.plugin import PluginContext

    from ._commands import Increment, Value

COUNTER_PROTOCOL: Final = "/counter/1.0.0"
MAX_BYTES: Final = 512  # of a request or an answer
NUMBER_BYTES: Final = 8
SERVE_SECONDS: Final = 10.0  # no peer may hold a stream for ever
OK: Final = b"+"
REFUSED: Final = b"-"


class CounterBehaviour(Behaviour):
    """The protocol in one node, from a start of the plugin to its stop."""

    def __init__(self, ctx: PluginContext) -> None:
        """Take what the node gives the plugin; the numbers of its last life are in the store."""
        self._ctx = ctx
        self._numbers = Numbers(ctx.config, ctx.store("numbers"))
        self.protocols = {COUNTER_PROTOCOL: InboundProtocol(self._serve)}

    async def increment(self, command: Increment) -> int:
        """Answer `Increment`."""
        return await self._ask(command.peer, command.name, command.by)

    async def value(self, command: Value) -> int:
        """Answer `Value`."""
        return await self._ask(command.peer, command.name, 0)

    async def _ask(self, peer: PeerId, name: str, by: int) -> int:
        request = by.to_bytes(NUMBER_BYTES) + name.encode()
        if len(request) > MAX_BYTES:
            raise ValueError(f"a name has {MAX_BYTES - NUMBER_BYTES} bytes at most")
        async with await self._ctx.open_stream(peer, [COUNTER_PROTOCOL]) as stream:
            await stream.send(request)
            await stream.send_eof()
            answer = await stream.receive_all(MAX_BYTES)
        return decode_answer(answer)

    async def _serve(self, stream: Stream) -> None:
        with anyio.fail_after(SERVE_SECONDS):
            async with stream:
                request = await stream.receive_all(MAX_BYTES)
                await stream.send(self._answer(request, stream.peer))

    def _answer(self, request: bytes, peer: PeerId) -> bytes:
        by, name = decode_request(request)
        try:
            value = self._add(name, by, peer) if by else self._numbers.value(name)
        except CounterRefused as refusal:
            return REFUSED + str(refusal).encode()
        return OK + value.to_bytes(NUMBER_BYTES)

    def _add(self, name: str, by: int, peer: PeerId) -> int:
        value = self._numbers.add(name, by)
        self._ctx.emit(CounterChanged(name, value, peer))
        return value


def decode_request(request: bytes) -> tuple[int, str]:
    """What to add, and to which number."""
    if len(request) < NUMBER_BYTES:
        raise MalformedMessage(f"a request of less than {NUMBER_BYTES} bytes")
    try:
        return int.from_bytes(request[:NUMBER_BYTES]), request[NUMBER_BYTES:].decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage("a name that is not UTF-8") from error


def decode_answer(answer: bytes) -> int:
    """The value; raises `CounterRefused` with the reason that the peer gives."""
    kind, rest = answer[:1], answer[1:]
    if kind == REFUSED:
        raise CounterRefused(rest.decode(errors="replace"))
    if kind == OK and len(rest) == NUMBER_BYTES:
        return int.from_bytes(rest)
    raise MalformedMessage("neither a value nor a refusal")
