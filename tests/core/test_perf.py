"""Perf between real nodes."""

from __future__ import annotations

import anyio
import pytest

from peerloom import Perf, ProtocolNotSupported
from peerloom._meta._perf import PERF_PROTOCOL
from tests.core.meta_nodes import connect, started_node


@pytest.mark.parametrize(
    ("upload", "download"), [(0, 0), (1, 0), (0, 1), (3_000_000, 0), (0, 3_000_000), (70_001, 9)]
)
async def test_perf_moves_the_bytes_that_were_asked_for(upload: int, download: int) -> None:
    async with started_node() as one, started_node(perf={"serve": True}) as other:
        await connect(one, other)
        result = await one.client.call(Perf(other.peer_id, upload, download))

        assert (result.upload_bytes, result.download_bytes) == (upload, download)
        assert result.upload_seconds > 0
        assert result.download_seconds >= 0


async def test_perf_is_not_served_unless_asked_for() -> None:
    async with started_node() as one, started_node() as other:
        await connect(one, other)

        with pytest.raises(ProtocolNotSupported):
            await one.client.call(Perf(other.peer_id, 1, 1))


async def test_perf_server_sends_nothing_before_it_has_read_all() -> None:
    async with started_node() as one, started_node(perf={"serve": True}) as other:
        await connect(one, other)
        stream = await one.client.open_stream(other.peer_id, PERF_PROTOCOL)
        await stream.send((5).to_bytes(8, "big") + b"upload")
        received = b""
        with anyio.move_on_after(0.2):
            received += await stream.receive()
        assert received == b""

        await stream.send_eof()
        with anyio.fail_after(5):
            while len(received) < 5:
                received += await stream.receive()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
        assert received == bytes(5)


def test_perf_refuses_amounts_that_no_peer_understands() -> None:
    with pytest.raises(ValueError, match="upload_bytes"):
        Perf(None, -1, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="download_bytes"):
        Perf(None, 0, 2**64)  # type: ignore[arg-type]
