"""Streams: the stream plugin's commands as methods."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from peerloom import PeerId
from peerloom.plugin import OpenStream

from ._commands import AcceptBytes, AcceptStreams, OpenFramedStream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom import NetworkClient, Stream

    from ._codecs import Codec
    from ._framed_stream import FramedStream
    from ._incoming import IncomingStreams


class Streams:
    """Open and accept streams: ``Streams(node.client)``.

    Messages arrive whole and in order, up to 8 MiB each; for bulk data use the byte streams.
    """

    def __init__(self, client: NetworkClient) -> None:
        """Use a node's stream plugin; raises `NoHandler` if it has none."""
        client.require(OpenFramedStream)
        self._client = client

    async def open(
        self,
        peer: PeerId | str,
        protocol: str,
        *,
        codec: Codec | None = None,
        allow_limited: bool = False,
    ) -> FramedStream:
        """Open a stream of messages to a peer, dialling it if need be.

        Without a codec, messages are framed as this node's settings say for the protocol id, or
        else as raw bytes. `allow_limited` takes a relayed connection as well. Raises
        `DialFailed`, `ProtocolNotSupported`, `StreamLimitReached`, `LinkClosed`.
        """
        command = OpenFramedStream(_peer_id(peer), protocol, codec, allow_limited)
        return await self._client.call(command)

    async def open_bytes(
        self, peer: PeerId | str, protocol: str, *, allow_limited: bool = False
    ) -> Stream:
        """Open a plain byte stream to a peer; raises as `open` does."""
        return await self._client.call(OpenStream(_peer_id(peer), (protocol,), allow_limited))

    @asynccontextmanager
    async def accept(
        self, protocol: str, *, codec: Codec | None = None
    ) -> AsyncGenerator[IncomingStreams[FramedStream], None]:
        """Accept streams of messages while the block lasts: ``async for stream in incoming``.

        Raises `StreamError` when the protocol is accepted already, `PluginError` when another
        plugin serves it. Streams that are not taken by the end of the block are reset.
        """
        incoming = await self._client.call(AcceptStreams(protocol, codec))
        try:
            yield incoming
        finally:
            incoming.close()

    @asynccontextmanager
    async def accept_bytes(self, protocol: str) -> AsyncGenerator[IncomingStreams[Stream], None]:
        """Accept plain byte streams while the block lasts; as `accept` otherwise."""
        incoming = await self._client.call(AcceptBytes(protocol))
        try:
            yield incoming
        finally:
            incoming.close()


def _peer_id(peer: PeerId | str) -> PeerId:
    return PeerId.from_string(peer) if isinstance(peer, str) else peer
