"""Both sides of a test: the listener that tells where it is, the dialer that measures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from peerloom import NetworkConfig, Node

from .meeting import Meeting, meeting
from .report import GBPS, MILLISECONDS, latency_report, perf_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multiaddr import Multiaddr

    from peerloom import NetworkClient, PeerId

    from .settings import Measured, Settings

_LISTEN: Final = {"tcp": "/ip4/{}/tcp/0", "quic-v1": "/ip4/{}/udp/0/quic-v1"}
_MEETING_SECONDS: Final = 60  # the other container may still be starting
_POLL_SECONDS: Final = 0.1


async def listen(settings: Settings) -> None:
    """Listen, tell the address, and serve until the process is ended."""
    address = _LISTEN[settings.transport].format(settings.listener_ip)
    config = NetworkConfig(
        listen=[address],
        security=[settings.secure_channel],
        settings={"perf": {"serve": True}},
    )
    async with Node(config) as node:
        async with meeting(*settings.redis) as point:
            await point.put(settings.key, str(_reachable(node.addresses)))
        await anyio.sleep_forever()


async def dial(settings: Settings) -> str:
    """Find the listener, connect and measure; gives the report."""
    async with meeting(*settings.redis) as point:
        address = await _find(point, settings.key)
    async with Node(NetworkConfig(security=[settings.secure_channel])) as node:
        client = node.client
        began_at = time.perf_counter()
        peer = (await client.dial(address)).peer
        round_trip = await client.ping(peer)
        connected = time.perf_counter() - began_at
        if settings.measured is None:
            return latency_report(1000 * connected, 1000 * round_trip)
        return await _measure(client, peer, settings.measured)


async def _find(point: Meeting, key: str) -> str:
    with anyio.fail_after(_MEETING_SECONDS):
        while True:
            address = await point.get(key)
            if address is not None:
                return address
            await anyio.sleep(_POLL_SECONDS)


def _reachable(addresses: Sequence[Multiaddr]) -> Multiaddr:
    outside = [each for each in addresses if not str(each).startswith("/ip4/127.")]
    return [*outside, *addresses][0]


async def _measure(client: NetworkClient, peer: PeerId, measured: Measured) -> str:
    async def seconds_of(upload_bytes: int, download_bytes: int) -> float:
        began_at = time.perf_counter()
        await client.perf(peer, upload_bytes, download_bytes)
        return time.perf_counter() - began_at

    async def gbps(upload_bytes: int, download_bytes: int, iterations: int) -> list[float]:
        bits = 8 * (upload_bytes + download_bytes)
        return [
            bits / await seconds_of(upload_bytes, download_bytes) / 1e9 for _ in range(iterations)
        ]

    return perf_report(
        ("upload", await gbps(measured.upload_bytes, 0, measured.upload_iterations), GBPS),
        ("download", await gbps(0, measured.download_bytes, measured.download_iterations), GBPS),
        (
            "latency",
            [1000 * await seconds_of(1, 1) for _ in range(measured.latency_iterations)],
            MILLISECONDS,
        ),
    )
