"""Transports: ways to reach other nodes."""

from ._memory import MemoryNetwork, MemoryTransport
from ._quic_settings import QuicSettings
from ._quic_transport import QuicTransport
from ._tcp import TcpTransport
from ._udp import UdpSocket

__all__ = [
    "MemoryNetwork",
    "MemoryTransport",
    "QuicSettings",
    "QuicTransport",
    "TcpTransport",
    "UdpSocket",
]
