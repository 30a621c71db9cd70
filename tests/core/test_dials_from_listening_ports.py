"""How often one is dialled that takes itself for the dialler as well."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import DialFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from peerloom.testing import Nodes


@asynccontextmanager
async def dialler() -> AsyncIterator[tuple[str, list[int]]]:
    """Says all that a dialler says; gives its address, and the ports that dialled it."""
    ports: list[int] = []

    async def serve(stream: SocketStream) -> None:
        ports.append(stream.extra(anyio.abc.SocketAttribute.remote_port))
        async with stream:
            async for data in stream:
                await stream.send(data)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"/ip4/127.0.0.1/tcp/{port}", ports
        tasks.cancel_scope.cancel()


async def test_one_that_does_not_listen_dials_once(nodes: Nodes) -> None:
    [node] = await nodes(listen=[])
    async with dialler() as (address, ports):
        with pytest.raises(DialFailed):
            await node.client.dial(address)
    assert len(ports) == 1


async def test_one_that_has_dialled_from_where_it_listens_tries_another_port(nodes: Nodes) -> None:
    [node] = await nodes()
    async with dialler() as (address, ports):
        with pytest.raises(DialFailed):
            await node.client.dial(address)
    first, second = ports
    assert f"/tcp/{first}" in str(node.addresses[0])
    assert second != first
