"""Two network namespaces joined by a wire of our own: delay, rate, queue and loss as one likes.

::

    async with wire(delay_seconds=0.0315, rate_bytes_per_second=30e6) as it:
        await anyio.run_process(it.left.command("ping", "-c1", it.right.address))

The kernels at hand have no netem; this needs root, ``/dev/net/tun`` and iproute2. A process of
its own carries the packets (`forwarder`), so whoever uses the wire may be as busy as they like.
"""

from __future__ import annotations

import json
import math
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from attrs import asdict, field, frozen

from .namespaces import ADDRESSES, missing, names, remove_namespaces, socket_in
from .path import Counters, Quality

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from anyio.abc import Process

__all__ = ["Counters", "End", "Wire", "WireFailed", "missing", "wire"]

_ROOT: Final = Path(__file__).parents[2]
_LINE_BYTES: Final = 64 * 1024
_START_SECONDS: Final = 20
_STOP_SECONDS: Final = 10


class WireFailed(Exception):
    """The forwarder could not make the wire, or has ended early; the text is what it said."""


@frozen
class End:
    """One side of a wire.

    Attributes:
        namespace: its network namespace.
        address: its IPv4 address.
        address6: its IPv6 address.
    """

    namespace: str
    address: str
    address6: str

    def command(self, *command: str) -> list[str]:
        """The command that runs a command on this side."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def socket(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        """A socket on this side, for whoever holds it."""
        return socket_in(self.namespace, family, kind)


@frozen
class Wire:
    """A wire that is up."""

    left: End
    right: End
    _process: Process
    _lines: BufferedByteReceiveStream
    _asking: anyio.Lock = field(factory=anyio.Lock)

    async def counters(self) -> tuple[Counters, Counters]:
        """What has come by: from left to right, and from right to left."""
        assert self._process.stdin is not None
        async with self._asking:
            await self._process.stdin.send(b"\n")
            line = await self._lines.receive_until(b"\n", _LINE_BYTES)
        there, back = json.loads(line)
        return Counters(**there), Counters(**back)


@asynccontextmanager
async def wire(
    *,
    delay_seconds: float = 0.0,
    rate_bytes_per_second: float = math.inf,
    queue_bytes: float = math.inf,
    loss: float = 0.0,
    seed: int = 0,
) -> AsyncIterator[Wire]:
    """A wire while the context lasts, both directions alike; see `Quality` for the settings.

    What still runs in its namespaces then is ended. Where the machine cannot have one the test is
    skipped, which ``PEERLOOM_REQUIRE_ALL=1`` makes a failure.
    """
    if reason := missing():
        pytest.skip(reason)
    quality = Quality(delay_seconds, rate_bytes_per_second, queue_bytes, loss, seed)
    command = [sys.executable, "-m", "tests.net.forwarder", json.dumps(asdict(quality))]
    async with await anyio.open_process(
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=_ROOT, start_new_session=True
    ) as process:
        try:
            yield await _up(process)
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)
        if process.returncode != 0:
            raise WireFailed(await _said(process))


async def _up(process: Process) -> Wire:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    try:
        with anyio.fail_after(_START_SECONDS):
            await lines.receive_until(b"\n", _LINE_BYTES)
    except anyio.IncompleteRead:
        raise WireFailed(await _said(process)) from None
    left, right = (
        End(name, *addresses) for name, addresses in zip(names(process.pid), ADDRESSES, strict=True)
    )
    return Wire(left, right, process, lines)


async def _stop(process: Process) -> None:
    assert process.stdin is not None
    with anyio.move_on_after(_STOP_SECONDS):
        await process.stdin.aclose()
        await process.wait()
    if process.returncode != 0:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await anyio.to_thread.run_sync(remove_namespaces, names(process.pid))


async def _said(process: Process) -> str:
    assert process.stderr is not None
    return b"".join([part async for part in process.stderr]).decode(errors="replace")
