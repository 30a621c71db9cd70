"""Registry: every benchmark, by name; a new one is a module of `cases` and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .cases import (
    dispatch,
    gossip_burst,
    gossip_latency,
    gossip_sim,
    gossip_throughput,
    handshake,
    latency,
    memory,
    round_trips,
    simulation,
    startup,
    stream_open,
    stream_parallel,
    stream_quic,
    stream_tcp_noise,
    stream_tcp_tls,
    stream_wan,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .benchmark import Benchmark

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    each.name: each
    for each in (
        stream_tcp_tls.BENCHMARK,
        stream_tcp_noise.BENCHMARK,
        stream_quic.BENCHMARK,
        stream_parallel.BENCHMARK,
        stream_wan.BENCHMARK,
        stream_open.BENCHMARK,
        handshake.BENCHMARK,
        latency.BENCHMARK,
        round_trips.BENCHMARK,
        memory.BENCHMARK,
        startup.BENCHMARK,
        dispatch.BENCHMARK,
        simulation.BENCHMARK,
        gossip_throughput.BENCHMARK,
        gossip_burst.BENCHMARK,
        gossip_latency.BENCHMARK,
        gossip_sim.BENCHMARK,
    )
}
