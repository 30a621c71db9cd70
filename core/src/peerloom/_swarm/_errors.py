"""Why the swarm itself refuses a dial or a connection."""

from __future__ import annotations

from typing import Final

from peerloom._errors import PeerloomError

NOT_HANDLED: Final = (
    "no transport of this node handles such an address, as it would "
    "/ip4/192.0.2.1/tcp/2428 or /ip4/192.0.2.1/udp/2428/quic-v1"
)
NO_ADDRESS: Final = (
    "no address is known: dial an address that ends in /p2p/<peer id>, or add its addresses "
    "by add_peer_addresses"
)


def without_traceback(error: BaseException) -> BaseException:
    """The error, for an event that may wait long: its frames hold whole handshakes."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


class ConnectionLimitReached(PeerloomError):
    """One more connection would pass a limit of the configuration, which the text names."""


class Refused(PeerloomError):
    """A dial or a connection is not wanted: by a plugin's gate, or because it leads to itself."""
