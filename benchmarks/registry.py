"""Registry: every benchmark, by name; a new one is a module of `cases` and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .cases import stream_tcp_noise, stream_tcp_tls, stream_wan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .benchmark import Benchmark

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    each.name: each
    for each in (
        stream_tcp_tls.BENCHMARK,
        stream_tcp_noise.BENCHMARK,
        stream_wan.BENCHMARK,
    )
}
