"""Events that the stream plugin tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from peerloom.plugin import Event

if TYPE_CHECKING:
    from peerloom import PeerId, Stream

    from ._framed_stream import FramedStream


@frozen
class StreamOpened(Event):
    """A peer has opened a stream.

    Where somebody accepts the protocol, that acceptor owns the stream; elsewhere the first
    listener that uses it does, and a stream that nobody uses is reset after `claim_seconds`.

    Attributes:
        peer: who opened it.
        stream: the stream; plain bytes where the protocol is accepted so.
        protocol: the protocol id.
    """

    peer: PeerId
    stream: FramedStream | Stream = field(eq=False)
    protocol: str
