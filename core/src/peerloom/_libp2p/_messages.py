"""py-libp2p's protobuf messages, imported late and given under names of our own."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from libp2p.identity.identify.pb.identify_pb2 import Identify
    from libp2p.peer.pb.envelope_pb2 import Envelope
    from libp2p.peer.pb.peer_record_pb2 import PeerRecord as PeerRecordMessage
    from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload


# Its modules import each other in circles, which two threads at once can deadlock.
_ONE_AT_A_TIME: Final = Lock()


def load() -> None:
    """Import py-libp2p; a node calls it in a worker thread before it opens anything."""
    with _ONE_AT_A_TIME:
        identify_message()
        noise_payload_message()
        envelope_message()
        peer_record_message()
        # It logs ordinary network events as errors; importing it sets the level back.
        logging.getLogger("libp2p").setLevel(logging.CRITICAL)


def identify_message() -> type[Identify]:
    """The class of identify's message (``/ipfs/id/1.0.0`` and its push)."""
    from libp2p.identity.identify.pb.identify_pb2 import Identify  # noqa: PLC0415 - slow import

    return Identify


def noise_payload_message() -> type[NoiseHandshakePayload]:
    """The class of the payload in a Noise handshake."""
    from libp2p.security.noise.pb.noise_pb2 import (  # noqa: PLC0415 - slow import
        NoiseHandshakePayload,
    )

    return NoiseHandshakePayload


def envelope_message() -> type[Envelope]:
    """The class of a signed envelope (libp2p/specs, RFC 0002)."""
    from libp2p.peer.pb.envelope_pb2 import Envelope  # noqa: PLC0415 - slow import

    return Envelope


def peer_record_message() -> type[PeerRecordMessage]:
    """The class of a peer record (libp2p/specs, RFC 0003)."""
    from libp2p.peer.pb.peer_record_pb2 import PeerRecord  # noqa: PLC0415 - slow import

    return PeerRecord
