"""startup: from nothing until a node listens; and what comes before that."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from subprocess import DEVNULL, PIPE
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.benchmark import Benchmark, Contestant, Limit, Measured
from benchmarks.peers import OUR_BACKENDS
from benchmarks.process import ROOT
from tests.interop.party import resident_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from benchmarks.benchmark import Options

PY_LIBP2P: Final = "py-libp2p"
LISTEN: Final = ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
_MIB: Final = 1024 * 1024
_WORD_BYTES: Final = 100
_LIMITS: Final = {"": Limit(0.5, beside=PY_LIBP2P), "help": Limit(0.3), "import": Limit(0.3)}

_PYTHON: Final = sys.executable
_HELP: Final = (str(Path(_PYTHON).with_name("peerloom")), "--help")
_IMPORT: Final = (_PYTHON, "-c", "import peerloom")
_IMPORT_LIBP2P: Final = (
    *(_PYTHON, "-c"),
    "import sys, libp2p; print('imported', flush=True); sys.stdin.read()",
)


def _settings(options: Options) -> Mapping[str, Any]:  # noqa: ARG001 - there is nothing to shorten
    return {"listen": LISTEN, "limit": "0.5 s after `import libp2p` alone would have ended"}


@asynccontextmanager
async def _contest(options: Options) -> AsyncIterator[Sequence[Contestant]]:
    ours = [
        Contestant(name, _measure_ours(backend), {"peerloom": version("peerloom")})
        for name, backend in OUR_BACKENDS.items()
    ]
    theirs = Contestant(PY_LIBP2P, _measure_theirs, {PY_LIBP2P: version("libp2p")})
    yield [each for each in (*ours, theirs) if options.wants(each.name)]


def _measure_ours(backend: str) -> Callable[[], Awaitable[Measured]]:
    async def measure() -> Measured:
        command = (_PYTHON, "-m", "benchmarks.workers.starting", backend, *LISTEN)
        seconds, resident_mib = await _until_first_word(command)
        beside = {
            "help": await _until_end(_HELP),
            "import": await _until_end(_IMPORT),
            "resident-mib": resident_mib,
        }
        return Measured(seconds, beside)

    return measure


async def _measure_theirs() -> Measured:
    seconds, resident_mib = await _until_first_word(_IMPORT_LIBP2P)
    return Measured(seconds, {"import": seconds, "resident-mib": resident_mib})


async def _until_first_word(command: Sequence[str]) -> tuple[float, float]:
    """Seconds until it says something, and the MiB that it holds in memory then."""
    begun = perf_counter()
    async with await anyio.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=None, cwd=ROOT, env=_environment()
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        await BufferedByteReceiveStream(child.stdout).receive_until(b"\n", _WORD_BYTES)
        seconds = perf_counter() - begun
        resident = resident_bytes(child.pid)
        await child.stdin.aclose()
        await child.wait()
    return seconds, resident / _MIB


async def _until_end(command: Sequence[str]) -> float:
    begun = perf_counter()
    await anyio.run_process(
        command, stdin=DEVNULL, stdout=subprocess.DEVNULL, stderr=None, env=_environment()
    )
    return perf_counter() - begun


def _environment() -> dict[str, str]:
    """Ours, but modules are compiled once, as an installation does."""
    return {key: it for key, it in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


BENCHMARK = Benchmark(
    "startup",
    "s until it listens",
    _contest,
    _settings,
    lower_is_better=True,
    limits=_LIMITS,
)
