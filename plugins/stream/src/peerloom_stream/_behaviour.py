"""StreamBehaviour: which protocols are served, and who gets their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import ref

import anyio
from attrs import frozen

from peerloom import PluginError, Stream, StreamError
from peerloom.plugin import Behaviour, InboundProtocol

from ._codecs import Codec, MessageJsonCodec, RawCodec
from ._events import StreamOpened
from ._framed_stream import FramedStream
from ._incoming import IncomingStreams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from peerloom.plugin import PluginContext

    from ._commands import AcceptBytes, AcceptStreams, OpenFramedStream
    from ._config import StreamConfig

_RAW: Final = RawCodec()
_JSON: Final = MessageJsonCodec()

S = TypeVar("S", FramedStream, Stream)


@frozen
class _Acceptor:
    """Who takes the streams of a protocol.

    Attributes:
        incoming: their queue; held by whoever accepts alone, so that an acceptor whose caller
            was cancelled before it got the answer is gone.
        wrap: makes of a stream what the queue holds.
    """

    incoming: ref[IncomingStreams[Any]]
    wrap: Callable[[Stream], FramedStream | Stream]


class StreamBehaviour(Behaviour):
    """One node's protocols and acceptors."""

    def __init__(self, ctx: PluginContext) -> None:
        self._ctx = ctx
        self._config: StreamConfig = ctx.config
        self._codecs: dict[str, Codec] = dict.fromkeys(self._config.raw_protocols, _RAW)
        self._codecs |= dict.fromkeys(self._config.json_protocols, _JSON)
        self._from_start = tuple(self._codecs)
        self._stopped = False
        self._acceptors: dict[str, _Acceptor] = {}
        self._opened = ctx.metrics.counter("opened", "streams that others opened")
        self._refused = ctx.metrics.counter("refused", "streams that nobody took")
        self.protocols = self._inbound(self._from_start)

    async def open(self, command: OpenFramedStream) -> FramedStream:
        """Answer `OpenFramedStream`."""
        stream = await self._ctx.open_stream(
            command.peer, (command.protocol,), allow_limited=command.allow_limited
        )
        return self._framed(stream, command.codec)

    async def accept(self, command: AcceptStreams) -> IncomingStreams[FramedStream]:
        """Answer `AcceptStreams`."""
        return self._accept(command.protocol, lambda stream: self._framed(stream, command.codec))

    async def accept_bytes(self, command: AcceptBytes) -> IncomingStreams[Stream]:
        """Answer `AcceptBytes`."""
        return self._accept(command.protocol, lambda stream: stream)

    def stop(self) -> None:
        """End every acceptor."""
        self._stopped = True
        for acceptor in list(self._acceptors.values()):
            if incoming := acceptor.incoming():
                incoming.close()

    def status(self) -> Mapping[str, Any]:
        """Counters for the node's status."""
        return {
            "accepted_protocols": sorted(self._acceptors),
            "opened": self._opened.value(),
            "refused": self._refused.value(),
        }

    async def _serve(self, stream: Stream) -> None:
        if acceptor := self._acceptors.get(stream.protocol):
            taken = self._offer_to_acceptor(acceptor, stream)
        else:
            taken = await self._offer_to_listeners(stream)
        if not taken:
            self._refused.inc()
            stream.reset()

    def _offer_to_acceptor(self, acceptor: _Acceptor, stream: Stream) -> bool:
        incoming, opened = acceptor.incoming(), acceptor.wrap(stream)
        if incoming is None:
            self._withdraw(stream.protocol)
            return False
        if not incoming.offer(opened):
            return False
        self._tell(opened, stream)
        return True

    async def _offer_to_listeners(self, stream: Stream) -> bool:
        framed = self._framed(stream, None)
        self._tell(framed, stream)
        with anyio.move_on_after(self._config.claim_seconds):
            await framed.wait_used()
            return True
        return False

    def _accept(self, protocol: str, wrap: Callable[[Stream], S]) -> IncomingStreams[S]:
        before = self._acceptors.get(protocol)
        if before is not None and before.incoming() is not None:
            raise StreamError(f"streams of {protocol} are accepted already: close that first")
        incoming: IncomingStreams[S] = IncomingStreams(
            protocol, on_close=lambda: self._withdraw(protocol)
        )
        self._acceptors[protocol] = _Acceptor(ref(incoming), wrap)
        try:
            self._reinstall()
        except PluginError:
            del self._acceptors[protocol]
            raise
        return incoming

    def _withdraw(self, protocol: str) -> None:
        del self._acceptors[protocol]
        if not self._stopped:  # whoever stopped the plugin has withdrawn its protocols
            self._reinstall()

    def _reinstall(self) -> None:
        before = self.protocols
        self.protocols = self._inbound((*self._from_start, *self._acceptors))
        if self.protocols.keys() == before.keys():
            return
        try:
            self._ctx.swarm.install(self._ctx.name, [self], [])
        except PluginError:
            self.protocols = before
            raise

    def _inbound(self, names: Iterable[str]) -> dict[str, InboundProtocol]:
        inbound = InboundProtocol(
            self._serve,
            max_streams_per_peer=self._config.max_streams_per_peer,
            max_streams=self._config.max_streams,
            runs_on_limited=True,
        )
        return dict.fromkeys(names, inbound)

    def _framed(self, stream: Stream, codec: Codec | None) -> FramedStream:
        chosen = codec or self._codecs.get(stream.protocol, _RAW)
        return FramedStream(stream, chosen, self._ctx.runtime.offload)

    def _tell(self, opened: FramedStream | Stream, stream: Stream) -> None:
        self._opened.inc()
        self._ctx.emit(StreamOpened(stream.peer, opened, stream.protocol))
