"""RPCs so big that they are read and heard in parts, while others have the loop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from peerloom_gossipsub import _decode
from peerloom_gossipsub._config import GossipsubConfig
from peerloom_gossipsub._encode import encode_message, framed
from peerloom_gossipsub._protobuf import bytes_field, varint_field
from peerloom_gossipsub._reception import MAX_HEARD_AT_ONCE, Reception
from tests.gossipsub.foreign import MESHSUB
from tests.gossipsub.peers import peer

LIMIT_SECONDS = 30.0
STREAMS = 20
PARTS = 15
BIG = 2 * _decode.FIELDS_A_STEP  # messages


class Voice:
    """A stream on which one frame comes."""

    def __init__(self, number, frame):
        self.peer, self.protocol = peer(number), MESHSUB
        self.connection = SimpleNamespace(id=number)
        self.waiting = [framed(frame)]

    async def receive(self, _):
        if not self.waiting:
            raise anyio.EndOfStream
        return self.waiting.pop()

    async def aclose(self):
        pass


class Engine:
    """Notes what it receives; time passes whenever it is asked for."""

    def __init__(self):
        self.config = GossipsubConfig()
        self.links = SimpleNamespace(meet=lambda *_: None)
        self.backlog = self.router = self.ctx = self
        self.received = []
        self.answered = []
        self.connected = {peer(number): number for number in range(STREAMS)}
        self.time = 0.0

    def now(self):
        self.time += 1.0
        return self.time

    async def wait_for_room(self):
        pass

    def hears(self, from_peer):
        return from_peer in self.connected

    def connections(self, of_peer):
        return [SimpleNamespace(id=self.connected[of_peer])] if self.hears(of_peer) else []

    def receive(self, from_peer, rpc, _):
        self.received.append((from_peer, rpc))

    def answer(self, from_peer, told):
        self.answered.append((from_peer, tuple(told)))


def reception_of(engine) -> Any:
    return Reception(engine)


def subscriptions(count):
    entries = (varint_field(1, 1) + bytes_field(2, b"%d" % each) for each in range(count))
    return b"".join(bytes_field(1, entry) for entry in entries)


async def test_nothing_more_is_heard_of_a_peer_that_goes_while_its_rpc_is_heard():
    engine = Engine()
    with anyio.fail_after(LIMIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            voice = Voice(1, subscriptions(PARTS * MAX_HEARD_AT_ONCE))
            tasks.start_soon(reception_of(engine).serve, voice)
            while not engine.received:
                await checkpoint()
            engine.connected.clear()

    assert 0 < len(engine.received) < PARTS
    assert engine.answered == []


async def test_a_peer_is_answered_when_all_of_its_rpc_is_heard():
    engine = Engine()
    with anyio.fail_after(LIMIT_SECONDS):
        voice = Voice(1, subscriptions(PARTS * MAX_HEARD_AT_ONCE))
        await reception_of(engine).serve(voice)

    told = [each for _, part in engine.received for each in part.subscriptions]
    assert len(told) == PARTS * MAX_HEARD_AT_ONCE
    assert engine.answered == [(peer(1), tuple(told))]


async def test_one_big_rpc_is_read_at_a_time(monkeypatch):
    engine, reading, most = Engine(), set(), 0

    class Decoder(_decode.RpcDecoder):
        def steps(self):
            nonlocal most
            for number, _ in enumerate(super().steps()):
                if number:
                    reading.add(self)
                    most = max(most, len(reading))
                yield

        def rpc(self):
            reading.discard(self)
            return super().rpc()

    monkeypatch.setattr("peerloom_gossipsub._reception.RpcDecoder", Decoder)
    frame = bytes_field(2, encode_message("t", b"data")) * BIG
    reception = reception_of(engine)
    with anyio.fail_after(LIMIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(STREAMS):
                tasks.start_soon(reception.serve, Voice(number, frame))

    assert sum(len(rpc.messages) for _, rpc in engine.received) == STREAMS * BIG
    assert most == 1


async def test_small_rpcs_do_not_wait_for_big_ones():
    engine = Engine()
    reception = reception_of(engine)
    with anyio.fail_after(LIMIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(1, STREAMS):
                frame = bytes_field(2, encode_message("t", b"data")) * BIG
                tasks.start_soon(reception.serve, Voice(number, frame))
            tasks.start_soon(reception.serve, Voice(0, subscriptions(1)))

    assert [from_peer for from_peer, _ in engine.received].index(peer(0)) < BIG // MAX_HEARD_AT_ONCE
