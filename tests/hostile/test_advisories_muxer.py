"""Published advisories: what a peer may do on a connection that stands, by yamux and by QUIC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from peerloom import Limits, PeerDisconnected
from peerloom._muxers._yamux_frames import (
    ACK,
    DATA,
    FIN,
    INITIAL_WINDOW_BYTES,
    SYN,
    WINDOW_UPDATE,
)
from tests.core.nodes import Serving, echo
from tests.core.yamux_tools import frame
from tests.hostile.attacks import attack
from tests.hostile.expelled import HOLD, assert_expelled, hold, infiltrated, opened
from tests.hostile.foe import channel_to, link_to, stream_under
from tests.hostile.siege import measured, siege
from tests.hostile.ways import QUIC

if TYPE_CHECKING:
    from tests.hostile.ways import Way

EVERYTHING = 0xFFFFFFFF
UNREAD_BYTES = 8 << 20
QUIC_UNREAD_BYTES = 2 << 20


class TestCve202631814:
    """A WINDOW_UPDATE made rust-yamux's send window overflow."""

    @pytest.mark.parametrize(
        "frames",
        [
            pytest.param(
                opened(1) + frame(WINDOW_UPDATE, 0, 1, EVERYTHING) * 2, id="twice everything"
            ),
            pytest.param(frame(WINDOW_UPDATE, SYN, 1, EVERYTHING), id="with the first frame"),
            pytest.param(
                opened(1) + frame(WINDOW_UPDATE, ACK, 1, EVERYTHING), id="with an acknowledgement"
            ),
            pytest.param(
                opened(1)
                + frame(WINDOW_UPDATE, 0, 1, EVERYTHING - INITIAL_WINDOW_BYTES)
                + frame(WINDOW_UPDATE, 0, 1, 1),
                id="one byte too many",
            ),
        ],
    )
    async def test_cve_2026_31814_credit_past_32_bits_ends_the_connection(
        self, frames: bytes, raw_way: Way
    ) -> None:
        async with infiltrated(raw_way) as (scene, channel, events), measured(scene):
            await channel.send_or_be_cut(frames)
            await assert_expelled(scene, channel, events, "past 4294967295")


class TestCve202632314:
    """DATA with SYN longer than 256 KiB made rust-yamux panic."""

    async def test_cve_2026_32314_the_first_frame_has_the_window_of_any_other(
        self, raw_way: Way
    ) -> None:
        async with (
            siege(raw_way, Serving(hold=hold)) as scene,
            measured(scene),
            scene.node.client.events(PeerDisconnected) as events,
        ):
            for flags in range(16):
                first = b"" if flags & SYN else opened(1)
                too_long = frame(DATA, flags, 1, INITIAL_WINDOW_BYTES + 1)
                async with channel_to(scene.address, raw_way.security[0]) as channel:
                    await channel.send_or_be_cut(first + too_long)
                    await channel.until_closed()
                with anyio.fail_after(10):
                    event = await anext(events)
                assert event.cause.startswith("MuxerViolation: "), f"flags {flags}: {event.cause}"
            assert (await scene.swarm())["ended_by"] == {"MuxerViolation": 16}

    @pytest.mark.parametrize("flags", [0, ACK, FIN, ACK | FIN])
    async def test_cve_2026_32314_and_a_whole_window_in_it_is_fine(
        self, flags: int, raw_way: Way
    ) -> None:
        async with infiltrated(raw_way) as (scene, channel, _), measured(scene):
            body = HOLD + bytes(INITIAL_WINDOW_BYTES - len(HOLD))
            await channel.send(frame(DATA, SYN | flags, 1, len(body), body))
            await scene.wait_for("it is served", lambda s: s["inbound_streams"].get("/hold/1"))
            assert (await scene.swarm())["connections"] == 2


