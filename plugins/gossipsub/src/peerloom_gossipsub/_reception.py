"""Reception: reads what peers send, no faster than it can be judged."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

import anyio

from peerloom import MalformedMessage

from ._decode import RpcDecoder
from ._frames import FrameDecoder
from ._intake import Turn, Unfinished
from ._link import STREAM_FAILURES
from ._protocols import VERSIONS
from ._rpc import RpcLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerloom import Stream

    from ._engine import Engine
    from ._rpc import Rpc

_READ_BYTES: Final = 262_144
MAX_HEARD_AT_ONCE: Final = 256  # entries of a kind: a millisecond
_MALFORMED_OFFENCES: Final = 10  # bytes that are no RPC: twice, and the peer is graylisted


class Reception:
    """Serves the streams that peers open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._unfinished = Unfinished(engine.config.max_rpc_bytes + _READ_BYTES)
        self._limits = RpcLimits(max_message_bytes=engine.config.max_message_bytes)
        self._big = anyio.Lock()  # an RPC of small entries takes a hundred times its bytes

    async def serve(self, stream: Stream) -> None:
        """Take the RPCs of a stream until it ends."""
        self._engine.links.meet(stream.peer, VERSIONS[stream.protocol])
        try:
            await self._read(stream)
        except MalformedMessage:
            self._engine.router.offend(stream.peer, "rpc malformed", _MALFORMED_OFFENCES)
            stream.reset()
        except anyio.EndOfStream:
            await stream.aclose()
        except STREAM_FAILURES:
            stream.reset()
        finally:
            self._unfinished.keep(stream, 0)

    def figures(self) -> Mapping[str, int]:
        """What has arrived of frames that are not whole."""
        return {"unfinished_bytes": self._unfinished.bytes}

    async def _read(self, stream: Stream) -> None:
        decoder = FrameDecoder(self._engine.config.max_rpc_bytes)
        turn = Turn(self._engine.now)
        while True:
            data = await stream.receive(_READ_BYTES)
            turn.begin()
            has_waited = True
            for frame in decoder.feed(data):
                await self._engine.backlog.wait_for_room()
                takes_back = await self._take(stream, frame, turn)
                # What is taken back is often said anew at once: nobody shall see what is between.
                has_waited = not (takes_back and has_waited)
                if has_waited:
                    await turn.rest()
            for given_up in self._unfinished.keep(stream, decoder.kept_bytes):
                self._engine.losses["unfinished frame given up"] += 1
                given_up.reset()

    async def _take(self, stream: Stream, frame: bytes, turn: Turn) -> bool:
        # Gives whether it takes back a subscription.
        if not self._engine.router.hears(stream.peer):
            return False
        decoder = RpcDecoder(frame, self._limits)
        steps = decoder.steps()
        is_big = any(True for _ in steps)
        async with self._big if is_big else nullcontext():
            for _ in steps:
                await turn.rest()
            return await self._hear(stream, decoder.rpc(), turn, has_waited=is_big)

    async def _hear(self, stream: Stream, rpc: Rpc, turn: Turn, *, has_waited: bool) -> bool:
        for number, part in enumerate(rpc.parts(MAX_HEARD_AT_ONCE)):
            if number:
                await turn.rest()
                await self._engine.backlog.wait_for_room()
                has_waited = True
            if has_waited and not self._is_connected(stream):  # it may have gone meanwhile
                return False
            self._engine.receive(stream.peer, part, stream.connection.id)
        if not rpc.subscriptions:
            return False
        self._engine.answer(stream.peer, rpc.subscriptions)
        return not rpc.subscriptions[-1].subscribed

    def _is_connected(self, stream: Stream) -> bool:
        connections = self._engine.ctx.connections(stream.peer)
        return any(each.id == stream.connection.id for each in connections)
