"""Transports: ways to reach other nodes."""

from ._memory import MemoryNetwork, MemoryTransport
from ._tcp import TcpTransport

__all__ = ["MemoryNetwork", "MemoryTransport", "TcpTransport"]
