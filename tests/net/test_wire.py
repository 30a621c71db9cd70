"""The wire does to packets what it is told to, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from .namespaces import exists, ip, missing
from .wire import WireFailed, wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .wire import End, Wire

_PORT = 4001
_PAYLOAD = 1472  # with the headers of IPv4 and UDP a packet of 1500 bytes
_PACKET = 1500
_ROOT = Path(__file__).parents[2]
_SO_RCVBUFFORCE = 33
_RECEIVE_BYTES = 8 * 1024 * 1024


@asynccontextmanager
async def _udp(
    end: End, family: socket.AddressFamily = socket.AF_INET
) -> AsyncIterator[socket.socket]:
    address = end.address if family == socket.AF_INET else end.address6
    with end.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0)
        # The kernel's bound on a socket is no part of the wire; root may pass it.
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
        sock.bind((address, _PORT))
        yield sock


async def _receive(sock: socket.socket) -> bytes:
    with anyio.fail_after(20):
        await anyio.wait_readable(sock)
        return sock.recv(65_536)


async def _until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the kernel's state, which tells nobody
            await anyio.sleep(0.01)


async def _send_numbered(it: Wire, sock: socket.socket, count: int) -> None:
    """Fill the path as fast as it goes, but for the sender's own buffer."""
    for number in range(count):
        await anyio.wait_writable(sock)
        sock.sendto(number.to_bytes(4, "big").ljust(_PAYLOAD), (it.right.address, _PORT))


async def _send_and_receive(
    it: Wire, left: socket.socket, right: socket.socket, count: int
) -> list[int]:
    """The numbers of the packets that arrive, once all that will have."""
    got: list[int] = []
    expected = count
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_send_numbered, it, left, count)
        with anyio.fail_after(20):
            while len(got) < expected:
                with anyio.move_on_after(0.1):
                    await anyio.wait_readable(right)
                with suppress(BlockingIOError):
                    while True:
                        got.append(int.from_bytes(right.recv(65_536)[:4], "big"))
                there, _ = await it.counters()
                expected = count - there.dropped - there.lost
    return got


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_wire_delays_both_ways(family):
    delay = 0.05
    async with (
        wire(delay_seconds=delay) as it,
        _udp(it.left, family) as left,
        _udp(it.right, family) as right,
    ):
        trips = []
        for _ in range(5):
            begun = monotonic()
            left.sendto(b"there", right.getsockname())
            assert await _receive(right) == b"there"
            right.sendto(b"back", left.getsockname())
            assert await _receive(left) == b"back"
            trips.append(monotonic() - begun)
    assert min(trips) >= 2 * delay
    assert min(trips) < 3 * delay


async def test_wire_carries_no_more_than_its_rate():
    count, seconds = 200, 0.5
    rate = count * _PACKET / seconds
    async with (
        wire(rate_bytes_per_second=rate) as it,
        _udp(it.left) as left,
        _udp(it.right) as right,
    ):
        begun = monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_send_numbered, it, left, count)
            for number in range(count):
                assert (await _receive(right))[:4] == number.to_bytes(4, "big")
        took = monotonic() - begun
    assert seconds <= took < 3 * seconds


async def test_wire_drops_what_its_queue_cannot_hold():
    count, room = 400, 50
    async with (
        wire(rate_bytes_per_second=100 * _PACKET, queue_bytes=room * _PACKET) as it,
        _udp(it.left) as left,
        _udp(it.right) as right,
    ):
        got = await _send_and_receive(it, left, right, count)
        there, back = await it.counters()
    assert got[:room] == list(range(room))
    assert there.dropped == count - len(got) > 0
    assert there.bytes == count * _PACKET
    assert (room - 1) * _PACKET <= there.backlog_bytes <= room * _PACKET
    assert back.packets == 0


async def test_wire_loses_the_packets_that_its_seed_says():
    async def received(seed: int) -> list[int]:
        async with wire(loss=0.1, seed=seed) as it, _udp(it.left) as left, _udp(it.right) as right:
            got = await _send_and_receive(it, left, right, 1000)
        return got  # noqa: RET504 - mypy has it that the block might swallow a return

    first = await received(1)
    assert len(first) == pytest.approx(900, abs=50)  # five standard deviations
    assert first == await received(1)
    assert first != await received(2)


async def test_wire_has_an_mtu_of_1500():
    async with wire() as it, _udp(it.left) as left, _udp(it.right) as right:
        for size in (_PAYLOAD, _PAYLOAD + 1):
            left.sendto(bytes(size), right.getsockname())
            assert len(await _receive(right)) == size
        there, _ = await it.counters()
    assert there.packets == 1 + 2


async def test_wire_runs_commands_on_either_side():
    async with wire() as it:
        shown = [
            await anyio.run_process(end.command("ip", "-json", "address"))
            for end in (it.left, it.right)
        ]
    for end, other, done in zip((it.left, it.right), (it.right, it.left), shown, strict=True):
        loopback, device = json.loads(done.stdout)
        assert loopback["ifname"] == "lo"
        assert device["mtu"] == 1500
        addresses = [(each["local"], each["address"]) for each in device["addr_info"]]
        assert addresses == [(end.address, other.address), (end.address6, other.address6)]


async def test_two_wires_do_not_meet():
    async with wire() as one, wire() as other:
        async with _udp(one.left) as left, _udp(one.right) as right, _udp(other.right):
            left.sendto(b"there", right.getsockname())
            assert await _receive(right) == b"there"
        assert (await one.counters())[0].packets == 1
        assert (await other.counters())[0].packets == 0


@pytest.mark.parametrize("fails", [False, True])
async def test_wire_leaves_nothing_behind(fails):
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        async with wire() as it:
            assert exists(it.left.namespace)
            assert exists(it.right.namespace)
            command = it.right.command(sys.executable, "-c", "input()")
            sleeper = await anyio.open_process(command, stdin=PIPE)
            await _until(lambda: ip("netns", "pids", it.right.namespace) != "")
            assert 1 // (not fails)
    assert not exists(it.left.namespace)
    assert not exists(it.right.namespace)
    async with sleeper:
        assert await sleeper.wait() == -signal.SIGKILL


async def test_wire_that_was_killed_says_so_and_leaves_nothing_behind():
    with pytest.raises(WireFailed):
        async with wire() as it:
            it._process.kill()
    assert not exists(it.left.namespace)
    assert not exists(it.right.namespace)


async def test_wire_leaves_nothing_behind_when_its_user_is_killed():
    if reason := missing():
        pytest.skip(reason)
    program = """
import anyio
from tests.net.wire import wire
async def main():
    async with wire() as it:
        print(it.left.namespace, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    async with await anyio.open_process(
        command, stdin=DEVNULL, stdout=PIPE, stderr=None, cwd=_ROOT, env=environment
    ) as user:
        namespace = (await user.stdout.receive()).decode().strip()
        assert exists(namespace)
        user.kill()
        await user.wait()
    await _until(lambda: not exists(namespace))


async def test_wire_tells_why_it_could_not_be_made(tmp_path, monkeypatch):
    if reason := missing():
        pytest.skip(reason)
    program = tmp_path / "ip"
    program.write_text("#!/bin/sh\necho no such luck >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WireFailed, match="no such luck"):
        async with wire():
            pass


def test_missing_names_the_package_that_is_needed(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "iproute2" in str(missing())


def test_missing_names_the_rights_that_are_needed(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "root" in str(missing())
