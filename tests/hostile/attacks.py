"""Attacks that another process makes, so that their work is not taken for the node's.

``python -m tests.hostile.attacks NAME ADDRESS [KEY=VALUE …]`` makes one.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from multiaddr import Multiaddr

from peerloom._errors import PeerloomError, StreamLimitReached, StreamReset
from peerloom._muxers._yamux_frames import DATA, HEADER_BYTES, PING, RST, SYN, WINDOW_UPDATE
from tests.core.yamux_tools import frame
from tests.hostile.foe import (
    GONE,
    HEADER,
    Dialler,
    channel_to,
    connect,
    line,
    link_to,
    stream_under,
    wire_to,
)
from tests.hostile.gossip_attacks import gossip, iwants, unfinished_frames
from tests.hostile.quic_attacks import quic_frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom._links import MuxedLink

AT_ONCE = 16  # of many connections
SMALL_RECORDS = 100_000  # 2 MiB


async def attack(name: str, address: Multiaddr, **options: Any) -> None:
    """Let another process make this attack, and wait for its end."""
    await anyio.run_process(
        [
            sys.executable,
            "-m",
            "tests.hostile.attacks",
            name,
            str(address),
            *(f"{key}={value}" for key, value in options.items()),
        ],
        stderr=None,
    )


async def come_and_go(address: Multiaddr, security: str = "tls", count: int = 100) -> None:
    """Connections in full, one after another."""
    async with anyio.create_task_group() as tasks:
        dialler = Dialler(tasks, (security,))
        for _ in range(count):
            with suppress(*GONE, OSError, PeerloomError):
                await (await dialler.dial(address)).aclose()


async def bad_handshakes(address: Multiaddr, count: int = 100) -> None:
    """Connections that fail at a step each time another."""
    garbage = random.Random(1).randbytes(600)
    words = [
        garbage,
        HEADER + line("/nonsense"),
        HEADER + line("/tls/1.0.0") + garbage,
        HEADER + line("/noise") + b"\x00\x20" + garbage,
        b"",
    ]

    async def some(first: int) -> None:
        for number in range(first, count, AT_ONCE):
            with suppress(*GONE, OSError):
                async with wire_to(address) as wire:
                    await wire.send(words[number % len(words)])
                    await wire.stream.send_eof()
                    await wire.until_closed()

    async with anyio.create_task_group() as tasks:
        for first in range(AT_ONCE):
            tasks.start_soon(some, first)


async def half_open(address: Multiaddr, count: int = 1000, seconds: float = 3.0) -> None:
    """Sockets that say nothing, and sockets that say the header only; then all of them stand."""

    async def one(number: int) -> None:
        with suppress(*GONE, OSError):
            async with wire_to(address) as wire:
                if number % 2:
                    await wire.send(HEADER)
                await wire.until_closed()

    began_at = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(one, number)
            await anyio.sleep_until(began_at + seconds * number / count)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()


async def hold_connections(
    address: Multiaddr, count: int = 1, peers: int = 1, security: str = "tls,noise"
) -> None:
    """Connections that stand until this process is killed; it answers pings."""
    from peerloom import Limits, NetworkConfig, Node  # noqa: PLC0415
    from peerloom._commands import DialCondition  # noqa: PLC0415

    # A node takes in 128 at a time, and a few of ours are still under way there when we go on.
    turn = anyio.CapacityLimiter(AT_ONCE)

    async def peer(connections: int) -> None:
        config = NetworkConfig(
            security=tuple(security.split(",")),
            keep_alive_seconds=600,
            limits=Limits(per_peer=64),
        )
        async with Node(config) as node:
            for _ in range(connections):
                async with turn:
                    await node.client.dial(address, condition=DialCondition.ALWAYS)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        for _ in range(peers):
            tasks.start_soon(peer, count // peers)


async def take_without_reading(address: Multiaddr, protocol: str = "/x/1") -> None:
    """A stream whose data is never read, with all the credit in the world."""
    async with link_to(address, ("tls", "noise")) as link:
        await stream_under(link, protocol)
        await anyio.sleep_forever()


async def flood_streams(address: Multiaddr, security: str = "tls", seconds: float = 2.0) -> None:
    """Streams opened without end, each with a proposal, none ever read from."""
    await _flood(
        address,
        security,
        seconds,
        lambda first: b"".join(
            frame(DATA, SYN, number, len(HEADER), HEADER) for number in range(first, first + 200, 2)
        ),
    )


async def rapid_reset(address: Multiaddr, security: str = "tls", seconds: float = 2.0) -> None:
    """Streams opened and reset at once."""
    await _flood(
        address,
        security,
        seconds,
        lambda first: b"".join(
            frame(DATA, SYN, number, len(HEADER), HEADER) + frame(WINDOW_UPDATE, RST, number, 0)
            for number in range(first, first + 200, 2)
        ),
    )


async def empty_frames(address: Multiaddr, security: str = "tls", seconds: float = 2.0) -> None:
    """Frames that mean nothing, as many as there is room for."""
    burst = frame(DATA, 0, 1, 0) * 2000
    await _flood(
        address,
        security,
        seconds,
        lambda first: (frame(DATA, SYN, 1, 0) if first == 1 else b"") + burst,
    )


async def pongs(address: Multiaddr, security: str = "tls", seconds: float = 2.0) -> None:
    """Pings, a few at a time, each of which wants an answer."""
    await _flood(address, security, seconds, lambda _: frame(PING, SYN, 0, 1) * 40)


async def small_records(address: Multiaddr, security: str = "tls", seconds: float = 2.0) -> None:
    """Empty frames in records of a byte each, as many at once as a node reads."""
    burst = frame(DATA, 0, 1, 0) * (SMALL_RECORDS // HEADER_BYTES)
    with anyio.move_on_after(seconds):
        async with channel_to(address, security) as channel:
            await channel.send(frame(DATA, SYN, 1, 0))
            seal = channel.secured.records.seal
            while True:
                records = [bytes(seal([bytes([byte])])) for byte in burst]
                await channel.wire.send(b"".join(records))


async def _flood(
    address: Multiaddr, security: str, seconds: float, burst: Callable[[int], bytes]
) -> None:
    first = 1
    with anyio.move_on_after(seconds):
        while True:
            with suppress(*GONE, OSError):
                async with (
                    channel_to(address, security) as channel,
                    anyio.create_task_group() as tasks,
                ):
                    tasks.start_soon(channel.until_closed)
                    first = 1
                    while await channel.send_or_be_cut(burst(first)):
                        first += 200
                    tasks.cancel_scope.cancel()
            await anyio.sleep(0.01)


async def unread_windows(
    address: Multiaddr,
    protocol: str = "/hold/1",
    security: str = "tls",
    connections: int = 8,
    seconds: float = 4.0,
) -> None:
    """As many streams as are let in, each filled to its window, of many identities.

    Without haste: what is attacked is the node's memory, not its time.
    """
    proposal = HEADER + line(protocol)
    body = bytes((1 << 18) - len(proposal))

    async def one() -> None:
        with suppress(*GONE, OSError):
            async with channel_to(address, security) as channel:
                for number in range(1, 512, 2):
                    opening = frame(DATA, SYN, number, len(proposal), proposal)
                    if not await channel.send_or_be_cut(
                        opening + frame(DATA, 0, number, len(body), body)
                    ):
                        return
                    await anyio.sleep(seconds / 256)
                await channel.until_closed()

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            for _ in range(connections):
                tasks.start_soon(one)
        await anyio.sleep_forever()


async def unread_streams(
    address: Multiaddr,
    protocol: str = "/hold/1",
    security: str = "tls",
    connections: int = 4,
    seconds: float = 3.0,
) -> None:
    """As much as is taken on many streams of many identities, by an honest muxer, likewise."""

    async def fill(link: MuxedLink) -> None:
        while True:
            with suppress(StreamReset):
                stream = await stream_under(link, protocol)
                while True:
                    await stream.send(bytes(1 << 14))
                    await anyio.sleep(0.02)

    async def one() -> None:
        async with link_to(address, (security,)) as link:
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as tasks:
                    for _ in range(4):
                        tasks.start_soon(fill, link)

    async with anyio.create_task_group() as tasks:
        for _ in range(connections):
            tasks.start_soon(one)


async def open_streams(
    address: Multiaddr, protocol: str = "/hold/1", security: str = "tls", seconds: float = 3.0
) -> None:
    """Streams without end, as an honest muxer opens them, all kept open."""
    kept = []
    async with link_to(address, (security,)) as link:
        with anyio.move_on_after(seconds):
            while True:
                with suppress(StreamLimitReached):
                    stream = await link.open_stream()
                    await stream.send(HEADER + line(protocol))
                    kept.append(stream)


async def reset_streams(
    address: Multiaddr, protocol: str = "/echo/1", security: str = "tls", count: int = 2000
) -> None:
    """Streams reset right behind their first bytes, likewise."""
    async with link_to(address, (security,)) as link:
        for _ in range(count):
            stream = await link.open_stream()
            await stream.send(HEADER + line(protocol))
            stream.reset()


async def silence(address: Multiaddr) -> None:
    """One socket, until killed."""
    await connect(address)
    await anyio.sleep_forever()


ATTACKS: dict[str, Callable[..., Awaitable[None]]] = {
    each.__name__: each
    for each in (
        bad_handshakes,
        come_and_go,
        empty_frames,
        flood_streams,
        gossip,
        half_open,
        hold_connections,
        iwants,
        open_streams,
        pongs,
        small_records,
        quic_frames,
        rapid_reset,
        reset_streams,
        silence,
        take_without_reading,
        unfinished_frames,
        unread_streams,
        unread_windows,
    )
}


def main() -> None:
    name, address, *pairs = sys.argv[1:]
    options: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        options[key] = int(value) if value.isdigit() else _number_or_text(value)
    anyio.run(lambda: ATTACKS[name](Multiaddr(address), **options))


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


if __name__ == "__main__":
    main()
