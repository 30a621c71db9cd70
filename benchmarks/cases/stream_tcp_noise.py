"""stream-tcp-noise: one stream over TCP, Noise and yamux."""

from __future__ import annotations

from benchmarks.peers import LIBP2P

from .bulk import Bulk

BENCHMARK = Bulk(LIBP2P, {"transport": "tcp", "security": "noise"}).benchmark("stream-tcp-noise")
