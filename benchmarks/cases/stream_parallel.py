"""stream-parallel: a hundred streams of one connection at once, beside one stream alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import OURS, Benchmark, Contestant, Measured
from benchmarks.peers import LIBP2P
from benchmarks.workers.payload import BLOCK_BYTES

from .bulk import MIB, ROUND_MIB, check, one_stream
from .pairs import contest_of_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from benchmarks.benchmark import Options

    from .pairs import Pair

_START: Final = {"transport": "tcp", "security": "tls"}
_STREAMS: Final = 100
_QUICK_KIB: Final = 64
# Of each stream; together about as much as one stream carries alone.
_KIB: Final = {
    "peerloom-asyncio": 8192,
    "peerloom-trio": 8192,
    "py-libp2p": 512,
    "js-libp2p": 4096,
    "go-libp2p": 8192,
    "rust-libp2p": 8192,
}


def _settings(options: Options) -> Mapping[str, Any]:
    sizes = {name: _nbytes(name, options) // 1024 for name in LIBP2P if options.wants(name)}
    return {
        **_START,
        "streams": _STREAMS,
        "write_bytes": BLOCK_BYTES,
        "kib_per_stream": sizes,
        "mib_of_one_stream": _one_stream_mib(options),
    }


def _contest(options: Options) -> AbstractAsyncContextManager[Sequence[Contestant]]:
    return contest_of_pairs(LIBP2P, _START, options, partial(_contestants, options))


def _contestants(options: Options, pair: Pair) -> Sequence[Contestant]:
    together = pair.contestant(partial(_measure, pair, _nbytes(pair.name, options)))
    if not pair.name.startswith(OURS):
        return [together]
    alone = partial(one_stream, pair, _one_stream_mib(options) * MIB)
    versions = {"one-stream": pair.versions["peerloom"]}
    return [together, Contestant(f"one-stream@{pair.name}", alone, versions, pair.give_up)]


async def _measure(pair: Pair, nbytes: int) -> Measured:
    async with pair.connected() as receiver:
        sent = await pair.dialer.run("parallel", receiver, nbytes, 1, streams=_STREAMS)
    for number, report in enumerate(sent["streams"]):
        check(pair.name, report, nbytes, number)
    seconds = [float(report["seconds"]) for report in sent["streams"]]
    fairness = min(seconds) / max(seconds)
    return Measured(_STREAMS * nbytes / MIB / max(seconds), {"fairness": fairness})


def _nbytes(name: str, options: Options) -> int:
    return (_QUICK_KIB if options.quick else _KIB[name]) * 1024


def _one_stream_mib(options: Options) -> int:
    return 2 if options.quick else ROUND_MIB["peerloom-asyncio"]


BENCHMARK = Benchmark("stream-parallel", "MiB/s", _contest, _settings, warm_up_rounds=2)
