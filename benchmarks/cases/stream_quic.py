"""stream-quic: one stream over QUIC."""

from __future__ import annotations

from benchmarks.peers import LIBP2P

from .bulk import Bulk

# QUIC takes each of them longer than TCP.
ROUND_MIB = {
    "peerloom-asyncio": 384,
    "peerloom-trio": 384,
    "py-libp2p": 4,
    "js-libp2p": 128,
    "go-libp2p": 384,
    "rust-libp2p": 384,
}

BENCHMARK = Bulk(LIBP2P, {"transport": "quic", "security": "tls"}, ROUND_MIB).benchmark(
    "stream-quic"
)
