"""Peers that misbehave before a connection stands."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from peerloom import IncomingConnectionFailed, Limits
from peerloom._framing import encode_varint
from peerloom._libp2p import KeyPair
from peerloom._links import Role
from peerloom._runtime import SystemRuntime
from tests.hostile.foe import GONE, HEADER, Wire, line, link_to, securities, wire_to
from tests.hostile.siege import measured, open_files, siege
from tests.hostile.ways import PROTOCOLS, TCP_NOISE, TCP_TLS

if TYPE_CHECKING:
    from tests.hostile.siege import Siege
    from tests.hostile.ways import Way

GARBAGE = random.Random(7).randbytes(4096)

AT_ONCE = {
    "random bytes": (GARBAGE, "NegotiationFailed"),
    "an HTTP request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "NegotiationFailed"),
    "a TLS hello in the clear": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), ""),
    "another header": (line("/multistream/9.9.9"), "expected /multistream/1.0.0"),
    "a name that is not UTF-8": (HEADER + line(b"/\xff\xfe\x80/1"), "not UTF-8"),
    "a line without its newline": (HEADER + b"\x04/tls", "without its newline"),
    "a length of 63 bits": (HEADER + encode_varint((1 << 63) - 1), "message of"),
    "a length without end": (HEADER + b"\xff" * 64, "varint"),
    "an empty line": (HEADER + b"\x00", "newline"),
    "a thousand proposals": (HEADER + line("/x") * 1000, "proposed"),
    "a megabyte of nothing": (bytes(1 << 20), "NegotiationFailed"),
}


async def failed(events: Any) -> IncomingConnectionFailed:
    with anyio.fail_after(15):
        return await anext(events)


class TestGarbage:
    @pytest.mark.parametrize("sent", AT_ONCE)
    async def test_in_the_first_negotiation_ends_that_connection_and_says_why(self, sent) -> None:
        data, reason = AT_ONCE[sent]
        async with siege(TCP_TLS) as scene:
            async with (
                scene.node.client.events(IncomingConnectionFailed) as events,
                wire_to(scene.address) as wire,
            ):
                await wire.try_to_send(data)
                await wire.until_closed()
                event = await failed(events)
            assert reason in f"{type(event.cause).__name__}: {event.cause}"
            assert (await scene.swarm())["failed_accepts"] == 1

    async def test_in_place_of_the_handshake(self, raw_way: Way) -> None:
        async with (
            siege(raw_way) as scene,
            scene.node.client.events(IncomingConnectionFailed) as events,
        ):
            for size in (1, 2, 100, 4096):
                async with wire_to(scene.address) as wire:
                    await wire.select(PROTOCOLS[raw_way.security[0]])
                    await wire.try_to_send(GARBAGE[:size])
                    await wire.send_eof()
                    await wire.until_closed()
                cause = (await failed(events)).cause
                assert type(cause).__name__ == "HandshakeFailed", cause

    async def test_in_each_message_of_the_handshake(self, raw_way: Way) -> None:
        """Every byte of each message that the dialler sends, changed in turn (in steps)."""
        async with siege(raw_way) as scene:
            messages = await self.messages_of(scene, raw_way)
            for number, size in enumerate(messages):
                for at in range(0, size, max(1, size // 7)):
                    async with wire_to(scene.address) as wire:
                        await self.shake_tampering(wire, raw_way, number, at)
                        await wire.send_eof()
                        await wire.until_closed()
            swarm = await scene.swarm()
            # A changed byte may hide in what nobody reads (a ClientHello's session id).
            assert swarm["failed_accepts"] >= 7

    async def messages_of(self, scene: Siege, way: Way) -> list[int]:
        async with wire_to(scene.address) as wire:
            return await self.shake_tampering(wire, way, None, 0)

    async def shake_tampering(self, wire: Wire, way: Way, number: int | None, at: int) -> list[int]:
        name = way.security[0]
        await wire.select(PROTOCOLS[name])
        handshake = securities(KeyPair.generate(), SystemRuntime())[name].handshake(
            Role.DIALER, None
        )
        sizes: list[int] = []
        data = b""
        while handshake.secured is None:
            message = bytearray(handshake.step(data))
            if message:
                if len(sizes) == number:
                    message[min(at, len(message) - 1)] ^= 0x41  # signatures vary in length
                sizes.append(len(message))
                await wire.send(bytes(message))
            if handshake.secured is None and not (data := await wire.receive()):
                return sizes
            if number is not None and len(sizes) > number:
                return sizes
        return sizes


class TestPatience:
    @pytest.mark.usefixtures("hurried")
    async def test_nim_2929_who_says_nothing_at_any_step_is_let_go_and_no_slot_is_lost(
        self,
    ) -> None:
        """Each of the listener's waits ends, all at once here."""
        async with siege(TCP_NOISE) as scene, measured(scene):
            async with anyio.create_task_group() as tasks:
                for hang in (
                    self.at_once,
                    self.in_the_header,
                    self.behind_the_header,
                    self.in_a_proposal,
                    self.behind_the_proposal,
                    self.in_the_first_message,
                    self.behind_the_first_message,
                    self.drip,
                ):
                    tasks.start_soon(self.hang, scene, hang)
                await scene.wait_for("they wait", lambda swarm: swarm["pending_in"] == 8)
            swarm = await scene.swarm()
            assert swarm["pending_in"] == 0
            assert swarm["failed_accepts"] == 8

    async def hang(self, scene, hang) -> None:
        async with wire_to(scene.address) as wire:
            with anyio.fail_after(13):
                await hang(wire)
                await wire.until_closed()

    async def at_once(self, wire: Wire) -> None:
        pass

    async def in_the_header(self, wire: Wire) -> None:
        await wire.send(HEADER[:7])

    async def behind_the_header(self, wire: Wire) -> None:
        await wire.send(HEADER)

    async def in_a_proposal(self, wire: Wire) -> None:
        await wire.send(HEADER + line("/noise")[:4])

    async def behind_the_proposal(self, wire: Wire) -> None:
        await wire.send(HEADER + line("/noise"))

    async def in_the_first_message(self, wire: Wire) -> None:
        await wire.send(HEADER + line("/noise") + b"\x00\x20" + bytes(9))

    async def behind_the_first_message(self, wire: Wire) -> None:
        await wire.send(HEADER + line("/noise") + b"\x00\x20" + os.urandom(32))

    async def drip(self, wire: Wire) -> None:
        try:
            for byte in HEADER + line("/noise"):
                await wire.send(bytes((byte,)))
                await anyio.sleep(1)
        except GONE:
            return

    async def test_nim_2696_those_who_say_nothing_do_not_keep_others_out(self) -> None:
        async with (
            siege(TCP_TLS, limits=Limits(pending_in=16)) as scene,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(24):
                tasks.start_soon(self.hold, scene)
            await scene.wait_for("they wait", lambda swarm: swarm["pending_in"] >= 16)
            await anyio.sleep(1.1)  # that long anybody may take
            with anyio.fail_after(8):
                async with link_to(scene.address, ("tls",)):
                    await scene.wait_for("let in", lambda swarm: swarm["connections"] == 2)
            tasks.cancel_scope.cancel()

    async def hold(self, scene: Siege) -> None:
        async with wire_to(scene.address):
            await anyio.sleep_forever()


async def test_ten_thousand_files_are_not_left_open(raw_way: Way) -> None:
    """Each bad handshake gives back its socket."""
    async with siege(raw_way) as scene:
        before = open_files()
        for _ in range(50):
            async with wire_to(scene.address) as wire:
                await wire.try_to_send(GARBAGE)
                await wire.until_closed()
        await scene.wait_for("settled", lambda swarm: swarm["pending_in"] == 0)
        assert open_files() <= before + 2
