"""stream-tcp-tls: one stream over TCP, TLS 1.3 and yamux; plain TLS sockets beside it."""

from __future__ import annotations

from benchmarks.peers import BLOCKING_TLS, LIBP2P

from .bulk import Bulk

BENCHMARK = Bulk((*LIBP2P, BLOCKING_TLS), {"transport": "tcp", "security": "tls"}).benchmark(
    "stream-tcp-tls"
)
