"""Commands that the stream plugin answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from peerloom import Stream
from peerloom.plugin import Command

from ._framed_stream import FramedStream
from ._incoming import IncomingStreams

if TYPE_CHECKING:
    from peerloom import PeerId

    from ._codecs import Codec


@frozen
class OpenFramedStream(Command[FramedStream]):
    """Open a stream of messages to a peer, dialling it if need be.

    Raises `DialFailed`, `ProtocolNotSupported`, `StreamLimitReached`, `LinkClosed`.

    Attributes:
        peer: to whom.
        protocol: the protocol id.
        codec: how messages stand in frames; None takes the one that this node's settings give the
            protocol id, or else raw bytes.
        allow_limited: whether a limited (relayed) connection will do.
    """

    timeout_seconds: ClassVar[float] = 60.0

    peer: PeerId
    protocol: str
    codec: Codec | None = None
    allow_limited: bool = False


@frozen
class AcceptStreams(Command[IncomingStreams[FramedStream]]):
    """Accept streams of messages under a protocol id; close the answer to stop.

    Raises `StreamError` when they are accepted already, `PluginError` when another plugin
    serves the protocol.

    Attributes:
        protocol: the protocol id.
        codec: how messages stand in frames; None as in `OpenFramedStream`.
    """

    protocol: str
    codec: Codec | None = None


@frozen
class AcceptBytes(Command[IncomingStreams[Stream]]):
    """Accept plain byte streams under a protocol id; close the answer to stop.

    Raises as `AcceptStreams` does.

    Attributes:
        protocol: the protocol id.
    """

    protocol: str