class TestYamuxReadme169:
    """The backlog of streams was unbounded, and in py-libp2p nobody enforced the window."""

    async def test_yamux_readme_169_ten_thousand_streams_of_which_none_is_accepted(
        self, raw_way: Way
    ) -> None:
        async with (
            infiltrated(raw_way) as (scene, channel, _),
            measured(scene),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(channel.until_closed)
            for first in range(1, 20_000, 100):
                numbers = range(first, first + 100, 2)
                if not await channel.send_or_be_cut(b"".join(map(opened, numbers))):
                    break
            swarm = await scene.wait_for(
                "what is past the bound is refused or ends the connection",
                lambda s: (
                    s["connections"] == 1 or s["refused_streams"].get("StreamLimitReached", 0) > 100
                ),
            )
            assert swarm["inbound_streams"].get("/hold/1", 0) <= 256
            tasks.cancel_scope.cancel()

    async def test_yamux_readme_169_ninety_megabytes_past_the_window_end_it_at_the_first_byte(
        self, raw_way: Way
    ) -> None:
        async with infiltrated(raw_way) as (scene, channel, events), measured(scene):
            await channel.send(opened(1))
            sent = 0
            while sent < 90 << 20 and await channel.send_or_be_cut(frame(DATA, 0, 1, 1 << 16)):
                sent += 1 << 16
            await assert_expelled(scene, channel, events, "sent into a window", told=False)

    async def test_yamux_readme_169_one_byte_past_the_window(self, raw_way: Way) -> None:
        async with infiltrated(raw_way) as (scene, channel, events), measured(scene):
            rest = INITIAL_WINDOW_BYTES - len(HOLD)
            await channel.send_or_be_cut(opened(1) + frame(DATA, 0, 1, rest + 1))
            await assert_expelled(scene, channel, events, "sent into a window")

    async def test_yamux_readme_169_and_by_quic_no_sender_gets_past_its_window(
        self, quic_way: Way
    ) -> None:
        async with (
            siege(quic_way, Serving(hold=hold)) as scene,
            link_to(scene.address, quic_way.security) as link,
            measured(scene),
        ):
            stream = await stream_under(link, "/hold/1")
            sent = 0
            is_held = False
            while sent < 90 << 20 and not is_held:
                with anyio.move_on_after(1) as waiting:
                    await stream.send(bytes(1 << 16))
                    sent += 1 << 16
                is_held = waiting.cancelled_caught
            assert 1 << 20 <= sent <= 16 << 20
            stream.reset()


class TestCve202223492:
    """Go, rust and js had no resource management: streams, connections, small allocations."""

    @pytest.mark.parametrize(
        "name", ["flood_streams", "rapid_reset", "empty_frames", "pongs", "small_records"]
    )
    async def test_cve_2022_23492_a_flood_of_frames_from_another_process(
        self, name: str, raw_way: Way
    ) -> None:
        async with siege(raw_way, Serving(hold=hold)) as scene, measured(scene):
            await attack(name, scene.address, security=raw_way.security[0], seconds=2.0)

    async def test_cve_2022_23492_every_window_of_a_peer_filled_and_unread(
        self, raw_way: Way
    ) -> None:
        """Each of eight peers fills 32 windows of 256 KiB: 64 MiB, were it not for the limit."""
        limits = Limits(unread_bytes=UNREAD_BYTES)
        async with siege(raw_way, Serving(hold=hold), limits=limits) as scene:
            async with measured(scene):
                await attack(
                    "unread_windows",
                    scene.address,
                    security=raw_way.security[0],
                    seconds=3.0,
                    connections=8,
                )
            swarm = await scene.swarm()
            assert swarm["unread_bytes"] <= UNREAD_BYTES
            assert swarm["reset_streams"]["unread_bytes"] >= 8 * 32 - UNREAD_BYTES // (256 << 10)

    async def test_cve_2022_23492_streams_of_many_peers_unread_by_quic(self, quic_way: Way) -> None:
        """QUIC counts for a connection what it has taken from its engine, up to 8 MiB here."""
        limits = Limits(unread_bytes=QUIC_UNREAD_BYTES)
        async with siege(quic_way, Serving(hold=hold), limits=limits) as scene:
            async with measured(scene):
                await attack("unread_streams", scene.address, seconds=3.0, connections=4)
            swarm = await scene.swarm()
            assert swarm["unread_bytes"] <= QUIC_UNREAD_BYTES
            assert swarm["reset_streams"]["unread_bytes"] > 0

    async def test_cve_2022_23492_five_thousand_half_open_connections(self, raw_way: Way) -> None:
        async with siege(raw_way) as scene:
            async with measured(scene):
                await attack("half_open", scene.address, count=5000, seconds=4.0)
            swarm = await scene.wait_for("all are gone", lambda s: s["pending_in"] == 0)
            assert swarm["failed_accepts"] >= 3 * Limits().pending_in

    async def test_cve_2022_23492_streams_opened_without_end_by_quic(self) -> None:
        """QUIC's own limit holds them: the opener waits for its turn.

        On aioquic the node lives as well, but is held for longer than it should be: each of 256
        streams costs it the more the others are.
        """
        async with (
            siege(QUIC, Serving(hold=hold)) as scene,
            measured(scene),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(attack, "open_streams", scene.address)
            swarm = await scene.wait_for(
                "past the bound they are refused",
                lambda s: s["refused_streams"].get("StreamLimitReached", 0) > 100,
            )
            assert swarm["inbound_streams"]["/hold/1"] <= 32

    async def test_cve_2022_23492_streams_that_are_reset_at_once_by_quic(
        self, quic_way: Way
    ) -> None:
        async with siege(quic_way, Serving(echo=echo)) as scene:
            async with measured(scene):
                await attack("reset_streams", scene.address)
            await scene.wait_for("none is held", lambda s: not s["inbound_streams"].get("/echo/1"))
