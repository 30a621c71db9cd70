"""What must be reached: how many times better than each peer ours has to be.

By benchmark, or by benchmark and, after a colon, what it measures beside its figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TARGETS: Final[Mapping[str, Mapping[str, float]]] = {
    "stream-tcp-tls": {"py-libp2p": 12, "js-libp2p": 2, "blocking-tls": 0.5},
    "stream-tcp-noise": {"py-libp2p": 10, "js-libp2p": 2.5},
    "stream-quic": {"py-libp2p": 40, "js-libp2p": 1.2},
    "stream-parallel": {"one-stream": 0.8},
    "stream-wan": {"py-libp2p": 3, "js-libp2p": 0.8, "plain-tcp": 0.7},
    "stream-open": {"py-libp2p": 5},
    "handshake": {"py-libp2p": 2, "js-libp2p": 1},
    "latency": {"py-libp2p": 3},
    "gossip-throughput": {"js-libp2p": 1, "py-libp2p": 5},
    "gossip-latency": {"py-libp2p": 2},
    "gossip-latency: p99": {"py-libp2p": 2},
}


def figure_name(benchmark: str, what: str) -> str:
    """How a benchmark's figure is called, or, unless `what` is "", one beside it."""
    return f"{benchmark}: {what}" if what else benchmark


def beside_with_targets(benchmark: str) -> list[str]:
    """What is measured beside a benchmark's figure and has targets."""
    return [key.partition(": ")[2] for key in TARGETS if key.startswith(f"{benchmark}: ")]
