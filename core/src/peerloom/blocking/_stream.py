"""Stream without `async`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from peerloom._errors import NodeClosed

if TYPE_CHECKING:
    from peerloom._endpoint import ConnectionInfo
    from peerloom._peer_id import PeerId
    from peerloom._stream import Stream as AsyncStream

    from ._portal import Portal


class Stream:
    """A byte stream to a peer, as `peerloom.Stream` is one; iterating gives what arrives.

    ``with`` closes it, or resets it if an exception leaves the block. One thread may send while
    another receives.

    Args:
        portal: the node that has it.
        stream: the stream beneath; whoever has one of a plugin makes a blocking one of it.
    """

    def __init__(self, portal: Portal, stream: AsyncStream) -> None:
        self._portal = portal
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream)

    @property
    def peer(self) -> PeerId:
        """Who is at the other end."""
        return self._stream.peer

    @property
    def protocol(self) -> str:
        """The protocol id agreed on."""
        return self._stream.protocol

    @property
    def connection(self) -> ConnectionInfo:
        """The connection that carries it."""
        return self._stream.connection

    def receive(self, max_bytes: int = 65536, *, timeout: float | None = None) -> bytes:
        """Up to `max_bytes` bytes, at least one; TimeoutError after `timeout` seconds.

        Raises `anyio.EndOfStream` after the other side's clean end, `StreamReset` after a reset.
        """
        return self._portal.run(self._stream.receive, max_bytes, timeout=timeout)

    def receive_exactly(self, nbytes: int, *, timeout: float | None = None) -> bytes:
        """So many bytes, never one more; TimeoutError after `timeout` seconds.

        Raises `anyio.EndOfStream` at a clean end before the first of them, `MalformedMessage` at
        one before the last. After TimeoutError some of them are lost: reset the stream.
        """
        return self._portal.run(self._stream.receive_exactly, nbytes, timeout=timeout)

    def receive_all(self, max_bytes: int, *, timeout: float | None = None) -> bytes:
        """Everything until the other side's clean end; TimeoutError after `timeout` seconds.

        Raises `MalformedMessage` if that is more than `max_bytes`.
        """
        return self._portal.run(self._stream.receive_all, max_bytes, timeout=timeout)

    def send(self, item: bytes | bytearray | memoryview, *, timeout: float | None = None) -> None:
        """Send all of it; returns when it is taken over within the receiver's window.

        After TimeoutError nobody knows how much of it has gone: reset the stream.
        """
        self._portal.run(self._stream.send, item, timeout=timeout)

    def send_eof(self) -> None:
        """End the writing half cleanly; reading goes on."""
        self._portal.run(self._stream.send_eof)

    def close(self) -> None:
        """Close both halves; the other side sees a clean end of what was sent."""
        with suppress(NodeClosed):  # which has closed it
            self._portal.run(self._stream.aclose)

    def reset(self) -> None:
        """End both halves at once; the other side sees a reset."""
        with suppress(NodeClosed):
            self._portal.run(self._stream.reset)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return self.receive()
        except anyio.EndOfStream:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is None:
            self.close()
        else:
            self.reset()
