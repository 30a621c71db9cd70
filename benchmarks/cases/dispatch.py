"""dispatch: events a second through the event loop of a node with eight plugins more."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from benchmarks.benchmark import Benchmark, Contestant, Limit, WrongData, absent
from benchmarks.peers import OUR_BACKENDS
from benchmarks.process import worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from benchmarks.benchmark import Options
    from benchmarks.process import Peer

PLUGINS: Final = 8
_EVENTS: Final = 200_000
_QUICK_EVENTS: Final = 1_000
_MUST_REACH: Final = 100_000


def _settings(options: Options) -> Mapping[str, Any]:
    return {"plugins": PLUGINS, "heard_by": "each of them", "events_per_round": _events(options)}


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    async with AsyncExitStack() as stack:
        contestants = []
        for name, backend in OUR_BACKENDS.items():
            if options.wants(name):
                command = (sys.executable, "-m", "benchmarks.workers.dispatching", backend)
                try:
                    peer = await stack.enter_async_context(worker(name, command))
                except Exception as error:  # noqa: BLE001 - isolation: the others go on
                    contestants.append(absent(name, error))
                else:
                    contestants.append(_contestant(peer, _events(options)))
        yield contestants


def _contestant(peer: Peer, events: int) -> Contestant:
    def give_up() -> str:
        log = peer.log
        peer.kill()
        return log

    versions = {"peerloom": peer.version.partition(" ")[2]}
    return Contestant(peer.kind, _measure(peer, events), versions, give_up)


def _measure(peer: Peer, events: int) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        done = await peer.request("dispatch", count=events)
        if done["heard"] != [events] * PLUGINS:
            raise WrongData(f"of {events} events its plugins heard {done['heard']}")
        return events / float(done["seconds"])

    return measure


def _events(options: Options) -> int:
    return _QUICK_EVENTS if options.quick else _EVENTS


BENCHMARK = Benchmark(
    "dispatch", "events/s", _contest, _settings, limits={"": Limit(float(_MUST_REACH))}
)
