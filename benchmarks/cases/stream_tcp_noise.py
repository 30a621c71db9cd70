"""stream-tcp-noise: one stream over TCP, Noise and yamux; its bare records beside it."""

from __future__ import annotations

from benchmarks.peers import BLOCKING_NOISE, LIBP2P

from .bulk import Bulk

BENCHMARK = Bulk((*LIBP2P, BLOCKING_NOISE), {"transport": "tcp", "security": "noise"}).benchmark(
    "stream-tcp-noise"
)
