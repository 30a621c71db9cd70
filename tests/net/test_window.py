"""A yamux window on a long path, through a real wire: it is open before TCP has filled the path."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

import anyio

from peerloom._links import Role
from peerloom._transports._socket_pipe import SocketPipe
from tests.core.yamux_tools import make_link

from .wire import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peerloom._muxers._yamux_link import YamuxLink

    from .wire import Wire

_ROUND_TRIP = 0.2  # long beside what a busy machine adds
_RATE = 8 * 1024 * 1024
_UNDER_WAY = round(_RATE * _ROUND_TRIP)  # what fills the path


@asynccontextmanager
async def _linked(it: Wire) -> AsyncIterator[tuple[YamuxLink, YamuxLink]]:
    """Links on both sides of the wire, over TCP, each run by a task."""
    listener = it.right.socket(socket.AF_INET, socket.SOCK_STREAM)
    dialer = it.left.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.bind((it.right.address, 0))
        listener.listen()
        dialer.connect(listener.getsockname())
        accepted, _ = listener.accept()
    for sock in (dialer, accepted):
        sock.settimeout(0)
    links = (
        make_link(SocketPipe(dialer), Role.DIALER),
        make_link(SocketPipe(accepted), Role.LISTENER),
    )
    async with anyio.create_task_group() as tasks:
        for link in links:
            tasks.start_soon(link.run)
        yield links
        tasks.cancel_scope.cancel()


async def _send(link: YamuxLink, nbytes: int) -> None:
    async with await link.open_stream() as stream:
        for _ in range(nbytes // 65_536):
            await stream.send(bytes(65_536))


async def test_window_holds_what_the_path_does_within_ten_round_trips():
    async with (
        wire(
            delay_seconds=_ROUND_TRIP / 2, rate_bytes_per_second=_RATE, queue_bytes=_UNDER_WAY
        ) as it,
        _linked(it) as (left, right),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_send, left, 12 * _UNDER_WAY)
        stream = await right.accept_stream()
        begun = monotonic()
        with anyio.fail_after(30):
            while stream._state.window.size < 2 * _UNDER_WAY:
                await stream.receive()
        round_trips = (monotonic() - begun) / _ROUND_TRIP
        tasks.cancel_scope.cancel()
    assert round_trips <= 10
